"""Scores of frames as detectors of events: thresholds from validation clips, and what is found in others.

Letters: b clip, t frame, c class, p operating point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from protoviz.audio import CellGrid
from protoviz.metrics import Events as Listed
from protoviz.metrics import (
    detected,
    event_counts,
    f1,
    intersection_counts,
    listed,
    mean_average_precision,
    psds,
    segment_counts,
)
from protoviz.scenes import Event

POINTS = 50  # thresholds tried for each class: enough that twice as many change F1 by less than seeds do
FRAMES, EVENTS, WHOLE, SEGMENTS, PSDS, BAND = (
    "frame mAP",
    "event F1",
    "event F1 with offsets",
    "segment F1",
    "PSDS",
    "right band",
)


@dataclass(frozen=True, eq=False)
class Timed:
    """Clips whose events are known, on the frames of an encoder."""

    classes: Sequence[str]
    grid: CellGrid
    events: Sequence[Sequence[Event]]  # of each clip
    real: np.ndarray  # (b t) frames that hold sound
    targets: np.ndarray | None = None  # (b t c) 0 and 1: for the scores of frames alone

    @cached_property
    def listed(self) -> Listed:
        """The events as arrays."""
        return listed(self.events, self.classes)

    @property
    def sizes(self) -> tuple[int, int]:
        """Clips and classes."""
        return len(self.events), len(self.classes)

    def detected(self, scores: np.ndarray, thresholds: np.ndarray) -> Listed:
        """Return the events that scores (b t c) tell of at these thresholds (c)."""
        return detected(scores, thresholds, self.grid.time_edges, self.real)


def operating_points(scores: np.ndarray, clips: Timed, count: int = POINTS) -> np.ndarray:
    """Return thresholds (p c), rising: scores that half of the frames, and ever fewer, reach; at last one."""
    frames = scores[clips.real]
    return np.quantile(frames, 1 - np.geomspace(0.5, 1 / len(frames), count), axis=0)


def best_thresholds(scores: np.ndarray, clips: Timed, points: np.ndarray | None = None) -> np.ndarray:
    """Return the operating point (c) of the highest event-based F1 of each class; scores (b t c).

    A class without an event in these clips has infinity: it is never detected.
    """
    points = operating_points(scores, clips) if points is None else points
    reached = [f1(event_counts(clips.detected(scores, one), clips.listed, *clips.sizes)) for one in points]
    table = np.stack([one.per_class for one in reached])
    best = points[np.nan_to_num(table, nan=-1.0).argmax(0), np.arange(table.shape[1])]
    return np.where(np.isnan(table).all(0), np.inf, best)


def told_events(
    scores: np.ndarray, thresholds: np.ndarray, grid: CellGrid, classes: Sequence[str]
) -> list[Event]:
    """Return the events of one clip that its scores (t c) tell of, by onset; their band is the grid's."""
    found = detected(scores[None], thresholds, grid.time_edges)
    rows = zip(found.column, found.onset.tolist(), found.offset.tolist(), strict=True)
    events = [Event(classes[c], onset, offset, grid.low_hz, grid.high_hz) for c, onset, offset in rows]
    return sorted(events, key=lambda event: (event.onset, event.label))


def detection_rows(
    scores: np.ndarray, clips: Timed, thresholds: np.ndarray, points: np.ndarray, polyphony: np.ndarray
) -> pd.DataFrame:
    """Return polyphony, measure, score, chance, clips: what a detector finds, at each number of events and
    (polyphony 0) in all clips.

    thresholds (c): for the F1s, which are of the sums over classes; points (p c): for PSDS. chance: of frame
    mAP, the mean share of frames that hold a class; nan elsewhere, as what a random detector reaches
    depends on how it is random. polyphony (b).
    """
    found, true, sizes = clips.detected(scores, thresholds), clips.listed, clips.sizes
    counted = {
        EVENTS: event_counts(found, true, *sizes),
        WHOLE: event_counts(found, true, *sizes, offset_share=0.5),
        SEGMENTS: segment_counts(found, true, *sizes),
    }
    at_points = [intersection_counts(clips.detected(scores, one), true, *sizes) for one in points]
    rows = []
    for k in (0, *np.unique(polyphony[polyphony > 0])):
        chosen = np.full(len(scores), True) if k == 0 else polyphony == k
        real = clips.real[chosen]
        frames, truth = scores[chosen][real], clips.targets[chosen][real]
        share = truth.mean(0)
        chance = float(share[share > 0].mean()) if share.any() else float("nan")
        rows.append((k, FRAMES, mean_average_precision(frames, truth).value, chance, chosen.sum()))
        rows += [(k, name, f1(one[chosen]).micro, np.nan, chosen.sum()) for name, one in counted.items()]
        hours = real.sum() * clips.grid.seconds / clips.grid.times / 3600
        curve = np.stack([one[chosen].sum(0) for one in at_points])
        rows.append((k, PSDS, psds(curve, hours), np.nan, chosen.sum()))
    return pd.DataFrame(rows, columns=["polyphony", "measure", "score", "chance", "clips"])


def band_rows(cells: np.ndarray, clips: Timed, polyphony: np.ndarray) -> pd.DataFrame:
    """Return rows as `detection_rows` of one more measure: does the strongest cell lie in an event's band?

    cells (b n c): a class's score of every cell. Of the frames that an event touches, its class's strongest
    cell has to touch its band; chance is the share of those cells that do. An event whose band is not known,
    and any other of which every cell does, counts nowhere; no rows where none is left.
    """
    column, grid = {label: c for c, label in enumerate(clips.classes)}, clips.grid
    hits = []
    for b, events in enumerate(clips.events):
        for event in events:
            times = grid.overlap((event.onset, event.offset, 0.0, grid.high_hz))[:, 0] > 0
            inside = grid.overlap((event.onset, event.offset, event.low_hz, event.high_hz)) > 0
            inside = inside[times & clips.real[b]].ravel()
            if inside.all() or not inside.any():
                continue
            own = cells[b, :, column[event.label]].reshape(grid.times, grid.freqs)
            strongest = own[times & clips.real[b]].argmax()
            hits.append((polyphony[b], b, inside[strongest], inside.mean()))
    table = pd.DataFrame(hits, columns=["polyphony", "clip", "score", "chance"])
    groups = [(0, table), *table[table.polyphony > 0].groupby("polyphony")] if len(table) else []
    rows = [(k, BAND, one.score.mean(), one.chance.mean(), one["clip"].nunique()) for k, one in groups]
    return pd.DataFrame(rows, columns=["polyphony", "measure", "score", "chance", "clips"])
