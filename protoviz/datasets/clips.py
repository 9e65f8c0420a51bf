"""The one form that every data set takes: a table of clips and a reader."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import pandas as pd

from protoviz.audio import CellGrid
from protoviz.scenes import Event

COLUMNS = ("clip", "split", "labels", "polyphony", "seed", "path")
SPLITS = ("train", "validation", "test")
# What people call a split, as a folder or in a table: the words of the Hugging Face hub, and a few more.
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
SKIP_COLUMNS = ("clip", "split", "kind", "reason")


def skip_table(skips=()) -> pd.DataFrame:
    """Return the frame of skipped clips: `clip`, `split`, `kind` (a word or two to count by) and `reason`."""
    return pd.DataFrame([tuple(skip) for skip in skips], columns=list(SKIP_COLUMNS), dtype=object)


def split_named(word: str) -> str:
    """Return the split that a word names, in capitals or not, by SPLIT_WORDS; "" for any other word."""
    return SPLIT_WORDS.get(word.strip().lower(), "")


class Reader(Protocol):
    """Where the sound and the events of a row come from; picklable, so that processes can share it.

    One that knows the rate of its waveforms (Hz) has it as the attribute `sample_rate`.
    """

    def read(self, row: pd.Series) -> np.ndarray:
        """Return the waveform (s,) float32 of a row; AudioError, naming the clip, where it has none."""
        ...

    def events(self, row: pd.Series) -> tuple[Event, ...]:
        """Return the events of a row; empty if they are unknown."""
        ...

    def fingerprint(self) -> str:
        """Return a text that changes whenever a row's sound changes."""
        ...


