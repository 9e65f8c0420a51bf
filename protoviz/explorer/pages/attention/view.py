"""The page "Attention": where [cls] looks in every layer and head, and how far that spreads."""

from collections.abc import Iterator
from functools import partial
from typing import ClassVar
from uuid import uuid4

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.offers import Offer, clip_offers, drawn
from protoviz.explorer.pages.attention import text as words
from protoviz.explorer.pages.attention.layer_chart import LayerChart, Series
from protoviz.explorer.pages.attention.side import AttentionSide
from protoviz.explorer.pages.attention.state import LAST, MEAN, SIDES, Attended
from protoviz.explorer.pages.layers.view import Layers
from protoviz.explorer.pages.view import PageView, served
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.widgets.clip_controls import ClipControls
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.level import LevelLine
from protoviz.explorer.widgets.look import CARD, FLOW, beside, field, line, pane, sections, text
from protoviz.explorer.widgets.player import Player
from protoviz.explorer.widgets.point import Point
from protoviz.figures import SIDE_COLOURS

TOKENS = {1: "1", 2: "2", 5: "5", 10: "10", 20: "20", 50: "50", 100: "100", 200: "200", 500: "500"}
SHARES = {0: "0 %", 0.25: "25 %", 0.5: "50 %", 0.75: "75 %", 1: "100 %"}
FOUND, MAP = ("reading", "own.left", "own.right", "own.made"), ("own.layer", "own.head")


