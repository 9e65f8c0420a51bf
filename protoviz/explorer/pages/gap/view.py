"""A section of the page "Ranks": what each method closes of the gap to the fine-tuned encoder."""

from collections.abc import Iterator
from typing import ClassVar

import panel as pn
import panel_material_ui as pmui

from protoviz.analysis.claims import published_share
from protoviz.explorer.offers import Offer, drawn
from protoviz.explorer.pages.gap import text as words
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices
from protoviz.explorer.widgets.chart import Chart
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.look import CARD, field, text
from protoviz.figures import gap_bars


class Gap(PageView):
    """The bars of one table of the study, and the paper's share beside them."""

    key = "ranks"
    drawn_by: ClassVar[dict[str, set[str]]] = {"gap": {"own.table"}}

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        self.intro = Intro(words.SENTENCE, words.QUESTION, words.HELP)
        self.measured = text()
        self.chart = Chart("gap", self.measured)
        tables = choices(one for one in self.own.param.table.objects if one)
        look = {"label": "Table", "options": tables, "visible": len(tables) > 1, **field(160)}
        self.table = self.choice(pmui.Select, "own.table", **look)
        published = text(words.published(published_share()))
        self._layout = pn.Column(self.intro, self.table, self.measured, self.chart.pane, published, **CARD)
        self.follow()

    def offers(self) -> Iterator[Offer]:
        """Yield the bars, where there are any."""
        if self.chart.figure is not None:
            yield drawn("Own gap to fine-tuning", self.chart.figure, self.own.gap)

    def _draw_gap(self) -> None:
        table, tuned = self.own.gap(), self.own.tuned
        self.measured.object = words.measured(table) if tuned else words.lacking(self.own.study)
        self.chart.show(gap_bars(table, dark=self.dark) if len(table) else None)
