"""The level of the clip: how loud it is, whether the probes can read it so, and how it is heard otherwise."""

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.explorer.parts.look import beside, field, text
from protoviz.explorer.sound import MEAN
from protoviz.explorer.state import ExplorerState
from protoviz.explorer.words import level as words


class LevelLine(Viewer):
    """Peak and rms, a channel and a switch for sound that can be normalised, and below them what is amiss.

    `draw` shows what the state holds; a page calls it where the clip has changed. Where the state could not
    follow a choice, the fields go back by themselves.
    """

    def __init__(self, state: ExplorerState):
        super().__init__()
        self.state = state
        self.said, self.remark = text(), text()
        self.channel = pmui.Select(label="Channel", options=words.channels(1), value=MEAN, **field(150))
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
        """The clip is no scene, whose level is what it should be."""
        return self.state.source != "scene"

    def draw(self) -> None:
        """Show the state's clip."""
        state, reading = self.state, self.state.reading
        several = self.own and reading.taken.channels > 1
        self.said.object = words.level(reading.level, reading.taken)
        self.channel.param.update(
            options=words.channels(reading.taken.channels),
            value=state.channel if several else MEAN,
            visible=several,
        )
        self.normalise.param.update(value=state.normalise, visible=self.own and not reading.silent)
        self.remark.object = words.remark(reading.level, reading.taken) if self.own else ""
        self.alert.visible = bool(self.remark.object)