class Attention(PageView):
    """The page with two encoders' attention over one clip."""

    drawn_by: ClassVar[dict[str, set[str]]] = {
        "missing": {*FOUND, "own.over"},  # first: without a browser it is there at once
        "clip": {"reading"},
        "encoders": {*FOUND, "own.stopped"},
        "choices": {*FOUND, *MAP, "own.stretch"},
        "events": {"reading", "class_name", "show_events"},
        "map": {*FOUND, *MAP, "own.stretch"},
        "grid": {*FOUND, "own.stretch"},
        "charts": {*FOUND, "own.over"},
        "choice": {*FOUND, *MAP, "own.over"},
    }

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        self._charted: list[Attended] = []  # what the charts show, left to right
        channel = f"attention-{uuid4().hex[:8]}"
        self.sides = {
            side: AttentionSide(state.workbench, side, SIDE_COLOURS[place], channel, self.choose)
            for place, side in enumerate(SIDES)
        }
        left, right = (side.spectrogram for side in self.sides.values())
        left.bar.name = f"bar-{channel}"
        right.follow(left)
        self.player = Player(channel=channel, sizing_mode="stretch_width", margin=0)
        self.charts = self._make_charts()
        bench = state.workbench
        cls = bench.kept is None or bench.kept.facts.cls == "cls"
        self.intro = Intro(words.sentence(bench.grid, cls), "", words.HELP)
        self.legend, self.caution = text(), text(f'<span class="quiet">{words.STRETCHED}</span>')
        self._make_widgets()
        self.layers = Layers(state)
        self._layout = self._arrange()
        self.follow()

    # -- what can be touched

    def _make_widgets(self) -> None:
        state, own = self.state, self.own
        self.clips, self.level = ClipControls(state), LevelLine(state)
        self.layer = pmui.Select(label="Layer", options={"last": LAST}, value=LAST, **field(110))
        self.head = pmui.Select(label="Head", options={"mean": MEAN}, value=MEAN, **field(110))
        self.events = self.choice(pmui.Switch, "show_events", label="True events", margin=0)
        self.stretch = self.choice(pmui.Switch, "own.stretch", label="Stretch each map", margin=0)
        listed = f"mean of the {len(own.shelf.clips)} listed clips"
        options = {"this clip": "clip", listed: "listed"}
        self.over = self.choice(pmui.Select, "own.over", label="Numbers of", options=options, **field(270))
        for name, side in self.sides.items():
            side.encoder.param.watch(self.write(f"own.{name}"), "value")
            side.again.on_click(lambda _: own.seek())
        for name in ("layer", "head"):
            getattr(self, name).param.watch(self.write(f"own.{name}"), "value")

    def choose(self, layer: int, head: int) -> None:
        """Show this layer and head (from 1; head 0: their mean) large."""
        self.own.param.update(layer=layer, head=head)

    def _make_charts(self) -> dict[str, LayerChart]:
        def on_layer(layer: int) -> None:
            self.own.layer = layer

        return {
            "effective": LayerChart(
                "effective",
                "effective",
                "uniform",
                "effective tokens, exp(H)",
                TOKENS,
                (1, 1000),
                on_layer,
                log=True,
            ),
            "mass": LayerChart(
                "mass", "mass", "area", "attention on true events", SHARES, (0, 1.02), on_layer
            ),
        }

    # -- where things stand

    def _arrange(self) -> pn.viewable.Viewable:
        controls = line(*self.clips.widgets, self.layer, self.head, self.events, self.stretch)
        half = {"flex": "1 1 400px", "min-width": "min(400px, 100%)"}  # side by side on a tablet's long side
        panes = [pane(chart.figure, styles=half) for chart in self.charts.values()]
        for side in self.sides.values():
            side.card.styles = {**side.card.styles, **half}
        both = pn.Row(
            *(side.card for side in self.sides.values()),
            css_classes=FLOW,
            sizing_mode="stretch_width",
            margin=0,
            styles={"gap": "16px", "flex-wrap": "wrap"},
            stylesheets=[
                ".card { align-self: stretch !important; height: auto !important; }"
            ],  # both end on one line
        )
        self._numbers = pn.Column(beside(self.over, self.legend), beside(*panes), **CARD)
        point = Point(self.state, self.key)
        top = (self.intro, controls, point, self.player, self.level, self.caution)
        return sections(*top, both, self._numbers, self.layers)

    def offers(self) -> Iterator[Offer]:
        """Yield the clip's sound and events, the maps, and the numbers of layers and heads."""
        yield from clip_offers(self.state)
        for name, found in self._shown().items():
            side, said = self.sides[name], f"Attention, {getattr(self.own, name)}"
            layer, head = self.own.chosen(found)
            yield drawn(said, side.spectrogram.figure, partial(found.table, [layer], [head]))
            every = range(1, found.depth + 1), range(found.width + 1)
            yield drawn(f"{said}: all maps", side.maps.figure, partial(found.table, *every))
        heads = [(name, found) for name in self._shown() if (found := self.own.numbers(name)) is not None]
        for said, chart in (("Effective tokens", "effective"), ("On true events", "mass")):
            frames = [layers.assign(encoder=getattr(self.own, name)) for name, (_, layers) in heads]
            if frames:
                table = partial(pd.concat, frames, ignore_index=True)
                yield drawn(said, self.charts[chart].figure, table)

    # -- drawing

    def _draw_missing(self) -> None:
        if served():
            pn.state.onload(self.own.seek)  # a first page is sent before anything is computed for it
        else:
            self.own.seek()

    def _draw_clip(self) -> None:
        reading = self.state.reading
        self.clips.draw()
        self.level.draw()
        self.send_sound(self.player)
        self.intro.say(question=words.question(bool(reading.events)))
        for side in self.sides.values():
            side.spectrogram.show_clip(reading)

    def _draw_encoders(self) -> None:
        for name, side in self.sides.items():
            encoder = getattr(self.own, name)
            found, summary = self.own.attended(name), self.own.shelf.summary(encoder)
            side.introduce(encoder, summary, found, self.own.stopped)

    def _draw_choices(self) -> None:
        own, shown = self.own, list(self._shown().values())
        depth = max((found.depth for found in shown), default=own.layer)
        width = max((found.width for found in shown), default=own.head)
        self.layer.param.update(
            options={"last": LAST, **{str(layer): layer for layer in range(1, depth + 1)}},
            value=min(own.layer, depth),
        )
        self.head.param.update(
            options={"mean": MEAN, **{str(head): head for head in range(1, width + 1)}},
            value=min(own.head, width),
        )
        self.caution.visible = own.stretch
        # Where neither can be shown there is nothing to choose, and an empty chart would only look broken.
        told = not all(isinstance(own.attended(name), str) for name in self.sides)
        for part in (self.layer, self.head, self.events, self.stretch, self._numbers):
            part.visible = told

    def _shown(self) -> dict[str, Attended]:
        """Side -> its attention, without those that cannot be shown."""
        found = {name: self.own.attended(name) for name in self.sides}
        return {name: one for name, one in found.items() if isinstance(one, Attended)}

    def _draw_events(self) -> None:
        state = self.state
        for side in self.sides.values():
            side.spectrogram.show_truth(state.reading, state.class_name, state.show_events)

    def _draw_map(self) -> None:
        for name, found in self._shown().items():
            self.sides[name].show_map(found, *self.own.chosen(found), self.own.stretch)

    def _draw_grid(self) -> None:
        for name, found in self._shown().items():
            self.sides[name].show_grid(found, self.own.stretch)

    def _draw_charts(self) -> None:
        own, shown = self.own, self._shown()
        numbers = {name: own.numbers(name) for name in shown}
        if None in numbers.values():
            self.legend.object = words.MEASURING
            return
        series = [
            Series(heads, layers, self.sides[name].colour, words.tips(heads, shown[name].maps))
            for name, (heads, layers) in numbers.items()
        ]
        for chart in self.charts.values():
            chart.show(series)
        self._charted = list(shown.values())
        frames = [one.heads for one in series]
        if None not in map(own.attended, self.sides):  # until then it keeps its room
            self.charts["mass"].figure.visible = any(frame.area.notna().any() for frame in frames)
        encoders = [
            (found.maps.encoder, self.sides[name].colour[self.dark], found.maps.received)
            for name, found in shown.items()
        ]
        self.legend.object = words.key(encoders, frames)

    def _draw_choice(self) -> None:
        for chart in self.charts.values():
            chart.choose([self.own.chosen(found) for found in self._charted])

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        self.dark = dark
        for side in self.sides.values():
            side.set_dark(dark)
        for chart in self.charts.values():
            chart.set_dark(dark)
        self.layers.set_dark(dark)
        self.redraw("charts", "choice")
