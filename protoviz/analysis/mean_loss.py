"""What a mean over the cells keeps of one event, and what a max keeps: exact sums on one clip's tokens.

Letters: n cell, d width. Split the N cells of a clip into the m that hold an event and the rest. Then

    mean_n z_n = (1 - a) rest + a event,    a = m / N,

with event and rest the mean tokens of the two parts. Read every token along w = event - rest,

    p_n = w.(z_n - rest) / |w|^2,

and the rest reads 0 on average, the event 1 on average, the whole clip exactly a; the largest p_n is never
below 1. These are identities, not measurements: they hold for any encoder. What is measured is where the
largest one lies, and how much larger than the rest it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage

COLUMNS = ("seed", "label", "cells", "share", "mean", "best", "best_inside", "best_outside", "found")


@dataclass(frozen=True)
class EventInMean:
    """One event read by a mean and by a max, along the direction in which it differs from the rest."""

    inside: np.ndarray  # (n) bool: the event's cells
    reading: np.ndarray  # (n) p_n: 0 like the rest, 1 like the event
    shift: float  # |mean_n z_n - rest|, which is a |event - rest|
    apart: float  # |event - rest|

    @property
    def share(self) -> float:
        """a: the share of the cells that hold the event."""
        return float(self.inside.mean())

    @property
    def mean(self) -> float:
        """The mean reading: what is left of the event in a mean token; equal to `share`."""
        return float(self.reading.mean())

    @property
    def best(self) -> float:
        """The largest reading: what a max over the cells keeps."""
        return float(self.reading.max())

    @property
    def place(self) -> int:
        """The cell n of the largest reading."""
        return int(self.reading.argmax())

    @property
    def found(self) -> bool:
        """Whether the largest reading lies in a cell of the event."""
        return bool(self.inside[self.place])


def cells_of(grid, event, least: float = 0.5) -> np.ndarray:
    """Return the event's cells (n) bool: those covered at least `least` as much as the one that is covered
    most.

    A narrow band never fills a cell, hence the measure. All False for an event without area in the grid.
    """
    held = coverage(grid, [event]).ravel()
    return (held > 0) & (held >= least * held.max())


def event_in_mean(tokens, inside) -> EventInMean:
    """Return `EventInMean` of one clip's tokens (n d) and its event's cells (n) bool.

    Raises ValueError where no cell, or every cell, holds the event, and where event and rest have one mean.
    """
    tokens, inside = np.asarray(tokens, dtype=np.float64), np.asarray(inside, dtype=bool)
    if inside.shape != tokens.shape[:1]:
        raise ValueError(f"{len(tokens)} tokens need as many cells, not {inside.shape}")
    if inside.all() or not inside.any():
        raise ValueError("the event fills all cells or none: give some inside and some outside")
    rest = tokens[~inside].mean(0)
    direction = tokens[inside].mean(0) - rest
    apart = float(np.linalg.norm(direction))
    if apart == 0:
        raise ValueError("event and rest have the same mean token: choose another event")
    reading = (tokens - rest) @ direction / apart**2
    return EventInMean(inside, reading, float(np.linalg.norm(tokens.mean(0) - rest)), apart)


def events_in_means(tokens, grid, scenes: Sequence) -> pd.DataFrame:
    """Return COLUMNS, a row an event of every scene: what a mean and a max read of it.

    tokens (b n d) of the scenes, in their order; grid: the encoder's cells; seed: the scene's. cells,
    share, mean, best and found as in `EventInMean`; best_inside and best_outside are the largest readings of
    the event's cells and of all others.
    """
    rows = []
    for clip, scene in zip(tokens, scenes, strict=True):
        for event in scene.events:
            inside = cells_of(grid, event)
            if inside.all() or not inside.any():
                continue
            one = event_in_mean(clip, inside)
            most = (float(one.reading[inside].max()), float(one.reading[~inside].max()))
            rows.append(
                (scene.seed, event.label, int(inside.sum()), one.share, one.mean, one.best, *most, one.found)
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def hits_by_size(
    table: pd.DataFrame, scenes: Sequence, classes: Sequence[str], logits: Mapping
) -> pd.DataFrame:
    """Return a row a third of the events (small, middle, large): events, cells (from and to), hits of each
    probe.

    table: a frame of `events_in_means` of these scenes; logits: probe -> (b c), in the order of scenes and
    classes. A hit: the event's class is among the k with the highest logits, k the polyphony of its scene.
    Raises ValueError for fewer than two events, which have no sizes to tell apart.
    """
    if len(table) < 2:
        raise ValueError(f"thirds by size need two events or more, not {len(table)}: give more scenes")
    place = {scene.seed: i for i, scene in enumerate(scenes)}
    at = [place[seed] for seed in table.seed]
    number = [list(classes).index(label) for label in table.label]
    wanted = np.array([scenes[i].polyphony for i in at])
    hits = {}
    for probe, values in logits.items():
        values = np.asarray(values)[at]
        own = values[np.arange(len(at)), number]
        hits[probe] = (values > own[:, None]).sum(1) < wanted
    third = pd.qcut(table.cells.rank(method="first"), 3, labels=["small", "middle", "large"])
    groups = table.assign(**hits).groupby(third.rename("events"), observed=True)
    sizes = groups.cells.agg(["size", "min", "max"]).set_axis(["count", "fewest cells", "most cells"], axis=1)
    return sizes.join(groups[list(hits)].mean())
