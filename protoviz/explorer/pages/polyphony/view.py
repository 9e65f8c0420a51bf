"""The page "Polyphony": every probe's score over the number of events, and one scene."""

from collections.abc import Iterator
from typing import ClassVar
from uuid import uuid4

import pandas as pd
import panel as pn
import panel_material_ui as pmui
from bokeh.models import Span

from protoviz.analysis.polyphony import GROUPS, PICTURES
from protoviz.explorer.offers import Offer, clip_offers, drawn
from protoviz.explorer.pages.polyphony import text as words
from protoviz.explorer.pages.ranks.text import made
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices, heading, kind_in
from protoviz.explorer.widgets.chart import Chart
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.level import LevelLine
from protoviz.explorer.widgets.look import CARD, field, line, pane, sections, text, two_columns
from protoviz.explorer.widgets.spectrogram import Spectrogram
from protoviz.figures import INK, TRUTH_COLOUR
from protoviz.figures.polyphony import curve_limits, places_by_polyphony, polyphony_curves, recall_by_loudness
from protoviz.scenes import Event

CURVES = {f"own.{name}" for name in ("scale", "encoder", "beside", "table", "dataset", "group")}
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
        bench = state.workbench
        self.markers: list[Span] = []
        channel = f"polyphony-{uuid4().hex[:8]}"
        self.spectrogram = Spectrogram(bench.grid, bench.bank, channel, height=350, prefix="polyphony-")
        self.intro = Intro(words.sentence(bench.can.mix), words.question(bench.can.mix), words.HELP)
        self._texts = {
            name: text() for name in ("heading", "beside", "at", "measured", "made", "scene", "heard")
        }
        self.chart = Chart("polyphony", self._texts["at"])
        self.second = Chart("polyphony-beside", self._texts["beside"])
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
        self.beside = pmui.Select(label="Beside it", **field(200))
        self.dataset = pmui.Select(label="Data set", **field(160))
        groups = {title: key for key, title in GROUPS.items()}
        self.group = self.choice(pmui.Select, "own.group", label="Probes", options=groups, **field(190))
        self.polyphony.param.watch(self.chosen(state.mix), "value")
        self.fresh.on_click(lambda _: state.new_scene())
        for name in ("scale", "encoder", "beside", "table", "dataset"):
            getattr(self, name).param.watch(self.write(f"own.{name}"), "value")

    def _arrange(self) -> pn.viewable.Viewable:
        chosen = self.scale, self.encoder, self.beside, self.table, self.dataset, self.group
        controls = line(self.polyphony, self.fresh, *chosen)
        first = self._texts["heading"], self.chart.pane
        second = self._texts["beside"], self.second.pane
        told = [self._texts[name] for name in ("at", "measured", "made")]
        curves = pn.Column(*first, *second, *told, **CARD)
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
            yield drawn("Curves", self.chart.figure, lambda: self.own.behind(self.own.shown_encoder))
        if self.second.figure is not None:
            yield drawn("Curves beside", self.second.figure, lambda: self.own.behind(self.own.beside))
        yield from clip_offers(self.state)
        events = pd.DataFrame(self.state.reading.events, columns=list(Event.__dataclass_fields__))
        yield drawn("Spectrogram", self.spectrogram.figure, lambda: events)

    # -- drawing

    def _draw_curves(self) -> None:
        choice = self.own
        for widget, names, shown in (
            (self.encoder, choice.encoders(), choice.shown_encoder),
            (self.dataset, choice.datasets(), choice.shown_dataset),
        ):
            widget.param.update(options=choices(names), value=shown or None, visible=len(names) > 1)
        others = [name for name in choice.encoders() if name != choice.shown_encoder]
        beside = choice.beside if choice.beside in others else ""
        options = choices(["", *others], lambda name: name or "none")
        self.beside.param.update(options=options, value=beside, visible=bool(others))
        scales = {title: key for key, title in choice.views().items()}
        self.scale.param.update(
            options=scales or {"mAP": "score"}, value=choice.shown_view, visible=len(scales) > 1
        )
        self.group.visible = choice.is_large()
        self.table.value = choice.table or None
        self.markers = []
        shown = choice.shown if len(choice.scores()) else []
        charts = (self.chart, "heading"), (self.second, "beside")
        for (chart, above), encoder in zip(charts, [*shown, "", ""], strict=False):
            self._draw_chart(chart, self._texts[above], encoder)
        if not shown:
            self._texts["heading"].object = words.empty(self.state.workbench.lacks("polyphony"))
            for name in ("at", "measured", "made"):
                self._texts[name].object = ""
            return
        leads = choice.lead(choice.curves(), words.PROTOTYPES, words.ATTENTION)
        self._texts["measured"].object = words.measured(leads)
        once = choice.scores().seed.nunique() == 1
        self._texts["made"].object = made(choice.made_with, choice.scores()) + words.once(once)

    def _draw_chart(self, chart: Chart, above: pn.pane.HTML, encoder: str) -> None:
        """Draw the curves of an encoder, or nothing in their place."""
        choice = self.own
        above.visible = bool(encoder) or chart is self.chart
        if not encoder:
            chart.show(None)
            return
        figure = chart.show(self._figure(encoder))
        look = {"line_width": 16, "line_alpha": 0.14, "line_color": INK[self.dark]}
        by_k = choice.shown_view != "loudness"
        self.markers.append(Span(dimension="height", name=f"{chart.name}-k", visible=by_k, **look))
        figure.add_layout(self.markers[-1])
        kind = kind_in(choice.study, encoder)
        above.object = words.heading(encoder, kind, self.state.workbench.name)

    def _figure(self, encoder: str):
        """The chosen figure of an encoder; two have one scale."""
        choice = self.own
        if choice.shown_view == "loudness":
            return recall_by_loudness(choice.picture(encoder), self.dark)
        if choice.shown_view == "places":
            return places_by_polyphony(choice.picture(encoder), dark=self.dark)
        every = pd.concat([choice.curves(name) for name in choice.shown])
        limits = curve_limits(every)
        return polyphony_curves(choice.curves(encoder), choice.views()[choice.shown_view], self.dark, limits)

    def _draw_marker(self) -> None:
        polyphony = self.state.polyphony
        self.polyphony.value = min(max(polyphony, 1), self.polyphony.end)
        for marker in self.markers:
            marker.location = polyphony
        if self.markers:
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
        super().set_dark(dark)
