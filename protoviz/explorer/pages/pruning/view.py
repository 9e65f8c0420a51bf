"""A section of the page "Orthogonality": scores by numbers of prototypes, trained with them or pruned to."""

from collections.abc import Iterator
from typing import ClassVar

import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.offers import Offer, drawn
from protoviz.explorer.pages.pruning import text as words
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices
from protoviz.explorer.widgets.chart import Chart
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.look import CARD, field, text
from protoviz.figures import per_class_curves, prototypes_needed, pruning_curves

HALF = {"flex": "1 1 420px", "min-width": "0"}


class Pruning(PageView):
    """Curves at equal numbers, one method pruned over all numbers, and what it keeps for each class."""

    key = "orthogonality"
    drawn_by: ClassVar[dict[str, set[str]]] = {"numbers": set(), "pruned": {"own.method"}}

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        self.intro = Intro(words.SENTENCE, words.QUESTION, words.HELP)
        self._texts = {name: text() for name in ("numbers", "pruned", "needs")}
        self.charts = {name: Chart(f"pruning-{name}", said) for name, said in self._texts.items()}
        methods = choices(one for one in self.own.param.method.objects if one)
        self.method = self.choice(
            pmui.Select, "own.method", label="Pruned", options=methods, visible=len(methods) > 1, **field(240)
        )
        self._layout = self._arrange()
        self.follow()

    def _arrange(self) -> pn.viewable.Viewable:
        cards = []
        for name in ("numbers", "pruned"):
            cards.append(pn.Column(self._texts[name], self.charts[name].pane, margin=0, styles=HALF))
        both = pn.FlexBox(*cards, sizing_mode="stretch_width", margin=0, gap="16px")
        rest = (self._texts["needs"], self.charts["needs"].pane)
        return pn.Column(self.intro, self.method, both, *rest, **CARD)

    def offers(self) -> Iterator[Offer]:
        """Yield the curves, and what is kept for each class."""
        told = {"numbers": ("Scores by prototypes a class", lambda: self.own.numbers)}
        told |= {"pruned": ("Pruned", self.own.curve), "needs": ("Prototypes by class", self.own.needs)}
        for name, (said, table) in told.items():
            if (figure := self.charts[name].figure) is not None:
                yield drawn(said, figure, table)

    def _draw_numbers(self) -> None:
        table = self.own.numbers
        there = len(table) > 0
        self._texts["numbers"].object = words.numbers(table, self.own.seeds) if there else words.NO_NUMBERS
        self.charts["numbers"].show(per_class_curves(table, self.dark) if there else None)

    def _draw_pruned(self) -> None:
        curve, needs = self.own.curve(), self.own.needs()
        if curve.empty:
            self._texts["pruned"].object, self._texts["needs"].object = words.NOT_PRUNED, ""
            for name in ("pruned", "needs"):
                self.charts[name].show(None)
            return
        chosen = self.own.chosen()
        self._texts["pruned"].object = words.pruned(curve, chosen)
        self._texts["needs"].object = words.needs(needs)
        self.charts["pruned"].show(pruning_curves(curve, chosen, self.dark))
        self.charts["needs"].show(prototypes_needed(needs, self.dark))
