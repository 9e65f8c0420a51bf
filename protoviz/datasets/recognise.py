"""A sheet understood: which of its columns has which role, and what its rows say of sound files."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from protoviz.audio import is_foreign, is_sound, nfc
from protoviz.datasets.cells import is_on, is_switch, label_reader, number_of, seconds_of
from protoviz.datasets.clips import split_named
from protoviz.datasets.columns import COLUMNS, SLICES, holds_many, plain, role_of
from protoviz.datasets.files import event
from protoviz.datasets.sheets import Sheet
from protoviz.datasets.spec import LayoutError
from protoviz.scenes import Event

FORMS = (
    "a column of files and one of labels, or a column of 0 and 1 for each class, or a row for each file and "
    "label; events with onset, offset (or duration) and label; Audacity's labels; Raven's and BirdNET's "
    "selections; CSV, TSV, JSON lines (README lists the columns)"
)
CURE = "rename its column of labels to label, take the table out, or name those to read with tables=..."
NO_CALL = "nocall"  # how BirdNET writes that it heard nothing


class Told(NamedTuple):
    """What one row says of one sound file."""

    names: tuple[str, ...]  # how the row calls the file; none: the table's own
    labels: tuple[str, ...] | None = None  # of the whole clip; None: it is not labelled
    event: Event | None = None
    split: str = ""
    group: str = ""
    line: int = 0


@dataclass(frozen=True)
class Table:
    """A table as understood. form: "labels", "classes", "events", "splits" or "" (it has none of these)."""

    path: Path
    form: str
    rows: tuple[Told, ...]
    used: dict[str, tuple[str, ...]]  # role -> columns
    unused: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether it says which classes a file holds."""
        return self.form in ("labels", "classes", "events")


def split_in(name: str) -> str:
    """The split that a word of a file's name says, as in val_labels; "" where none or two do."""
    found = {split for word in re.split(r"[\W_\d]+", name) if (split := split_named(word))}
    return found.pop() if len(found) == 1 else ""


