"""What charts have in common: fonts, colours by theme, and the frame that marks published numbers."""

import re
from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from protoviz.figures.colours import INK, PAPER, MethodLook, readable
from protoviz.figures.engine import holoviews
from protoviz.files import visible

FONT = "14px"
FACE = "Roboto, 'Segoe UI', Arial, sans-serif"  # Roboto travels inside panel-material-ui: no web font
FONTS = dict.fromkeys(("ticks", "labels", "clabel", "cticks", "legend"), FONT)  # of what is not `dressed`
QUIET = ("#5B6472", "#A9B1BD")  # labels that explain; ink is for what is measured
TIP = {
    "tools": ["hover"],
    "hover_tooltips": f'<div style="font: {FONT} {FACE}; padding: 2px 4px">@tip</div>',
}
LINE = ("#D5DAE1", "#3A414B")
# Bokeh takes what stands between $$, \( \) or \[ \] in titles and axes for a formula, and a list of Material
# UI takes :material/home: for a picture. A character that nobody sees parts their signs.
SIGNS = re.compile(r"\$(?=\$)|\\(?=[(\[])|:(?=material/)")
PARTED = "\N{WORD JOINER}"
MINUTE = 60.0  # seconds: longer times are written as minutes:seconds
NAME = 24  # letters of a class's name beside a bar: more would take the bars' room
LONG = 30  # letters of a method's or an encoder's name


def page_scrolls(plot, _element) -> None:
    """Switch off the figure's tools until the reader takes one, so wheel and swipe stay the page's.

    A hook for what is not `dressed`: left alone, HoloViews zooms by the wheel and pans by a finger.
    """
    plot.state.toolbar.update(active_drag=None, active_scroll=None)
    names_as_written(plot.state)


def names_as_written(figure) -> None:
    """Keep titles and ticks of a Bokeh figure from being taken for formulas, and set them in our face."""
    from bokeh.models import Axis, ColorBar

    figure.title.update(text=_parted(figure.title.text), text_font=FACE)
    for part in (*figure.below, *figure.left, *figure.right, *figure.above):
        if isinstance(part, Axis):
            labels = part.major_label_overrides.items()
            part.update(
                axis_label_text_font=FACE,
                axis_label_text_font_style="normal",
                major_label_text_font=FACE,
                axis_label=_parted(part.axis_label or ""),
                major_label_overrides={place: _parted(words) for place, words in labels},
            )
        elif isinstance(part, ColorBar):
            part.update(
                title=_parted(part.title or ""),
                title_text_font=FACE,
                title_text_font_style="normal",
                major_label_text_font=FACE,
            )


def still(plot, element) -> None:
    """Leave the figure the tools that point, hover and tap: there is nothing to pan or zoom."""
    from bokeh.models.tools import InspectTool, Tap

    toolbar = plot.state.toolbar
    toolbar.tools = [tool for tool in toolbar.tools if isinstance(tool, InspectTool | Tap)]
    page_scrolls(plot, element)


def dressed(drawn, dark: bool, height: int, published: str = "", **options):
    """Return an overlay as a chart: as wide as its place, `height` pixels high.

    published: who published the numbers; the chart then says so in its title and stands in a dashed frame,
    so that it cannot be taken for a measurement of this project wherever it is pasted.
    """

    title = f"PUBLISHED: {published}" if published else ""
    return drawn.opts(
        responsive=True,
        height=height,
        show_legend=False,
        title=title,
        fontsize={**FONTS, "title": FONT},
        hooks=[
            lambda plot, _: _quieten(plot.state, dark, bool(published)),
            still,
        ],  # the axes say what they say
        **options,
    )


def _quieten(figure, dark: bool, framed: bool) -> None:
    """Remove toolbar, grid and lines that measure nothing from a Bokeh figure, and set our colours."""
    from bokeh.models import BoxAnnotation, ColorBar

    figure.update(
        background_fill_color=PAPER[dark],
        border_fill_color=None,
        outline_line_color=None,
        min_border_right=12,
        toolbar_location=None,
        min_width=0,
    )
    if framed:  # a box and not the figure's outline, which a page's theme may take away
        figure.add_layout(
            BoxAnnotation(fill_color=None, line_color=QUIET[dark], line_dash="dashed", line_width=2)
        )
    figure.title.update(text_color=INK[dark], text_font_size=FONT)
    for grid in figure.center:
        if hasattr(grid, "grid_line_color"):
            grid.grid_line_color = None
    for axis in (*figure.below, *figure.left):
        axis.update(
            axis_line_color=None,
            major_tick_line_color=None,
            minor_tick_line_color=None,
            major_label_text_color=INK[dark],
            axis_label_text_color=QUIET[dark],
        )

    for bar in figure.right:
        if isinstance(bar, ColorBar):
            bar.update(
                background_fill_color=None,
                bar_line_color=None,
                width=10,
                title_text_color=QUIET[dark],
                major_label_text_color=INK[dark],
                major_tick_line_color=None,
            )


def words(
    rows, x: str = "x", y: str = "y", text: str = "text", *, colour: str, align: str = "center", **style
):
    """Return labels of a frame's columns, or of tuples (x, y, text).

    colour: of all of them, or the name of a column of colours.
    """
    from bokeh.core.properties import value

    rows = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows, columns=[x, y, text])
    own = {"text_color": colour, "text_align": align, "text_baseline": "middle"}
    own |= {"text_font": value(FACE), "text_font_size": FONT}  # a bare string would name a column
    kept = [text, colour] if colour in rows else [text]
    return holoviews().Labels(rows, [x, y], kept).opts(**{**own, **style})


