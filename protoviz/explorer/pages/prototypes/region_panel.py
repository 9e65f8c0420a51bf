"""The region what-if: which cells, and each class's logit with them, without them, without their sound."""

from collections.abc import Callable

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.audio import Box
from protoviz.explorer.pages.prototypes import text as words
from protoviz.explorer.pages.prototypes.dots import RegionDots
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices, stretch
from protoviz.explorer.widgets.bars import clicked
from protoviz.explorer.widgets.look import field, label, line, pane, text
from protoviz.explorer.widgets.one_of import OneOf
from protoviz.figures import FAMILY_COLOURS, INK

STAND_INS = {"Background noise": "background", "Silence": "silence"}
FREE = -1  # in the list of events: a region that is no event's
MARKS = """
.mark { display: inline-block; width: 9px; height: 9px; margin: 0 6px 0 0; vertical-align: baseline; }
.mark:not(:first-child) { margin-left: 18px; }
.mark.ring { border: 2px solid color-mix(in srgb, currentColor 75%, transparent); border-radius: 50%; }
.mark.dot { background: var(--dot); border-radius: 50%; }
.mark.diamond { background: var(--ink); transform: rotate(45deg) scale(0.85); }
"""


class RegionPanel(Viewer):
    """Sliders over whole cells, the events' boxes, two sounds to hear, and `RegionDots`.

    `play(sound, start, label)` plays a sound on the page's player.
    """

    def __init__(self, state: ExplorerState, on_class: Callable[[str], None], play: Callable):
        super().__init__()
        self.state, self.own, self._play = state, state.own["prototypes"], play
        grid = state.workbench.grid
        self.dots = clicked(RegionDots(), on_class)
        wide = {"show_value": False, **field(None)}
        self.times = pmui.IntRangeSlider(start=0, end=grid.times, value=(0, grid.times), **wide)
        self.freqs = pmui.IntRangeSlider(start=0, end=grid.freqs, value=(0, grid.freqs), **wide)
        self.event = pmui.Select(label="Take the box of", **field(None))
        self.hear_left = pmui.Button(label="Hear what is left", variant="outlined", margin=0)
        self.hear_region = pmui.Button(label="Hear the region", variant="outlined", margin=0)
        self.clear = pmui.Button(label="Clear", variant="outlined", margin=0)
        look = {"margin": 0, "sx": {"whiteSpace": "nowrap"}}
        self.stand_in = OneOf(
            "What stands in for the region", options=STAND_INS, value=self.own.stand_in, **look
        )
        self.said, self.marks = text(), text(words.marks())
        self.said.min_height = 92  # four lines: the chart below stays where it is
        self.marks.stylesheets = [*self.marks.stylesheets, MARKS]
        self.set_dark(False)
        for slider in (self.times, self.freqs):
            slider.param.watch(self._slid, "value_throttled")
        self.stand_in.param.watch(lambda event: self.own.param.update(stand_in=event.new), "value")
        self.event.param.watch(self._take_event, "value")
        self.hear_left.on_click(lambda _: self._hear(self.own.left_sound(), 0.0, words.left_sound))
        self.hear_region.on_click(lambda _: self._hear_region())
        self.clear.on_click(lambda _: self.own.param.update(region=[]))
        self._layout = pn.Column(
            self.times,
            self.freqs,
            self.event,
            line(label("In its place:"), self.stand_in),
            line(self.hear_left, self.hear_region, self.clear),
            self.said,
            self.marks,
            pane(self.dots.figure, self.said),
            sizing_mode="stretch_width",
            margin=0,
            styles={"gap": "8px"},
            visible=False,
        )

    def __panel__(self):
        return self._layout

    def shown(self, visible: bool) -> None:
        """Show or hide all of it."""
        self._layout.visible = visible

    def draw(self) -> None:
        """Show the state's region and what follows from it."""
        state, own = self.state, self.own
        grid, cells, effects = state.workbench.grid, own.cells, own.effects()
        t0, t1, f0, f1 = cells or (0, grid.times, 0, grid.freqs)
        seconds, hertz = state.reading.origin + grid.time_edges, grid.hertz_edges
        self.times.param.update(value=(t0, t1), label=f"Time: {stretch(seconds[t0], seconds[t1])}")
        self.freqs.param.update(value=(f0, f1), label=f"Frequency: {hertz[f0]:.0f}–{hertz[f1]:.0f} Hz")
        self.stand_in.value = own.stand_in
        self._draw_events()
        silent = not state.reading.audible
        self.hear_left.disabled = self.hear_region.disabled = cells is None or silent
        self.clear.disabled = cells is None
        self.dots.show(effects, own.classes_in_order(), state.reading.truth or frozenset())
        self.dots.choose(state.class_name)
        count = (t1 - t0) * (f1 - f0)
        ready = own.taken_out is not None
        self.said.object = words.region(state.class_name, effects, self._box, count, ready, own.lacking)

    def _draw_events(self) -> None:
        events, regions = self.state.reading.events, self.own.event_regions()
        names = ["own choice" if self.own.cells else "an event …"]
        names += [words.event(event.label, self.state.reading.in_file(event)) for event in events]
        options = choices(range(FREE, len(events)), lambda number: names[number + 1])
        taken = self.own.cells in regions and self.own.cells is not None
        self.event.param.update(
            options=options, value=regions.index(self.own.cells) if taken else FREE, visible=bool(events)
        )

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        self.dots.set_dark(dark)
        self.marks.styles = {"--dot": FAMILY_COLOURS["prototype"][dark], "--ink": INK[dark]}

    # -- choices

    def _slid(self, *_) -> None:
        """Sliders over everything mean no region; one cell is the least."""
        grid = self.state.workbench.grid
        (t0, t1), (f0, f1) = self.times.value, self.freqs.value
        t0, f0 = min(t0, grid.times - 1), min(f0, grid.freqs - 1)
        t1, f1 = max(t1, t0 + 1), max(f1, f0 + 1)
        whole = (t0, t1, f0, f1) == (0, grid.times, 0, grid.freqs)
        self.own.region = [] if whole else [t0, t1, f0, f1]

    def _take_event(self, event) -> None:
        events = self.state.reading.events
        if event.new is not None and 0 <= event.new < len(events):
            self.own.take_box(events[event.new])

    @property
    def _box(self) -> Box | None:
        """The region at its time in the file."""
        return None if self.own.box is None else self.state.reading.in_file(self.own.box)

    def _hear_region(self) -> None:
        self._hear(*self.own.region_sound(), words.region_sound)

    def _hear(self, sound, start: float, label: Callable) -> None:
        self._play(sound, start, label(self._box))