@dataclass(frozen=True)
class ClipSet:
    """Clips with labels and splits, read one at a time.

    table: one row a clip: `clip` (unique id), `split` (train, validation or test), `labels` (list of str),
    `polyphony` (events; 0: unknown), `seed` (of a scene; -1: a file), `path` (of a file; None: a scene).
    Clips of files also have `offset` (s, where the clip begins in its file), `duration` (s) and `licence`,
    and `group` where their source is known ("": not of this clip): clips of one group belong in one split.
    notes: lines on what was understood of a folder of anybody's own; empty for a published data set.
    skipped: what the publisher lists and this copy lacks or cannot give, one row a clip: see `skip_table`.
    Raises ValueError where ids repeat, a split is unknown or a label is not among `classes`.
    """

    name: str
    classes: tuple[str, ...]
    table: pd.DataFrame
    reader: Reader
    skipped: pd.DataFrame = field(default_factory=skip_table)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        missing = [column for column in COLUMNS if column not in self.table]
        if missing:
            raise ValueError(f"{self.name}: its table lacks the columns {', '.join(missing)}")
        ids = self.table["clip"]  # not .clip, which is a method of every DataFrame
        if ids.duplicated().any():
            twice = ids[ids.duplicated()].iloc[0]
            raise ValueError(f"{self.name}: clip {twice!r} is listed twice; ids are unique")
        unknown = set(self.table.split) - set(SPLITS)
        if unknown:
            raise ValueError(f"{self.name}: splits {sorted(unknown)} are unknown; a split is one of {SPLITS}")
        for clip, labels in zip(ids, self.table.labels, strict=True):
            if isinstance(labels, str) or not isinstance(labels, Iterable):
                raise ValueError(
                    f"{self.name}: the labels of {clip!r} are {labels!r}; give a list of texts, [] for none"
                )
        strange = {label for labels in self.table.labels for label in labels} - set(self.classes)
        if strange:
            raise ValueError(f"{self.name}: labels {sorted(strange)[:5]} are not among its classes")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def single(self) -> bool:
        """Whether every clip has exactly one label: then accuracy is measured where nobody says otherwise."""
        return bool(self.table.labels.map(len).eq(1).all())

    @property
    def sample_rate(self) -> int | None:
        """Hertz of the waveforms that `read` gives; None: the reader does not say."""
        return getattr(self.reader, "sample_rate", None)

    def read(self, i: int) -> np.ndarray:
        """Return the waveform (s,) float32 of clip i. Raise AudioError, naming it, if it cannot be read."""
        return self.reader.read(self.table.iloc[i])

    def events(self, i: int) -> tuple[Event, ...]:
        """Return the events of clip i with their places; empty if they are unknown."""
        return self.reader.events(self.table.iloc[i])

    def indices(self, split: str | None = None) -> np.ndarray:
        """Return the row numbers (n,) of a split, or of all clips."""
        if split is None:
            return np.arange(len(self.table))
        if split not in SPLITS:
            raise ValueError(f"{self.name}: split {split!r} is unknown; a split is one of {SPLITS}")
        return np.flatnonzero((self.table.split == split).to_numpy())

    def targets(self, split: str | None = None) -> np.ndarray:
        """Return what each clip of a split (or every clip) holds: (n c) float32, 1 where the class sounds."""
        place = {label: c for c, label in enumerate(self.classes)}
        rows = self.indices(split)
        found = np.zeros((len(rows), len(self.classes)), dtype=np.float32)
        for n, labels in enumerate(self.table.labels.iloc[rows]):
            found[n, [place[label] for label in labels]] = 1.0
        return found

    def frame_targets(
        self, grid: CellGrid, rows: Iterable[int], marks: Iterable[Sequence[Event]] | None = None
    ) -> np.ndarray:
        """Return what each frame of some clips holds: (n t c) float32, 1 where the class sounds.

        rows: row numbers; marks: their events, where they are at hand. A class is in a frame that one of its
        events covers at least by half. An event that covers half of none is in the one that holds its middle.
        Raises ValueError for a clip with labels whose events are unknown, which would be taken for silence,
        and for an event of no class or that ends before it begins.
        """
        place = {label: c for c, label in enumerate(self.classes)}
        rows = list(rows)
        found = np.zeros((len(rows), grid.times, len(self.classes)), dtype=np.float32)
        given = map(self.events, rows) if marks is None else marks
        for held, i, events in zip(found, rows, given, strict=True):
            if fault := _fault(events, self.table.labels.iloc[i], self.classes):
                raise ValueError(f"{self.name}: {self.table['clip'].iloc[i]!r} has {fault}")
            for event in events:
                inside = grid.overlap((event.onset, event.offset, 0.0, grid.high_hz))[:, 0] >= 0.5
                middle = (event.onset + event.offset) / 2
                if not inside.any() and middle < grid.seconds:
                    inside[grid.cell(middle, grid.low_hz)[0]] = True
                held[inside, place[event.label]] = 1.0
        return found

    def counts(self) -> pd.DataFrame:
        """Return clips of each split and, by kind, what was skipped there: a row a split, a column a kind."""
        counted = pd.DataFrame({"clips": self.table.groupby("split").size()})
        if len(self.skipped):
            kinds = pd.crosstab(self.skipped["split"], self.skipped["kind"])
            counted = counted.join(kinds, how="outer")
        return counted.reindex(SPLITS).fillna(0).astype(int).rename_axis("split").rename_axis(None, axis=1)

    def label_counts(self) -> pd.DataFrame:
        """Return clips of each class (rows, in the order of `classes`) in each split (columns)."""
        counted = {split: self.targets(split).sum(0).astype(int) for split in SPLITS}
        return pd.DataFrame(counted, index=pd.Index(self.classes, name="label"))

    def damaged(self) -> pd.DataFrame:
        """Return the clips whose sound cannot be decoded, as a `skip_table`; reads every clip."""
        found = []
        for i, (clip, split) in enumerate(zip(self.table["clip"], self.table["split"], strict=True)):
            try:
                self.read(i)
            except (OSError, ValueError) as error:  # an AudioError is a ValueError
                found.append((clip, split, "damaged", str(error)))
        return skip_table(found)

    def fingerprint(self) -> str:
        """Return a digest of all that decides sound and labels: classes, rows, and
        the reader's own fingerprint.

        Names and paths are left out: a folder may move, its content may not change.
        """
        digest = hashlib.sha256(json.dumps([self.classes, self.reader.fingerprint()]).encode())
        rows = zip(self.table["clip"], self.table.split, self.table.labels, self.table.seed, strict=True)
        for clip, split, labels, seed in rows:
            digest.update(json.dumps([clip, split, list(labels), int(seed)]).encode())
        return digest.hexdigest()


def _fault(events: Sequence[Event], labels: Sequence[str], classes: Sequence[str]) -> str:
    """What keeps the frames of a clip from being known, with the cure; "" for nothing."""
    if not events and len(labels):
        return "labels and no event with its times: leave out the clips that are labelled as a whole"
    for event in events:
        if event.label not in classes:
            return f"an event {event.label!r}, which is none of the classes: correct it, or add the class"
        if not event.onset <= event.offset:
            span = f"from {event.onset:g} to {event.offset:g} s"
            return f"an event {event.label!r} {span}: correct its times, onset before offset"
    return ""
