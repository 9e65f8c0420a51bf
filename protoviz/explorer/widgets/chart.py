"""A HoloViews figure on a page: drawn anew where its data change, so for views that change slowly."""

import panel as pn
from bokeh.document import Document
from bokeh.io.doc import patch_curdoc
from bokeh.models import GlyphRenderer
from bokeh.plotting import figure

from protoviz.explorer.widgets.look import describe, scrolled
from protoviz.figures.engine import holoviews

LEAST = 500  # pixels: words beside lines, in marks and above each other keep their room


class Chart:
    """A pane that shows one figure after another. `figure` is the Bokeh figure that is shown.

    The figure is called `name`, and the sources of its marks `name-marks`, `name-marks-1`, ...: those whose
    columns say which method they show. said: the text on the page that tells what the figure shows.
    `pane` is where it stands; in a narrow place it keeps its least width and scrolls.
    """

    def __init__(self, name: str, said: pn.pane.HTML, least: int = LEAST, **styles: str):
        self.name, self._said = name, said
        self.figure: figure | None = None
        said.param.watch(lambda _: self._describe(), "object")
        self._shown = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0)
        self.pane = scrolled(self._shown, least, **styles)

    def show(self, drawn) -> figure:
        """Draw a HoloViews element; None hides the pane."""
        self.pane.visible = drawn is not None
        if drawn is None:
            self._shown.object = self.figure = None
            return None
        # In a document of its own: HoloViews would set the theme of the session's, and with it every chart's.
        apart = Document()
        with patch_curdoc(apart):
            plot = holoviews().render(drawn, backend="bokeh")
        plot.update(name=self.name, output_backend="canvas")  # as `quiet_figure`
        marks = [r for r in plot.renderers if isinstance(r, GlyphRenderer) and "method" in r.data_source.data]
        for i, renderer in enumerate(marks):
            renderer.data_source.name = f"{self.name}-marks" + (f"-{i}" if i else "")
        self.figure = self._shown.object = plot
        self._describe()
        return plot

    def _describe(self) -> None:
        if self.figure is not None:
            describe(self.figure, self._said.object)
