"""Seven test sites of BirdSet: few-shot training on Xeno-Canto recordings, test on soundscapes."""

import os
import shutil
import sys
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path

import pandas as pd
import pyarrow as arrow

from protoviz.datasets.clips import ClipSet
from protoviz.datasets.few_shot import FewShotRules, Recording, Shot, few_shot, mixup_copies, window_of
from protoviz.datasets.files import (
    MISSING,
    RATE,
    SHORTEST,
    Row,
    Skip,
    Window,
    clip_set,
    held_out,
    lengths,
    sound_index,
)
from protoviz.datasets.spec import DatasetSpec, Hub, LayoutError, visible

REPOSITORY, BRANCH = "DBD-research-group/BirdSet", "data"
NEEDED = ("ebird_code", "ebird_code_multilabel", "ebird_code_secondary", "detected_events", "event_cluster")
UNPACKED = "PROTOVIZ_UNPACKED"  # the environment variable that names a folder for the sounds of archives
MARK = ".unpacked"  # beside the files of an archive, written when all of them are there
PART = ".part"  # a file that is being written, so that it is not taken for a sound


def load(
    site: str,
    root: Path,
    *,
    validation: float = 0.1,
    seed: int = 0,
    seconds: float = 5.0,
    sample_rate: int = RATE,
    shortest: float = SHORTEST,
    unpacked: str | Path | None = None,
    **rules,
) -> ClipSet:
    """Return one site: a few-shot training set with mixup copies, and test_5s as published.

    rules: the fields of `FewShotRules`. Not stated in the paper: where a clip's five seconds lie (here the
    event is in their middle), and what is chosen on: here the same rules, without copies, on a share of the
    recordings, by the hash of their names, that training never sees. Classes without a training recording
    (two of UHH) are kept. Archives are unpacked once, into the folder `unpacked` (else that of
    PROTOVIZ_UNPACKED, else beside themselves: another place where the copy is read-only).
    """
    folder = next(path for path in (root / site, root) if (path / f"{site}_metadata_train.parquet").is_file())
    listed = _metadata(folder / f"{site}_metadata_train.parquet", NEEDED)
    tested = _metadata(folder / f"{site}_metadata_test_5s.parquet", NEEDED[1:2])
    given = unpacked or os.environ.get(UNPACKED)
    into = Path(given).expanduser() if given else None
    found = _sounds(folder, into)
    if not {*listed["file"], *tested["file"]} <= set(found):
        unpack(folder, into)
        found = _sounds(folder, into)
    recordings, skips = _recordings(listed, found)
    chosen = held_out(listed["file"], validation, seed)
    parts = {"train": [], "validation": []}
    for recording in recordings:
        parts["validation" if recording.file in chosen else "train"].append(recording)
    shots = few_shot_rows(parts, found, FewShotRules(**rules), seconds, seed)
    test = [
        Row(f"test_5s/{file}", "test", labels, found.get(file, folder / file))
        for file, labels in zip(tested["file"], tested[NEEDED[1]], strict=True)
    ]
    every = [*listed[NEEDED[1]], *tested[NEEDED[1]]]
    return clip_set(
        site.lower(),
        sorted({*listed["ebird_code"].dropna(), *(label for labels in every for label in labels)}),
        [*shots, *test],
        Window(seconds, sample_rate, shortest),
        skips,
        SPECS[site.lower()].licence,
    )


def few_shot_rows(
    parts: Mapping[str, list[Recording]],
    found: Mapping[str, Path],
    rules: FewShotRules,
    seconds: float,
    seed: int,
) -> list[Row]:
    """Return the rows of each split's recordings, drawn by the rules; for train with their copies behind."""
    rows = []
    for split, recordings in parts.items():
        drawn = few_shot(recordings, rules.shots, condition=rules.condition, fill_up=rules.fill_up, seed=seed)
        made = [_row(shot, split, found[shot.recording.file], seconds) for shot in drawn]
        copies = mixup_copies(made, rules.copies, rules.mixup, rules.decibels, seed)
        rows += made + (copies if split == "train" else [])
    return rows


def _sounds(folder: Path, into: Path | None) -> dict[str, Path]:
    """Every sound file by its name, of the copy and of where it is unpacked."""
    return {**(sound_index(into) if into and into.is_dir() else {}), **sound_index(folder)}


