"""How the events of a scene share its time and its area: what polyphony means for one cell.

An event is anything with label, onset, offset (s), low_hz and high_hz. Letters: t, f.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage
from protoviz.audio import Box

COLUMNS = ("seed", "polyphony", "together", "covered", "shared")


def sounding(events: Iterable, seconds: float) -> pd.DataFrame:
    """Return a frame: onset, offset, count: the stretches of a clip of so many seconds and how many events
    sound in each.

    They meet and fill the clip; the count changes from each to the next. An event sounds from its onset to
    its offset, whether or not it pauses between (a clock that ticks is one event).
    """
    spans = [(max(0.0, event.onset), min(seconds, event.offset)) for event in events]
    edges = np.unique([0.0, seconds, *(edge for span in spans for edge in span)])
    middle = (edges[1:] + edges[:-1]) / 2
    count = sum(
        ((middle > onset) & (middle < offset) for onset, offset in spans), np.zeros(len(middle), dtype=int)
    )
    first = np.flatnonzero(np.diff(count, prepend=-1))
    last = [*first[1:], len(count)]
    return pd.DataFrame({"onset": edges[first], "offset": edges[last], "count": count[first]})


def seconds_together(events: Iterable, seconds: float, least: int = 2) -> float:
    """Return seconds of the clip in which at least so many events sound."""
    stretches = sounding(events, seconds)
    chosen = stretches[stretches["count"] >= least]
    return float((chosen.offset - chosen.onset).sum())


def events_per_cell(grid, events: Iterable) -> np.ndarray:
    """Return how many events each cell holds (t f): the sum of the shares of its area that boxes cover."""
    held = [coverage(grid, [event]) for event in events]
    return np.sum(held, axis=0) if held else np.zeros((grid.times, grid.freqs))


def covered_and_shared(grid, events: Iterable) -> tuple[float, float]:
    """Return the shares of the clip's area (seconds by mel) under at least one event, and under at least two;
    exact.

    What two boxes have in common is a box, so the second is the area of all these together.
    """
    events = list(events)
    common = [_common(one, two) for one, two in combinations(events, 2)]
    common = [box for box in common if box.onset < box.offset and box.low_hz < box.high_hz]
    return float(coverage(grid, events).mean()), float(coverage(grid, common).mean())


def overlap_table(scenes: Sequence, grid) -> pd.DataFrame:
    """Return COLUMNS, a row a scene (`protoviz.Scene`): what of it two or more of its events share.

    together  share of the clip's time in which at least two events sound
    covered   share of the clip's area under at least one event
    shared    share of that covered area under at least two
    """
    rows = []
    for scene in scenes:
        covered, shared = covered_and_shared(grid, scene.events)
        together = seconds_together(scene.events, grid.seconds) / grid.seconds
        rows.append((scene.seed, scene.polyphony, together, covered, shared / covered if covered else 0.0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _common(one, two) -> Box:
    return Box(
        max(one.onset, two.onset),
        min(one.offset, two.offset),
        max(one.low_hz, two.low_hz),
        min(one.high_hz, two.high_hz),
    )
