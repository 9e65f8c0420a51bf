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
_BAR_CSS = """
:host { margin-right: 16px; }
progress { appearance: none; display: block; width: 100%; height: 6px; margin: 10px 0; border: 0;
  border-radius: 3px; background: color-mix(in srgb, currentColor 20%, transparent); }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: currentColor; border-radius: 3px; }
progress::-moz-progress-bar { background: currentColor; border-radius: 3px; }
"""


class Working(Viewer):
    """One bar for one `Work`, visible while it runs."""

    def __init__(self, work: Work):
        super().__init__()
        self.work = work
        self._said = text()
        self._said.stylesheets = [*self._said.stylesheets, _BAR_CSS]
        cancel = pmui.Button(label="Cancel", variant="outlined", margin=0, align="center")
        cancel.on_click(lambda _: work.cancel())
        self._layout = pn.Row(self._said, cancel, visible=False, stylesheets=[_CSS], **_card())
        work.param.watch(self._draw, ["label", "progress", "running"])

    def __panel__(self):
        return self._layout

    def _draw(self, *_) -> None:
        work = self.work
        if work.running:
            label, done = plain(work.label), round(100 * work.progress)
            self._said.object = f'{label}<progress aria-label="{label}" max="100" value="{done}"></progress>'
        self._layout.visible = work.running


def _card() -> dict:
    """A card, but no `css_classes`: it lies over the others."""
    return {name: value for name, value in CARD.items() if name in ("margin", "styles")}
