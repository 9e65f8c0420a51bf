"""What is under way in the background: a bar with a Cancel button, over the foot of every page."""

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.explorer.background import Work
from protoviz.explorer.text import plain
from protoviz.explorer.widgets.look import CARD, text

# Fixed, so that nothing moves when it comes and goes; what is done within 0.3 s is never announced.
_CSS = """
:host { position: fixed !important; bottom: 20px; left: 50%; transform: translateX(-50%); z-index: 1200;
  width: min(560px, 90vw); box-shadow: 0 4px 18px rgb(0 0 0 / 30%);
  animation: protoviz-working 0.2s 0.3s both; }
@keyframes protoviz-working { from { opacity: 0; visibility: hidden } to { opacity: 1; visibility: visible } }
"""


class Working(Viewer):
    """One bar for one `Work`, visible while it runs."""

    def __init__(self, work: Work):
        super().__init__()
        self.work = work
        self._label = text()
        self._bar = pmui.LinearProgress(
            value=0, max=100, variant="determinate", sizing_mode="stretch_width", margin=(10, 0)
        )
        cancel = pmui.Button(label="Cancel", variant="outlined", margin=0, align="center")
        cancel.on_click(lambda _: work.cancel())
        words = pn.Column(self._label, self._bar, sizing_mode="stretch_width", margin=0)
        self._layout = pn.Row(words, cancel, visible=False, stylesheets=[_CSS], **_card())
        work.param.watch(self._draw, ["label", "progress", "running"])

    def __panel__(self):
        return self._layout

    def _draw(self, *_) -> None:
        work = self.work
        if work.running:
            self._label.object = plain(work.label)
            self._bar.value = round(100 * work.progress)
        self._layout.visible = work.running


def _card() -> dict:
    """A card, but no `css_classes`: it lies over the others."""
    return {name: value for name, value in CARD.items() if name in ("margin", "styles")}
