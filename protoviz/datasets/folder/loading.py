"""The data set `folder`: sound files of one's own, with labels in tables of any common form or as folders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from protoviz.audio import SOUND_SUFFIXES, nfc, sounds_below
from protoviz.datasets.clips import SPLITS, ClipSet, split_named
from protoviz.datasets.files import (
    RATE,
    SHORTEST,
    FileReader,
    Row,
    Skip,
    Window,
    clip_set,
    held_out,
    lengths,
)
from protoviz.datasets.folder.merging import File, Tables, folder_splits, read_tables
from protoviz.datasets.folder.names import SoundNames
from protoviz.datasets.folder.windows import inside, windows
from protoviz.datasets.spec import DatasetSpec
from protoviz.files import counted
from protoviz.scenes.groups import groups_of, split_groups

ORDER = {split: n for n, split in enumerate(SPLITS)}


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
    tables: str | Sequence[str] | None = None,
) -> ClipSet:
    """Return a folder of one's own: sound files of any depth, and their labels in tables or as folders.

    Tables are found below the root (`tables`: those to read, as paths below it; () for none). Tables of
    labels name a file and its label or labels, or have a column of 0 and 1 for each class; a clip is the
    first `seconds` of a file. Event tables name a file, onset, offset and label, or are a sound file's own
    (NAME.txt of Audacity, NAME.*.selections.txt of Raven, NAME.BirdNET.results.csv); a recording is cut
    into windows of `seconds`, each with the labels of the events in it, and a rest shorter than `shortest`
    is left over. A window holds its begin and not its end. Where a file is in tables of both kinds, its
    events count. Without tables the folders are the labels: ROOT/LABEL/, or ROOT/SPLIT/LABEL/.

    A clip without any class is one whose columns are all 0, whose list of labels is [], or an empty event
    table's; a clip with an empty cell is not labelled and left out, and so is an event without a label.
    Rows of one file in one table add up. A list of classes (number, name) names the numbers of other tables.
    Splits are those of a column `split` (or any of nothing but such words: SPLIT_WORDS), of tables named
    train and test, or of folders ROOT/SPLIT/; where none of them is train, the other files are. A column
    `fold` of numbers is none. Without any, whole files are drawn by the hash of their names: shares of
    `validation` and `test`.
    group: a pattern that finds in a file's name the source that it comes from (see `group_by`), else a
    column `group`: files of one source then are in one split, and the shares are drawn by `split_groups`,
    alike for every label.

    Names that no file has, or several have, sound files that no table or folder labels, and events beyond
    the end of their file are listed in `.skipped`. Raises LayoutError for a table that speaks of sound
    files and is not understood, for two that contradict each other, and where no clip is left.
    """
    said, found, skips = understood(root, tables, sample_rate)
    clips = {nfc(path.relative_to(root).as_posix()): path for path in found}
    sources = {clip: found[path].group or clip for clip, path in clips.items()}
    if group is not None:
        sources = groups_of(clips, group)
    has_groups = group is not None or any(file.group for file in found.values())
    splits = _splits(
        {clip: found[path] for clip, path in clips.items()},
        sources if has_groups else {},
        validation,
        test,
        seed,
    )
    rows: list[Row] = []
    known = lengths(clips.values())
    for clip, path in clips.items():
        file = found[path]
        if not splits[clip]:
            skips.append(Skip(clip, "train", "no split", "no table or folder names its split, as others' do"))
            continue
        row = Row(clip, splits[clip], file.labels or (), path, group=sources[clip] if has_groups else "")
        length = known[str(path)]
        if file.events is None:
            rows.append(row)
            continue
        beyond = [e for e in file.events if not isinstance(length, tuple) and round(e.onset - length, 3) > 0]
        if beyond:
            reason = f"{len(beyond)} events begin after {length:.2f} s, the first at {beyond[0].onset:g} s"
            skips.append(Skip(clip, splits[clip], "events beyond the end", f"{path}: {reason}"))
        if not beyond or len(beyond) < len(file.events):  # else the times are those of another recording
            rows += windows(row, length, file.events, seconds, shortest)
        if file.unnamed:
            reason = f"{path}: {file.unnamed} events have no label and are left out"
            skips.append(Skip(clip, splits[clip], "events without a label", reason))
    labels = {label for row in rows for label in row.labels}
    made = clip_set(
        root.name or "folder",
        sorted(labels, key=counted),
        rows,
        Window(seconds, sample_rate, shortest),
        skips,
    )
    return replace(made, notes=tuple(_notes(said, root)))


def understood(
    root: Path, tables: str | Sequence[str] | None = None, sample_rate: int = RATE
) -> tuple[Tables, dict[Path, File], list[Skip]]:
    """Return the tables of a folder, its labelled files in order of path, and what is left out.

    No sound file is opened. Raises ValueError where there is neither a labelled file nor a table.
    """
    sounds = sounds_below(root)
    said = read_tables(root, SoundNames(root, sounds), tables, sample_rate)
    skips = list(said.lost)
    if said.labelled:
        found = {p: f for p, f in said.files.items() if f.events is not None or f.labels is not None}
        kind = ("not annotated", "no table tells of it")
        if not found and not skips:
            raise ValueError(f"{root}: no table in it names a sound file; write paths below it")
    else:
        found = label_folders(root, sounds)
        for path, file in said.files.items():
            if path in found:
                found[path].split, found[path].group = file.split or found[path].split, file.group
        kind = ("no label", "in no folder of a label")
        if not found:
            passed = "".join(f"; {path} names no sound file that is here" for path in said.passed[:3])
            raise ValueError(
                f"{root}: no sound files in folders named by label ({', '.join(SOUND_SUFFIXES)}){passed}"
            )
    for path in sounds:
        if path not in found:
            clip = nfc(path.relative_to(root).as_posix())
            file = said.files.get(path)
            split = (file and file.split) or folder_splits({clip: set()})[clip] or "train"
            reason = ("not labelled", "its cell of labels is empty") if file and file.unlabelled else kind
            if file and file.unnamed:
                reason = ("not labelled", f"none of its {file.unnamed} events has a label")
            skips.append(Skip(clip, split, *reason))
    return said, found, skips


def label_folders(root: Path, sounds: Iterable[Path]) -> dict[Path, File]:
    """Return the files of ROOT/LABEL/ or ROOT/SPLIT/LABEL/ with the labels that their folders are.

    A folder named as a split is one where folders of sounds lie in it; else it is a label. All of them may
    lie in one other folder, as in ROOT/data/train/LABEL/.
    """
    inside = {path: path.relative_to(root).parts for path in sounds}
    while (
        inside
        and len({parts[0] for parts in inside.values()}) == 1
        and all(len(parts) > 2 and not split_named(parts[0]) for parts in inside.values())
    ):
        inside = {path: parts[1:] for path, parts in inside.items()}
    splits = {parts[0] for parts in inside.values() if len(parts) == 3 and split_named(parts[0])}
    found = {}
    for path, parts in inside.items():
        if len(parts) == (3 if splits else 2) and (not splits or parts[0] in splits):
            found[path] = File((nfc(parts[-2]),), split=split_named(parts[0]) if splits else "")
    return dict(sorted(found.items(), key=lambda item: (ORDER.get(item[1].split, 0), item[0])))


def _splits(
    files: Mapping[str, File], sources: Mapping[str, str], validation: float, test: float, seed: int
) -> dict[str, str]:
    """Clip -> its split, from tables, from folders, or drawn; "" where others have one and it has none.

    sources: the group of every clip, where groups are drawn and not clips; else empty.
    """
    placed = folder_splits({clip: file.classes for clip, file in files.items()})
    given = {clip: file.split or placed[clip] for clip, file in files.items()}
    if any(given.values()):
        rest = "" if "train" in given.values() else "train"  # lists of validation and test name all but those
        return {clip: split or rest for clip, split in given.items()}
    if sources:
        shares = {"train": 1 - validation - test, "validation": validation, "test": test}
        drawn = split_groups(((sources[clip], file.classes) for clip, file in files.items()), shares, seed)
        return {clip: drawn[sources[clip]] for clip in files}
    tested = held_out(files, test, seed)
    rest = set(files) - tested
    chosen = held_out(rest, validation / (1 - test) if test < 1 else 0.0, seed)
    return {c: "test" if c in tested else "validation" if c in chosen else "train" for c in files}


def folder_clips(
    folder: str | Path, *, split: str = "test", seconds: float = 10.24, sample_rate: int = 16_000
) -> ClipSet:
    """Return a data set of the labelled sound files of a folder, each a clip of its first `seconds`.

    Labels and splits are those of `folder_table`; clips without a split are in `split`. Files are not
    decoded here: a broken one shows when it is read. Raises ValueError where no file is found.
    """
    table = folder_table(folder, split, seconds)
    places = tuple((clip, path, 0.0, None) for clip, path in zip(table["clip"], table.path, strict=True))
    classes = tuple(sorted({label for labels in table.labels for label in labels}, key=counted))
    return ClipSet(Path(folder).name, classes, table, FileReader(seconds, sample_rate, places, {}, pad=True))


def folder_table(folder: str | Path, split: str = "test", seconds: float = 10.24) -> pd.DataFrame:
    """Return the table of `folder_clips` alone: no sound file is opened. Raise ValueError if no file is
    found.

    Labels and splits come from tables or folders as the data set `folder` reads them; of events those in
    the first `seconds` count.
    """
    folder = Path(folder)
    _, found, _ = understood(folder)
    clips = {nfc(path.relative_to(folder).as_posix()): path for path in found}
    placed = folder_splits({clip: found[path].classes for clip, path in clips.items()})
    rows = []
    for clip, path in clips.items():
        file = found[path]
        heard = [event for event in file.events or () if inside(event, 0.0, seconds, False)]
        labels = sorted(file.labels or () if file.events is None else {event.label for event in heard})
        rows.append((clip, file.split or placed[clip] or split, labels, 0, -1, str(path)))
    rows.sort(key=lambda row: (ORDER[row[1]], row[0]))
    return pd.DataFrame(rows, columns=["clip", "split", "labels", "polyphony", "seed", "path"])


def event_tables(root: Path) -> list[str]:
    """Return the event tables of a folder, as paths below it: for option `tables`, where no other matters."""
    said = read_tables(root, SoundNames(root, sounds_below(root)))
    return [table.path.relative_to(root).as_posix() for table in said.tables if table.form == "events"]


def _notes(said: Tables, root: Path) -> list[str]:
    """What was understood of a folder, in lines: its tables and their columns, or that folders are labels."""
    lines = []
    for table in said.tables:
        name = table.path.relative_to(root).as_posix()
        used = "; ".join(
            f"{role}: {', '.join(columns[:8])}" for role, columns in table.used.items() if columns
        )
        shown = f" ({used})" if used else ""
        lines.append(
            f"{name}: {table.form or 'no labels in it'}, {len(table.rows or table.names):,} rows{shown}"
        )
        if table.unused and used:
            lines.append(f"  not used: {', '.join(table.unused[:12])}")
    lines += [
        f"{path.relative_to(root).as_posix()}: passed over, it names no sound file" for path in said.passed
    ]
    if not said.labelled:
        lines.append("no table of labels: the folders are the labels")
    return lines


SPEC = DatasetSpec(
    name="folder",
    title="a folder of your own clips or recordings",
    classes=None,
    task=None,
    licence="your own",
    size="yours",
    page="your own recordings: tables of labels or events, or one folder a label",
    load=load,
)
