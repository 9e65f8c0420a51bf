"""Tables that people keep beside their recordings, whatever their form, as rows of labels, events, splits."""

from collections.abc import Callable, Iterator
from pathlib import Path

from protoviz.audio import is_foreign, is_sound
from protoviz.datasets.clips import split_named
from protoviz.datasets.files import RATE
from protoviz.datasets.folder.cells import is_text, number_of, seconds_of
from protoviz.datasets.folder.reading import Reading
from protoviz.datasets.folder.sheets import Sheet, read_sheet
from protoviz.datasets.folder.statements import Statement, Table, banded, timed_event
from protoviz.datasets.spec import LayoutError
from protoviz.datasets.texts import text_of
from protoviz.scenes import Event


def audacity(path: Path, sample_rate: int = RATE, utf16: bool = False) -> Iterator[Event]:
    r"""Yield the events of an Audacity label file: onset, offset, label, no header; tabs between, or commas.

    A line that begins with a backslash gives the band of the event before it: low and high hertz, negative
    where there is none. Raises LayoutError that names the line which is neither.
    """
    found: list[Event] = []
    text = text_of(path, utf16)
    mark = _mark_between_times(next((line for line in text.splitlines() if line.strip()), "")) or "\t"
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in (line.split("\t") if mark == "\t" else line.split(mark, 2))]
        if mark != "\t":
            cells[-1] = cells[-1].strip('"')
        if not line.strip():
            continue
        try:
            if cells[0] == "\\" and found:
                low, high = (number_of(cell) for cell in cells[1:3])
                found[-1] = banded(found[-1], low, high)
            else:
                onset, offset, label = cells[:3]
                found.append(timed_event(label, seconds_of(onset), seconds_of(offset), sample_rate))
        except ValueError as error:
            raise LayoutError(f"{path}, line {number}: {line!r} is no Audacity event ({error})") from error
    yield from found


def read_table(path: Path, knows: Callable[[str], bool], sample_rate: int = RATE) -> Table | None:
    """Return a table as `Table`; None for a text that is none, and for a table that speaks of no sound file.

    knows: whether a cell names a sound file that is there. Columns are known by COLUMNS and, the files', by
    what their cells name. Raises LayoutError, naming the table, the line or the forms that are read, where
    it speaks of sound files and cannot be understood.
    """
    first = next((line for line in text_of(path, utf16=True).splitlines() if line.strip()), "")
    if path.suffix.lower() in (".txt", ".tsv", ".csv", ".tab") and _mark_between_times(first):
        events = tuple(Statement((), event=found) for found in audacity(path, sample_rate, utf16=True))
        return Table(path, "events", events, {"onset": (), "offset": (), "label": ()})

    def is_row(cell: str) -> bool:
        return is_sound(cell) or is_foreign(cell) or knows(cell)

    sheet = read_sheet(path, is_row)
    if sheet is None:
        return None
    if not sheet.header and not sheet.rows:
        return Table(path, "events", (), {}) if path.suffix.lower() == ".txt" else None
    return Reading(path, sheet if sheet.header else _headed(path, sheet, is_row), knows, sample_rate).table()


def _mark_between_times(line: str) -> str:
    """What parts the two times that a line begins with: a tab, as Audacity writes it; "" where none are.

    Commas and semicolons do so where a text follows: Sonic Visualiser writes labels in this way.
    """
    for mark in ("\t", ";", ","):
        cells = [cell.strip() for cell in line.split(mark)]
        timed = len(cells) > 1 and all(cell and not is_text(cell) for cell in cells[:2])
        if timed and (mark == "\t" or any(map(is_text, cells[2:3]))):
            return mark
    return ""


def _headed(path: Path, sheet: Sheet, is_row: Callable[[str], bool]) -> Sheet:
    """A sheet without a header with the one that its cells suggest: file, times, split and one of labels."""
    row = sheet.rows[0]
    columns = [[cells[n] if n < len(cells) else "" for cells in sheet.rows] for n in range(len(row))]
    file = max(range(len(row)), key=lambda n: sum(map(is_row, columns[n])))
    times = [n for n in (1, 2) if len(row) > n + 2 and all(_is_time(cell) for cell in row[n : n + 2])]
    header = ["unnamed"] * len(row)
    header[file] = "file"
    if times and file == 0:
        header[times[0] : times[0] + 3] = "onset", "offset", "label"
        return sheet._replace(header=tuple(header))
    for n, cells in enumerate(columns):
        if n != file and len(row) > 2 and all(map(split_named, cells)):
            header[n] = "split"
    count = [[str(n + first) for n in range(len(sheet.rows))] for first in (0, 1)]
    rest = [
        n for n in range(len(row)) if header[n] == "unnamed" and (len(row) < 3 or columns[n] not in count)
    ]
    rest = [n for n in rest if any(columns[n])]
    if len(rest) > 1:
        raise LayoutError(
            f"{path}: it has no header, and {len(row)} columns; put names above them, such as file,label"
        )
    for n in rest:
        header[n] = "label"
    return sheet._replace(header=tuple(header))


def _is_time(cell: str) -> bool:
    try:
        return seconds_of(cell) >= 0
    except ValueError:
        return False
