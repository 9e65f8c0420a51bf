"""The data set `folder`: any folder of labelled sound files, or of recordings with event tables."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd

from protoviz.audio import SOUND_SUFFIXES, files_below, nfc, sounds_below
from protoviz.datasets.clips import SPLITS, ClipSet
from protoviz.datasets.files import (
    MISSING,
    RATE,
    SHORTEST,
    Fault,
    FileReader,
    Row,
    Skip,
    clip_set,
    held_out,
    lengths,
    sound_index,
)
from protoviz.datasets.spec import DatasetSpec, LayoutError
from protoviz.datasets.tables import read_events
from protoviz.scenes import Event
from protoviz.scenes.groups import group_by, split_groups

TABLES = (".csv", ".tsv", ".txt")
RAVEN = ".selections"  # as in NAME.Table.1.selections.txt


def load(
    root: Path,
    *,
    seconds: float = 10.24,  # 1,024 frames: what fills the grid of most encoders
    sample_rate: int = RATE,
    shortest: float = SHORTEST,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
    group: str | None = None,
) -> ClipSet:
    """A folder of one's own, in one of two forms.

    Without event tables: ROOT/LABEL/sound files, or ROOT/SPLIT/LABEL/ with splits named train, validation
    and test; a clip is the first `seconds` of a file. With event tables: sound files anywhere, and beside
    each NAME.txt (Audacity labels) or NAME.*.selections.txt (Raven), or tables (.csv, .tsv) that name the
    file of every event; a recording is cut into windows of `seconds`, each with the labels of the events
    that it overlaps, and a rest shorter than `shortest` is left over. Files below ROOT/SPLIT/ have that
    split; else whole files are drawn by the hash of their names: shares of `validation` and `test`.
    group: a pattern that finds in a file's name the source that it comes from (see `group_by`): files of one
    source then are in one split, and the shares are drawn by `split_groups`, alike for every label.
    An empty table, or a row with a file's name and no times, tells of a file without events. Files that a
    table names in vain, and sound files that no table or folder labels, are listed in `.skipped`.
    """
    marked, skips = event_tables(root, sample_rate)
    if marked or skips:
        found = {path.relative_to(root).as_posix(): path for path in sorted(marked)}
    else:
        table = folder_table(root)
        found = dict(zip(table["clip"], map(Path, table["path"]), strict=True))
    grouped = group_by(group)
    sources = {
        clip: (grouped(clip), {event.label for event in marked[path]} if marked else {path.parent.name})
        for clip, path in found.items()
        if group
    }
    split_of = _splits(root, list(found), validation, test, seed, sources)
    rows: list[Row] = []
    used, known = set(found.values()), lengths(found.values())
    for clip, path in found.items():
        row = Row(clip, split_of(clip), [path.parent.name], path, group=grouped(clip) if group else "")
        rows += windows(row, known[str(path)], marked[path], seconds, shortest) if marked else [row]
    kind = (
        ("not annotated", "no event table tells of it") if marked else ("no label", "in no folder of a label")
    )
    for path in sounds_below(root):
        if path not in used:
            name = path.relative_to(root).as_posix()
            skips.append(Skip(name, split_of(name), *kind))
    labels = {label for row in rows for label in row.labels}
    return clip_set(
        root.name or "folder",
        sorted(labels),
        rows,
        seconds=seconds,
        sample_rate=sample_rate,
        shortest=shortest,
        skipped=skips,
    )


def _splits(
    root: Path,
    clips: list[str],
    validation: float,
    test: float,
    seed: int,
    sources: Mapping[str, tuple[str, set[str]]],
) -> Callable[[str], str]:
    """A function: clip id -> its split, from its first folder, or drawn by the hash of its name.

    sources: of each clip its group and labels, where groups are drawn and not clips; else empty.
    """
    if any((root / split).is_dir() for split in SPLITS):
        return lambda clip: clip.split("/")[0] if clip.split("/")[0] in SPLITS else "train"
    if sources:
        shares = {"train": 1 - validation - test, "validation": validation, "test": test}
        drawn = split_groups(sources.values(), shares, seed)
        return lambda clip: drawn[sources[clip][0]] if clip in sources else "train"
    tested = held_out(clips, test, seed)
    rest = set(clips) - tested
    chosen = held_out(rest, validation / (1 - test) if test < 1 else 0.0, seed)
    return lambda clip: "test" if clip in tested else "validation" if clip in chosen else "train"


def event_tables(root: Path, sample_rate: int = RATE) -> tuple[dict[Path, list[Event]], list[Skip]]:
    """Sound file -> its events, from every table below the root; and the files that tables name in vain."""
    by_name = sound_index(root)
    marked: dict[Path, list[Event]] = {}
    lost: dict[str, Skip] = {}
    for table in sorted(path for path in files_below(root) if path.suffix.lower() in TABLES):
        own = _own_sound(table)
        for name, found in _rows(table, own, sample_rate):
            path = _named(root, table, name, by_name) if name else own
            if path is None:
                lost[name or table.name] = Skip(
                    name or table.name, "train", MISSING, f"{table}: no sound file of that name"
                )
            else:
                marked.setdefault(path, []).extend([found] if found else [])
    for found in marked.values():
        found.sort(key=lambda event: event.onset)
    return marked, list(lost.values())


def _rows(table: Path, own: Path | None, sample_rate: int) -> list[tuple[str, Event | None]]:
    """The rows of a table; one without an event for a sound file's own table that is empty."""
    try:
        found = read_events(table, sample_rate)
    except LayoutError:
        if own or table.suffix.lower() != ".txt":
            raise
        return []  # a note or a licence that looks like no table
    if found is None:
        return []
    return found or ([("", None)] if own else [])


