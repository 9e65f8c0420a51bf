"""One look over all pages: sizes, fonts, colours by theme, and what every Bokeh figure has in common."""

import panel as pn
from bokeh.plotting import figure
from bokeh.themes import Theme

from protoviz.explorer.internals import FigurePane
from protoviz.figures import INK, PAPER

# Pages take these from here with the rest of the look.
from protoviz.figures.canvas import CLICKS as CLICKS
from protoviz.figures.canvas import FONT as FONT
from protoviz.figures.canvas import GLYPH_TEXT as GLYPH_TEXT
from protoviz.figures.canvas import TEXT as TEXT
from protoviz.figures.canvas import TIP as TIP
from protoviz.figures.canvas import colour_bar as colour_bar
from protoviz.figures.canvas import describe as describe
from protoviz.figures.canvas import dress as dress
from protoviz.figures.canvas import quiet_figure as quiet_figure
from protoviz.figures.colours import TAG as TAG
from protoviz.figures.style import LINE as LINE
from protoviz.figures.style import QUIET as QUIET

WIDE = 620  # pixels that the left of two columns needs; on a tablet it has the window's width

# A field's label shrinks to three quarters when the field is filled: 18.7 px leave 14.
_PARTS = {
    # The project's name heads no section.
    "MuiTypography": {"defaultProps": {"variantMapping": {"h3": "span"}}},
    # Of what is not chosen: Material UI's grey has 4.47 on our pages, and 4.5 is asked for.
    "MuiToggleButton": {"styleOverrides": {"root": {"color": "inherit"}}},
    # The arrow of a field that is typed into, in both themes.
    "MuiAutocomplete": {"styleOverrides": {"popupIndicator": {"color": "inherit"}}},
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

# Material UI's page is one window high and scrolls within. Ours is as high as what it holds: zoomed, on a
# phone and on paper nothing is left out. The header takes the room that its lines need, and stays where there
# is plenty.
PAGE = {
    "display": "block",
    "width": "100%",
    "height": "auto",
    "minHeight": "100vh",
    "overflow": "visible",
    "& > .header": {"position": "static", "boxShadow": "none"},
    "@media screen and (min-width: 1100px) and (min-height: 700px)": {
        "& > .header": {"position": "sticky", "top": 0}
    },
    "@media (max-width: 800px)": {  # the pages below the name, over the whole width
        "& > .header > .MuiToolbar-root": {"flexWrap": "wrap", "justifyContent": "space-between", "py": 1},
        "& > .header > .MuiToolbar-root > div:nth-of-type(2)": {"order": 1, "flexBasis": "100%"},
    },
    "& > .header > .MuiLinearProgress-root": {"display": "none"},  # of a page that is never busy
    "& > .main": {"overflow": "visible", "backgroundColor": "transparent"},  # it ends above the page itself
    "& > .main > div > .MuiToolbar-root": {"display": "none"},  # it stood below a header that lies over all
    "& .main-content": {"overflow": "visible"},
}

# Material UI would set Bokeh's axes in 12 px and fill the ground around figures; a class that this theme
# names it leaves alone.
BOKEH_THEME = Theme(json={"attrs": {"Axis": {}, "BaseColorBar": {}, "ColorBar": {}, "Plot": {}}})

FLOW = ["flow"]  # on paper its parts stand below each other (opening.html)
CARD = {
    "css_classes": ["card"],
    "sizing_mode": "stretch_width",
    "margin": 0,
    "styles": {
        "background": "var(--panel-surface-color)",
        "border": "1px solid color-mix(in srgb, currentColor 16%, transparent)",
        "border-radius": "12px",
        "padding": "12px clamp(8px, 1.5vw, 16px)",
        "gap": "8px",
        "box-sizing": "border-box",
    },
}
_TEXT_CSS = """
:host { font-size: 15px; line-height: 1.5; overflow-wrap: break-word; }
h1, h2 { font: inherit; font-weight: 700; margin: 0; }
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


def pane(plot: figure, said: pn.pane.HTML | None = None, **options) -> FigurePane:
    """Return a Bokeh figure as wide as its place; said: the text beside it that tells what it shows."""
    if said is not None:
        said.param.watch(lambda event: describe(plot, event.new), "object")
        describe(plot, said.object)
    return FigurePane(plot, sizing_mode="stretch_width", margin=0, **options)


def scrolled(item, least: int, **styles: str) -> pn.Column:
    """Return an item that is so many pixels wide at least, and scrolls by itself where there are fewer.

    As a style: Panel hands on `min_width` to all that is around it.
    """
    item.styles = {**item.styles, "min-width": f"{least}px"}
    return pn.Column(item, sizing_mode="stretch_width", margin=0, styles={"overflow-x": "auto", **styles})


def line(*items) -> pn.FlexBox:
    """Return items side by side, centred on one line, going over to the next where there is no room."""
    return pn.FlexBox(*items, align_items="center", gap="14px 20px", margin=0, sizing_mode="stretch_width")


def beside(*items) -> pn.Row:
    """Return items side by side, sharing the width; where it is too little for them, on further lines."""
    for item in items:
        item.align = "center"
        if item.sizing_mode == "stretch_width":
            item.styles = {"flex": "1 1 170px", "width": "auto", "min-width": "0", **item.styles}
    styles = {"gap": "8px 14px", "flex-wrap": "wrap"}
    return pn.Row(*items, margin=0, sizing_mode="stretch_width", styles=styles)


def sections(*items) -> pn.Column:
    """Return a whole page: its parts below each other."""
    styles = {"gap": "16px", "padding": "14px clamp(8px, 2vw, 20px)", "box-sizing": "border-box"}
    return pn.Column(*items, css_classes=FLOW, sizing_mode="stretch_width", margin=0, styles=styles)


def two_columns(left: list, right: list, share: float = 1, least: int = 400) -> pn.Row:
    """Return cards in two columns: the left `share` times as wide, the right `least` pixels at least.

    Where the left one would be narrower than `WIDE`, the right one goes below it.
    """

    def column(cards: list, grow: float, pixels: int) -> pn.Column:
        size = {"flex": f"{grow} 1 {pixels}px", "min-width": f"min({pixels}px, 100%)", "gap": "16px"}
        return pn.Column(*cards, css_classes=FLOW, styles=size, margin=0)

    both = column(left, share, WIDE), column(right, 1, least)
    styles = {"gap": "16px", "flex-wrap": "wrap"}
    return pn.Row(*both, css_classes=FLOW, sizing_mode="stretch_width", margin=0, styles=styles)


def field(width: int | None) -> dict:
    """Return size and margin of a widget: so many pixels wide (never wider than its place), or (None) as
    wide as that.
    """
    if width is None:
        return {"margin": 0, "sizing_mode": "stretch_width"}
    return {"margin": 0, "width": width, "styles": {"max-width": "100%"}}
