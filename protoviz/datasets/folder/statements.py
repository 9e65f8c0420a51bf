"""What a table says of sound files once it is understood: its form, and a row for each thing said."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from protoviz.datasets.clips import split_named
from protoviz.datasets.files import event
from protoviz.scenes import Event

FORMS = (
    "a column of files and one of labels, or a column of 0 and 1 for each class, or a row for each file and "
    "label; events with onset, offset (or duration) and label; Audacity's labels; Raven's and BirdNET's "
    "selections; CSV, TSV, JSON lines (docs/own_data.md lists the columns)"
)
CURE = (
    "Name its columns file and label, take the table out, or name those to read with tables=... (() for none)"
)
NO_CALL = "nocall"  # how BirdNET writes that it heard nothing


class Statement(NamedTuple):
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
    rows: tuple[Statement, ...]
    used: dict[str, tuple[str, ...]]  # role -> columns
    unused: tuple[str, ...] = ()
    fault: str = ""  # why it is refused where no other table has labels
    names: Mapping[str, str] = field(default_factory=dict)  # of a list of classes: number -> name

    @property
    def labelled(self) -> bool:
        """Whether it says which classes a file holds."""
        return self.form in ("labels", "classes", "events")


def split_in(name: str) -> str:
    """Return the split that a word of a name says, as in val_labels and train_set; "": none or two do."""
    found = {split for word in re.split(r"[\W_\d]+", name) if (split := split_named(word))}
    return found.pop() if len(found) == 1 else ""


def timed_event(label: str, onset: float, offset: float, sample_rate: int) -> Event:
    """Return an event of all frequencies, label "" if none is written. Raise ValueError if it ends early."""
    if offset < onset:
        raise ValueError("it ends before it begins")
    return event(label, onset, offset, sample_rate)


def banded(found: Event, low: float, high: float) -> Event:
    """Return the event with a band in hertz; a negative bound leaves its own."""
    low, high = (low if low >= 0 else found.low_hz), (high if high >= 0 else found.high_hz)
    return Event(found.label, found.onset, found.offset, low, high)