def _own_sound(table: Path) -> Path | None:
    """The sound file beside a table that has its name: NAME.txt, NAME.Table.1.selections.txt -> NAME.wav."""
    stem = table.stem
    if stem.endswith(RAVEN):
        stem = stem.removesuffix(RAVEN).split(".Table.")[0]
    beside = (table.parent / f"{stem}{suffix}" for suffix in SOUND_SUFFIXES)
    return next((path for path in beside if path.is_file()), None)


def _named(root: Path, table: Path, name: str, by_name: dict[str, Path]) -> Path | None:
    """The sound file that a table names: beside it, below the root, or the only one of that name anywhere."""
    places = [table.parent / name, root / name]
    return next((path for path in places if path.is_file()), None) or by_name.get(Path(name).name)


def windows(
    row: Row, length: float | Fault, events: Iterable[Event], seconds: float, shortest: float
) -> list[Row]:
    """A recording's row cut into windows with the events in each, times from the window's beginning on.

    length: seconds of the recording; a fault instead, of a file that cannot be opened, leaves one row.
    """
    if isinstance(length, tuple):
        return [row._replace(labels=[])]
    begins = [n * seconds for n in range(int(length // seconds) + 1)]
    begins = [begin for begin in begins if length - begin >= shortest] or [0.0]
    made = []
    for begin in begins:
        end = min(begin + seconds, length)
        heard = (event for event in events if event.onset < end and event.offset > begin)
        inside = tuple(_cut(event, begin, end) for event in heard)
        name = f"{row.clip}@{begin:g}" if len(begins) > 1 else row.clip
        labels = sorted({event.label for event in inside})
        made.append(row._replace(clip=name, labels=labels, offset=begin, events=inside))
    return made


def _cut(event: Event, begin: float, end: float) -> Event:
    onset, offset = max(event.onset, begin) - begin, min(event.offset, end) - begin
    return Event(event.label, onset, offset, event.low_hz, event.high_hz)


def folder_clips(
    folder: str | Path, *, split: str = "test", seconds: float = 10.24, sample_rate: int = 16_000
) -> ClipSet:
    """A data set of the sound files in `folder`/LABEL/, each a clip of its first `seconds`.

    Where the folders are `folder`/SPLIT/LABEL/ with splits named train, validation and test, those are the
    splits; else every clip is in `split`. Files are not decoded here: a broken one shows when it is read.
    Raises ValueError where no file is found.
    """
    table = folder_table(folder, split)
    places = tuple((clip, path, 0.0, None) for clip, path in zip(table["clip"], table.path, strict=True))
    classes = tuple(sorted({labels[0] for labels in table.labels}))
    return ClipSet(Path(folder).name, classes, table, FileReader(seconds, sample_rate, places, {}, pad=True))


def folder_table(folder: str | Path, split: str = "test") -> pd.DataFrame:
    """The table of `folder_clips` alone: no file is opened. Raises ValueError where no file is found."""
    folder = Path(folder)
    splits = [name for name in SPLITS if (folder / name).is_dir()]
    rows = []
    for name, base in [(name, folder / name) for name in splits] or [(split, folder)]:
        for path in sounds_below(base):
            if path.parent.parent == base:
                clip = nfc(path.relative_to(folder).as_posix())
                rows.append((clip, name, [nfc(path.parent.name)], 0, -1, str(path)))
    if not rows:
        raise ValueError(f"{folder}: no sound files in folders named by label ({', '.join(SOUND_SUFFIXES)})")
    return pd.DataFrame(rows, columns=["clip", "split", "labels", "polyphony", "seed", "path"])


SPEC = DatasetSpec(
    name="folder",
    title="a folder of your own clips or recordings",
    classes=None,
    task=None,
    licence="your own",
    size="yours",
    page="your own recordings: one folder a label, or event tables of Audacity, Raven or CSV",
    load=load,
)