def _metadata(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    """A published table with the files' names as column `file`; newer ones have them as the index."""
    try:
        table = pd.read_parquet(path)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise LayoutError(f"{path}: is not a whole Parquet file ({error}); fetch it again") from error
    if table.index.name == "filepath":
        table = table.drop(columns="filepath", errors="ignore").reset_index()
    if missing := [column for column in ("filepath", *needed) if column not in table]:
        raise LayoutError(f"{path}: lacks the columns {', '.join(missing)}; fetch it again")
    table = table.assign(file=[str(name).split("/")[-1] for name in table["filepath"]])
    for column in (name for name in NEEDED[1:3] if name in table):
        cells = zip(table["file"], table[column], strict=True)
        table[column] = [_labels(value, f"{path}: {column} of {file}") for file, value in cells]
    return table


def _labels(value, where: str) -> list[str]:
    """The labels of a cell, a list of texts or one text; empty for none. LayoutError for what is no text."""
    found = [value] if isinstance(value, str) else _list(value)
    if odd := [label for label in found if not isinstance(label, str | None)]:
        raise LayoutError(f"{where} has {odd[0]}, which is not a species' code")
    return [label for label in found if label]


def _recordings(listed: pd.DataFrame, found: dict[str, Path]) -> tuple[list[Recording], list[Skip]]:
    """The recordings whose file is there and opens; the others as skips. Only headers are read."""
    recordings, skips = [], []
    known = lengths(found[name] for name in listed["file"] if name in found)
    absent = (MISSING, "no such file in the unpacked archives")
    for row in listed.to_dict("records"):
        seconds = known[str(found[row["file"]])] if row["file"] in found else absent
        if not isinstance(row["ebird_code"], str):
            seconds = ("no label", "the table names no main species")
        if isinstance(seconds, tuple):
            skips.append(Skip(row["file"], "train", *seconds))
            continue
        labels, secondary, events, clusters = (_list(row[column]) for column in NEEDED[1:])
        events = tuple((float(onset), float(offset)) for onset, offset in events)
        if clusters and len(clusters) != len(events):
            raise LayoutError(
                f"{row['file']}: {len(clusters)} values of event_cluster for {len(events)} events"
            )
        labels = tuple(labels) or (row["ebird_code"],)
        recordings.append(
            Recording(
                row["file"],
                row["ebird_code"],
                labels,
                tuple(secondary),
                seconds,
                events,
                tuple(clusters),
                str(row.get("license") or ""),
            )
        )
    return recordings, skips


def _list(value) -> list:
    return [] if value is None or isinstance(value, float) else list(value)


def _row(shot: Shot, split: str, path: Path, seconds: float) -> Row:
    recording = shot.recording
    clip = f"{recording.file}#{shot.number}"
    place = path, window_of(shot, seconds), recording.licence
    return Row(clip, split, recording.labels, *place, group=recording.file)


def unpack(folder: Path, into: Path | None = None) -> None:
    """Unpack the sounds of all train and test_5s archives into folders below `into`, or beside the archives.

    Only the files' names are taken from an archive, never its paths. A folder that was unpacked to its end
    is left alone, so a killed run goes on with the archive that it was at. Raises LayoutError where an
    archive is damaged, or where its sounds cannot be written.
    """
    for archive in visible(folder, "*_train_shard_*.tar.gz", "*_test5s_shard_*.tar.gz"):
        target = (into or archive.parent / "unpacked") / archive.name.removesuffix(".tar.gz")
        if (target / MARK).exists():
            continue
        print(f"unpacking {archive} into {target}, once", file=sys.stderr)
        try:
            target.mkdir(parents=True, exist_ok=True)
            (target / MARK).with_suffix(PART).touch()  # a folder may be there and yet be read-only
            (target / MARK).with_suffix(PART).unlink()
        except OSError as error:
            raise LayoutError(
                f"{target}: cannot be written ({error.strerror}), and the sounds of {archive.name} have to "
                f"be unpacked: name a folder with room for them, by the option unpacked or by {UNPACKED}"
            ) from error
        try:
            with tarfile.open(archive, "r:gz") as file:
                for member in file:
                    if member.isfile() and not Path(member.name).name.startswith("."):
                        _extract(file, member, target / Path(member.name).name)
        except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
            raise LayoutError(
                f"{archive}: cannot be unpacked ({error}); make room for it, or fetch it again"
            ) from error
        (target / MARK).touch()


def _extract(file: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """Write the member to `path`, whole: what a kill cut short would be taken for a sound."""
    beside = path.with_name(PART)  # the name of `path` may be as long as can be
    with file.extractfile(member) as source, beside.open("wb") as out:
        shutil.copyfileobj(source, out)
    beside.replace(path)


def _spec(site: str, place: str, classes: int, tests: int, gigabytes: float) -> DatasetSpec:
    tables = [f"{site}_metadata_{part}.parquet" for part in ("train", "test_5s")]
    return DatasetSpec(
        name=site.lower(),
        title=f"BirdSet {site}, {place}",
        classes=classes,
        task="multi-label",
        licence="CC BY-NC 4.0; each recording its own CC licence",
        size=f"{tests:,} test segments, {gigabytes:g} GB",
        page=f"https://huggingface.co/datasets/{REPOSITORY} (branch {BRANCH}, folder {site})",
        load=partial(load, site),
        layouts=(tuple(f"{site}/{table}" for table in tables), tuple(tables)),
        folders=("BirdSet", "birdset", site),
        seconds=5.12,
        rules=tuple(one.name for one in fields(FewShotRules)),
        hub=Hub(
            REPOSITORY,
            (*(f"{site}/{table}" for table in tables), f"{site}/*_train_shard_*", f"{site}/*_test5s_shard_*"),
            BRANCH,
        ),
    )


SPECS = {
    spec.name: spec
    for spec in (
        _spec("HSN", "High Sierras", 21, 12_000, 5.92),
        _spec("POW", "Powdermill Nature Reserve", 48, 4_560, 15.7),
        _spec("PER", "Amazon basin of Peru", 132, 15_120, 10.5),
        _spec("NES", "Colombia and Costa Rica", 89, 24_480, 14.2),
        _spec("SNE", "Sierra Nevada", 56, 23_756, 20.8),
        _spec("UHH", "Hawaiian islands", 27, 36_637, 4.92),  # 25 of them in the training recordings
        _spec("NBP", "NIPS4BPlus, France and Spain", 51, 563, 29.9),
    )
}
