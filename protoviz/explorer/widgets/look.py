"""One look over all pages: sizes, fonts, colours by theme, and what every Bokeh figure has in common."""

import panel as pn
from bokeh.events import DoubleTap, Tap
from bokeh.plotting import figure
from bokeh.themes import Theme

from protoviz.figures import INK, PAPER

# Pages take these from here with the rest of the look.
from protoviz.figures.canvas import FONT as FONT
from protoviz.figures.canvas import GLYPH_TEXT as GLYPH_TEXT
from protoviz.figures.canvas import TEXT as TEXT
from protoviz.figures.canvas import TIP as TIP
from protoviz.figures.canvas import colour_bar as colour_bar
from protoviz.figures.canvas import dress as dress
from protoviz.figures.canvas import quiet_figure as quiet_figure
from protoviz.figures.colours import TAG as TAG
from protoviz.figures.style import LINE as LINE
from protoviz.figures.style import QUIET as QUIET

CLICKS = (Tap, DoubleTap)  # Bokeh takes a second click within 0.3 s for a double one, wherever it lands

# A field's label shrinks to three quarters when the field is filled: 18.7 px leave 14.
_PARTS = {
    "MuiAppBar": {"styleOverrides": {"root": {"backgroundColor": "#27406B", "color": "white"}}},
    "MuiListSubheader": {"styleOverrides": {"root": {"fontSize": "14px"}}},
    "MuiTooltip": {"styleOverrides": {"tooltip": {"fontSize": "14px"}}},
    "MuiInputLabel": {"styleOverrides": {"shrink": {"fontSize": "18.7px"}}},
    "MuiOutlinedInput": {"styleOverrides": {"notchedOutline": {"& legend": {"fontSize": "14px"}}}},
}
# Material UI's theme: our ink as the one accent, text from 14 px.
_WORDS = {
    "fontFamily": FONT,
    "body1": {"fontSize": "15px"},
    "button": {"textTransform": "none", "fontWeight": 500, "fontSize": "15px"},
}
THEME = {
    "light": {
        "typography": _WORDS,
        "components": _PARTS,
        "palette": {
            "primary": {"main": "#27406B"},
            "background": {"default": "#F3F5F8", "paper": PAPER[0]},
            "text": {"primary": INK[0], "secondary": QUIET[0]},
        },
    },
    "dark": {
        "typography": _WORDS,
        "components": _PARTS,
        "palette": {
            "primary": {"main": "#9DB7E4"},
            "background": {"default": "#0D0F12", "paper": PAPER[1]},
            "text": {"primary": INK[1], "secondary": QUIET[1]},
        },
    },
}


# Material UI would set Bokeh's axes in 12 px; a class that this theme names it leaves alone.
BOKEH_THEME = Theme(json={"attrs": {"Axis": {}, "BaseColorBar": {}, "ColorBar": {}}})


CARD = {
    "css_classes": ["card"],
    "sizing_mode": "stretch_width",
    "margin": 0,
    "styles": {
        "background": "var(--panel-surface-color)",
        "border": "1px solid color-mix(in srgb, currentColor 16%, transparent)",
        "border-radius": "12px",
        "padding": "12px 16px",
        "gap": "8px",
        "box-sizing": "border-box",
    },
}
_TEXT_CSS = """
:host { font-size: 15px; line-height: 1.5; }
.quiet { opacity: 0.8; font-size: 14px; }
.key { margin-right: 18px; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 7px;
  border-radius: 50%; border: 2px solid var(--truth); background: var(--truth); }
.key.missed::before { background: none; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 12px 3px 0; text-align: right; white-space: nowrap; font-weight: inherit; }
th.words, td.words { text-align: left; }
thead th { font-weight: 500; opacity: 0.8; font-size: 14px; vertical-align: bottom; white-space: normal; }
tr.chosen { font-weight: 700; }
tbody tr { border-top: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
"""


def text(html: str = "") -> pn.pane.HTML:
    """Return a paragraph; the words in it are escaped by whoever wrote them."""
    return pn.pane.HTML(html, sizing_mode="stretch_width", margin=0, stylesheets=[_TEXT_CSS])


def label(words: str) -> pn.pane.HTML:
    """Return a few words before a field, no wider than they are."""
    before = text(words)
    before.sizing_mode = None
    return before


def pane(plot: figure, **options) -> pn.pane.Bokeh:
    """Return a Bokeh figure as wide as its place."""
    return pn.pane.Bokeh(plot, sizing_mode="stretch_width", margin=0, **options)


def line(*items) -> pn.FlexBox:
    """Return items side by side, centred on one line, going over to the next where there is no room."""
    return pn.FlexBox(*items, align_items="center", gap="14px 20px", margin=0, sizing_mode="stretch_width")


def beside(*items) -> pn.Row:
    """Return items side by side on one line, sharing its width."""
    for item in items:
        item.align = "center"
    return pn.Row(*items, margin=0, sizing_mode="stretch_width", styles={"gap": "14px"})


def sections(*items) -> pn.Column:
    """Return a whole page: its parts below each other."""
    return pn.Column(*items, sizing_mode="stretch_width", margin=(14, 20), styles={"gap": "12px"})


def two_columns(left: list, right: list, share: float = 1, least: int = 0) -> pn.Row:
    """Return cards in two columns: the left `share` times as wide, the right `least` pixels at least."""

    def column(cards: list, grow: float, pixels: int) -> pn.Column:
        size = {"flex": f"{grow} 1 0", "min-width": f"{pixels}px", "gap": "16px"}
        return pn.Column(*cards, styles=size, margin=0)

    both = column(left, share, 0), column(right, 1, least)
    return pn.Row(*both, sizing_mode="stretch_width", margin=0, styles={"gap": "16px"})


def field(width: int | None) -> dict:
    """Return size and margin of a widget: so many pixels wide, or (None) as wide as its place."""
    size = {"sizing_mode": "stretch_width"} if width is None else {"width": width}
    return {"margin": 0, **size}
