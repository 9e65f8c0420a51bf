"""What the scores of a probe are worth at each polyphony: three measures a class, and events found.

Letters: b clip, c class. Scenes of more events hold each class more often, and average precision rises with
that by itself. So beside it stand two measures that do not move: the area under the ROC curve, and average
precision calibrated to one prevalence. An event is found by a rule of its own for the same reason: its class
scores above all but a share of the scenes of the same polyphony that lack the class.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protoviz.metrics import (
    accuracy,
    auroc,
    average_precision,
    calibrated_average_precision,
    random_average_precision,
)

REFERENCE = 0.1  # prevalence that calibrated average precision is told for: one scene in ten
FALSE_ALARMS = 0.05  # share of the scenes without the class above the threshold of `found_events`
LOUDNESS_EDGES = (-np.inf, -20.0, -15.0, -10.0, -5.0, 0.0, 5.0, np.inf)  # decibels, for `recall_by_level`
MEASURES = ("AP", "AUROC", "calibrated AP")
MACRO = {"AP": "mAP", "AUROC": "AUROC", "calibrated AP": "calibrated mAP"}  # over classes: its name


def class_rows(
    logits, targets, polyphony, classes: Sequence[str], reference: float = REFERENCE
) -> pd.DataFrame:
    """Return a frame: class, polyphony, positives, clips, AP, AUROC, calibrated AP: a row a class and number
    of events.

    logits, targets (b c); polyphony (b) events of each clip. nan where a class is in no clip of a
    polyphony (AP) or in none or all of them (the other two).
    """
    logits, targets, polyphony = np.asarray(logits), np.asarray(targets), np.asarray(polyphony)
    frames = []
    for k in np.unique(polyphony):
        chosen = polyphony == k
        scores, truth = logits[chosen], targets[chosen]
        frames.append(
            pd.DataFrame(
                {
                    "class": list(classes),
                    "polyphony": int(k),
                    "positives": truth.sum(axis=0).astype(int),
                    "clips": len(truth),
                    "AP": average_precision(scores, truth),
                    "AUROC": auroc(scores, truth),
                    "calibrated AP": calibrated_average_precision(scores, truth, reference),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def macro_rows(rows: pd.DataFrame, reference: float = REFERENCE) -> pd.DataFrame:
    """Return a frame: polyphony, metric, score, chance, clips: means over the classes of a frame of
    `class_rows`.

    chance: what all orders of the clips have on average, exactly: for mAP and calibrated mAP the mean over
    the classes of `random_average_precision`, for AUROC one half.
    """
    found = []
    for k, group in rows.groupby("polyphony"):
        pairs = list(zip(group.positives.tolist(), group.clips.tolist(), strict=True))
        plain = [random_average_precision(p, n) for p, n in pairs if p]
        calibrated = [random_average_precision(p, n, reference) for p, n in pairs if 0 < p < n]
        chances = {
            "AP": float(np.mean(plain)) if plain else np.nan,
            "AUROC": 0.5,
            "calibrated AP": float(np.mean(calibrated)) if calibrated else np.nan,
        }
        for name in MEASURES:
            score = float(group[name].mean())
            found.append((int(k), MACRO[name], score, chances[name], int(group.clips.iloc[0])))
    return pd.DataFrame(found, columns=["polyphony", "metric", "score", "chance", "clips"])


def single_label_rows(logits, targets, polyphony) -> pd.DataFrame:
    """Return the rows of `macro_rows` for the clips of one event: accuracy.

    Chance is the share of the commonest class.
    """
    chosen = np.asarray(polyphony) == 1
    scores, truth = np.asarray(logits)[chosen], np.asarray(targets)[chosen]
    row = (1, "accuracy", accuracy(scores, truth), float(truth.mean(axis=0).max()), int(chosen.sum()))
    return pd.DataFrame([row], columns=["polyphony", "metric", "score", "chance", "clips"])


def levels_below(levels) -> np.ndarray:
    """Return each event's level less that of the loudest other event of its clip (b c), decibels.

    levels (b c): nan where the class does not sound. Where no other event sounds, nan.
    """
    levels = np.asarray(levels, dtype=float)
    filled = np.where(np.isnan(levels), -np.inf, levels)
    padded = np.pad(filled, ((0, 0), (1, 0)), constant_values=-np.inf)  # a single class has a second, too
    order = np.sort(padded, axis=1)
    first, second = order[:, -1:], order[:, -2:-1]
    # Of the loudest event the loudest other is the second; ties leave it the first.
    other = np.where(filled == first, second, first)
    return np.where(np.isnan(levels) | np.isinf(other), np.nan, levels - other)


def found_events(
    logits, targets, polyphony, false_alarms: float = FALSE_ALARMS
) -> tuple[np.ndarray, np.ndarray]:
    """Return which events are found (b c) bool, and how often a random order would find each (b c).

    The rule: the class scores higher than the m-th highest of the clips of the same polyphony that lack it,
    m = floor(false_alarms n) + 1 of n such clips; so at most a share `false_alarms` of them is above it. A
    random order finds an event in m / (n + 1) cases, exactly, at every polyphony and for every class. Both
    are False and nan where the class does not sound, or where no clip lacks it.
    """
    logits, targets = np.asarray(logits, dtype=float), np.asarray(targets).astype(bool)
    found, chance = np.zeros(targets.shape, dtype=bool), np.full(targets.shape, np.nan)
    for k in np.unique(polyphony):
        rows = np.flatnonzero(np.asarray(polyphony) == k)
        for c in range(targets.shape[1]):
            holds = targets[rows, c]
            without = np.sort(logits[rows[~holds], c])[::-1]
            if not len(without) or not holds.any():
                continue
            m = int(np.floor(false_alarms * len(without))) + 1
            found[rows[holds], c] = logits[rows[holds], c] > without[m - 1]
            chance[rows[holds], c] = m / (len(without) + 1)
    return found, chance


def recall_by_level(found, chance, below, polyphony, edges: Sequence[float] = LOUDNESS_EDGES) -> pd.DataFrame:
    """Return a frame: polyphony, low_db, high_db, found, events, chance: events by level under the loudest
    other, counted.

    found, chance (b c): of `found_events`; below (b c): of `levels_below`; a bin holds low <= level < high.
    chance: the mean over the bin's events. Bins without events are left out.
    """
    known = ~(np.isnan(below) | np.isnan(chance))
    clips, _ = np.nonzero(known)
    frame = pd.DataFrame(
        {
            "polyphony": np.asarray(polyphony)[clips].astype(int),
            "bin": np.digitize(np.asarray(below)[known], edges) - 1,
            "found": np.asarray(found)[known].astype(int),
            "chance": np.asarray(chance)[known],
        }
    )
    groups = frame.groupby(["polyphony", "bin"])
    table = groups.agg(found=("found", "sum"), events=("found", "size"), chance=("chance", "mean"))
    table = table.reset_index()
    low, high = np.asarray(edges)[:-1], np.asarray(edges)[1:]
    table.insert(1, "low_db", low[table.bin])
    table.insert(2, "high_db", high[table.bin])
    return table.drop(columns="bin")
