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


def read_events(path: Path, sample_rate: int = RATE) -> list[tuple[str, Event | None]] | None:
    """(file name or "", event or None) of each row of an event table; None: the file is no event table.

    Audacity's labels, Raven's selections, CSV and TSV. An empty text file is Audacity's of no event. Columns
    are known by the names above, whatever their case; times are seconds; a table without a column of onsets
    is no event table. A row without times tells of a file without events. A Raven table has two rows for an
    event, one a view: the second is left out. Raises LayoutError that names the line with a fault.
    """
    lines = [line for line in text_of(path).split("\n") if line.strip()]
    if path.suffix.lower() == ".txt" and (not lines or _numbers(lines[0])):
        return [("", found) for found in audacity(path, sample_rate)]
    header = lines[0] if lines else ""
    delimiter = "\t" if "\t" in header else ","
    if not {cell.strip().strip('"').lower() for cell in header.split(delimiter)} & set(ONSET):
        return None
    return list(_rows(path, delimiter, sample_rate))


def _numbers(line: str) -> bool:
    """Whether a line begins with two numbers and tabs, as those of Audacity do."""
    try:
        return len([float(cell) for cell in line.split("\t")[:2]]) == 2
    except ValueError:
        return False


def _rows(path: Path, delimiter: str, sample_rate: int) -> Iterator[tuple[str, Event | None]]:
    seen: set[str] = set()
    for number, row in enumerate(records(path, (), delimiter=delimiter), 2):
        cells = {key.lower(): value for key, value in row.items()}
        selection = f"{_cell(cells, FILE)}|{cells.get('selection')}"
        if cells.get("selection") and selection in seen:
            continue
        seen.add(selection)
        try:
            found = _event(cells, sample_rate)
        except KeyError as error:
            raise LayoutError(f"{path}: no column {error.args[0]}; it has {', '.join(cells)}") from error
        except ValueError as error:
            raise LayoutError(f"{path}, line {number}: {row} is no event ({error})") from error
        name = _cell(cells, FILE).replace("\\", "/")
        yield Path(name).as_posix() if name else "", found


def _event(cells: Mapping[str, str], sample_rate: int) -> Event | None:
    """The event of a row; KeyError without one of the three columns, ValueError for a cell that is wrong."""
    for names in (ONSET, OFFSET, LABEL):
        if not any(name in cells for name in names):
            raise KeyError(" or ".join(names))
    onset, offset = _cell(cells, ONSET), _cell(cells, OFFSET)
    if not onset and not offset:
        return None
    found = event(_label(_cell(cells, LABEL)), float(onset), float(offset), sample_rate)
    low, high = _cell(cells, LOW), _cell(cells, HIGH)
    return _banded(found, float(low), float(high)) if low and high else found


def _cell(cells: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((cells[name] for name in names if name in cells), "")


def _label(text: str) -> str:
    if not text:
        raise ValueError("an event without a label")
    return text


def _banded(found: Event, low: float, high: float) -> Event:
    low, high = (low if low >= 0 else found.low_hz), (high if high >= 0 else found.high_hz)
    return Event(found.label, found.onset, found.offset, low, high)
