"""What the page Polyphony chooses: whose curves over k, on which scale. k is the state's `polyphony`."""

from typing import ClassVar

import pandas as pd
import param

from protoviz.analysis.dial import SCALES, curves, dial_runs, dial_tables, lead
from protoviz.analysis.prototypes import class_scores
from protoviz.analysis.results import results, settings
from protoviz.explorer.state.choices import offer


class DialState(param.Parameterized):
    """Curves of one encoder over the number of events, and what every probe makes of the shown scene."""

    in_link: ClassVar[dict[str, str]] = {"curve": "scale", "of": "encoder", "runs": "table"}

    scale = param.Selector(default="score", objects=list(SCALES), doc="What the curves show.")
    encoder = param.Selector(default="", objects=[""], doc="Whose tokens the probes read.")
    table = param.Selector(default="", objects=[""], doc="Which table of own results.")

    def __init__(self, root, **choices):
        self.root = root
        frame = results()
        self._results = frame[frame.polyphony > 0]
        tables = dial_tables(self._results) or [""]
        encoders = self._results.encoder.drop_duplicates().tolist() or [""]
        shown = root.workbench.encoder.name
        first = shown if shown in encoders else encoders[0]
        super().__init__()
        offer(self, "table", tables, tables[0])
        offer(self, "encoder", encoders, first)
        self.param.update(**choices)

    def encoders(self) -> list[str]:
        """The encoders of the chosen table."""
        return self._of_table().encoder.drop_duplicates().tolist()

    @property
    def shown_encoder(self) -> str:
        """The chosen encoder, or the table's first where it has none of that name; "" without results."""
        names = self.encoders()
        return self.encoder if self.encoder in names else (names or [""])[0]

    @property
    def made_with(self) -> dict:
        """The settings of the runs behind the curves."""
        return settings(self.table)

    def scores(self) -> pd.DataFrame:
        """The runs behind the curves: one table, encoder, data set and metric."""
        return dial_runs(self._results, self.table, self.shown_encoder)

    def curves(self) -> pd.DataFrame:
        """`curves` on the chosen scale."""
        return curves(self.scores(), self.scale)

    def lead(self, table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
        """`lead` of one method over another; empty where the table lacks one."""
        return lead(table, first, second)

    def heard(self) -> pd.DataFrame:
        """`class_scores` of the shown clip under every probe of the workbench."""
        explained = self.root.reading.explained
        logits = {name: explained[name].logits for name in self.root.workbench.probes}
        return class_scores(self.root.workbench.classes, logits, self.root.reading.truth)

    def _of_table(self) -> pd.DataFrame:
        return self._results[self._results.source == self.table]
