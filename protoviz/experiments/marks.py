"""The events of a data set's clips, where a grid needs them: kept where they take long to make."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from functools import lru_cache
from pathlib import Path

import pandas as pd

from protoviz.datasets import ClipSet
from protoviz.datasets.scenes import SceneReader
from protoviz.kept import DamagedFileError, read_frame, set_aside, write_frame
from protoviz.scenes import Event


def events_of(clips: ClipSet, rows: Sequence[int], kept: Path) -> list[tuple[Event, ...]]:
    """Return the events of some clips, by row number.

    Those of scenes are measured from their sound, which has to be made: once, for the file `kept`.
    """
    if not _made(clips):
        return [clips.events(i) for i in rows]
    try:
        found = _read(kept)
    except (FileNotFoundError, DamagedFileError) as error:
        if isinstance(error, DamagedFileError):
            set_aside(kept, error.args[1])
        ids = clips.table["clip"]
        told = [(ids[i], *astuple(event)) for i in range(len(clips)) for event in clips.events(i)]
        write_frame(kept, pd.DataFrame(told, columns=["clip", *(part.name for part in fields(Event))]))
        found = _read(kept)
    return [found.get(clip, ()) for clip in clips.table["clip"].iloc[rows]]


def events_told(clips: ClipSet) -> list:
    """Return what decides the events beside `ClipSet.fingerprint`, which sees sound and labels alone."""
    if _made(clips):
        return []  # of a scene everything follows from its seed
    return [[(e.label, e.onset, e.offset) for e in clips.events(i)] for i in range(len(clips))]


def _made(clips: ClipSet) -> bool:
    return isinstance(clips.reader, SceneReader)


@lru_cache(maxsize=2)
def _read(path: Path) -> dict[str, tuple[Event, ...]]:
    found: dict[str, list[Event]] = {}
    for clip, *event in read_frame(path).itertuples(index=False):
        found.setdefault(clip, []).append(Event(*event))
    return {clip: tuple(events) for clip, events in found.items()}