def names_at_ends(
    ends: Sequence[tuple[float, str, str]], x: float, low: float, high: float, gap: float, dark: bool
):
    """Return labels of curves (value at the end, name, colour), apart by a share `gap` of the height."""
    values, names, colours = zip(*ends, strict=True)
    line = gap * (high - low)
    places = spread(values, line, low + line / 2, high - line / 2)
    rows = pd.DataFrame({"x": x, "y": places, "text": [shortened(name, LONG) for name in names]})
    rows["colour"] = [readable(colour, dark) for colour in colours]
    return words(rows, colour="colour", align="left")


def lines_at_ends(
    ends: Sequence[tuple[float, str, MethodLook]],
    x: float,
    length: float,
    low: float,
    high: float,
    gap: float,
    dark: bool,
) -> list:
    """Return layers: the names of lines beside their ends, apart by a share `gap` of the height, each behind
    a piece of its line so long with its mark.

    ends: value at the end, name, look.
    """
    hv = holoviews()
    line = gap * (high - low)
    places = spread([value for value, _, _ in ends], line, low + line / 2, high - line / 2)
    layers, rows = [], []
    for place, (_, name, look) in zip(places, ends, strict=True):
        piece = hv.Curve([(x, place), (x + length, place)])
        layers.append(piece.opts(color=look.colour, line_width=2.5, line_dash=look.dash))
        if look.mark:
            layers.append(hv.Scatter([(x + length / 2, place)]).opts(**marked(look)))
        rows.append((x + 1.12 * length, place, shortened(name, LONG), readable(look.colour, dark)))
    rows = pd.DataFrame(rows, columns=["x", "y", "text", "colour"])
    return [*layers, words(rows, colour="colour", align="left")]


def marked(look: MethodLook) -> dict:
    """Return options of the marks of a method."""
    size = 12 if look.mark == "diamond" else 9  # equal areas
    colours = {"fill_color": look.fill, "line_color": look.colour}
    return {**colours, "line_width": 2, "size": size, "marker": look.mark}


def spread(values: Sequence[float] | np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Return places as near to the values (n) as a distance of at least `gap` allows, within [low, high].

    The order of the values is kept; where they do not all fit, they lie evenly.
    """
    values = np.asarray(values, dtype=float)
    order = np.argsort(values, kind="stable")
    count = len(values)
    if (count - 1) * gap >= high - low:
        places = np.linspace(low, high, count)
    else:
        places = np.clip(values[order], low, high)
        for i in range(1, count):
            places[i] = max(places[i], places[i - 1] + gap)
        places[-1] = min(places[-1], high)
        for i in range(count - 2, -1, -1):
            places[i] = min(places[i], places[i + 1] - gap)
    found = np.empty(count)
    found[order] = places
    return found


def apart(ticks: dict[float, str], gap: float) -> list[tuple[float, str]]:
    """Return ticks (place -> words, upwards) without those that come nearer than `gap` to the one below."""
    kept: list[tuple[float, str]] = []
    for place, label in ticks.items():
        if not kept or place - kept[-1][0] >= gap:
            kept.append((place, label))
    return kept


def percent(value: float, digits: int = 1, sign: bool = False) -> str:
    """Return 0.1441 -> "14.4", with a sign where asked for ("+14.4", "−2.9")."""
    return minus(f"{100 * value:{'+' if sign else ''}.{digits}f}")


def ranged(score: float, low: float, high: float) -> str:
    """Return a score in percent with its interval, where it has one: "78.9 (78.7 to 79.1)"."""
    return percent(score) + ("" if np.isnan(low) else f" ({percent(low)} to {percent(high)})")


def minus(number: str) -> str:
    """Return a written number with a minus sign, which a hyphen is not."""
    return number.replace("-", "−")


def spoken(name: str) -> str:
    """Return a class name as words: "bird_trill" -> "bird trill"; otherwise `as_written`."""
    return as_written(name).replace("_", " ")


def as_written(name: str) -> str:
    """Return a name of a file, a class, an encoder ... that every list and picture shows as it is written.

    Nothing in it acts (see `visible`), nor is taken for a formula or an icon. HTML needs it escaped besides.
    """
    return _parted(visible(name))


def plain(name: str) -> str:
    """Return HTML that shows what a user, a link or a file named as it is written, also in a message."""
    return escape(as_written(name))


def place(box, offset: float = 0.0) -> str:
    """Return where a box, a cell or an event lies: "0.16–0.32 s, 120–340 Hz".

    offset: where the clip begins in its file, seconds.
    """
    when = stretch(box.onset + offset, box.offset + offset)
    return f"{when}, {box.low_hz:.0f}–{box.high_hz:.0f} Hz"


def moment(seconds: float) -> str:
    """Return a time: "7.25 s", and from a minute on "12:07.25"."""
    return f"{seconds:.2f} s" if seconds < MINUTE else _clock(seconds)


def stretch(onset: float, offset: float) -> str:
    """Return a stretch of time: "0.16–0.32 s"; "12:00.16–12:00.32" where it ends after a minute or more."""
    return f"{onset:.2f}–{offset:.2f} s" if offset < MINUTE else f"{_clock(onset)}–{_clock(offset)}"


def _clock(seconds: float) -> str:
    hundredths = round(100 * seconds)  # before it is cut up: 119.999 s are two minutes
    return f"{hundredths // 6000}:{hundredths % 6000 // 100:02}.{hundredths % 100:02}"


def shortened(name: str, most: int = NAME) -> str:
    """Return a name of at most so many letters: of a longer one its middle is left out."""
    if len(name) <= most:
        return name
    first = most // 2
    return f"{name[:first].rstrip()}…{name[len(name) - (most - first - 1) :].lstrip()}"


def _parted(words: str) -> str:
    return SIGNS.sub(rf"\g<0>{PARTED}", words)
