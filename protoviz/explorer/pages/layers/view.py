"""A section of the page "Attention": probes on every layer of the encoder, as curves and by class."""

from collections.abc import Iterator
from typing import ClassVar

import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.offers import Offer, drawn
from protoviz.explorer.pages.layers import text as words
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices
from protoviz.explorer.widgets.chart import Chart
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.look import CARD, beside, field, text
from protoviz.figures import classes_by_layer, scores_by_layer

HALF = {"flex": "1 1 420px", "min-width": "0"}


class Layers(PageView):
    """The curves of all methods, and the classes of one."""

    key = "attention"
    drawn_by: ClassVar[dict[str, set[str]]] = {"curves": set(), "classes": {"own.method", "class_name"}}

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        self.intro = Intro(words.SENTENCE, words.QUESTION, words.HELP)
        self.measured, self.of_class = text(), text()
        self.curves = Chart("layers", self.measured, **HALF)
        self.classes = Chart("layers-classes", self.of_class, **HALF)
        methods = choices(one for one in self.own.param.method.objects if one)
        look = {"label": "Classes of", "options": methods, **field(240)}
        self.method = self.choice(pmui.Select, "own.method", **look)
        self.method.visible = len(methods) > 1
        self._layout = self._arrange()
        self.follow()

    def _arrange(self) -> pn.viewable.Viewable:
        there = len(self.own.scores) > 0
        self.measured.object = words.measured(self.own.scores) if there else words.LACKING
        both = pn.FlexBox(
            self.curves.pane, self.classes.pane, sizing_mode="stretch_width", margin=0, gap="16px"
        )
        chosen = beside(self.of_class, self.method)
        return pn.Column(self.intro, self.measured, *([chosen, both] if there else ()), **CARD)

    def offers(self) -> Iterator[Offer]:
        """Yield the scores and the classes by layer."""
        if len(self.own.scores):
            yield drawn("Scores by layer", self.curves.figure, lambda: self.own.scores)
            yield drawn("Classes by layer", self.classes.figure, lambda: self.own.classes)

    def _draw_curves(self) -> None:
        if len(self.own.scores):
            self.curves.show(scores_by_layer(self.own.scores, self.dark))

    def _draw_classes(self) -> None:
        chosen, classes = self.state.class_name, self.own.classes
        if len(classes):
            self.classes.show(classes_by_layer(classes, chosen, self.dark))
            self.of_class.object = words.of_class(classes, chosen)
