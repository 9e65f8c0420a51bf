"""The page "Prototypes"."""

from typing import ClassVar
from uuid import uuid4

import panel as pn

from protoviz.explorer.pages.across import Across
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.parts.look import CARD
from protoviz.explorer.parts.player import Player
from protoviz.explorer.state import ExplorerState


class Prototypes(PageView):
    """The section across clips, and a player for it."""

    key = "prototypes"
    drawn_by: ClassVar[dict[str, set[str]]] = {"clip": {"reading"}}

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        self.player = Player(channel=f"prototypes-{uuid4().hex[:8]}", sizing_mode="stretch_width", margin=0)
        self.across = Across(state, self.player)
        self._layout = pn.Column(
            pn.Column(self.player, **CARD),
            self.across,
            sizing_mode="stretch_width",
            margin=(14, 20),
            styles={"gap": "12px"},
        )
        self.follow()

    def _draw_clip(self) -> None:
        reading = self.state.reading
        self.player.load(reading.waveform, reading.sample_rate, self.state.title)

    def set_dark(self, dark: bool) -> None:
        """Colours for a light or a dark page."""
        self.across.set_dark(dark)
