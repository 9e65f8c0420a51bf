"""Cut a recording into windows, each with the events in it."""

from collections.abc import Iterable

from protoviz.datasets.files import Fault, Row
from protoviz.scenes import Event

SAME_TIME = 6  # decimals of a second: 3 x 10.24 is 30.72, whatever binary numbers say


def windows(
    row: Row, length: float | Fault, events: Iterable[Event], seconds: float, shortest: float
) -> list[Row]:
    """Return a recording's row cut into windows with the events in each, times from the window's beginning
    on.

    A window holds its begin and not its end: an event that ends where a window begins is not in it. An event
    without duration is in the window that begins there; at the end of the recording, in the last one.
    length: seconds of the recording; a fault instead, of a file that cannot be opened, leaves one row.
    """
    if isinstance(length, tuple):
        return [row._replace(labels=[])]
    count = int(round(length / seconds, SAME_TIME)) + 1
    begins = [round(n * seconds, SAME_TIME) for n in range(count)]
    begins = [begin for begin in begins if length - begin >= shortest] or [0.0]
    made = []
    for begin in begins:
        end = min(round(begin + seconds, SAME_TIME), length)
        held = tuple(_cut(e, begin, end) for e in events if inside(e, begin, end, begin == begins[-1]))
        name = f"{row.clip}@{begin:g}" if len(begins) > 1 else row.clip
        labels = sorted({event.label for event in held})
        made.append(row._replace(clip=name, labels=labels, offset=begin, events=held))
    return made


def inside(event: Event, begin: float, end: float, last: bool) -> bool:
    """Return whether an event is in a window; `last`: the last one of its recording (see `windows`)."""
    onset, offset = round(event.onset, SAME_TIME), round(event.offset, SAME_TIME)
    begin, end = round(begin, SAME_TIME), round(end, SAME_TIME)
    if onset == offset:
        return begin <= onset < end or (last and onset == end)
    return onset < end and offset > begin


def _cut(event: Event, begin: float, end: float) -> Event:
    onset, offset = max(event.onset, begin) - begin, min(event.offset, end) - begin
    return Event(event.label, onset, max(offset, onset), event.low_hz, event.high_hz)
