"""Data sets of the Hugging Face Hub: fetched as files, read as Parquet; nobody's loading script is run."""

import hashlib
import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.audio import AudioError, read_audio
from protoviz.datasets.clips import SPLIT_WORDS, ClipSet, split_named
from protoviz.datasets.files import content_of, held_out
from protoviz.datasets.spec import DatasetSpec, LayoutError, visible
from protoviz.files import counted
from protoviz.named import install_hint
from protoviz.scenes import Event
from protoviz.scenes.groups import split_groups
from protoviz.settings import checked

LAYOUTS = (("data/*.parquet",), ("*.parquet",))  # as `datasets` pushes them, or as they lie there alone
LABELS = ("labels", "label", "ebird_code_multilabel")


def fetch(spec: DatasetSpec, folder: Path) -> Path:
    """Return `folder`, now with the files that `spec.hub` names; stderr tells what, how large, under which
    licence.

    Files only: no code of the repository is run. Raises LayoutError where it cannot be fetched.
    """
    if spec.hub is None:
        raise LayoutError(f"{spec.name} is not on the hub. {spec.source}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        cure = f"huggingface_hub, which fetches it, is not installed: {install_hint('hub')}"
        raise LayoutError(f"{cure}.\n{spec.source}") from error
    print(f"{spec.name}: fetching {spec.title} ({spec.size}; {spec.licence}) into {folder}", file=sys.stderr)
    try:
        snapshot_download(
            repo_id=spec.hub.repository,
            repo_type="dataset",
            revision=spec.hub.revision,
            allow_patterns=list(spec.hub.files),
            local_dir=folder,
        )
    except Exception as error:  # whatever the client and its network library raise: the cure is the same
        reason = str(error).splitlines()[0] if str(error) else ""
        raise LayoutError(
            f"fetching {spec.hub.repository} failed ({type(error).__name__}: {reason}).\n{spec.source}"
        ) from error
    return folder


@dataclass(frozen=True)
class ParquetReader:
    """Reads the sound of a row out of its Parquet file, one group of rows at a time."""

    seconds: float
    sample_rate: int
    files: tuple[str, ...]

    def read(self, row: pd.Series) -> np.ndarray:
        """Return the first `seconds` of the sound, (s,) float32; AudioError names the clip that has none."""
        audio = _group(row["path"], int(row["row_group"]))[int(row["place"])]
        audio = audio if isinstance(audio, dict) else {"bytes": audio}
        if audio.get("bytes"):
            source = io.BytesIO(audio["bytes"])
            source.name = row["clip"]
        elif audio.get("path"):
            source = Path(row["path"]).parent / audio["path"]
        else:
            raise AudioError(f"{row['clip']}: its row in {row['path']} holds no sound; fetch the file again")
        return read_audio(source, self.sample_rate, duration=self.seconds)

    def events(self, row: pd.Series) -> tuple[Event, ...]:
        """Return nothing: a row has labels only."""
        return ()

    def fingerprint(self) -> str:
        """Return window, rate and the bytes of all files."""
        return self._content

    @cached_property
    def _content(self) -> str:
        contents = "|".join(content_of(path) for path in self.files)
        return hashlib.sha256(f"{self.seconds} s {self.sample_rate} Hz {contents}".encode()).hexdigest()


@lru_cache(maxsize=2)  # clips are read in the order of the table: one group serves a hundred of them
def _group(path: str, group: int) -> list:
    import pyarrow.parquet as parquet

    return parquet.ParquetFile(path).read_row_group(group, columns=["audio"])["audio"].to_pylist()


def parquet_clips(
    spec: DatasetSpec, root: Path, *, seconds: float, sample_rate: int, share: float = 0.1, seed: int = 0
) -> ClipSet:
    """Return the clips of a snapshot in the hub's own form: Parquet files named by split, columns `audio`,
    `labels`.

    Labels are numbers of a ClassLabel (its names stand in the file), rows of 0.0 and 1.0, or texts; more in
    `as_labels`. Without a validation split a `share` of the training clips is kept for choosing, by the hash
    of their places; where the files have a column `group`, whole groups of it (`split_groups`). No sound is
    looked at: one that is broken or too short shows when it is read. Raises LayoutError for a file without
    such columns, or of no split.
    """
    paths = visible(root, *(pattern for (pattern,) in LAYOUTS))
    rows, names, classes = [], [], set()
    for path in paths:
        split = _split(path, root)
        found, labelled = _labels(path)
        names = names or found
        for place, number, labels, group in labelled:
            clip = f"{path.relative_to(root).as_posix()}#{number}.{place}"
            rows.append((clip, split, sorted(set(labels)), str(path), number, place, group))
            classes |= set(labels)
    columns = ["clip", "split", "labels", "path", "row_group", "place", "group"]
    table = pd.DataFrame(rows, columns=columns)
    table = table.assign(polyphony=0, seed=-1, offset=0.0, duration=np.nan, licence=spec.licence)
    if not (table["split"] == "validation").any():
        table["split"] = _with_validation(table, share, seed)
    if not table["group"].any():
        table = table.drop(columns="group")
    reader = ParquetReader(seconds, sample_rate, tuple(map(str, paths)))
    return ClipSet(spec.name, tuple(names or sorted(classes, key=counted)), table, reader)


def _with_validation(table: pd.DataFrame, share: float, seed: int) -> pd.Series:
    """The column `split`, now with a share of the training clips, or of their groups, for choosing."""
    train = table[table["split"] == "train"]
    if train["group"].any():
        groups = train["group"].where(train["group"] != "", train["clip"])
        shares = {"train": 1 - share, "validation": share}
        drawn = groups.map(split_groups(zip(groups, train["labels"], strict=True), shares, seed))
        return drawn.reindex(table.index).fillna(table["split"])
    chosen = held_out(train["clip"], share, seed)
    return table["split"].where(~table["clip"].isin(chosen), "validation")


def _split(path: Path, root: Path) -> str:
    """The split that a file's name (train-00000-of-00002.parquet) or folder (train/0000.parquet) says."""
    for part in (path.name.split("-")[0].split(".")[0], *path.relative_to(root).parts[:-1]):
        if split := split_named(part):
            return split
    raise LayoutError(f"{path}: its name tells no split; begin it with one of {', '.join(SPLIT_WORDS)}")


def _labels(path: Path) -> tuple[list[str], Iterator[tuple[int, int, list[str], str]]]:
    """Class names in published order (may be empty), and (place, row group, labels, group) of every row."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        file = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise LayoutError(f"{path}: is not a whole Parquet file ({error}); fetch it again") from error
    present = file.schema_arrow.names
    column = next((name for name in LABELS if name in present), None)
    if column is None or "audio" not in present:
        raise LayoutError(f"{path}: its columns are {', '.join(present)}; audio and labels are needed")
    try:
        names = _class_names(file.schema_arrow.metadata or {}, column)
    except LayoutError as error:
        raise LayoutError(f"{path}: {error}; fetch the file again") from error
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LayoutError(f"{path}: {', '.join(twice)}: the name of two classes of its column {column}")

    def rows():
        read = [column, *(["group"] if "group" in present else [])]
        for number in range(file.num_row_groups):
            table = file.read_row_group(number, columns=read)
            values = table[column].to_pylist()
            groups = table["group"].to_pylist() if "group" in present else [None] * len(values)
            for place, (value, group) in enumerate(zip(values, groups, strict=True)):
                try:
                    yield place, number, as_labels(value, names), "" if group is None else str(group)
                except LayoutError as error:
                    raise LayoutError(f"{path}, row {place} of group {number}: {error}") from error

    return names, rows()


def _class_names(metadata: dict[bytes, bytes], column: str) -> list[str]:
    """The names of the ClassLabel of a column, as `datasets` writes them into a file's schema; or none."""
    try:
        feature = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"][column]
    except (ValueError, LookupError, TypeError, RecursionError):  # absent: then the labels have to tell
        return []
    feature = feature[0] if isinstance(feature, list) and feature else feature
    while isinstance(feature, dict) and "names" not in feature:
        feature = feature.get("feature")
    names = feature["names"] if isinstance(feature, dict) else []
    if isinstance(names, dict):  # number, as text -> name
        names = [names[number] for number in sorted(names, key=counted)]
    return checked(names, list[str], f"the names of the classes of column {column}", error=LayoutError)


def as_labels(value, names: Sequence[str]) -> list[str]:
    """Return the labels of one row as texts: of a class's number or several, of 0 and 1 for each class, or of
    texts.

    0 and 1 for each class are floats or booleans. Integers are that where they are as many as the names, of
    which there are three or more: as numbers of classes they would tell one twice. None, NaN, an empty text
    and the number -1, which the hub writes where labels are kept back, say that there is no label. Raises
    LayoutError for a number that no class has, for other values, or where a form cannot be known as there are
    no names.
    """
    if isinstance(value, float):  # a column of numbers with gaps
        value = None if math.isnan(value) else int(value) if value.is_integer() else [value]
    values = value if isinstance(value, list) else [value]
    floats = all(isinstance(entry, float) for entry in values)
    if values and (floats or _for_each_class(value, names)):
        if (names and len(values) != len(names)) or any(entry not in (0, 1) for entry in values):
            raise LayoutError(f"labels {values} are not 0 and 1 for each of {len(names) or 'the'} classes")
        values = [number for number, entry in enumerate(values) if entry]
    return [label for entry in values if entry is not None and (label := _label(entry, names))]


def _for_each_class(value, names: Sequence[str]) -> bool:
    """Whether a row of integers or booleans says of each class whether it is there."""
    if not isinstance(value, list) or not all(isinstance(entry, int) and entry in (0, 1) for entry in value):
        return False
    if all(isinstance(entry, bool) for entry in value):
        return True
    if not names and len(value) > len(set(value)):
        raise LayoutError(
            f"the labels {value} are numbers of classes, or 0 and 1 for each class: write 0.0 and 1.0 for "
            "each class, or name the classes (ClassLabel)"
        )
    return len(value) == len(names) > 2


def _label(entry, names: Sequence[str]) -> str:
    """The name of one class's number (a text may be one), or a text as it is; "" where there is none."""
    if isinstance(entry, str):
        text = entry.strip()
        if not (names and text) or text in names:
            return text
        if not text.removeprefix("-").isdecimal():
            raise LayoutError(f"the label {text!r} is none of the {len(names)} classes that the file names")
        entry = int(text)
    if not isinstance(entry, int) or entry < -1 or (names and entry >= len(names)):
        known = f"classes are numbered 0 to {len(names) - 1}" if names else "classes are numbered from 0"
        raise LayoutError(f"the label {entry!r} is that of no class: {known}, and -1 says that there is none")
    return "" if entry == -1 else names[entry] if names else f"class {entry:d}"
