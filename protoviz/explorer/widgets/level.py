"""The level of the clip: how loud it is, whether the probes can read it so, and how it is heard otherwise."""

import math

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.analysis.loudness import ABOVE, BELOW, LOUD, QUIET, SILENCE, SILENT, TRAINED, judged
from protoviz.audio import Level
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.sound import MEAN, Taken
from protoviz.explorer.text import in_code
from protoviz.explorer.widgets.look import beside, field, text
from protoviz.figures.style import minus

CANCELLED = 10.0  # dB by which a mean lies below the loudest channel before it is said
RULE = (
    f"Without its loudest millisecond a scene reaches {minus(f'{TRAINED:.1f}')} dBFS (the median of 300). "
    f"The shipped probes put a tenth fewer of the true classes on top {BELOW:g} dB below that, or {ABOVE:g} "
    "dB above (measured on 96 scenes)."
)


class LevelLine(Viewer):
    """Peak and rms, a channel and a switch for sound that can be normalised, and below them what is amiss.

    `draw` shows what the state holds; a page calls it where the clip has changed. Where the state could not
    follow a choice, the fields go back by themselves.
    """

    def __init__(self, state: ExplorerState):
        super().__init__()
        self.state = state
        self.said, self.remark = text(), text()
        self.channel = pmui.Select(label="Channel", options=channels(1), value=MEAN, **field(150))
        self.normalise = pmui.Switch(label="Normalise", value=False, margin=0)
        self.alert = pmui.Alert(
            self.remark, severity="warning", visible=False, margin=0, sizing_mode="stretch_width"
        )
        self._layout = pn.Column(
            beside(self.said, self.channel, self.normalise),
            self.alert,
            sizing_mode="stretch_width",
            margin=0,
            styles={"gap": "8px"},
        )
        self.channel.param.watch(lambda event: self._choose(channel=event.new), "value")
        self.normalise.param.watch(lambda event: self._choose(normalise=event.new), "value")
        state.param.watch(lambda *_: self.draw(), "message")

    def __panel__(self):
        return self._layout

    def _choose(self, **choice) -> None:
        if None not in choice.values() and self.own:
            self.state.param.update(**choice)

    @property
    def own(self) -> bool:
        """The clip is none of the data set, whose level is what the probes know."""
        return self.state.source != "clip"

    def draw(self) -> None:
        """Show the state's clip."""
        state, reading = self.state, self.state.reading
        several = self.own and reading.taken.channels > 1
        lacking = in_code(state.workbench.lacks("sound"))
        self.said.object = level(reading.level, reading.taken) if reading.audible else lacking
        self.channel.param.update(
            options=channels(reading.taken.channels),
            value=state.channel if several else MEAN,
            visible=several,
        )
        self.normalise.param.update(value=state.normalise, visible=self.own and not reading.silent)
        self.remark.object = remark(reading.level, reading.taken) if self.own else ""
        self.alert.visible = bool(self.remark.object)


def level(level: Level, taken: Taken) -> str:
    """Return the level of what is played, and what was done to it."""
    peak, rms = (minus(f"{value:.1f}") for value in (level.peak, level.rms))
    said = [
        f"Level: peak {peak} dBFS, rms {rms} dBFS." if level.peak > -math.inf else "Level: no sound at all."
    ]
    if taken.gain:
        said.append(f"<b>Normalised</b> by {minus(f'{taken.gain:+.1f}')} dB.")
    if taken.offset:
        said.append(f"A constant offset of {minus(f'{taken.offset:.3f}')} is taken out.")
    return f'<span class="quiet">{" ".join(said)}</span>'


def remark(level: Level, taken: Taken) -> str:
    """Return what one has to know before one believes what is shown of an own sound; "": nothing."""
    verdict, said = judged(level), []
    if taken.apart > CANCELLED:
        by = f"{taken.apart:.0f} dB" if taken.apart < 200 else "far"
        said.append(
            f"<b>The mean of its {taken.channels} channels is {by} below the loudest of them</b>: they "
            "cancel each other, or most are silent. Choose one channel."
        )
    if verdict == SILENCE:
        said.append(
            f"<b>This clip is silent</b> (its peak is below {minus(f'{SILENT:g}')} dBFS): whatever "
            "encoder and probes say here, they say of nothing, and no cell is a place."
        )
    if verdict in (QUIET, LOUD):
        away = level.loud - TRAINED
        word, side = ("quiet", "below") if away < 0 else ("loud", "above")
        said.append(
            f"<b>This clip is too {word} for these probes</b>: {abs(away):.0f} dB {side} the scenes that "
            "they were trained on, so they misread it, however sure they look. Normalise brings it to their "
            f'level. <span class="quiet">{RULE}</span>'
        )
    return "<br>".join(said)


def channels(count: int) -> dict[str, int]:
    """Return what can be chosen of so many channels: words -> channel, the mean first."""
    names = ["left", "right"] if count == 2 else [f"channel {number + 1}" for number in range(count)]
    return {"mean of all": MEAN, **{name: number for number, name in enumerate(names)}}
