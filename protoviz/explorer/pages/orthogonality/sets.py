"""The prototypes of every probe, as trained and as they started, and what is computed of them, once for all.

A set is named by probe, form and stage. What comes back is read-only: sessions share it.
"""

from functools import cache, lru_cache

import numpy as np
import pandas as pd

from protoviz.analysis.geometry import Spread, favourite_class, prototype_order
from protoviz.analysis.matrix_pictures import block_means, cosine_image, per_pixel, signed_limit
from protoviz.experiments.cosines import (
    AFTER,
    CORNERS,
    DRAWN,
    SPREAD,
    STAGES,
    Prototypes,
    cosine_table,
    prototypes_of,
)
from protoviz.explorer.reading import read_only
from protoviz.explorer.workbench import Workbench

KEPT_IMAGES = 16  # at most 1 MB each
PIXELS = 500  # a side of a picture of cosines: about as many as it has on a screen
# Prototypes whose pairs are counted here; those of more, by `protoviz study add FOLDER cosines`.
SMALL = 2_000
FINE = 0.001  # to which the scale of means over blocks is rounded: they are small
Window = tuple[tuple[int, int], tuple[int, int]]  # (first, behind the last) of rows and of columns


class PrototypeSets:
    """All prototype probes of a workbench. Their starts are drawn anew when first asked for.

    The workbench's seed is that of the probes which were not saved with theirs; where it has none the stage
    "before" of those is not known. What is counted over all pairs is None where nobody has counted them.
    """

    def __init__(self, bench: Workbench):
        self._probes = {name: bench.probes[name] for name in bench.heads}
        self._titles, self._seed, self._table = bench.titles, bench.seed, bench.table
        self.names = list(self._probes)
        # Keyed by a few words; every result is read-only or frozen.
        self.of = cache(self._of)
        self.counted = cache(self._counted)
        self.order = cache(self._order)
        self.favourites = cache(self._favourites)
        self.rows = cache(self._rows)
        self.largest = cache(self._largest)
        self.weights = lru_cache(maxsize=KEPT_IMAGES)(self._weights)
        self.image = lru_cache(maxsize=KEPT_IMAGES)(self._image)
        self.table = cache(self._all)

    def seed_of(self, name: str) -> int | None:
        """Return the seed of a probe's first weights; None if it is not known."""
        return self._probes[name].metadata.get("seed", self._seed)

    def stages(self, name: str) -> tuple[str, ...]:
        """Return the stages that are known of a probe: "before" only where the seed of its start is."""
        return STAGES if self.seed_of(name) is not None else STAGES[:1]

    def forms(self, name: str) -> tuple[str, ...]:
        """Return the forms that a probe's prototypes have: the compared one first."""
        rows = self.rows(name)
        if rows is None:
            return self.of(name, AFTER).forms
        return tuple(form for form in rows["form"].unique() if form != CORNERS)

    def _rows(self, name: str) -> pd.DataFrame | None:
        """The `cosine_table` of a probe that the study keeps."""
        rows = self._table("cosines")
        rows = None if rows is None else rows[rows.probe == name]
        return None if rows is None or rows.empty else rows

    def _of(self, name: str, stage: str) -> Prototypes:
        found = prototypes_of(self._probes[name], None if stage == AFTER else self.seed_of(name))
        vectors = {form: _still(one) for form, one in found.vectors.items()}
        return Prototypes(vectors, _still(found.weight))

    # -- numbers

    def _counted(self, name: str) -> pd.DataFrame | None:
        """The `cosine_table` of a probe by form and stage: of the study, or counted now where it is small."""
        rows = self.rows(name)
        if rows is None:
            if self.size(name)[0] > SMALL:
                return None
            rows = cosine_table(self._probes[name], self.seed_of(name))
        return rows.set_index(["form", "stage"])

    def size(self, name: str) -> tuple[int, int]:
        """Return how many prototypes a probe has, and their width."""
        return self._probes[name].count, self._probes[name].dim

    def spread(self, name: str, form: str, stage: str) -> Spread | None:
        """Return how far a set is from orthogonal."""
        table = self.counted(name)
        known = table is not None and (form, stage) in table.index
        if not known:
            return None
        row = table.loc[(form, stage), SPREAD]
        return Spread(**{**row.astype(float), "count": int(row["count"]), "width": int(row.width)})

    def corners(self, name: str) -> Spread | None:
        """Return the `Spread` of as many random corners as a probe has prototypes, drawn once."""
        return self.spread(name, CORNERS, DRAWN)

    def edges(self, name: str) -> np.ndarray:
        """Return the edges of the histogram's bins: the same for all forms and stages of a counted probe."""
        return np.array(self.counted(name).edges.iloc[0])

    def shares(self, name: str, form: str, stage: str) -> np.ndarray:
        """Return the share of all pairs of a counted set in each bin."""
        counts = np.array(self.counted(name).loc[(form, stage), "counts"])
        return counts / max(counts.sum(), 1)

    def _all(self) -> pd.DataFrame:
        """One row a counted set: probe, title, stage, form and the fields of `Spread`."""
        rows = [
            {"probe": name, "title": self._titles[name], "form": form, "stage": stage} | numbers.row()
            for name in self.names
            for form in self.forms(name)
            for stage in reversed(self.stages(name))
            if (numbers := self.spread(name, form, stage)) is not None
        ]
        return pd.DataFrame(rows, columns=["probe", "title", "form", "stage", *SPREAD])

    # -- pictures

    def _order(self, name: str, form: str, by: str) -> np.ndarray:
        """Prototype numbers as pictures show them, by the trained probe at any stage: only colours change."""
        trained = self.of(name, AFTER)
        return read_only(prototype_order(by, trained.vectors[form], trained.weight))

    def limit(self, name: str, form: str, by: str, window: Window) -> float:
        """Return where the colours end, the same for both stages: of single cosines at the mean and four
        deviations of the widest set, of means over blocks at the largest one after training.
        """
        each = per_pixel(max(end - start for start, end in window), PIXELS)
        if each > 1:  # the blocks at the ends may be of a few pairs, or of none
            full = tuple(slice(max((end - start) // each, 1)) for start, end in window)
            return signed_limit(self.image(name, form, AFTER, by, window)[full], FINE)
        told = [self.spread(name, form, stage) for form in self.forms(name) for stage in self.stages(name)]
        wide = [abs(one.mean) + 4 * one.sd for one in told if one is not None]
        return min(1.0, signed_limit(wide or [4 * self.size(name)[1] ** -0.5]))

    def _image(self, name: str, form: str, stage: str, by: str, window: Window) -> np.ndarray:
        """(r c) `cosine_image` of a window of a set in an order."""
        vectors, order = self.of(name, stage).vectors[form], self.order(name, form, by)
        return read_only(cosine_image(vectors[order], PIXELS, *window))

    def _largest(self, name: str, stage: str) -> float:
        """The largest magnitude of a classifier's weights."""
        weight = self.of(name, stage).weight
        return float(max(weight.max(), -weight.min()))

    def _weights(self, name: str, form: str, stage: str, by: str, columns: tuple[int, int]) -> np.ndarray:
        """(c k) the weights of the columns of a window in an order, or means over blocks of them."""
        shown = self.order(name, form, by)[slice(*columns)]
        each = per_pixel(columns[1] - columns[0], PIXELS)
        return read_only(block_means(self.of(name, stage).weight[:, shown], each, axis=1))

    def _favourites(self, name: str) -> np.ndarray:
        """(j,) the class for which each trained prototype argues most."""
        return read_only(favourite_class(self.of(name, AFTER).weight))


def _still(array: np.ndarray) -> np.ndarray:
    """The same numbers, which nobody can write here: of thousands of prototypes a copy takes a while."""
    found = array.view()
    found.setflags(write=False)
    return found
