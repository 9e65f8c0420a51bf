"""The page "Orthogonality": how a probe's prototypes lie to each other, before and after training."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import pandas as pd
import panel as pn
import panel_material_ui as pmui

from protoviz.analysis.geometry import corner_shares
from protoviz.explorer.offers import Offer, drawn
from protoviz.explorer.pages.orthogonality import text as words
from protoviz.explorer.pages.orthogonality.histogram import CosineHistogram, SetRows
from protoviz.explorer.pages.orthogonality.maps import LONGEST, CosineMap, WeightMap
from protoviz.explorer.pages.orthogonality.sets import PIXELS
from protoviz.explorer.pages.orthogonality.state import WHOLE
from protoviz.explorer.pages.pruning.view import Pruning
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices, spoken
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.look import (
    CARD,
    LINE,
    QUIET,
    beside,
    field,
    line,
    pane,
    sections,
    text,
    two_columns,
)
from protoviz.explorer.widgets.one_of import OneOf
from protoviz.explorer.widgets.search_field import SearchField
from protoviz.figures import FAMILY_COLOURS, INK
from protoviz.figures.style import shortened

ORDERS = {"by class": "class", "by likeness": "cluster", "by number": "number"}
STAGES = {"Untrained": "before", "Trained": "after"}
FORMS = {"Binarised": "binarised", "Real": "real"}
SET = {"own.probe", "own.form", "own.stage"}


class Orthogonality(PageView):
    """The page with the matrix of cosines, their histogram, all sets, the weights and the numbers."""

    drawn_by: ClassVar[dict[str, set[str]]] = {
        "controls": SET | {"own.order", "own.block"},
        "maps": SET | {"own.order", "own.block"},
        "marks": SET | {"own.order", "own.block", "class_name", "prototype", "left", "right"},
        "spread": SET,
    }

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        self.sets = self.own.sets
        if not self.own.probe:
            self._layout = sections(text(words.NONE))
            return
        self.pruning = Pruning(state)
        bench = state.workbench
        pairs = [(name, form) for name in self.sets.names for form in self.sets.forms(name)]
        names = [words.set_name(bench.titles[name], form) for name, form in pairs]
        self.cosine_map = CosineMap(self.own.choose, self.own.come_close)
        self.weight_map = WeightMap(bench.classes, self.own.choose)
        self.histogram = CosineHistogram()
        self.rows = SetRows(pairs, names, lambda probe, form: self.own.param.update(probe=probe, form=form))
        self.intro = Intro("", words.QUESTION, words.HELP)
        names = [shortened(spoken(name), LONGEST) for name in bench.classes]
        self._spoken = np.array(names, dtype=object)  # beside the rows, which keep their room
        self._texts = {
            name: text()
            for name in ("matrix", "part", "key", "verdict", "rows", "weights", "chosen", "table")
        }
        self._make_widgets()
        self._layout = self._arrange()
        self._colours(False)
        self.follow()

    # -- what can be touched

    def _make_widgets(self) -> None:
        bench, own = self.state.workbench, self.own
        titles, classes = choices(self.sets.names, bench.titles.get), choices(bench.classes, spoken)
        self.probe = self.choice(pmui.Select, "own.probe", label="Probe", options=titles, **field(200))
        self.stage = OneOf("Stage of training", options=STAGES, value=own.stage, **field(215))
        self.form = OneOf("Form of the prototypes", options=FORMS, value=own.form, **field(170))
        self.order = self.choice(pmui.Select, "own.order", label="Order", options=ORDERS, **field(130))
        self.class_name = self.choice(SearchField, "class_name", label="Class", options=classes, **field(190))
        self.prototype = pmui.TextInput(label="Prototype", placeholder="number", **field(95))
        for name in ("stage", "form"):
            getattr(self, name).param.watch(self.write(f"own.{name}"), "value")
        self.prototype.param.watch(self._typed, "value")
        self.ranges = [
            pmui.IntRangeSlider(label=name, start=0, end=1, **field(None)) for name in ("Rows", "Columns")
        ]
        for slider in self.ranges:
            slider.param.watch(self.chosen(lambda _: self._take_part()), "value_throttled")
        self.whole = pmui.Button(label="Whole matrix", icon="zoom_out_map", variant="outlined", margin=0)
        self.whole.on_click(lambda _: self.own.param.update(block=WHOLE))

    def _take_part(self) -> None:
        self.own.block = tuple(edge for slider in self.ranges for edge in slider.value)

    def _typed(self, event) -> None:
        """Choose the prototype whose number was typed; anything else is put back to what is chosen."""
        typed = event.new.strip()
        if typed.isdecimal() and int(typed) < len(self.own.sequence()):
            if int(typed) != self.own.prototype:
                self.own.choose(int(typed))
        else:
            self._say_prototype()

    def _say_prototype(self) -> None:
        chosen = self.own.prototype
        self.prototype.value = "" if chosen < 0 else str(chosen)

    # -- where things stand

    def _arrange(self) -> pn.viewable.Viewable:
        controls = line(self.probe, self.stage, self.form, self.order, self.class_name, self.prototype)
        self._part = pn.Column(
            beside(self._texts["part"], self.whole),
            beside(*self.ranges),
            sizing_mode="stretch_width",
            margin=0,
        )
        matrix = pn.Column(
            self._texts["matrix"], pane(self.cosine_map.figure, self._texts["matrix"]), self._part, **CARD
        )
        # A pane by itself would not come back once it was hidden.
        drawn = pane(self.histogram.figure, self._texts["verdict"])
        self._spread_pane = pn.Column(drawn, sizing_mode="stretch_width", margin=0)
        spread = pn.Column(
            self._texts["verdict"],
            self._texts["key"],
            self._spread_pane,
            **CARD,
        )
        both = two_columns([matrix], [spread])
        weights = pn.Column(
            self._texts["weights"],
            self._texts["chosen"],
            pane(self.weight_map.figure, self._texts["weights"]),
            **CARD,
        )
        numbers = pn.Column(self._texts["rows"], pane(self.rows.figure), self._texts["table"], **CARD)
        return sections(self.intro, controls, both, weights, numbers, self.pruning)

    def offers(self) -> Iterator[Offer]:
        """Yield the figures, and the numbers of the sets of prototypes."""
        own = self.own
        yield drawn("Cosines of all pairs", self.cosine_map.figure, lambda: pd.DataFrame(own.image()))
        if self._spread_pane.visible:
            yield drawn("Histogram of cosines", self.histogram.figure, own.bins)
        yield drawn("Classifier weights", self.weight_map.figure, own.weight_table)
        yield drawn("Sets of prototypes", self.rows.figure, self.own.table)

    # -- drawing

    def _draw_controls(self) -> None:
        probe, form, stage = self.own.shown
        stages, forms = self.sets.stages(probe), self.sets.forms(probe)
        self.stage.param.update(
            options={title: key for title, key in STAGES.items() if key in stages}, value=stage
        )
        self.form.param.update(
            options={title: key for title, key in FORMS.items() if key in forms}, value=form
        )
        title = self.state.workbench.titles[probe]
        self.intro.say(sentence=words.sentence(title, form, stage, *self.sets.size(probe)))
        self._draw_part()

    def _draw_part(self) -> None:
        """Say what part of a large matrix is shown, and let others be chosen."""
        own, (count, _) = self.own, self.sets.size(self.own.probe)
        self._part.visible = count > PIXELS
        if self._part.visible:
            for slider, shown in zip(self.ranges, own.window, strict=True):
                slider.param.update(end=count, value=shown)
            self.whole.disabled = own.window == ((0, count), (0, count))
            self._texts["part"].object = words.part(own.window, count, own.each)

    def _draw_maps(self) -> None:
        own, sequence = self.own, self.own.sequence()
        self.cosine_map.show(own.image(), own.limit(), sequence, own.window)
        self.cosine_map.name_rows(self._row_names(sequence))
        weight, largest, scale = own.weights()
        self.weight_map.show(weight, scale, sequence, own.window[1])
        self._texts["weights"].object = words.weights(largest, scale)

    def _row_names(self, sequence: np.ndarray) -> np.ndarray | None:
        if self.own.order == "class":
            return self._spoken[self.sets.favourites(self.own.probe)[sequence]]
        last = len(sequence) - 1
        hundreds = [f"{j}–{min(j + 99, last)}" for j in range(0, last + 1, 100)]
        return np.array(hundreds)[sequence // 100] if self.own.order == "number" else None

    def _draw_marks(self) -> None:
        state, own = self.state, self.own
        favourites, prototype = own.favourites(), own.prototype
        mine = favourites == state.class_name
        self.cosine_map.mark(mine[own.sequence()], prototype)
        self.weight_map.mark(state.class_name, prototype)
        self._say_prototype()
        self._texts["matrix"].object = words.matrix(own.order, state.class_name, int(mine.sum()), own.each)
        weight = 0.0
        if prototype >= 0:
            weight = own.prototypes.weight[self.sets.favourites(own.probe)[prototype], prototype]
        self._texts["chosen"].object = words.chosen(
            prototype, own.shown[2], favourites, weight, own.nearest()
        )

    def _draw_spread(self) -> None:
        own, sets = self.own, self.sets
        probe, form, stage = own.shown
        after, before, corners = own.story()
        counted = self._spread_pane.visible = after is not None
        table, reference = own.table(), sets.size(probe)[1] ** -0.5
        if len(table):
            self.rows.show(table, reference)
        both = "before" in set(table.stage)
        self._texts["rows"].object = words.rows_key(both)
        if not counted:
            self._texts["verdict"].object = words.uncounted(self.state.workbench.lacks("cosines"))
            self._texts["key"].object = self._texts["table"].object = ""
            return
        edges, other = sets.edges(probe), own.other
        self.histogram.show(
            edges,
            sets.shares(probe, form, stage),
            None if other is None else sets.shares(*other),
            corner_shares(after.width, edges),
        )
        self._texts["verdict"].object = words.verdict(form, after, before)
        self._texts["key"].object = words.key(stage, other is not None)
        self._texts["table"].object = words.table(table, corners, self.state.workbench.note)

    def _colours(self, dark: bool) -> None:
        colours = {
            "--bars": FAMILY_COLOURS["prototype"][dark],
            "--outline": QUIET[dark],
            "--dashes": INK[dark],
            "--band": LINE[dark],
        }
        for name in ("key", "rows"):
            self._texts[name].styles = colours

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        if not self.own.probe:
            return
        for part in (self.cosine_map, self.weight_map, self.histogram, self.rows, self.pruning):
            part.set_dark(dark)
        self._colours(dark)
        self.redraw("spread")
