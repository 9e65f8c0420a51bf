"""What makes rows of a figure clickable."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from bokeh.events import Tap
from bokeh.plotting import figure

from protoviz.explorer.widgets.look import CLICKS


class Rows(Protocol):
    """A figure in rows, each of which stands for something."""

    figure: figure

    def at(self, y: float): ...


Part = TypeVar("Part", bound=Rows)


def clicked(part: Part, action: Callable) -> Part:
    """Return the part, which from now on hands what a clicked row stands for to the action."""

    def tapped(event: Tap) -> None:
        found = None if event.y is None else part.at(event.y)
        if found is not None:
            action(found)

    for click in CLICKS:
        part.figure.on_event(click, tapped)
    return part
