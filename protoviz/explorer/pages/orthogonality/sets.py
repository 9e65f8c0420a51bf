"""The prototypes of every probe, as trained and as they started, and what is computed of them, once for all.

A set is named by probe, form and stage. What comes back is read-only: sessions share it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import pandas as pd

from protoviz.analysis.geometry import (
    Spread,
    cosine_image,
    cosine_shares,
    favourite_class,
    lattice_edges,
    prototype_order,
    random_corners,
    signed_limit,
    spread,
)
from protoviz.explorer.reading import read_only
from protoviz.explorer.workbench import Workbench
from protoviz.probes import untrained

BINARISED, REAL = FORMS = ("binarised", "real")
AFTER, BEFORE = STAGES = ("after", "before")
KEPT_IMAGES = 16  # about 1 MB each


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The prototypes of one probe at one stage, and the weights of its classifier."""

    vectors: Mapping[str, np.ndarray]  # form -> (j d); "binarised" where the probe compares signs
    weight: np.ndarray  # (c j), the classifier's, zero where the probe binds a prototype to another class

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms that there are, the compared one first."""
        return tuple(self.vectors)


class PrototypeSets:
    """All prototype probes of a workbench. Their starts are drawn anew when first asked for.

    The workbench's seed is that of the probes which were not saved with theirs; where it has none the stage
    "before" of those is not known.
    """

    def __init__(self, bench: Workbench):
        self._probes = {name: bench.probes[name] for name in bench.heads}
        self._titles, self._seed = bench.titles, bench.seed
        self.names = list(self._probes)
        # Keyed by a few words; every result is read-only or frozen.
        self.of = cache(self._of)
        self.spread = cache(self._spread)
        self.edges = cache(self._edges)
        self.shares = cache(self._shares)
        self.order = cache(self._order)
        self.limit = cache(self._limit)
        self.image = lru_cache(maxsize=KEPT_IMAGES)(self._image)
        self.table = cache(self._table)

    def seed_of(self, name: str) -> int | None:
        """Return the seed of a probe's first weights; None if it is not known."""
        return self._probes[name].metadata.get("seed", self._seed)

    def stages(self, name: str) -> tuple[str, ...]:
        """Return the stages that are known of a probe: "before" only where the seed of its start is."""
        return STAGES if self.seed_of(name) is not None else STAGES[:1]

    def forms(self, name: str) -> tuple[str, ...]:
        """Return the forms that a probe's prototypes have: the compared one first."""
        return self.of(name, AFTER).forms

    def _of(self, name: str, stage: str) -> Prototypes:
        probe = self._probes[name]
        if stage == BEFORE:
            probe = untrained(probe, self.seed_of(name))
        (real,) = probe.prototype_parameters()
        compared = probe.prototypes()
        vectors = {REAL: read_only(real.detach().numpy())}
        if compared is not real:
            vectors = {BINARISED: read_only(compared.detach().numpy()), **vectors}
        return Prototypes(vectors, read_only(probe.class_weights()[0].detach().numpy()))

    # -- numbers

    def _spread(self, name: str, form: str, stage: str) -> Spread:
        return spread(self.of(name, stage).vectors[form])

    def _each(self, name: str) -> list[Spread]:
        return [self.spread(name, form, stage) for form in self.forms(name) for stage in self.stages(name)]

    def _edges(self, name: str) -> np.ndarray:
        """Edges of the histogram's bins: the same for all forms and stages of a probe."""
        found = self._each(name)
        reach = 4 * found[0].reference  # the reference is drawn whole
        low = min(-reach, *(one.low for one in found))
        high = max(reach, *(one.high for one in found))
        return read_only(lattice_edges(found[0].width, max(low, -1.0), min(high, 1.0)))

    def _shares(self, name: str, form: str, stage: str) -> np.ndarray:
        return read_only(cosine_shares(self.of(name, stage).vectors[form], self.edges(name)))

    def _table(self) -> pd.DataFrame:
        """One row a probe, stage and form: probe, title, stage, form and the fields of `Spread`."""
        rows = [
            {"probe": name, "title": self._titles[name], "form": form, "stage": stage}
            | self.spread(name, form, stage).row()
            for name in self.names
            for form in self.forms(name)
            for stage in reversed(self.stages(name))
        ]
        return pd.DataFrame(rows)

    @lru_cache(maxsize=8)  # noqa: B019 - one a process and demo
    def corners(self, count: int, width: int) -> Spread:
        """Return the `Spread` of as many random corners, drawn once from seed 0."""
        return spread(random_corners(count, width))

    # -- pictures

    def _order(self, name: str, form: str, by: str) -> np.ndarray:
        """Prototype numbers as pictures show them, by the trained probe at any stage: only colours change."""
        trained = self.of(name, AFTER)
        return read_only(prototype_order(by, trained.vectors[form], trained.weight))

    def _limit(self, name: str) -> float:
        """The cosine at which a probe's colours end: mean and four deviations of its widest set."""
        return min(1.0, signed_limit([abs(one.mean) + 4 * one.sd for one in self._each(name)]))

    def _image(self, name: str, form: str, stage: str, by: str) -> np.ndarray:
        """(p p) `cosine_image` of a set in an order."""
        return read_only(cosine_image(self.of(name, stage).vectors[form][self.order(name, form, by)]))

    def favourites(self, name: str) -> np.ndarray:
        """Return (j,) the class for which each trained prototype argues most."""
        return favourite_class(self.of(name, AFTER).weight)
