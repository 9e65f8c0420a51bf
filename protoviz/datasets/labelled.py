"""The data set `folder`: any folder of labelled sound files, or of recordings with event tables."""

from collections.abc import Iterable
from pathlib import Path

from protoviz.audio import AudioError, audio_info
from protoviz.datasets.clips import SPLITS, ClipSet
from protoviz.datasets.files import MISSING, RATE, SHORTEST, Row, Skip, clip_set, held_out, sound_index
from protoviz.datasets.spec import DatasetSpec, LayoutError
from protoviz.datasets.tables import audacity, event_table, is_audacity
from protoviz.scenes import Event
from protoviz.scenes.backgrounds import SOUND_SUFFIXES

TABLES = (".csv", ".tsv", ".txt")
RAVEN = ".selections"  # as in NAME.Table.1.selections.txt


def load(
    root: Path,
    *,
    seconds: float = 10.0,
    sample_rate: int = RATE,
    shortest: float = SHORTEST,
    validation: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
) -> ClipSet:
    """A folder of one's own, in one of two forms.

    Without event tables: ROOT/LABEL/sound files, or ROOT/SPLIT/LABEL/ with splits named train, validation
    and test; a clip is the first `seconds` of a file. With event tables: sound files anywhere, and beside
    each NAME.txt (Audacity labels) or NAME.*.selections.txt (Raven), or tables (.csv, .tsv) that name the
    file of every event; a recording is cut into windows of `seconds`, each with the labels of the events
    that it overlaps, and a rest shorter than `shortest` is left over. Files below ROOT/SPLIT/ have that
    split; else whole files are drawn by the hash of their names: shares of `validation` and `test`.
    Recordings that a table names and that are not there are listed in `.skipped`.
    """
    marked, skips = event_tables(root, sample_rate)
    found = _sounds(root, marked)
    if not found and not skips:
        raise LayoutError(
            f"{root}: no sound files ({', '.join(SOUND_SUFFIXES)}) in folders named by label, "
            "and no event tables beside sound files"
        )
    split_of = _splits(root, list(found), validation, test, seed)
    rows: list[Row] = []
    for clip, path in found.items():
        if not marked:
            rows.append(Row(clip, split_of(clip), [path.parent.name], path))
            continue
        made = windows(clip, path, marked.get(path, ()), seconds, shortest)
        rows += [row._replace(split=split_of(clip)) for row in made]
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


def _sounds(root: Path, marked: dict[Path, list[Event]]) -> dict[str, Path]:
    """Id -> sound file: all below the root with event tables, else those in folders named by label."""
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SOUND_SUFFIXES)
    if not marked:
        paths = [path for path in paths if path.parent != root and path.parent.name not in SPLITS]
    return {path.relative_to(root).as_posix(): path for path in paths}


def _splits(root: Path, clips: list[str], validation: float, test: float, seed: int):
    """A function: clip id -> its split, from its first folder or by the hash of its name."""
    if any((root / split).is_dir() for split in SPLITS):
        return lambda clip: clip.split("/")[0] if clip.split("/")[0] in SPLITS else "train"
    tested = held_out(clips, test, seed)
    rest = set(clips) - tested
    chosen = held_out(rest, validation / (1 - test) if test < 1 else 0.0, seed)
    return lambda clip: "test" if clip in tested else "validation" if clip in chosen else "train"


def event_tables(root: Path, sample_rate: int = RATE) -> tuple[dict[Path, list[Event]], list[Skip]]:
    """Sound file -> its events, from every table below the root; and the files that tables name in vain."""
    by_name = sound_index(root)
    marked: dict[Path, list[Event]] = {}
    lost: dict[str, Skip] = {}
    for table in sorted(path for path in root.rglob("*") if path.suffix.lower() in TABLES):
        own = _own_sound(table)
        if table.suffix.lower() == ".txt" and not own:
            continue  # a note, a licence
        pairs = _pairs(table, sample_rate)
        for name, found in pairs:
            path = (own if not name else None) or _named(root, table, name, by_name) or (own if own else None)
            if path is None:
                lost[name] = Skip(name, "train", MISSING, f"named in {table}, and no such sound file")
                continue
            marked.setdefault(path, []).extend([found] if found else [])
    return {path: sorted(found, key=lambda event: event.onset) for path, found in marked.items()}, [
        *lost.values()
    ]


def _pairs(table: Path, sample_rate: int) -> Iterable[tuple[str, Event | None]]:
    if table.suffix.lower() == ".txt" and is_audacity(table):
        return [("", found) for found in audacity(table, sample_rate)]
    return event_table(table, sample_rate)


def _own_sound(table: Path) -> Path | None:
    """The sound file beside a table that has its name: NAME.txt, NAME.Table.1.selections.txt -> NAME.wav."""
    stem = table.stem
    if stem.endswith(RAVEN):
        stem = stem.removesuffix(RAVEN).split(".Table.")[0]
    beside = (table.parent / f"{stem}{suffix}" for suffix in SOUND_SUFFIXES)
    return next((path for path in beside if path.is_file()), None)


def _named(root: Path, table: Path, name: str, by_name: dict[str, Path]) -> Path | None:
    if not name:
        return None
    places = [table.parent / name, root / name]
    return next((path for path in places if path.is_file()), None) or by_name.get(Path(name).name)


def windows(clip: str, path: Path, events: Iterable[Event], seconds: float, shortest: float) -> list[Row]:
    """The windows of one recording with the events in each, times from the window's beginning on.

    A file that cannot be opened gives one row, so that it is counted.
    """
    try:
        length = audio_info(path).seconds
    except AudioError:
        return [Row(clip, "", [], path)]
    begins = [n * seconds for n in range(int(length // seconds) + 1)]
    begins = [begin for begin in begins if length - begin >= shortest] or [0.0]
    rows = []
    for begin in begins:
        end = min(begin + seconds, length)
        inside = tuple(
            _cut(event, begin, end) for event in events if event.onset < end and event.offset > begin
        )
        name = f"{clip}@{begin:g}" if len(begins) > 1 else clip
        rows.append(Row(name, "", sorted({event.label for event in inside}), path, begin, events=inside))
    return rows


def _cut(event: Event, begin: float, end: float) -> Event:
    onset, offset = max(event.onset, begin) - begin, min(event.offset, end) - begin
    return Event(event.label, onset, offset, event.low_hz, event.high_hz)


SPEC = DatasetSpec(
    name="folder",
    title="a folder of your own clips or recordings",
    classes=None,
    task="multi-label",
    licence="your own",
    size="yours",
    page="your own recordings: one folder a label, or event tables of Audacity, Raven or CSV",
    load=load,
    layouts=(("*",),),
)
