"""Scores of detected events against true ones: event-based and segment-based F1, and PSDS.

They begin with counts (b c 3) of each clip and class: hits, false alarms, misses. The counts of any group of
clips are a sum. Written here because sed_eval and sed_scores_eval have no wheels, and the former needs a
package that was taken out of setuptools; `tests/golden/events` holds their numbers and those of psds_eval.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from protoviz.scenes import Event

COLLAR = 0.2  # seconds between a true onset and one that counts as found: of DCASE, HEAR and the follow-up


class Events(NamedTuple):
    """Events of some clips, as arrays (m): the number of the clip and of the class, onset and offset (s)."""

    clip: np.ndarray
    column: np.ndarray
    onset: np.ndarray
    offset: np.ndarray


class F1(NamedTuple):
    """Harmonic means of precision and recall, 2 hits / (2 hits + false alarms + misses)."""

    micro: float  # of the sums over all classes: "overall" in sed_eval
    macro: float  # mean over the classes that have true events; nan where none has
    per_class: np.ndarray  # (c), nan for a class without true events


def listed(events: Sequence[Iterable[Event]], classes: Sequence[str]) -> Events:
    """Return the events of each clip as arrays; those of other classes are left out."""
    column = {label: c for c, label in enumerate(classes)}
    found = [
        (b, column[event.label], event.onset, event.offset)
        for b, some in enumerate(events)
        for event in some
        if event.label in column
    ]
    clip, number, onset, offset = np.array(found, dtype=float).reshape(-1, 4).T
    return Events(clip.astype(int), number.astype(int), onset, offset)


def detected(
    scores: np.ndarray, thresholds: np.ndarray | float, edges: np.ndarray, real: np.ndarray | None = None
) -> Events:
    """Return the events that scores (b t c) tell of: runs of frames at or above the thresholds (c).

    edges: seconds (t + 1) at which frames meet. real (b t): frames that hold sound; None: all do.
    """
    active = scores >= thresholds
    if real is not None:
        active &= real[..., None]
    steps = np.diff(np.pad(active.swapaxes(1, 2), ((0, 0), (0, 0), (1, 1))).astype(np.int8))
    clip, column, first = np.nonzero(steps == 1)
    end = np.nonzero(steps == -1)[2]  # in the same order: each run ends before the next of its class begins
    return Events(clip, column, edges[first], edges[end])


def event_counts(
    found: Events,
    true: Events,
    clips: int,
    classes: int,
    collar: float = COLLAR,
    offset_share: float | None = None,
) -> np.ndarray:
    """Return hits, false alarms and misses (b c 3) of whole events, as sed_eval's event-based metrics.

    A detection may be a true event's of its clip and class where their onsets lie within `collar` seconds.
    With offset_share so must the offsets, within the larger of `collar` and that share of the event (sed_eval
    and DCASE: 0.5). Of all pairings that one counts which has the most hits.
    """
    i, j = _pairs(found, true, classes)
    near = np.abs(found.onset[i] - true.onset[j]) <= collar
    if offset_share is not None:
        allowed = np.maximum(collar, offset_share * (true.offset - true.onset)[j])
        near &= np.abs(found.offset[i] - true.offset[j]) <= allowed
    graph = csr_matrix((np.ones(near.sum()), (i[near], j[near])), shape=(len(found.clip), len(true.clip)))
    mate = maximum_bipartite_matching(graph, perm_type="column")  # of each detection; -1: none
    hit = np.zeros(len(true.clip), bool)
    hit[mate[mate >= 0]] = True
    return _counts((clips, classes), found, mate < 0, true, hit)


def segment_counts(found: Events, true: Events, clips: int, classes: int, seconds: float = 1.0) -> np.ndarray:
    """Return hits, false alarms and misses (b c 3) of segments, as sed_eval's segment-based metrics.

    A clip is cut into segments of so many seconds; a class is in each that one of its events touches.
    """
    ends = [np.ceil(events.offset / seconds).astype(int) for events in (found, true)]
    count = max((int(end.max(initial=0)) for end in ends), default=0)
    rolls = []
    for events, end in zip((found, true), ends, strict=True):
        steps = np.zeros((clips, classes, count + 1), int)
        first = np.floor(events.onset / seconds).astype(int)
        np.add.at(steps, (events.clip, events.column, first), 1)
        np.add.at(steps, (events.clip, events.column, np.maximum(end, first)), -1)
        rolls.append(steps.cumsum(-1) > 0)
    told, held = rolls
    return np.stack([(told & held).sum(-1), (told & ~held).sum(-1), (held & ~told).sum(-1)], -1)


def intersection_counts(
    found: Events, true: Events, clips: int, classes: int, precise: float = 0.7, covered: float = 0.7
) -> np.ndarray:
    """Return hits, false alarms and misses (b c 3) by intersection, as PSDS counts them.

    A detection is a false alarm unless true events of its class cover at least the share `precise` of it (the
    detection tolerance); an event is found where other detections cover at least `covered` of it (the ground
    truth tolerance). The defaults are DCASE's first scenario. An event without duration is never found.
    """
    i, j = _pairs(found, true, classes)
    shared = np.minimum(found.offset[i], true.offset[j]) - np.maximum(found.onset[i], true.onset[j])
    shared = np.maximum(shared, 0)

    def share(events: Events, pairs: np.ndarray, weight: np.ndarray) -> np.ndarray:
        length = np.maximum(events.offset - events.onset, 1e-9)
        return np.bincount(pairs, weight, minlength=len(length)) / length

    right = share(found, i, shared) >= precise
    return _counts((clips, classes), found, ~right, true, share(true, j, shared * right[i]) >= covered)


def f1(counts: np.ndarray) -> F1:
    """Return F1 of counts (... c 3), summed over all axes before the classes."""
    hits, alarms, misses = counts.reshape(-1, *counts.shape[-2:]).sum(0).T
    with np.errstate(invalid="ignore"):
        per_class = np.where(hits + misses > 0, 2 * hits / (2 * hits + alarms + misses), np.nan)
        micro = float(np.divide(2 * hits.sum(), (2 * hits + alarms + misses).sum()))
    there = ~np.isnan(per_class)
    return F1(micro, float(per_class[there].mean()) if there.any() else float("nan"), per_class)


def psds(counts: np.ndarray, hours: float, spread: float = 1.0, most: float = 100.0) -> float:
    """Return the polyphonic sound detection score of `intersection_counts` (p c 3) at several thresholds.

    Every class has a curve: the share of its events found over false alarms an hour. The score is the area
    under the mean of the curves less `spread` times their standard deviation (alpha_ST), up to `most` false
    alarms an hour, over the area of finding all. Confusions of classes cost nothing of their own (alpha_CT is
    0, as in DCASE's first scenario). Classes without true events are left out; nan where that is all. It is 0
    as long as the deviation exceeds the mean: for classes found whole or not at all, until half are found.
    Source: Bilen et al., ICASSP 2020.
    """
    hits, alarms, misses = np.moveaxis(np.asarray(counts, float), -1, 0)
    there = (hits + misses).max(0, initial=0) > 0
    if not there.any():
        return float("nan")
    rate = alarms[:, there] / hours
    found = hits[:, there] / (hits + misses)[:, there]
    places = np.unique(np.append(rate[rate < most], 0.0))
    curves = np.zeros((len(places), rate.shape[1]))
    for c, order in enumerate(np.argsort(rate, axis=0, kind="stable").T):
        best = np.maximum.accumulate(np.append(0.0, found[order, c]))
        curves[:, c] = best[np.searchsorted(rate[order, c], places, side="right")]
    level = np.maximum(curves.mean(1) - spread * curves.std(1), 0)
    return float((level * np.diff(np.append(places, most))).sum() / most)


def _pairs(found: Events, true: Events, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of every detection and true event that have clip and class in common."""
    here, there = (events.clip * classes + events.column for events in (found, true))
    order = np.argsort(there, kind="stable")
    low, high = (np.searchsorted(there[order], here, side) for side in ("left", "right"))
    count = high - low
    i = np.repeat(np.arange(len(here)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, order[low[i] + within]


def _counts(
    shape: tuple[int, int], found: Events, alarm: np.ndarray, true: Events, hit: np.ndarray
) -> np.ndarray:
    """Hits, false alarms and misses of clips and classes; alarm: of each detection, hit: of each event."""
    counts = np.zeros((*shape, 3), int)
    for number, events, chosen in ((0, true, hit), (1, found, alarm), (2, true, ~hit)):
        np.add.at(counts[..., number], (events.clip[chosen], events.column[chosen]), 1)
    return counts
