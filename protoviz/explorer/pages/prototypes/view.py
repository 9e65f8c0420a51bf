"""The page "Prototypes": which ones argue for a class, and what the probe would say without them."""

from collections.abc import Iterator
from typing import ClassVar
from uuid import uuid4

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.offers import Offer, clip_offers, clip_stem, drawn, sound
from protoviz.explorer.pages.neighbours.view import COLUMNS, Across
from protoviz.explorer.pages.prototypes import text as words
from protoviz.explorer.pages.prototypes.mixer import Mixer
from protoviz.explorer.pages.prototypes.region import RegionFrame
from protoviz.explorer.pages.prototypes.region_panel import RegionPanel
from protoviz.explorer.pages.prototypes.state import LISTED
from protoviz.explorer.pages.view import HearingView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices, heading, spoken
from protoviz.explorer.widgets.bars import clicked
from protoviz.explorer.widgets.clip_controls import ClipControls
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.level import LevelLine
from protoviz.explorer.widgets.look import (
    CARD,
    beside,
    field,
    label,
    line,
    pane,
    scrolled,
    sections,
    text,
    two_columns,
)
from protoviz.explorer.widgets.one_of import OneOf
from protoviz.explorer.widgets.player import Player
from protoviz.explorer.widgets.point import Point
from protoviz.explorer.widgets.search_field import SearchField
from protoviz.explorer.widgets.spectrogram import Spectrogram
from protoviz.figures import TRUTH_COLOUR
from protoviz.figures.bars import ChangeBars
from protoviz.figures.decision import LogitBars

WHAT = {"Mute prototypes": "mute", "Take a region away": "region"}
BASELINES = {"its mean": "mean", "0": "zero"}
CLICKS = {"Hear": "hear", "Mute": "mute"}
ONE_LINE = {"margin": 0, "sx": {"whiteSpace": "nowrap"}}
GROWING = {**field(None), "min_width": 190, "styles": {"flex": "1 1 190px", "max-width": "250px"}}
PLACED = {"reading", "left", "right"}
CHOICE = {"class_name", "prototype"}
MUTING = {"own.muted", "own.solo", "own.baseline"}
REGION = {f"own.{name}" for name in ("what", "region", "stand_in", "taken_out")}


