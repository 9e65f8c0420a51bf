"""Clips that a person has at hand: a list of files with labels, or a split of Hugging Face `datasets`.

clips_of([("a.wav", "dog"), ("b.wav", ["cat", "rain"], "test")])
clips_of(load_dataset("ashraq/esc50", split="train"))   # of `datasets`, which protoviz does not need
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from protoviz.audio import resampled
from protoviz.datasets.clips import SPLITS, ClipSet, split_named
from protoviz.datasets.files import RATE, Row, Window, clip_set
from protoviz.scenes import Event

LABELS = ("label", "labels", "category", "class", "classes")  # columns, the first that there is


def clips_of(
    data: Any,
    sample_rate: int = RATE,
    seconds: float = 10.24,
    *,
    audio: str | None = None,
    label: str | None = None,
) -> ClipSet:
    """Return the ClipSet of what is at hand, read at `sample_rate` (Hz), at most `seconds` of each clip.

    data: a ClipSet, which is given back; a list of (file, label or labels) or (file, labels, split), or a
    table file -> labels; a split of `datasets` with a column of audio, or a table name of the split -> split.
    A clip without a split is one to train on. audio, label: names of columns; None: what the features say.
    Raises ValueError that says what is wrong with a row or a column.
    """
    if isinstance(data, ClipSet):
        return data
    if hasattr(data, "column_names") or _splits(data):
        parts = data if isinstance(data, Mapping) else {str(getattr(data, "split", None) or "train"): data}
        return _of_hub(parts, sample_rate, seconds, audio, label)
    rows = list(data.items() if isinstance(data, Mapping) else data)
    return _of_files(rows, sample_rate, seconds)


def _splits(data: Any) -> bool:
    return isinstance(data, Mapping) and any(hasattr(part, "column_names") for part in data.values())


def _of_files(rows: Sequence, sample_rate: int, seconds: float) -> ClipSet:
    for row in rows:
        pair = isinstance(row, (tuple, list)) and len(row) in (2, 3)
        if not (pair and isinstance(row[0], (str, os.PathLike))):
            raise ValueError(f"{row!r} is not a clip: give (file, labels) or (file, labels, split)")
    if not rows:
        raise ValueError("a list without a file: give (file, labels), one a clip")
    paths = [Path(row[0]).expanduser().absolute() for row in rows]
    base = Path(os.path.commonpath([path.parent for path in paths]))
    made = [
        Row(path.relative_to(base).as_posix(), _split(*row[2:]), _names(row[1]), path)
        for path, row in zip(paths, rows, strict=True)
    ]
    classes = sorted({name for row in made for name in row.labels})
    return clip_set(base.name, classes, made, Window(seconds, sample_rate))


def _split(name: str = "train") -> str:
    found = split_named(str(name).split("[")[0])  # of the hub: "train[:10%]"
    if not found:
        raise ValueError(f"{name!r} is not a split: write one of {', '.join(SPLITS)}")
    return found


def _names(labels: Any, known: Sequence[str] | None = None) -> list[str]:
    """Labels as names; known: of class numbers."""
    if labels is None:
        return []
    if isinstance(labels, str):
        return [labels]
    if isinstance(labels, Iterable):
        return [name for one in labels for name in _names(one, known)]
    return [known[int(labels)] if known and isinstance(labels, Integral) else str(labels)]


# -- splits of `datasets`


@dataclass(frozen=True)
class HubReader:
    """Reads the audio of a row of a split."""

    splits: tuple[Any, ...]
    column: str
    seconds: float
    sample_rate: int

    def read(self, row: pd.Series) -> np.ndarray:
        """Return the first `seconds`, (s,) float32, mono, at the reader's rate."""
        sound, rate = _decoded(self.splits[row["of"]][int(row["place"])][self.column])
        return resampled(sound[: round(self.seconds * rate)], rate, self.sample_rate)

    def events(self, row: pd.Series) -> tuple[Event, ...]:
        """Return nothing: a row has labels only."""
        return ()

    def fingerprint(self) -> str:
        """Return what `datasets` knows the splits by; of one that does not say, all its sounds."""
        return self._content

    @cached_property
    def _content(self) -> str:
        digest = hashlib.sha256(f"{self.column} {self.seconds} s {self.sample_rate} Hz".encode())
        for split in self.splits:
            own = getattr(split, "_fingerprint", None)
            if own:
                digest.update(str(own).encode())
                continue
            for place in range(len(split)):
                sound, rate = _decoded(split[place][self.column])
                digest.update(f"{rate} ".encode() + sound.tobytes())
        return digest.hexdigest()


def _decoded(value: Any) -> tuple[np.ndarray, int]:
    """Mono samples (s,) and their rate: of a table with "array", or of a decoder as newer versions give."""
    if hasattr(value, "get_all_samples"):
        found = value.get_all_samples()
        sound, rate = np.asarray(found.data), found.sample_rate
        sound = sound.mean(0) if sound.ndim == 2 else sound  # channels first
    elif isinstance(value, Mapping) and value.get("array") is not None:
        sound, rate = np.asarray(value["array"]), value["sampling_rate"]
        sound = sound.mean(int(np.argmin(sound.shape))) if sound.ndim == 2 else sound
    else:
        raise ValueError("a row of audio is not decoded: cast_column(NAME, Audio(sampling_rate=16000)) first")
    return sound.astype(np.float32), int(rate)


def _of_hub(
    parts: Mapping[str, Any], sample_rate: int, seconds: float, audio: str | None, label: str | None
) -> ClipSet:
    splits, frames, classes = tuple(parts.values()), [], {}
    column = audio or _column(splits[0], lambda name, kind: "Audio" in type(kind).__name__ or name == "audio")
    chosen = label or _column(splits[0], lambda name, kind: name in LABELS or hasattr(kind, "names"))
    for of, (name, split) in enumerate(parts.items()):
        kind = split.features[chosen]
        known = getattr(getattr(kind, "feature", kind), "names", None)
        labels = [_names(value, known) for value in split[chosen]]
        classes |= dict.fromkeys(known or sorted({one for row in labels for one in row}))
        ids = [f"{name}-{place:06d}" for place in range(len(split))]
        facts = {"split": _split(name), "of": of, "place": range(len(split))}
        frames.append(pd.DataFrame({"clip": ids, "labels": labels, **facts}))
    table = pd.concat(frames, ignore_index=True).assign(polyphony=0, seed=-1, path=None)
    return ClipSet("at hand", tuple(classes), table, HubReader(splits, column, seconds, sample_rate))


def _column(split: Any, wanted) -> str:
    found = [name for name in split.column_names if wanted(name, split.features[name])]
    if not found:
        there = ", ".join(split.column_names)
        raise ValueError(f"no column of audio or labels is known in {there}: clips_of(data, audio=, label=)")
    return found[0]
