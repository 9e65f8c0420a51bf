"""Why a page shows the clip that it shows first, and how often any other would do; a way back to it."""

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.explorer import text as words
from protoviz.explorer.firsts import Firsts
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.widgets.look import beside, text


class Point(Viewer):
    """One line over a page, and a button where another clip is shown; nothing where none was chosen.

    compares: the page sets two probes against each other; it is said where they are those recommended.
    """

    def __init__(self, state: ExplorerState, page: str, compares: bool = False):
        super().__init__()
        self.state, self._compares = state, compares
        self._first = state.workbench.shared(Firsts).pages.get(page)
        self._words = text()
        self._back = pmui.Button(label="Show the chosen clip", variant="outlined", margin=0, visible=False)
        self._layout = beside(self._words, self._back)
        self._layout.visible = self._first is not None
        if self._first is not None:
            self._back.on_click(lambda _: state.choose_clip(self._first.clip))
            state.param.watch(self._draw, ["reading", "left", "right"])
            self._draw()

    def __panel__(self):
        return self._layout

    def _draw(self, *_) -> None:
        first, state, chosen = self._first, self.state, self.state.workbench.shared(Firsts)
        here = state.source == "clip" and state.clip == first.clip
        with pn.io.hold():
            told = words.chosen(first.says, first.shown, first.clips, here)
            best = self._compares and (state.left, state.right) == (chosen.left, chosen.right)
            self._words.object = f"{told} {words.RECOMMENDED}" if best else told
            self._back.visible = bool(first.clip) and not here