class Prototypes(HearingView):
    """The prototypes of a class on the picture and in a list with mute and solo, and every class's logit."""

    drawn_by: ClassVar[dict[str, set[str]]] = {
        "clip": {"reading"},
        "controls": {
            "own.what",
            "own.clicks",
            "own.baseline",
            "left",
            "right",
            "reading",
        },
        "events": {"reading", "class_name", "show_events"},
        "prototypes": PLACED | CHOICE | MUTING,
        "similarity": PLACED | CHOICE | {"show_similarity"},
        "classes": PLACED | MUTING | {"class_name", "order"},
        "region": PLACED | REGION | {"class_name", "order"},
    }

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        bench = state.workbench
        channel = f"prototypes-{uuid4().hex[:8]}"
        self.titles = bench.titles
        self.spectrogram = Spectrogram(bench.grid, bench.bank, channel, self.clicked)
        self.spectrogram.on_shift = self.own.toggle_cell
        self.frame = RegionFrame(self.spectrogram, self._region_dragged)
        self.logit_bars = clicked(LogitBars(LISTED), self.clicked)
        self.mixer = Mixer(self.logit_bars)
        self.mixer.on_msg(self._mixed)
        self.class_bars = clicked(ChangeBars(), self._choose_class)
        self.player = Player(channel=channel, sizing_mode="stretch_width", margin=0)
        self.player.on_msg(lambda message: self.hear_rank(message.data.get("rank")))
        self.across = Across(state, self.player)
        self.region = RegionPanel(state, self._choose_class, self._play)
        self.intro = Intro(words.SENTENCE, "", words.HELP)
        self._make_widgets()
        self._texts = {name: text() for name in ("title", "listed", "key", "muted")}
        self._texts["muted"].min_height = 92  # four lines: the chart below stays where it is
        self._layout = self._arrange()
        self.follow()

    # -- what can be touched

    def _make_widgets(self) -> None:
        state, own = self.state, self.own
        placed = choices(state.workbench.heads, self.titles.get)
        classes = choices(state.workbench.classes, spoken)
        self.clips, self.level = ClipControls(state), LevelLine(state)
        self.class_name = self.choice(SearchField, "class_name", label="Class", options=classes, **field(190))
        self.probe = pmui.Select(label="Probe", options=placed, value=state.placed_probe, **GROWING)
        self.events = self.choice(pmui.Switch, "show_events", label="True events", margin=0)
        self.similarity = self.choice(pmui.Switch, "show_similarity", label="Similarity map", margin=0)
        self.clicks = self.choice(OneOf, "own.clicks", label="A click on a cell", options=CLICKS, **ONE_LINE)
        look = {**ONE_LINE, **field(None)}
        self.what = self.choice(OneOf, "own.what", label="What if", options=WHAT, **look)
        self.baseline = OneOf("A muted score is", options=BASELINES, value=own.used_baseline, **ONE_LINE)
        self.mute_all = pmui.Button(label="Mute all listed", variant="outlined", margin=0)
        self.clear = pmui.Button(label="Clear", variant="outlined", margin=0)
        self.probe.param.watch(self.write("right"), "value")
        self.baseline.param.watch(self.write("own.baseline"), "value")
        self.mute_all.on_click(lambda _: own.mute_listed())
        self.clear.on_click(lambda _: own.clear())

    def _choose_class(self, name: str) -> None:
        self.state.class_name = name

    def _mixed(self, message) -> None:
        data = message.data
        if isinstance(data.get("prototype"), int) and data.get("what") in ("mute", "solo"):
            self.own.toggle(data["prototype"], alone=data["what"] == "solo")

    def numbered(self) -> pd.DataFrame:
        """Return `strongest_prototypes` of the chosen class, more than other pages number."""
        return self.own.strongest()

    def _region_dragged(self, region: list[int]) -> None:
        self.own.param.update(region=region, what="region")

    def clicked(self, prototype: int) -> None:
        """Play a clicked cell or bar, or mute what found its best match there."""
        if self.own.clicks == "mute":
            self.own.toggle_cell(prototype)
        else:
            self.hear(prototype)

    def _play(self, sound, start: float, label: str) -> None:
        self.player.play_cell(sound, self.state.reading.sample_rate, start, label)

    # -- where things stand

    def _arrange(self) -> pn.viewable.Viewable:
        controls = line(*self.clips.widgets, self.class_name, self.probe)
        point = Point(self.state, self.key)
        return sections(self.intro, controls, point, self._what_if(), self.across)

    def _what_if(self) -> pn.viewable.Viewable:
        """Picture and list at the left, what follows for all classes at the right."""
        picture = pn.Column(
            beside(self._texts["title"], self.events, self.similarity, label("Click:"), self.clicks),
            self.level,
            pane(self.spectrogram.figure),
            self.player,
            **CARD,
        )
        bars = pn.Row(self.mixer, pane(self.logit_bars.figure), sizing_mode="stretch_width", margin=0)
        listed = pn.Column(self._texts["listed"], scrolled(bars, 560), self._texts["key"], **CARD)
        self._muting = pn.Column(
            line(self.mute_all, self.clear),
            line(label("A muted one scores"), self.baseline),
            self._texts["muted"],
            pane(self.class_bars.figure),
            sizing_mode="stretch_width",
            margin=0,
            styles={"gap": "8px"},
        )
        answers = pn.Column(self.what, self._muting, self.region, **CARD)
        return two_columns([picture, listed], [answers], **COLUMNS)

    def offers(self) -> Iterator[Offer]:
        """Yield the clip's sound, cells and events, those of a region, and the figures."""
        own, reading = self.own, self.state.reading
        strongest = own.strongest()
        yield from clip_offers(self.state, strongest)
        region = own.what == "region" and own.explained is not None
        if region and own.cells is not None:
            stem = clip_stem(self.state)
            yield sound("The region", f"{stem}-region", lambda: (own.region_sound()[0], reading.sample_rate))
            yield sound("What is left", f"{stem}-left", lambda: (own.left_sound(), reading.sample_rate))
        yield drawn("Spectrogram", self.spectrogram.figure, lambda: strongest)
        if own.explained is None:
            return
        yield drawn("Logit", self.logit_bars.figure, lambda: own.parts(strongest))
        if region:
            yield drawn("Without the region", self.region.dots.figure, own.effects)
        else:
            yield drawn("Classes once muted", self.class_bars.figure, own.changes)

    # -- drawing

    def _draw_clip(self) -> None:
        reading, title = self.state.reading, self.state.title
        self.spectrogram.show_clip(reading)
        self.send_sound(self.player)
        self._texts["title"].object = heading(title)
        self.clips.draw()
        self.level.draw()

    def _draw_controls(self) -> None:
        own = self.own
        self.baseline.value = own.used_baseline
        self.baseline.disabled = not own.means_known
        self.probe.value = self.state.placed_probe
        there = own.explained is not None  # what was drawn of another probe is not left standing
        self._muting.visible = there and own.what == "mute"
        self.region.shown(there and own.what == "region")
        self.intro.say(question=words.QUESTIONS[own.what] if own.explained else words.NO_PLACES)

    def _draw_events(self) -> None:
        state = self.state
        self.spectrogram.show_truth(state.reading, state.class_name, state.show_events)

    def _draw_prototypes(self) -> None:
        state, own = self.state, self.own
        strongest, silent = own.strongest(), own.silent()
        quiet = frozenset(silent.tolist())
        self.spectrogram.show_cells(strongest, state.prototype, quiet, hits=True)
        self.logit_bars.show(own.parts(strongest), state.prototype, quiet, own.largest_part(strongest))
        self.mixer.show(strongest, own.muted, own.solo)
        if own.explained is None:
            self._texts["listed"].object, self._texts["key"].object = words.NO_PLACES, ""
            return
        title = self.titles[state.placed_probe]
        self._texts["listed"].object = words.listed(
            state.class_name, title, strongest, own.chance(), state.reading.silent
        )
        self._texts["key"].object = words.key(
            len(silent), len(own.explained.scores), own.chance() is not None
        )

    def _draw_similarity(self) -> None:
        state = self.state
        found = state.similarity(self.own.strongest()) if state.show_similarity else None
        self.spectrogram.show_map(None if found is None else found[1])

    def _draw_classes(self) -> None:
        state, own = self.state, self.own
        if own.explained is None:
            return
        changes, order = own.changes(), own.classes_in_order()
        self.class_bars.show_changes(changes, own.new_scores(changes), order, self.titles)
        self.class_bars.choose(state.class_name)
        self._texts["muted"].object = words.muted(
            state.class_name, changes, len(own.silent()), own.used_baseline, own.means_known
        )

    def _draw_region(self) -> None:
        own = self.own
        shown = own.what == "region" and own.explained is not None
        self.frame.show(own.cells if shown else None)
        if shown:
            self.region.draw()
            self.later(own.take_out)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        for picture in (self.spectrogram, self.frame, self.class_bars, self.logit_bars, self.region):
            picture.set_dark(dark)
        self.across.set_dark(dark)
        self.mixer.truth = TRUTH_COLOUR[dark]
        self.redraw("classes", "prototypes")
