"""A long own file as a whole: a button that scans it, and the strip of what was found."""

import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewer

from protoviz.explorer.pages.listen import text as words
from protoviz.explorer.pages.listen.strip import Strip
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.widgets.look import beside, pane, text


class WholeFile(Viewer):
    """Visible where the clip is a window into a longer own file. `draw` shows what the state holds.

    The strip is made when something is scanned: most visitors bring no such file.
    """

    def __init__(self, state: ExplorerState):
        super().__init__()
        self.state, self.scan = state, state.own["listen"]
        self.strip: Strip | None = None
        self._dark = False
        self._heading = text()
        self.button = pmui.Button(label="Scan the whole file", variant="outlined", margin=0, width=190)
        self.button.on_click(lambda _: self.scan.begin())
        self._layout = pn.Column(
            beside(self._heading, self.button),
            visible=False,
            sizing_mode="stretch_width",
            margin=0,
        )
        self.scan.work.param.watch(self._draw_button, "running")

    def __panel__(self):
        return self._layout

    def _go(self, seconds: float) -> None:
        if self.scan.possible:
            self.state.start = self.scan.window_at(seconds)

    def draw(self) -> None:
        """Show the scan, where there is something to scan."""
        state, scan = self.state, self.scan
        self._layout.visible = scan.possible
        if not scan.possible:
            return
        seconds, length = state.own_file.seconds, state.workbench.seconds
        self._heading.object = words.scanned(
            scan.filled, len(scan.starts), length, state.class_name, scan.judged()
        )
        self._draw_button()
        if not scan.filled and not self.strip:
            return
        if not self.strip:
            self.strip = Strip(self._go)
            self.strip.set_dark(self._dark)
            self._layout.append(pane(self.strip.figure, self._heading))
        self._layout[-1].visible = scan.filled > 0
        self.strip.show(scan.strip(), seconds, scan.threshold)
        self.strip.show_window(state.start, min(state.start + length, seconds))

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; the levels get theirs with the next `draw`."""
        self._dark = dark
        if self.strip:
            self.strip.set_dark(dark)

    def _draw_button(self, *_) -> None:
        scan = self.scan
        rest = scan.possible and scan.filled < len(scan.starts)
        label = "Go on scanning" if scan.filled else "Scan the whole file"
        self.button.param.update(label=label, visible=rest, disabled=scan.work.running)
