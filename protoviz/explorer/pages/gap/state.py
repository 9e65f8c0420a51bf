"""What the section on the gap to fine-tuning chooses: which table of the study."""

import pandas as pd
import param

from protoviz.analysis.results import gaps, results_of
from protoviz.explorer.session import ExplorerState, PageState


class GapState(PageState):
    """What each method closes of the way from linear to the fine-tuned encoder, of the study's own runs."""

    in_link = ("table",)

    table = param.Selector(default="", objects=[""], doc="Which table of own results.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self.study = session.workbench.study
        self._gaps = gaps(results_of(self.study))
        names = list(self._gaps) or [""]
        self.offer("table", names, names[0])

    @property
    def tuned(self) -> bool:
        """There is a fine-tuned encoder in the study."""
        return bool(self._gaps)

    def gap(self) -> pd.DataFrame:
        """Return `own_gap` of the chosen table; empty where no fine-tuned encoder beats linear."""
        return self._gaps.get(self.table, pd.DataFrame())
