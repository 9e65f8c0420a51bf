"""Merge all tables of a folder: what they say of each sound file, and the rows that name no file."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from protoviz.audio import files_below, nfc
from protoviz.datasets.clips import split_named
from protoviz.datasets.files import RATE, Skip
from protoviz.datasets.folder.class_lists import with_names
from protoviz.datasets.folder.names import AMBIGUOUS, Match, SoundNames
from protoviz.datasets.folder.sheets import OTHER_SUFFIXES, SUFFIXES
from protoviz.datasets.folder.statements import CURE, FORMS, Statement, Table, split_in
from protoviz.datasets.folder.tables import read_table
from protoviz.datasets.spec import LayoutError
from protoviz.scenes import Event


@dataclass
class File:
    """What the tables say of one sound file. labels: of the whole clip; None: no table labels it."""

    labels: tuple[str, ...] | None = None
    events: list[Event] | None = None  # None: no event table tells of it
    split: str = ""
    group: str = ""
    unlabelled: bool = False
    unnamed: int = 0  # events without a label
    sources: dict[str, Path] = field(default_factory=dict)  # labels, split -> the table that said so

    @property
    def classes(self) -> set[str]:
        """Every class that the tables name for the file."""
        return {event.label for event in self.events or ()} | set(self.labels or ())


@dataclass(frozen=True)
class Tables:
    """The tables below a folder: those understood, the files passed over, and what they say together."""

    tables: tuple[Table, ...]
    passed: tuple[Path, ...]  # that speak of no sound file
    files: dict[Path, File]
    lost: tuple[Skip, ...]  # names that no file has, or several

    @property
    def labelled(self) -> bool:
        """Whether any table says which classes files hold: then folders are no labels."""
        return any(table.labelled for table in self.tables)


def read_tables(
    root: Path, names: SoundNames, only: str | Sequence[str] | None = None, sample_rate: int = RATE
) -> Tables:
    """Return every table below the root, or those `only` that are named (paths below it).

    Rows of one table add up: a file in three rows has three labels. Raises LayoutError for a table that
    speaks of sound files and is not understood, and where two say different things of one file.
    """
    paths = sorted(files_below(root)) if only is None else _chosen(root, only)
    found, passed = [], []
    for path in paths:
        if path.suffix.lower() in SUFFIXES or only is not None:
            table = _read(path, names, sample_rate)
            (passed if table is None else found).append(path if table is None else table)
        elif path.suffix.lower() in OTHER_SUFFIXES:
            passed.append(path)
    labelled = any(table.labelled for table in found)
    closed = [path for path in passed if path.suffix.lower() in OTHER_SUFFIXES]
    if closed and not labelled:
        raise LayoutError(f"{closed[0]}: tables of this kind are not read; save it as CSV. {CURE}")
    if fault := next((table.fault for table in found if table.fault and not labelled), None):
        raise LayoutError(fault)
    files, lost = _joined(root, names, with_names(found))
    return Tables(tuple(found), tuple(passed), files, lost)


def _chosen(root: Path, only: str | Sequence[str]) -> list[Path]:
    paths = [root / name for name in ([only] if isinstance(only, str) else only)]
    if absent := [path for path in paths if not path.is_file()]:
        raise LayoutError(f"tables: no such file as {absent[0]}; name tables as paths below {root}")
    return paths


def _read(path: Path, names: SoundNames, sample_rate: int) -> Table | None:
    """A table; None for what speaks of no sound. A sound file's own one has to be understood."""
    own = isinstance(names.own(path), Match)
    try:
        table = read_table(path, names.knows, sample_rate)
    except LayoutError:
        if own or path.suffix.lower() != ".txt" or _speaks(path, names):
            raise
        return None  # a note or a licence that looks like a table
    if table is None and own and path.suffix.lower() != ".json":
        raise LayoutError(
            f"{path}: has the name of a sound file but is not a table of it. These are read: {FORMS}. {CURE}"
        )
    if table and not table.rows and not own and not table.fault and not table.names:
        if table.labelled and table.used:
            raise LayoutError(f"{path}: has no rows. {CURE}")
        return None
    if (
        table
        and path.suffix.lower() == ".json"
        and not any(names.knows(n) for row in table.rows for n in row.names)
    ):
        return None  # settings, or what else an object may be
    return table


def _speaks(path: Path, names: SoundNames) -> bool:
    text = path.read_bytes().decode("utf-8", "replace")
    return any(
        names.knows(line.split(mark)[0]) for line in text.splitlines() for mark in "\t,;" if mark in line
    )


