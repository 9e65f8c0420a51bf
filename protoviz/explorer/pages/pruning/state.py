"""What the section on numbers of prototypes chooses: which method's pruned probes are shown."""

import pandas as pd
import param

from protoviz.analysis.pruning import chosen_counts, class_needs, pruned_means
from protoviz.analysis.results import by_number
from protoviz.explorer.session import ExplorerState, PageState
from protoviz.explorer.workbench import Workbench


class Numbers:
    """What the two tables say, once for all sessions: intervals take as long as the page's first picture."""

    def __init__(self, bench: Workbench):
        fixed, pruned = (bench.table(name) for name in ("per-class", "pruning"))
        self.pruned = pd.DataFrame() if pruned is None else pruned
        # A grid's own table of that name has a row a class, and no numbers of prototypes.
        there = fixed is not None and "per_class" in fixed and len(fixed)
        self.means = by_number(fixed, self.pruned) if there else pd.DataFrame()
        self.seeds = int(fixed.seed.nunique()) if there else 0


class PruningState(PageState):
    """Scores by the number of prototypes: trained with so many (table "per-class"), or pruned to as many."""

    in_link = ("method",)

    method = param.Selector(default="", objects=[""], doc="Whose pruned probes are shown.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        told = session.workbench.shared(Numbers)
        self.numbers, self.seeds, self._pruned = told.means, told.seeds, told.pruned
        methods = self._pruned.method.drop_duplicates().tolist() if len(self._pruned) else [""]
        self.offer("method", methods, methods[0])

    @property
    def _rows(self) -> pd.DataFrame:
        """The chosen method's rows of the table "pruning"; empty where the study has none."""
        return self._pruned if self._pruned.empty else self._pruned[self._pruned.method == self.method]

    def curve(self) -> pd.DataFrame:
        """Return `pruned_means` of the chosen method; empty where the study has no pruned probes."""
        rows = self._rows
        return rows if rows.empty else pruned_means(rows)

    def needs(self) -> pd.DataFrame:
        """Return `class_needs` of the chosen method; empty where the study has no pruned probes."""
        rows = self._rows
        return rows if rows.empty else class_needs(rows)

    def chosen(self) -> list[int]:
        """Return `chosen_counts` of the chosen method."""
        return chosen_counts(self._rows)