class Reading:
    """One sheet while it is understood: which column has which role, and what its rows say."""

    def __init__(self, path: Path, sheet: Sheet, knows: Callable[[str], bool], sample_rate: int):
        self.path, self.sheet, self.knows, self.sample_rate = path, sheet, knows, sample_rate
        self.roles: dict[str, list[int]] = {}
        for place, name in enumerate(sheet.header):
            self.roles.setdefault(role_of(name), []).append(place)
        self.used: dict[str, list[int]] = {}

    def cells(self, place: int) -> list[str]:
        """A column; cells that a short row lacks are empty."""
        return [row[place] if place < len(row) else "" for row in self.sheet.rows]

    def first(self, role: str, use: bool = True) -> int | None:
        """The column of a role whose name stands first in COLUMNS, among those that hold anything."""
        places = [p for p in self.roles.get(role, ()) if any(self.cells(p))] or self.roles.get(role, ())
        names = COLUMNS[role]
        found = min(places, key=lambda p: names.index(_base(self.sheet.header[p], names)), default=None)
        if use and found is not None:
            self.used[role] = [found]
        return found

    @cached_property
    def files(self) -> list[int]:
        """The columns that name the file of a row, the one that names most sounds first."""

        def known(place: int) -> int:
            return sum(map(self.knows, {cell for cell in self.cells(place) if cell}))

        named = {place: known(place) for place in self.roles.get("file", ())}
        if not any(named.values()):
            others = set(range(len(self.sheet.header))) - set(named)
            named |= {
                p: n
                for p in others
                if (n := known(p)) and (p in self.roles.get("id", ()) or self._suffixed(p))
            }
        if not named:
            named = {p: 0 for p in range(len(self.sheet.header)) if self._suffixed(p)}
        return sorted(named, key=lambda place: (-named[place], place))

    def _suffixed(self, place: int) -> bool:
        cells = [cell for cell in self.cells(place) if cell]
        return bool(cells) and 2 * sum(is_sound(cell) or is_foreign(cell) for cell in cells) > len(cells)

    def table(self) -> Table | None:
        """The sheet in the first of the forms that fits it."""
        if self.files:
            self.used["file"] = self.files
        timed = not any(plain(self.sheet.header[place]) == SLICES for place in self.files)
        if timed and (times := self._times()):
            return self._made("events", self._event_rows(times))
        if not self.files:
            return None
        reads = self._labels() or self._switches()
        if reads:
            form = "labels" if "label" in self.used else "classes"
            return self._made(form, self._clip_rows(reads))
        if self._split() is not None:
            return self._made("splits", self._clip_rows(lambda row: None))
        rest = [name for p, name in enumerate(self.sheet.header) if p not in self.files and not role_of(name)]
        if len(self.sheet.header) == 1 and split_in(self.path.stem):
            return self._made("splits", self._clip_rows(lambda row: None))  # a list of one split's files
        if rest or len(self.sheet.header) == 1:
            raise LayoutError(
                f"{self.path}: no column of labels among {_listing(self.sheet.header)}. "
                f"Read are {FORMS}. {CURE}"
            )
        return self._made("", iter(()))

    def _made(self, form: str, rows: Iterator[Told]) -> Table:
        found = tuple(rows)
        used = {role: tuple(self.sheet.header[p] for p in places) for role, places in self.used.items()}
        taken = {p for places in self.used.values() for p in places}
        return Table(
            self.path, form, found, used, tuple(n for p, n in enumerate(self.sheet.header) if p not in taken)
        )

    # What a row says of its file

    def _clip_rows(self, reads: Callable[[Sequence[str]], tuple[str, ...] | None]) -> Iterator[Told]:
        tail = self._split(), self._group()
        for row, line in zip(self.sheet.rows, self.sheet.lines, strict=True):
            yield self._told(row, line, tail)._replace(labels=reads(row))

    def _told(self, row: Sequence[str], line: int, tail: tuple[int | None, int | None]) -> Told:
        cell = _getter(row)
        folders = [cell(place) for place in self.roles.get("folder", ()) if cell(place)]
        names = [cell(place) for place in self.files if cell(place)]
        joined = [f"{folder}/{name}" for folder in folders for name in names[:1]]
        split, group = (cell(place) if place is not None else "" for place in tail)
        if split and not split_named(split):
            column = self.sheet.header[tail[0]]
            raise LayoutError(
                f"{self.path}, line {line}: {column} {split!r} is no split: train, validation or test"
            )
        return Told(
            tuple(dict.fromkeys(joined + names)), split=split_named(split), group=nfc(group), line=line
        )

    def _split(self) -> int | None:
        """The column of splits: one that has such a word in it."""
        place = self.first("split", use=False)
        words = {cell for cell in self.cells(place)} if place is not None else set()
        named = any(map(split_named, words)) or (words - {""} and plain(self.sheet.header[place]) == "split")
        if not named:
            return None
        self.used["split"] = [place]
        return place

    def _group(self) -> int | None:
        """The column of sources, with two values at least (xeno-canto's `group` is "birds" in every row)."""
        place = self.first("group", use=False)
        if place is None or len(set(self.cells(place))) < 2:
            return None
        self.used["group"] = [place]
        return place

    def _labels(self) -> Callable[[Sequence[str]], tuple[str, ...] | None] | None:
        """A function: row -> its labels, from the column of labels and its like; None: there is none."""
        first = self.first("label")
        if first is None:
            return None
        base = _base(self.sheet.header[first], COLUMNS["label"])
        same = [p for p in self.roles["label"] if _base(self.sheet.header[p], COLUMNS["label"]) == base]
        places = [*same, *self.roles.get("more labels", ())]
        self.used["label"] = places
        last = (
            places[-1] == len(self.sheet.header) - 1
        )  # commas that nobody quoted make cells behind the last
        readers = {p: label_reader(self.cells(p), holds_many(self.sheet.header[p])) for p in places}

        def reads(row: Sequence[str]) -> tuple[str, ...] | None:
            cell = _getter(row)
            found = [labels for p, read in readers.items() if (labels := read(cell(p))) is not None]
            found += [(label,) for label in row[len(self.sheet.header) :] if last and label]
            return tuple(dict.fromkeys(nfc(label) for labels in found for label in labels)) if found else None

        return reads

    def _switches(self) -> Callable[[Sequence[str]], tuple[str, ...]] | None:
        """A function: row -> the classes whose column says yes; None: there is no such column.

        Raises LayoutError where a column of texts is beside them that may be the one of labels.
        """
        free = [*self.roles.get("", ()), *(p for p in self.roles.get("id", ()) if p not in self.files)]
        places = [p for p in free if p not in self.files and is_switch(self.cells(p))]
        if not places:
            return None
        texts = [p for p in free if p not in (*self.files, *places) and any(map(_is_text, self.cells(p)))]
        if strange := [self.sheet.header[p] for p in texts]:
            raise LayoutError(
                f"{self.path}: is {_listing(strange)} the label, or one of its columns of 0 and 1 a class? "
                f"Read are {FORMS}. {CURE}"
            )
        self.used["class"] = places
        return lambda row: tuple(nfc(self.sheet.header[p]) for p in places if is_on(_getter(row)(p)))

    # Events

    def _times(self) -> tuple[int, int, bool] | None:
        """(column of begins, column of ends or durations, whether it is durations); None: no event table."""
        onset, offset, length = (self.first(role, use=False) for role in ("onset", "offset", "duration"))
        if onset is None and offset is not None and length is not None:
            onset, offset = offset, None  # Kaleidoscope, NeMo: an offset into the file, and a duration
        place = self.first("place in file", use=False)
        if onset is None and place is None:
            return None
        if offset is None and length is None:
            if self.roles.get("label") and self.files and place is None:
                return None  # such as the hour at which a recording was started
            raise LayoutError(
                f"{self.path}: no column offset, end or duration among {_listing(self.sheet.header)}"
            )
        begin = onset if onset is not None else place
        self.used["onset"], self.used["offset"] = [begin], [offset if offset is not None else length]
        if place is not None:
            self.used["place in file"] = [place]
        return begin, offset if offset is not None else length, offset is None

    def _event_rows(self, times: tuple[int, int, bool]) -> Iterator[Told]:
        reads = self._event_labels()
        bands = [self.first(role) for role in ("low", "high")]
        tail, seen = (self._split(), self._group()), set()
        selection = self.first("selection", use=False)
        for row, line in zip(self.sheet.rows, self.sheet.lines, strict=True):
            cell = _getter(row)
            told = self._told(row, line, tail)
            try:
                span = self._span(cell, times)
                key = (
                    (told.names, cell(selection), span) if selection is not None and cell(selection) else line
                )
                if key in seen:
                    continue  # Raven has a row for each view of a selection
                seen.add(key)
                labels = reads(row) if span else ()
                found = [
                    timed_event(label, *span, self.sample_rate)
                    for label in labels
                    if label.lower() != NO_CALL
                ]
                low, high = (cell(place) if place is not None else "" for place in bands)
                if low and high:
                    found = [banded(one, number_of(low), number_of(high)) for one in found]
            except ValueError as error:
                shown = dict(zip(self.sheet.header, row, strict=False))
                raise LayoutError(f"{self.path}, line {line}: {shown} is no event ({error})") from error
            yield from (told._replace(event=one) for one in found or [None])

    def _event_labels(self) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """A function: row -> labels of its event: the whole cell, but where the column's name is a plural."""
        if self.first("label") is None:
            if switches := self._switches():
                return switches
            raise LayoutError(
                f"{self.path}: no column event_label or label among {_listing(self.sheet.header)}"
            )
        place = self.used["label"][0]
        if holds_many(self.sheet.header[place]):
            read = label_reader(self.cells(place), True)
            return lambda row: read(_getter(row)(place)) or ("",)
        return lambda row: (_getter(row)(place),)

    def _span(self, cell: Callable[[int], str], times: tuple[int, int, bool]) -> tuple[float, float] | None:
        """Onset and offset in the row's own file; None where the row has neither: a file without events."""
        begin, end, is_duration = times
        if not cell(begin) and not cell(end):
            return None
        onset, last = seconds_of(cell(begin)), seconds_of(cell(end))
        offset = onset + last if is_duration else last
        place = self.used.get("place in file")
        if place and cell(place[0]):  # Raven over several files: its times run on from file to file
            moved = seconds_of(cell(place[0]))
            onset, offset = moved, moved + (offset - onset)
        return onset, offset


def _getter(row: Sequence[str]) -> Callable[[int], str]:
    return lambda place: row[place] if place < len(row) else ""


def _base(name: str, names: Sequence[str]) -> str:
    """A column's name as `names` has it, without the number of a second one."""
    known = plain(name)
    return known if known in names else re.sub(r"_?\d+$", "", known)


def _is_text(cell: str) -> bool:
    try:
        return bool(cell) and seconds_of(cell) is None
    except ValueError:
        return True


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"


def timed_event(label: str, onset: float, offset: float, sample_rate: int) -> Event:
    """An event of all frequencies; ValueError for one without a label, or that ends before it begins."""
    if not label:
        raise ValueError("an event without a label")
    if offset < onset:
        raise ValueError("it ends before it begins")
    return event(label, onset, offset, sample_rate)


def banded(found: Event, low: float, high: float) -> Event:
    """The event with a band in hertz; a negative bound leaves its own."""
    low, high = (low if low >= 0 else found.low_hz), (high if high >= 0 else found.high_hz)
    return Event(found.label, found.onset, found.offset, low, high)
