"""Event tables that people keep beside their recordings: Audacity's labels, Raven's selections, plain CSV."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from protoviz.datasets.files import RATE, event, records, text_of
from protoviz.datasets.spec import LayoutError
from protoviz.scenes import Event

# What a column may be called, in lower case; the first that a table has counts.
FILE = ("filename", "file", "path", "audio_filename", "begin file")
ONSET = ("onset", "start", "start_time", "start_seconds", "begin time (s)")
OFFSET = ("offset", "end", "end_time", "end_seconds", "end time (s)")
LABEL = ("event_label", "label", "class", "annotation", "species", "common name")
LOW = ("low_hz", "low_freq", "low freq (hz)")
HIGH = ("high_hz", "high_freq", "high freq (hz)")


def audacity(path: Path, sample_rate: int = RATE) -> Iterator[Event]:
    r"""The events of an Audacity label file: onset, offset, label, tabs between, no header.

    A line that begins with a backslash gives the band of the event before it: low and high hertz, negative
    where there is none. Raises LayoutError that names the line which is neither.
    """
    found: list[Event] = []
    for number, line in enumerate(text_of(path).splitlines(), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip():
            continue
        try:
            if cells[0] == "\\" and found:
                low, high = (float(cell) for cell in cells[1:3])
                found[-1] = _banded(found[-1], low, high)
            else:
                onset, offset, label = cells[:3]
                found.append(event(_label(label), float(onset), float(offset), sample_rate))
        except ValueError as error:
            raise LayoutError(f"{path}, line {number}: {line!r} is no event of Audacity") from error
    yield from found


def is_audacity(path: Path) -> bool:
    """Whether a text file's first line with something in it begins with two numbers."""
    first = next((line for line in text_of(path).splitlines() if line.strip()), "")
    try:
        return len([float(cell) for cell in first.split("\t")[:2]]) == 2
    except ValueError:
        return False


def event_table(path: Path, sample_rate: int = RATE) -> Iterator[tuple[str, Event | None]]:
    """(file name or "", event or None) of each row of a CSV, a TSV or a Raven selection table.

    Columns are known by the names above, whatever their case; times are seconds. A table without a column
    of onsets is no event table: nothing. A row without times tells of a file without events. In a Raven table an event has two rows, one a view: the second is left out.
    """
    header = text_of(path).split("\n")[0]
    delimiter = "\t" if "\t" in header else ","
    if not {cell.strip().strip('"').lower() for cell in header.split(delimiter)} & set(ONSET):
        return
    numbers: set[str] = set()
    for number, row in enumerate(records(path, (), delimiter=delimiter), 2):
        cells = {key.lower(): value for key, value in row.items()}
        if cells.get("selection"):
            selection = f"{cells.get('begin file', '')}|{cells['selection']}"
            if selection in numbers:
                continue
            numbers.add(selection)
        onset, offset, label = _needed(path, cells)
        try:
            found = (
                event(_label(label), float(onset), float(offset), sample_rate) if onset or offset else None
            )
            low, high = _cell(cells, LOW), _cell(cells, HIGH)
            found = _banded(found, float(low), float(high)) if found and low and high else found
        except ValueError as error:
            raise LayoutError(
                f"{path}, line {number}: {onset!r} to {offset!r}, {label!r}: no event"
            ) from error
        yield Path(_cell(cells, FILE).replace("\\", "/")).as_posix() if _cell(cells, FILE) else "", found


def _needed(path: Path, cells: Mapping[str, str]) -> tuple[str, str, str]:
    for names in (ONSET, OFFSET, LABEL):
        if not any(name in cells for name in names):
            raise LayoutError(f"{path}: no column {' or '.join(names)}; it has {', '.join(cells)}")
    return _cell(cells, ONSET), _cell(cells, OFFSET), _cell(cells, LABEL)


def _cell(cells: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((cells[name] for name in names if name in cells), "")


def _label(text: str) -> str:
    if not text:
        raise ValueError("an event without a label")
    return text


def _banded(found: Event, low: float, high: float) -> Event:
    low, high = (low if low >= 0 else found.low_hz), (high if high >= 0 else found.high_hz)
    return Event(found.label, found.onset, found.offset, low, high)
