"""What can be taken away of a clip that a study shows: its events and cells as tables, and sounds.

write_events(clip_cells(study, label="bell"), "bell.csv", "csv")
wave, rate = clip_sound(study, "test-16000007", event=0)
"""

import numpy as np
import pandas as pd

from protoviz.audio import part_sound
from protoviz.datasets.folder import as_events
from protoviz.figures.asked import OfClass, OfClip, OfMap
from protoviz.figures.clip_of_study import shown
from protoviz.scenes import Event
from protoviz.study import Study, StudyError

COLUMNS = list(Event.__dataclass_fields__)


def clip_events(study: Study, clip: str | None = None, dataset: str | None = None) -> pd.DataFrame:
    """Return the true events of a clip as rows of `event_table`; none where they are not known."""
    return as_events(pd.DataFrame(shown(study, OfClip(clip=clip, dataset=dataset)).events, columns=COLUMNS))


def clip_cells(
    study: Study,
    clip: str | None = None,
    label: str | None = None,
    method: str | None = None,
    encoder: str | None = None,
    dataset: str | None = None,
    k: int = 5,
) -> pd.DataFrame:
    """Return the k cells that argue most for a class as rows of `event_table`.

    Further columns: those of `strongest_prototypes`. label: the most likely class if absent.
    """
    one = shown(study, OfClass(clip=clip, encoder=encoder, dataset=dataset, method=method))
    return as_events(one.strongest(label, k), one.classes[one.number(label)])


def clip_sound(
    study: Study,
    clip: str | None = None,
    event: int | None = None,
    prototype: int | None = None,
    band: bool | None = None,
    method: str | None = None,
    encoder: str | None = None,
    dataset: str | None = None,
) -> tuple[np.ndarray, int]:
    """Return the sound (s,) float32 of a clip, of one of its events or of a cell, and its rate, Hz.

    event: its number in `clip_events`, from 0. prototype: the cell in which it found its best match. band:
    only the band of frequencies (a cell if absent), else all that sounds in its stretch (an event if absent).
    Raises StudyError for what is not there.
    """
    place = {"clip": clip, "encoder": encoder, "dataset": dataset}
    one = shown(study, OfMap(**place) if prototype is None else OfClass(**place, method=method))
    wave, rate = one.sound
    if event is not None and prototype is not None:
        raise StudyError("choose an event or a prototype, not both")
    if event is not None:
        if not 0 <= event < len(one.events):
            raise StudyError(f"{one.clip} has no event {event}: {len(one.events)} are known, from 0")
        found = one.events[event]
        box = (found.onset, found.offset, found.low_hz, found.high_hz)
        return part_sound(wave, rate, box, bool(band), peak=None)[0], rate
    if prototype is not None:
        return part_sound(wave, rate, one.cell_of(prototype), band is not False)[0], rate
    return wave, rate
