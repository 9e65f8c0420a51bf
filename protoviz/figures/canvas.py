"""What every Bokeh figure has in common: fonts, sizes, colours by theme, and that a notebook shows it."""

import re
from html import unescape

from bokeh.core.properties import value
from bokeh.document import Document
from bokeh.events import DoubleTap, Tap
from bokeh.models import AllLabels, ColorBar, LinearColorMapper, Plot
from bokeh.plotting import figure

from protoviz.figures.colours import INK, PAPER, ink_palette
from protoviz.figures.engine import holoviews
from protoviz.figures.style import FACE as FONT
from protoviz.figures.style import FONT as TEXT
from protoviz.figures.style import LINE, QUIET

# What a pointed-at glyph says, where its source has the column `tip`: HTML, escaped by who wrote it.
TIP = f'<div style="font: {TEXT}/1.5 {FONT}; padding: 2px 4px; white-space: nowrap">@tip{{safe}}</div>'
GLYPH_TEXT = {"text_font": value(FONT), "text_font_size": TEXT}  # a bare string would name a column
# Seconds of a file as minutes:seconds, where JavaScript writes them.
CLOCK = """
const clock = (seconds, digits) => {
  const whole = Number(seconds.toFixed(digits)), rest = whole % 60
  return `${Math.floor(whole / 60)}:${rest < 9.995 ? "0" : ""}${rest.toFixed(digits)}`
}
"""
CLICKS = (Tap, DoubleTap)  # Bokeh takes a second click within 0.3 s for a double one, wherever it lands
WORDS = {**GLYPH_TEXT, "text_baseline": "middle"}


class Drawn:
    """Something drawn with Bokeh, in `figure`. A notebook whose cell ends with it shows it."""

    def __init__(self, figure):
        self.figure = figure  # or several in a layout

    def _repr_mimebundle_(self, include=None, exclude=None):
        from panel.io.notebook import render_model

        holoviews()  # a notebook has Bokeh's script once HoloViews is loaded
        ground(self.figure)
        if self.figure.document is None:
            Document().add_root(self.figure)
        return render_model(self.figure)


def describe(plot: figure, said: str) -> None:
    """Give a figure the sentence that stands for it where it is not seen; said: HTML, escaped."""
    words = " ".join(unescape(re.sub(r"<[^>]*>", " ", said)).split())
    plot.html_attributes = {"role": "figure", "aria-label": words or "figure"}


def dress(plot: figure, dark: bool, ticks: bool = True) -> None:
    """Set colours of ground, axes and colour bars for a light or a dark page."""
    plot.background_fill_color = PAPER[dark]
    for axis in (*plot.below, *plot.left):  # not plot.axis: that searches all models, at every call
        axis.update(
            major_label_text_color=INK[dark],
            axis_label_text_color=QUIET[dark],
            axis_line_color=None,
            major_tick_line_color=LINE[dark] if ticks else None,
        )
    for bar in (*plot.right, *plot.above):
        if not isinstance(bar, ColorBar):
            continue  # an axis above is its part's own
        bar.update(major_label_text_color=INK[dark], title_text_color=QUIET[dark], background_fill_color=None)


def ground(model) -> None:
    """Fill the ground around the figures of a model, which stand alone: one of any colour may lie below."""
    for plot in model.select({"type": Plot}):
        if plot.border_fill_color is None:
            plot.border_fill_color = plot.background_fill_color


def colour_bar(title: str, **options) -> ColorBar:
    """Return a bar with a scale of its own in the picture's unit: the images themselves are bytes."""
    options = {"width": 10, "padding": 6, **options}
    return ColorBar(
        color_mapper=LinearColorMapper(palette=ink_palette(), low=-60, high=0),
        title=title,
        major_label_policy=AllLabels(),
        major_label_text_font=FONT,
        major_label_text_font_size=TEXT,
        title_text_font=FONT,
        title_text_font_size=TEXT,
        title_text_font_style="normal",
        bar_line_color=None,
        major_tick_line_color=None,
        **options,
    )


def quiet_figure(**options) -> figure:
    """Return a Bokeh figure without toolbar, frame or grid, as wide as its place; canvas, not WebGL."""
    plot = figure(
        **{
            "tools": "",
            "toolbar_location": None,
            "sizing_mode": "stretch_width",
            "min_width": 0,
            "output_backend": "canvas",  # software rendering is slower through WebGL
            "outline_line_color": None,
            # A page's ground shows: a canvas is cleared half a pixel off, so its first row and column would
            # keep half of what a fill had there in the former theme.
            "border_fill_color": None,
            "min_border": 4,
            **options,
        }
    )
    for grid in plot.center:
        grid.grid_line_color = None
    for axis in (*plot.below, *plot.left):
        axis.major_label_text_font = FONT
        axis.major_label_text_font_size = TEXT
        axis.axis_label_text_font = FONT
        axis.axis_label_text_font_size = TEXT
        axis.axis_label_text_font_style = "normal"
        axis.minor_tick_line_color = None
    return plot
