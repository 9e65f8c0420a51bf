"""The page "Listen": one clip, what two probes make of it, and where the prototypes of a class found it."""

from collections.abc import Iterator
from typing import ClassVar
from uuid import uuid4

import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.offers import Offer, clip_offers, clip_stem, drawn, places, sound, sound_file
from protoviz.explorer.pages.listen import text as words
from protoviz.explorer.pages.listen.own_sound import OwnSound
from protoviz.explorer.pages.listen.whole_file import WholeFile
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
    line,
    pane,
    scrolled,
    sections,
    text,
    two_columns,
)
from protoviz.explorer.widgets.player import Player
from protoviz.explorer.widgets.point import Point
from protoviz.explorer.widgets.search_field import SearchField
from protoviz.explorer.widgets.spectrogram import Spectrogram
from protoviz.figures import TRUTH_COLOUR
from protoviz.figures.bars import ClassBars
from protoviz.figures.decision import LogitBars

ORDERS = {"present first": "truth", "by probability": "probability", "by name": "name"}


class Listen(HearingView):
    """The page with a clip, the player, two probes' classes and one logit."""

    drawn_by: ClassVar[dict[str, set[str]]] = {
        "clip": {"reading"},
        "classes": {"reading", "left", "right", "order", "own.threshold"},
        "events": {"reading", "class_name", "show_events", "own.event"},
        "loop": {"own.event", "own.band"},
        "prototypes": {"reading", "left", "right", "class_name", "prototype"},
        "similarity": {"reading", "left", "right", "class_name", "prototype", "show_similarity"},
        "whole_file": {"reading", "left", "right", "class_name", "own.filled", "own.threshold"},
    }

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        bench = state.workbench
        channel = f"listen-{uuid4().hex[:8]}"
        self.titles = bench.titles
        self.spectrogram = Spectrogram(bench.grid, bench.bank, channel, self.hear)
        self.class_bars = clicked(ClassBars(), lambda name: state.param.update(class_name=name))
        self.logit_bars = clicked(LogitBars(state.shown), self.hear)
        self.player = Player(channel=channel, sizing_mode="stretch_width", margin=0)
        self.player.on_msg(self._told)
        self.whole_file = WholeFile(state)
        self.intro = Intro(words.sentence(bench.grid), "", words.HELP)
        self._make_widgets()
        self._texts = {name: text() for name in ("title", "keys", "missed", "decided", "logit")}
        self._texts["missed"].styles = {"--truth": TRUTH_COLOUR[False]}
        self._layout = self._arrange()
        self.follow()

    # -- what can be touched

    def _make_widgets(self) -> None:
        state, names = self.state, choices(self.titles, self.titles.get)
        classes = choices(state.workbench.classes, spoken)
        self.clips, self.level = ClipControls(state), LevelLine(state)
        self.own_sound = OwnSound(state)
        wide = field(None)
        self.left = self.choice(pmui.Select, "left", label="Left probe", options=names, **wide)
        self.right = self.choice(pmui.Select, "right", label="Right probe", options=names, **wide)
        self.class_name = self.choice(SearchField, "class_name", label="Class", options=classes, **wide)
        self.order = self.choice(pmui.Select, "order", label="Order", options=ORDERS, **wide)
        self.events = self.choice(pmui.Switch, "show_events", label="True events", margin=0)
        self.similarity = self.choice(pmui.Switch, "show_similarity", label="Similarity map", margin=0)
        self.band = self.choice(pmui.Switch, "own.band", label="Only its band", visible=False, margin=0)
        self.threshold = self.choice(
            pmui.FloatSlider, "own.threshold", label="Threshold", start=0, end=1, step=0.01, **wide
        )

    def _told(self, message) -> None:
        """What the player says: a key, a click on an event's name, or that it went back to the clip."""
        said = message.data
        if "rank" in said:
            self.hear_rank(said["rank"])
        elif "event" in said:
            self.own.choose(int(said["event"]))
        elif "step" in said:
            self.own.step()
        elif "released" in said:
            self.own.release()

    def hear(self, prototype: int) -> None:
        """Play the same; release an event that is looped."""
        self.own.release()
        super().hear(prototype)

    # -- where things stand

    def _arrange(self) -> pn.viewable.Viewable:
        point = Point(self.state, self.key, compares=True)
        controls = line(*self.clips.widgets, *self.own_sound.widgets)
        picture = pn.Column(
            beside(self._texts["title"], self.events, self.similarity),
            self.level,
            pane(self.spectrogram.figure),
            self.player,
            beside(self._texts["keys"], self.band),
            self.whole_file,
            **CARD,
        )
        logit = pn.Column(
            self._texts["logit"],
            scrolled(pane(self.logit_bars.figure), 440),
            **CARD,
        )
        classes = pn.Column(
            beside(self.left, self.right),
            beside(self.class_name, self.order),
            pane(self.class_bars.figure),
            self.threshold,
            self._texts["missed"],
            self._texts["decided"],
            **CARD,
        )
        both = two_columns([picture, logit], [classes], share=1.75, least=400)
        return sections(self.intro, controls, point, both)

    # -- drawing

    def _draw_clip(self) -> None:
        self.spectrogram.show_clip(self.state.reading)
        self.send_sound(self.player)
        self.clips.draw()
        self.level.draw()

    def _draw_classes(self) -> None:
        state = self.state
        threshold = self.own.threshold
        scores = self.own.decided()
        self.class_bars.show(scores, state.classes_in_order(scores), self.titles, threshold)
        self.class_bars.choose(state.class_name)
        self.later(self._say)  # pictures first

    def _say(self) -> None:
        state, threshold = self.state, self.own.threshold
        scores = self.own.decided()
        known = bool(state.reading.events)  # a recording may have a label without a place
        question = words.question(self.titles[state.left], self.titles[state.right], known)
        with pn.io.hold():
            self.intro.say(question=question)
            self._texts["title"].object = heading(state.title)
            keys = words.keys(0 if state.reading.silent else state.shown, known)
            self._texts["keys"].object = keys if state.reading.audible else ""
            self._texts["decided"].object = words.decided(scores, threshold, self.titles)
            self._texts["missed"].object = words.missed(
                scores, state.missed(), self.titles, state.reading.silent
            )

    def _draw_events(self) -> None:
        state = self.state
        looped = self.own.event
        self.spectrogram.show_truth(state.reading, state.class_name, state.show_events, looped)

    def _draw_prototypes(self) -> None:
        state = self.state
        strongest = state.strongest()
        self.spectrogram.show_cells(strongest, state.prototype)
        self.logit_bars.show(state.parts(strongest), state.prototype)
        if state.class_name not in self.class_bars.order:  # one of many that are not listed
            self._draw_classes()
        self.class_bars.choose(state.class_name)
        title = self.titles.get(state.placed_probe)
        self._texts["logit"].object = words.logit(
            state.class_name, title, len(strongest), state.reading.silent, state.reading.audible
        )

    def _draw_similarity(self) -> None:
        state = self.state
        found = state.similarity() if state.show_similarity else None
        self.spectrogram.show_map(None if found is None else found[1])

    def _draw_loop(self) -> None:
        chosen, band = self.own.chosen, self.own.band
        self.band.visible = chosen is not None
        if chosen is not None:
            sound, start = self.own.sound()
            label = words.event(chosen.label, self.state.reading.in_file(chosen), band)
            self.player.play_cell(sound, self.state.reading.sample_rate, start, label, loop=True)
        elif self.player.cell_loop:
            self.player.release()

    # -- what can be taken away

    def offers(self) -> Iterator[Offer]:
        """Yield the clip's sound, cells and events, the scan, and the figures."""
        state, own = self.state, self.own
        yield from clip_offers(state, state.strongest())
        stem = clip_stem(state)
        if own.chosen is not None:
            number = own.event + 1
            yield sound(
                f"Event {number}: {spoken(own.chosen.label)}",
                f"{stem}-event-{number}",
                lambda: (own.sound()[0], state.reading.sample_rate),
            )
        if own.possible and own.filled:
            windows = f"Windows that name {spoken(state.class_name)}"
            yield places(windows, f"{stem}-scan", own.named, sound_file(state))
            yield drawn("Scan", self.whole_file.strip.figure, own.strip)
        yield drawn("Spectrogram", self.spectrogram.figure, state.strongest)
        yield drawn("Classes", self.class_bars.figure, own.decided)
        yield drawn("Logit", self.logit_bars.figure, state.parts)

    def _draw_whole_file(self) -> None:
        self.whole_file.draw()

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        for picture in (self.spectrogram, self.class_bars, self.logit_bars, self.whole_file):
            picture.set_dark(dark)
        self._texts["missed"].styles = {"--truth": TRUTH_COLOUR[dark]}
        self.redraw("classes", "prototypes", "whole_file")
