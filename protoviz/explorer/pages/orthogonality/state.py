"""What the page Orthogonality chooses, and what follows: one set of prototypes, its order, its numbers."""

import numpy as np
import pandas as pd
import param

from protoviz.analysis.geometry import ORDERS, Spread, corner_shares, neighbours
from protoviz.analysis.matrix_pictures import per_pixel
from protoviz.experiments.cosines import AFTER, BEFORE, FORMS, STAGES, Prototypes
from protoviz.explorer.pages.orthogonality.sets import PIXELS, PrototypeSets, Window
from protoviz.explorer.session import ExplorerState, PageState

CLOSE = 240  # rows and columns around a click on a matrix that is drawn as means over blocks
WHOLE = (0, 0, 0, 0)


class OrthogonalityState(PageState):
    """The prototypes that are shown: of which probe, in which form, at which stage, in which order.

    Class and prototype are the session's; `choose` makes the probe the right one, so that the number of a
    prototype means the same on every page.
    """

    in_link = ("probe", "form", "stage", "order", "block")

    probe = param.Selector(objects=[""], doc="The probe whose prototypes are shown; empty: there is none.")
    form = param.Selector(default="binarised", objects=list(FORMS), doc="Vectors as compared, or as trained.")
    stage = param.Selector(default=AFTER, objects=list(STAGES), doc="After training, or at its start.")
    order = param.Selector(default="class", objects=list(ORDERS), doc="Order of the prototypes.")
    block = param.NumericTuple(
        default=WHOLE,
        length=4,
        doc="The part of the matrix that is shown: first row and behind the last, first column and behind the"
        " last; where that holds no pair, the whole.",
    )

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self.sets = session.workbench.shared(PrototypeSets)
        names = self.sets.names
        first = session.param.right.default
        self.offer("probe", names or [""], first if first in names else next(iter(names), ""))

    # -- which set

    @property
    def shown(self) -> tuple[str, str, str]:
        """(probe, form, stage) of what is drawn: where a choice does not exist for the probe, what does."""
        forms, stages = self.sets.forms(self.probe), self.sets.stages(self.probe)
        return (
            self.probe,
            self.form if self.form in forms else forms[0],
            self.stage if self.stage in stages else stages[0],
        )

    @property
    def other(self) -> tuple[str, str, str] | None:
        """The same vectors at the other stage; None if that is not known."""
        probe, form, stage = self.shown
        rest = [one for one in self.sets.stages(probe) if one != stage]
        return (probe, form, rest[0]) if rest else None

    @property
    def prototypes(self) -> Prototypes:
        """The prototypes and weights of the shown probe and stage."""
        probe, _, stage = self.shown
        return self.sets.of(probe, stage)

    def table(self) -> pd.DataFrame:
        """Return the numbers of every counted set on the page, and which of them is shown."""
        table = self.sets.table()
        shown = (table[["probe", "form", "stage"]] == list(self.shown)).all(axis=1).astype(bool)
        return table.assign(shown=shown)

    # -- pictures

    def sequence(self) -> np.ndarray:
        """Return (j,) prototype numbers in the order of both pictures; the same before and after training."""
        probe, form, _ = self.shown
        return self.sets.order(probe, form, self.order)

    @property
    def window(self) -> Window:
        """The shown part of the matrix: (first, behind the last) of its rows and of its columns."""
        count = self.sets.size(self.probe)[0]
        top, below, left, right = (min(max(int(place), 0), count) for place in self.block)
        return ((top, below), (left, right)) if top < below and left < right else ((0, count), (0, count))

    @property
    def each(self) -> int:
        """How many rows, and columns, share a pixel of the shown part; 1: the cosines themselves."""
        return per_pixel(max(end - start for start, end in self.window), PIXELS)

    def come_close(self, row: int, column: int) -> None:
        """Show the cosines of CLOSE rows and columns around a place of the matrix."""
        count = self.sets.size(self.probe)[0]
        starts = [max(0, min(place - CLOSE // 2, count - CLOSE)) for place in (row, column)]
        self.block = tuple(edge for start in starts for edge in (start, min(start + CLOSE, count)))

    def image(self) -> np.ndarray:
        """Return (r c) cosines of the shown part in that order, or means over blocks of them."""
        return self.sets.image(*self.shown, self.order, self.window)

    def limit(self) -> float:
        """Return the magnitude at which the colours of `image` end."""
        return self.sets.limit(*self.shown[:2], self.order, self.window)

    def weights(self) -> tuple[np.ndarray, float, float]:
        """Return (c k) classifier weights of the shown columns, or means over blocks of them; and the largest
        magnitude of all, now and after training: the scale.
        """
        probe, form, stage = self.shown
        picture = self.sets.weights(probe, form, stage, self.order, self.window[1])
        return picture, self.sets.largest(probe, stage), self.sets.largest(probe, AFTER)

    # -- the tables behind the pictures

    def weight_table(self) -> pd.DataFrame:
        """Return `weights` with a row a class and the prototypes' numbers as columns."""
        names = [f"prototype {j}" for j in self.sequence()[slice(*self.window[1])]]
        table = pd.DataFrame(self.weights()[0], columns=names)
        table.insert(0, "class", list(self.session.workbench.classes))
        return table

    def bins(self) -> pd.DataFrame:
        """Return each bin of cosines with its share of the pairs: shown, at the other stage, of corners."""
        probe, form, stage = self.shown
        edges, stages = self.sets.edges(probe), [stage, *(self.other or ())[2:]]
        shares = {f"{one} training": self.sets.shares(probe, form, one) for one in stages}
        corners = corner_shares(self.sets.size(probe)[1], edges)
        return pd.DataFrame({"from": edges[:-1], "to": edges[1:], **shares, "random corners": corners})

    # -- one prototype

    @property
    def prototype(self) -> int:
        """The chosen prototype of the session, if it is one of the shown probe; else -1."""
        chosen, own = self.session.prototype, bool(self.probe) and self.probe == self.session.placed_probe
        return chosen if own and 0 <= chosen < self.prototypes.weight.shape[1] else -1

    def favourites(self) -> np.ndarray:
        """Return (j,) names of the classes for which the trained prototypes argue most."""
        return np.asarray(self.session.workbench.classes)[self.sets.favourites(self.probe)]

    def nearest(self) -> tuple[tuple[int, float], tuple[int, float]] | None:
        """Return `neighbours` of the chosen prototype in the shown set; None if none is chosen."""
        _, form, _ = self.shown
        return None if self.prototype < 0 else neighbours(self.prototypes.vectors[form], self.prototype)

    def choose(self, prototype: int) -> None:
        """Choose a prototype of the shown probe, and the class for which it argues most."""
        favourite = str(self.favourites()[prototype])
        self.session.param.update(right=self.probe, prototype=int(prototype), class_name=favourite)

    # -- what was measured

    def story(self) -> tuple[Spread | None, Spread | None, Spread | None]:
        """Return (shown form after training, before it, as many random corners); None: not known."""
        probe, form, _ = self.shown
        after, before = (self.sets.spread(probe, form, stage) for stage in (AFTER, BEFORE))
        return after, before, self.sets.corners(probe)
