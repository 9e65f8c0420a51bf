"""A sheet understood: which of its columns has which role, and what its rows say of sound files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from protoviz.audio import is_foreign, is_sound, nfc
from protoviz.datasets.clips import split_named
from protoviz.datasets.folder.cells import (
    is_on,
    is_soft,
    is_switch,
    is_text,
    is_vectors,
    label_reader,
    number_of,
    seconds_of,
)
from protoviz.datasets.folder.class_lists import class_list
from protoviz.datasets.folder.columns import SLICES, base, holds_many, is_time, plain, rank, role_of
from protoviz.datasets.folder.sheets import Sheet
from protoviz.datasets.folder.statements import (
    CURE,
    FORMS,
    NO_CALL,
    Statement,
    Table,
    banded,
    split_in,
    timed_event,
)
from protoviz.datasets.spec import LayoutError


class Reading:
    """One sheet while it is understood: which column has which role, and what its rows say."""

    def __init__(self, path: Path, sheet: Sheet, knows: Callable[[str], bool], sample_rate: int):
        self.path, self.sheet, self.knows, self.sample_rate = path, sheet, knows, sample_rate
        self.roles: dict[str, list[int]] = {}
        for place, name in enumerate(sheet.header):
            self.roles.setdefault(role_of(name), []).append(place)
        self.used: dict[str, list[int]] = {}

    def cells(self, place: int) -> list[str]:
        """Return a column; cells that a short row lacks are empty."""
        return [row[place] if place < len(row) else "" for row in self.sheet.rows]

    def first(self, role: str, use: bool = True) -> int | None:
        """Return the column of a role whose name stands first in COLUMNS, among those that hold anything."""
        places = [p for p in self.roles.get(role, ()) if any(self.cells(p))] or self.roles.get(role, ())
        found = min(places, key=lambda p: rank(self.sheet.header[p]), default=None)
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
            named |= {p: n for p in others if (n := known(p)) and self._names(p, n)}
        if not named:
            named = {p: 0 for p in range(len(self.sheet.header)) if self._suffixed(p)}
        return sorted(named, key=lambda place: (-named[place], place))

    def _names(self, place: int, known: int) -> bool:
        """Whether a column is one of files, `known` of whose distinct cells are sounds that are there."""
        free = role_of(self.sheet.header[place]) in ("", "not used") and not is_switch(self.cells(place))
        mostly = free and 2 * known > len({cell for cell in self.cells(place) if cell})
        return place in self.roles.get("id", ()) or self._suffixed(place) or mostly

    def _suffixed(self, place: int) -> bool:
        cells = [cell for cell in self.cells(place) if cell]
        return bool(cells) and 2 * sum(is_sound(cell) or is_foreign(cell) for cell in cells) > len(cells)

    def table(self) -> Table | None:
        """Return the sheet in the first of the forms that fits it."""
        if self.files:
            self.used["file"] = self.files
        timed = not any(plain(self.sheet.header[place]) in SLICES for place in self.files)
        if timed and (times := self._times()):
            return self._made("events", self._event_rows(times))
        if not self.files:
            return self._nameless()
        reads = self._labels() or self._switches()
        if not reads and set(self.roles) <= {"file", "id", "folder", "split", "label if no other"}:
            reads = self._labels("label if no other")
        if reads:
            form = "labels" if "label" in self.used else "classes"
            return self._made(form, self._clip_rows(reads))
        if self._split() is not None:
            return self._made("splits", self._clip_rows(lambda row: None))
        names = _listing(self.sheet.header)
        fault = f"{self.path}: no column of labels among {names}. These are read: {FORMS}. {CURE}"
        unknown = [p for p in self.roles.get("", ()) if p not in self.files]
        if len(self.sheet.header) == 1:
            if not split_in(self.path.stem):
                raise LayoutError(fault)
            return self._made("splits", self._clip_rows(lambda row: None))  # a list of one split's files
        if any(is_text(cell) for p in unknown for cell in self.cells(p)):
            raise LayoutError(fault)
        return replace(self._made("", iter(())), fault=fault if unknown else "")

    def _nameless(self) -> Table | None:
        """A table that names no file: labels with its fault, or a list of classes; None: it is neither."""
        first = self.first("label", use=False)
        labels = [cell for cell in self.cells(first) if cell] if first is not None else []
        if len(set(labels)) == len(labels):
            return class_list(self.path, self.sheet)
        shown = dict(zip(self.sheet.header, self.sheet.rows[0], strict=False))
        fault = f"{self.path}: no column names a sound file that is here; the first row is {shown}. {CURE}"
        return Table(self.path, "", (), {}, self.sheet.header, fault)

    def _made(self, form: str, rows: Iterator[Statement]) -> Table:
        found = tuple(rows)
        used = {role: tuple(self.sheet.header[p] for p in places) for role, places in self.used.items()}
        taken = {p for places in self.used.values() for p in places}
        return Table(
            self.path, form, found, used, tuple(n for p, n in enumerate(self.sheet.header) if p not in taken)
        )

    # What a row says of its file

    def _clip_rows(self, reads: Callable[[Sequence[str]], tuple[str, ...] | None]) -> Iterator[Statement]:
        tail = self._split(), self._group()
        for row, line in zip(self.sheet.rows, self.sheet.lines, strict=True):
            yield self._statement(row, line, tail)._replace(labels=reads(row))

    def _statement(self, row: Sequence[str], line: int, tail: tuple[int | None, int | None]) -> Statement:
        cell = _getter(row)
        folders = [cell(place) for place in self.roles.get("folder", ()) if cell(place)]
        names = [cell(place) for place in self.files if cell(place)]
        joined = [f"{folder}/{name}" for folder in folders for name in names[:1]]
        split, group = (cell(place) if place is not None else "" for place in tail)
        if split and not split_in(split):
            column = self.sheet.header[tail[0]]
            raise LayoutError(
                f"{self.path}, line {line}: {column} {split!r} is not a split: train, validation or test"
            )
        return Statement(
            tuple(dict.fromkeys(joined + names)), split=split_in(split), group=nfc(group), line=line
        )

    def _split(self) -> int | None:
        """The column of splits: of such a name with such a word in it, or of nothing but such words."""
        place = self.first("split", use=False)
        words = set(self.cells(place)) if place is not None else set()
        if not any(map(split_in, words)) and not (
            words - {""} and plain(self.sheet.header[place]) == "split"
        ):
            free = [p for role in ("", "not used") for p in self.roles.get(role, ()) if p not in self.files]
            words = {p: {cell for cell in self.cells(p) if cell} for p in free}
            place = next((p for p in free if words[p] and all(map(split_named, words[p]))), None)
        if place is None:
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

    def _labels(self, role: str = "label") -> Callable[[Sequence[str]], tuple[str, ...] | None] | None:
        """A function: row -> its labels, from the column of labels and its like; None: there is none."""
        first = self.first(role, use=False)
        if first is None:
            return None
        alike = base(self.sheet.header[first])
        same = [p for p in self.roles[role] if base(self.sheet.header[p]) == alike]
        if len(same) > 1 and all(is_switch(self.cells(p)) for p in same):
            return None  # class_0, class_1
        if is_vectors(self.cells(first)):
            raise LayoutError(
                f"{self.path}: {self.sheet.header[first]} holds vectors of 0 and 1, and no names of classes; "
                "write the names, or a column for each class"
            )
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
        split = self._split()
        free = [p for role in ("", "id", "label") for p in self.roles.get(role, ())]
        free = [p for p in free if p not in self.files and p != split]
        places = sorted(p for p in free if is_switch(self.cells(p)))
        if not places:
            return None
        texts = [p for p in free if p not in places and any(map(is_text, self.cells(p)))]
        soft = [p for p in free if p not in places and p not in texts and is_soft(self.cells(p))]
        if soft:
            raise LayoutError(
                f"{self.path}: {_listing([self.sheet.header[p] for p in soft])} beside columns of 0 and 1 "
                "hold other numbers; write 1 where a clip has the class, and 0 where not"
            )
        if strange := [self.sheet.header[p] for p in texts]:
            raise LayoutError(
                f"{self.path}: is {_listing(strange)} the label, or one of its columns of 0 and 1 a class? "
                f"These are read: {FORMS}. {CURE}"
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
            names = [self.sheet.header[p] for p in self.roles.get("", ())]
            if strange := [name for name in names if is_time(name)]:
                raise LayoutError(
                    f"{self.path}: {_listing(strange)} may be times, and only seconds are read: "
                    "write those into columns onset and offset, or leave them out"
                )
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

    def _event_rows(self, times: tuple[int, int, bool]) -> Iterator[Statement]:
        reads = self._event_labels()
        bands = [self.first(role) for role in ("low", "high")]
        tail, seen = (self._split(), self._group()), set()
        selection = self.first("selection", use=False)
        for row, line in zip(self.sheet.rows, self.sheet.lines, strict=True):
            cell = _getter(row)
            statement = self._statement(row, line, tail)
            try:
                span = self._span(cell, times)
                key = (
                    (statement.names, cell(selection), span)
                    if selection is not None and cell(selection)
                    else line
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
                raise LayoutError(f"{self.path}, line {line}: {shown} is not an event ({error})") from error
            yield from (statement._replace(event=one) for one in found or [None])

    def _event_labels(self) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """A function: row -> labels of its event: the whole cell, but where the column's name is a plural."""
        if self.first("label") is None and self.first("label if no other") is None:
            if switches := self._switches():
                return switches
            raise LayoutError(
                f"{self.path}: no column event_label or label among {_listing(self.sheet.header)}. {CURE}"
            )
        place = (self.used.get("label") or self.used["label if no other"])[0]
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


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"
