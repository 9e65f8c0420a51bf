"""The page "Polyphony": every probe's score over the number of events, and one scene."""

from collections.abc import Iterator
from typing import ClassVar
from uuid import uuid4

import panel as pn
import panel_material_ui as pmui
from bokeh.models import Span

from protoviz.analysis.polyphony import GROUPS, PICTURES
from protoviz.explorer.offers import Offer, clip_offers, drawn
from protoviz.explorer.pages.polyphony import text as words
from protoviz.explorer.pages.ranks.text import made
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices, heading
from protoviz.explorer.widgets.chart import Chart
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.level import LevelLine
from protoviz.explorer.widgets.look import CARD, field, line, pane, sections, text, two_columns
from protoviz.explorer.widgets.spectrogram import Spectrogram
from protoviz.figures import INK, TRUTH_COLOUR
from protoviz.figures.polyphony import places_by_polyphony, polyphony_curves, recall_by_loudness

CURVES = {"own.scale", "own.encoder", "own.table", "own.dataset", "own.group"}
_TABLE_CSS = """
.heard { border-collapse: collapse; width: 100%; font-size: 14px; line-height: 1.25; }
.heard th, .heard td { text-align: left; padding: 5px 8px 5px 0; vertical-align: baseline; }
.heard th { font-weight: 500; } .heard thead th { vertical-align: bottom; }
.heard tbody tr, .heard tfoot tr { border-top: 1px solid color-mix(in srgb, currentColor 16%, transparent); }
.heard td { white-space: nowrap; }
.mark { display: inline-block; width: 8px; height: 8px; margin-right: 6px; border-radius: 50%;
  border: 2px solid var(--truth); background: var(--truth); }
.mark.missed { background: none; }
"""


class Polyphony(PageView):
    """Curves over k with a marker at the chosen k, that scene, and what each probe finds in it."""

    drawn_by: ClassVar[dict[str, set[str]]] = {
        "curves": CURVES,
        "marker": {*CURVES, "reading"},
        "scene": {"reading"},
    }

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        self.dark = False
        bench = state.workbench
        self.marker: Span | None = None
        channel = f"polyphony-{uuid4().hex[:8]}"
        self.spectrogram = Spectrogram(bench.grid, bench.bank, channel, height=350, prefix="polyphony-")
        self.intro = Intro(words.SENTENCE, words.QUESTION, words.HELP)
        self._texts = {name: text() for name in ("heading", "at", "measured", "made", "scene", "heard")}
        self.chart = Chart("polyphony", self._texts["at"])
        self.level = LevelLine(state)
        self._texts["heard"].stylesheets = [*self._texts["heard"].stylesheets, _TABLE_CSS]
        self._texts["heard"].styles = {"--truth": TRUTH_COLOUR[False]}
        self._make_widgets()
        self._layout = self._arrange()
        self.follow()

    def _make_widgets(self) -> None:
        state, choice = self.state, self.own
        events = {"start": 1, "end": max(state.workbench.most, 2), "value": 1}
        self.polyphony = pmui.IntSlider(label="k, events in the scene", **events, **field(340))
        self.fresh = pmui.Button(label="New scene", icon="casino", variant="outlined", **field(150))
        self.polyphony.visible = self.fresh.visible = state.workbench.can.mix
        self.scale = pmui.Select(label="Curves show", options={"mAP": "score"}, value="score", **field(280))
        tables = choices(name for name in choice.param.table.objects if name)
        self.table = pmui.Select(label="Table", options=tables, visible=len(tables) > 1, **field(160))
        self.encoder = pmui.Select(label="Encoder", **field(200))
        self.dataset = pmui.Select(label="Scenes", **field(160))
        groups = {title: key for key, title in GROUPS.items()}
        self.group = self.choice(pmui.Select, "own.group", label="Probes", options=groups, **field(190))
        self.polyphony.param.watch(self.chosen(state.mix), "value")
        self.fresh.on_click(lambda _: state.new_scene())
        for name in ("scale", "encoder", "table", "dataset"):
            getattr(self, name).param.watch(self.write(f"own.{name}"), "value")

    def _arrange(self) -> pn.viewable.Viewable:
        controls = line(
            self.polyphony, self.fresh, self.scale, self.encoder, self.table, self.dataset, self.group
        )
        names = ("at", "measured", "made")
        curves = pn.Column(
            self._texts["heading"], self.chart.pane, *(self._texts[name] for name in names), **CARD
        )
        scene = pn.Column(
            self._texts["scene"],
            self.level,
            pane(self.spectrogram.figure),
            self._texts["heard"],
            **CARD,
        )
        both = two_columns([curves], [scene], share=1.2, least=460)
        return sections(self.intro, controls, both)

    def offers(self) -> Iterator[Offer]:
        """Yield the curves, and the scene's sound, events and picture."""
        if self.chart.figure is not None:
            yield drawn("Curves", self.chart.figure, self.own.curves)
        yield from clip_offers(self.state)
        yield drawn("Spectrogram", self.spectrogram.figure)

    # -- drawing

    def _draw_curves(self) -> None:
        choice = self.own
        for widget, names, shown in (
            (self.encoder, choice.encoders(), choice.shown_encoder),
            (self.dataset, choice.datasets(), choice.shown_dataset),
        ):
            widget.param.update(options=choices(names), value=shown or None, visible=len(names) > 1)
        scales = {title: key for key, title in choice.views().items()}
        self.scale.param.update(options=scales or {"mAP": "score"}, value=choice.shown_view)
        self.group.visible = choice.is_large()
        self.table.value = choice.table or None
        if not len(choice.scores()):
            self.chart.show(None)
            self._texts["heading"].object = words.empty(self.state.workbench.lacks("polyphony"))
            return
        table = choice.curves()
        figure = self.chart.show(self._figure(table))
        look = {"line_width": 16, "line_alpha": 0.14, "line_color": INK[self.dark]}
        by_k = choice.shown_view != "loudness"
        self.marker = Span(dimension="height", name="polyphony-k", visible=by_k, **look)
        figure.add_layout(self.marker)
        shown = self.state.workbench.name
        self._texts["heading"].object = words.heading(choice.shown_encoder, shown)
        leads = choice.lead(table, words.PROTOTYPES, words.ATTENTION)
        self._texts["measured"].object = words.measured(leads)
        self._texts["made"].object = made(choice.made_with, choice.scores())

    def _figure(self, table):
        """The chosen figure; table: of `curves`."""
        choice = self.own
        if choice.shown_view == "loudness":
            return recall_by_loudness(choice.picture(), self.dark)
        if choice.shown_view == "places":
            return places_by_polyphony(choice.picture(), dark=self.dark)
        return polyphony_curves(table, choice.views()[choice.shown_view], self.dark)

    def _draw_marker(self) -> None:
        polyphony = self.state.polyphony
        self.polyphony.value = min(max(polyphony, 1), self.polyphony.end)
        if self.chart.figure is not None:
            self.marker.location = polyphony
            self._texts["at"].object = words.at(
                self.own.curves(), polyphony, "mAP" if self.own.shown_view in PICTURES else ""
            )

    def _draw_scene(self) -> None:
        state = self.state
        self.spectrogram.show_clip(state.reading)
        self.spectrogram.show_truth(state.reading, "", True)
        self._texts["scene"].object = heading(state.title)
        self.level.draw()
        self._texts["heard"].object = words.heard(self.own.heard(), state.workbench.titles)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        self.spectrogram.set_dark(dark)
        self._texts["heard"].styles = {"--truth": TRUTH_COLOUR[dark]}
        if dark != self.dark:
            self.dark = dark
            self.redraw("curves", "marker")
