"""A HoloViews figure on a page: drawn anew where its data change, so for views that change slowly."""

import panel as pn
from bokeh.document import Document
from bokeh.io.doc import patch_curdoc
from bokeh.models import GlyphRenderer
from bokeh.plotting import figure

from protoviz.explorer.widgets.look import FONT, describe
from protoviz.figures.engine import holoviews


class Chart:
    """A pane that shows one figure after another. `figure` is the Bokeh figure that is shown.

    The figure is called `name`, and the sources of its marks `name-marks`, `name-marks-1`, ...: those whose
    columns say which method they show. said: the text on the page that tells what the figure shows.
    """

    def __init__(self, name: str, said: pn.pane.HTML):
        self.name, self._said = name, said
        self.figure: figure | None = None
        said.param.watch(lambda _: self._describe(), "object")
        self.pane = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0)

    def show(self, drawn) -> figure:
        """Draw a HoloViews element; None hides the pane."""
        self.pane.visible = drawn is not None
        if drawn is None:
            self.pane.object = self.figure = None
            return None
        # In a document of its own: HoloViews would set the theme of the session's, and with it every chart's.
        apart = Document()
        with patch_curdoc(apart):
            plot = holoviews().render(drawn, backend="bokeh")
        plot.update(name=self.name, output_backend="canvas")  # as `quiet_figure`
        plot.title.text_font = FONT
        for axis in (*plot.below, *plot.left):
            axis.update(major_label_text_font=FONT, axis_label_text_font=FONT)
        marks = [r for r in plot.renderers if isinstance(r, GlyphRenderer) and "method" in r.data_source.data]
        for i, renderer in enumerate(marks):
            renderer.data_source.name = f"{self.name}-marks" + (f"-{i}" if i else "")
        self.figure = self.pane.object = plot
        self._describe()
        return plot

    def _describe(self) -> None:
        if self.figure is not None:
            describe(self.figure, self._said.object)