def _joined(
    root: Path, names: SoundNames, tables: Iterable[Table]
) -> tuple[dict[Path, File], tuple[Skip, ...]]:
    tables = list(tables)
    splits = {table.path: split_in(table.path.stem) for table in tables}
    by_name = len({split for split in splits.values() if split}) > 1  # train.csv and test.csv
    met: dict[Path, list[tuple[Table, Statement, Match, str]]] = defaultdict(list)
    lost: dict[tuple[str, str], Skip] = {}
    for table in tables:
        if not table.rows and table.form == "events":
            own = names.own(table.path)
            if isinstance(own, Match):
                met[own.path].append((table, Statement(()), own, ""))
        for statement in table.rows:
            statement = statement._replace(split=statement.split or (splits[table.path] if by_name else ""))
            name, found = _find(names, table, statement)
            if isinstance(found, Match):
                met[found.path].append((table, statement, found, name))
            elif not name.startswith("#"):  # a comment, for no file is called so
                kind, reason = found
                skip = Skip(name, statement.split or "train", kind, f"{table.path}: {reason}")
                lost.setdefault((name, kind), skip)
    files = {}
    for path, rows in sorted(met.items()):
        kept, dropped = _meant(rows)
        lost |= {(skip.clip, skip.kind): skip for skip in dropped}
        if kept:
            files[path] = _file(path.relative_to(root).as_posix(), kept)
    return files, tuple(lost.values())


def _find(names: SoundNames, table: Table, statement: Statement) -> tuple[str, Match | tuple[str, str]]:
    """The name by which a row finds its file, and the file; else the first name and what is wrong with it."""
    if not statement.names:
        return table.path.name, names.own(table.path)
    found = [(name, names.find(name, table.path.parent, statement.split)) for name in statement.names]
    matches = [(name, match) for name, match in found if isinstance(match, Match)]
    unclear = [
        (name, fault) for name, fault in found if not isinstance(fault, Match) and fault[0] == AMBIGUOUS
    ]
    return max(matches, key=lambda pair: pair[1].whole, default=(unclear or found)[0])


def _meant(rows: list) -> tuple[list, list[Skip]]:
    """The rows that mean a file, and skips of those that do not: x/a.wav is not y/a.wav if that is named."""
    whole = [row for row in rows if row[2].whole]
    others = {name for _, _, match, name in rows if not match.whole}
    if not others or (not whole and len(others) == 1):
        return rows, []
    kept = whole
    reason = "another file has that name, in another folder"
    dropped = [
        Skip(n, statement.split or "train", "missing", f"{t.path}: {reason}")
        for t, statement, m, n in rows
        if not m.whole
    ]
    return kept, dropped


def _file(clip: str, rows: list) -> File:
    """What all rows of one file say together; LayoutError where two of them contradict each other."""
    file, by_table = File(), defaultdict(list)
    for table, statement, _, _ in rows:
        for what, value in (("split", statement.split), ("group", statement.group)):
            before = getattr(file, what)
            if value and before and value != before:
                raise LayoutError(
                    f"{clip}: {what} is {before} in {file.sources[what]} and {value} in {table.path}, "
                    f"line {statement.line}; give it one"
                )
            if value and not before:
                setattr(file, what, value)
                file.sources[what] = table.path
        if table.form == "events":
            file.events = (file.events or []) + ([statement.event] if statement.event else [])
        elif table.labelled:
            file.unlabelled |= statement.labels is None
            if statement.labels is not None:
                by_table[table.path] += statement.labels
    said = {path: tuple(dict.fromkeys(labels)) for path, labels in by_table.items()}
    for path, labels in said.items():
        first = next(iter(said))
        if set(labels) != set(said[first]):
            raise LayoutError(
                f"{clip}: is {', '.join(said[first]) or 'of no class'} in {first} and "
                f"{', '.join(labels) or 'of no class'} in {path}; name the table to read with tables=..."
            )
        file.labels = labels
    if file.events:
        named = [replace(event, label=nfc(event.label)) for event in file.events if event.label]
        file.unnamed = len(file.events) - len(named)
        file.events = named or None  # a box that nobody named does not say that there is nothing
    if file.events:
        file.events = sorted(dict.fromkeys(file.events), key=lambda event: event.onset)
    return file


def folder_splits(files: dict[str, set[str]]) -> dict[str, str]:
    """Return a dict: clip -> the split that one of its first two folders names; "" where none does.

    files: clip (its path) -> its labels. A folder whose clips all have its own name as their label is one
    of a class: ESC-50 has the class `train`.
    """
    held: dict[str, set[str]] = defaultdict(set)
    for clip, labels in files.items():
        for folder in _first_folders(clip):
            held[folder] |= {label.casefold() for label in labels} or {""}

    def is_split(folder: str) -> bool:
        name = folder.split("/")[-1]
        return bool(split_named(name)) and held[folder] != {name.casefold()}

    named = {clip: [folder for folder in _first_folders(clip) if is_split(folder)] for clip in files}
    return {
        clip: split_named(folders[0].split("/")[-1]) if folders else "" for clip, folders in named.items()
    }


def _first_folders(clip: str) -> list[str]:
    parts = clip.split("/")[:-1][:2]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]
