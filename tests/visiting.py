"""What a visitor does to a page and reads on it, without a browser."""

import panel as pn
import param
from bokeh.events import SelectionGeometry, Tap


def said(view) -> str:
    """Return all texts of a page, or of a part of one, as HTML."""
    return " ".join(str(pane.object) for pane in view.__panel__().select(pn.pane.HTML))


def says(view, *facts: str) -> bool:
    """Return whether a page's texts hold every one of these names, numbers or commands."""
    text = said(view)
    return all(fact in text for fact in facts)


def tap(part, x: float | None, y: float | None) -> None:
    """Tap a place of a part's figure."""
    part.figure._trigger_event(Tap(part.figure, x=x, y=y))


def drag(part, left: float, right: float, bottom: float, top: float) -> None:
    """Draw a rectangle over a part's figure and let it go."""
    sides = {"x0": left, "x1": right, "y0": bottom, "y1": top}
    event = SelectionGeometry(part.figure, geometry={"type": "rect", **sides}, final=True)
    part.figure._trigger_event(event)


def slide(slider, value) -> None:
    """Move a slider and let it go."""
    slider.value = value
    with param.edit_constant(slider):
        slider.value_throttled = value
