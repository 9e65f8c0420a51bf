"""How far long work is: one event, told to one listener, and the one bar that shows it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich import progress as parts
from rich.console import Console


class Progress(NamedTuple):
    """Something that has happened since the event before."""

    done: float = 0  # units of work
    text: str | None = None  # what is at work from now on; None: what was
    total: float | None = None  # units in all, where that has become known; None: as before
    line: str | None = None  # a line to keep, above the bar


Listener = Callable[[Progress], None]


def silent(event: Progress) -> None:
    """Ignore an event."""


@contextmanager
def progress_bar(
    text: str = "", total: float | None = None, unit: str = "", shown: bool = True
) -> Iterator[Listener]:
    """Yield the listener that shows its events as a bar on standard error, with the time left.

    unit: the plural of what is counted, such as "clips"; without one the bar gives percents. Where standard
    error is no terminal and this is no notebook, only the lines are printed. Not shown, nothing is.
    """
    if not shown:
        yield silent
        return
    console = Console(stderr=True)
    words = parts.TextColumn("{task.description}", markup=False)
    counted = (parts.MofNCompleteColumn(), parts.TextColumn(f"{unit},"))
    done = counted if unit else (parts.TaskProgressColumn(),)
    left = (parts.TimeRemainingColumn(), parts.TextColumn("left"))
    hidden = not (console.is_terminal or console.is_jupyter)
    with parts.Progress(words, parts.BarColumn(), *done, *left, console=console, disable=hidden) as bar:
        task = bar.add_task(text, total=total)

        def show(event: Progress) -> None:
            if event.line is not None:
                console.print(event.line, markup=False, highlight=False, soft_wrap=True)
            bar.update(task, advance=event.done, description=event.text, total=event.total)

        yield show
