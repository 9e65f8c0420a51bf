"""What would a probe say if a prototype kept silent, or if a region were not there? Exact sums, no new pass.

Letters: c class, j prototype, t, f cells. All arrays belong to one clip. A prototype probe's logits are
W s + b over its raw scores s (a normalisation of the scores is folded into W and b), so a change of the
scores tells all logits. Source: paper, section 3.1; what to put in a muted score's place is not stated there.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd

from protoviz.analysis.prototypes import sigmoid

Region = Sequence[int]  # first cell and end (exclusive) in time, then in frequency: t0, t1, f0, f1


# -- prototypes that keep silent


def silent_prototypes(count: int, muted: Collection[int], solo: Collection[int] = ()) -> np.ndarray:
    """Return which of so many prototypes keep silent, rising: the muted ones and, where some are solo, all
    others.

    Numbers that are no prototype are passed over: a link may have been made for another probe.
    """
    silent = np.zeros(count, dtype=bool)
    alone = [j for j in solo if 0 <= j < count]
    if alone:
        silent[:] = True
        silent[alone] = False
    silent[[j for j in muted if 0 <= j < count]] = True
    return np.flatnonzero(silent)


def muted_scores(scores, muted, baseline=0.0) -> np.ndarray:
    """Return scores (j,) in which muted ones have the baseline: one number, or (j,) for each prototype."""
    scores = np.array(scores, dtype=float)
    muted = np.asarray(muted, dtype=int)
    scores[muted] = np.broadcast_to(np.asarray(baseline, dtype=float), scores.shape)[muted]
    return scores


def linear_logits(weight, bias, scores) -> np.ndarray:
    """Return logits (c,) = W s + b of weight (c j), bias (c,) and raw scores (j,), in float64."""
    return np.asarray(weight, dtype=float) @ np.asarray(scores, dtype=float) + np.asarray(bias, dtype=float)


def muted_logits(weight, bias, scores, muted, baseline=0.0) -> np.ndarray:
    """Return logits (c,) while some prototypes keep silent; baseline 0: as if their columns of W were 0."""
    return linear_logits(weight, bias, muted_scores(scores, muted, baseline))


def muted_row(row, weights, scores, muted, baseline=0.0) -> np.ndarray:
    """Return contributions (j,) to one class while some prototypes keep silent; with the bias they sum to its
    logit.

    row (j,): contributions as they are, weights (j,): that class's row of W. Behind a normalisation a
    contribution is counted from the score's running mean, and so is what a muted one still adds.
    """
    change = muted_scores(scores, muted, baseline) - np.asarray(scores, dtype=float)
    return np.asarray(row, dtype=float) + np.asarray(weights, dtype=float) * change


def class_changes(classes: Sequence[str], before, after) -> pd.DataFrame:
    """Return a row a class: class, logit, new_logit, change (new less old), probability, new_probability."""
    before, after = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    return pd.DataFrame(
        {
            "class": list(classes),
            "logit": before,
            "new_logit": after,
            "change": after - before,
            "probability": sigmoid(before),
            "new_probability": sigmoid(after),
        }
    )


# -- a region that is not there


def region_of_box(grid, box) -> tuple[int, int, int, int] | None:
    """Return the smallest region of whole cells with every cell that a box touches; None: there is none."""
    times, freqs = np.nonzero(touched(grid, [box]))
    if not len(times):
        return None
    return int(times.min()), int(times.max()) + 1, int(freqs.min()), int(freqs.max()) + 1


def region_cells(grid, region: Region) -> np.ndarray:
    """Return which cells (t f) of the grid lie in a region; what of it lies outside is passed over."""
    t0, t1, f0, f1 = region
    cells = np.zeros((grid.times, grid.freqs), dtype=bool)
    cells[max(t0, 0) : max(t1, 0), max(f0, 0) : max(f1, 0)] = True
    return cells


def scores_without(similarity, left_out) -> np.ndarray:
    """Return scores (j,) = the largest similarity (j t f) outside the left-out cells (t f); nan cells are
    padding.

    Where no cell is left, a score is 0, as a probe scores a clip without real tokens.
    Raises ValueError where map and cells have different grids (a probe that doubles its map).
    """
    similarity, left_out = np.asarray(similarity, dtype=float), np.asarray(left_out, dtype=bool)
    if similarity.shape[1:] != left_out.shape:
        raise ValueError(
            f"the similarity map has {similarity.shape[1:]} cells and the region is of {left_out.shape}: "
            "take the region on the probe's own grid"
        )
    kept = np.where(left_out | np.isnan(similarity), -np.inf, similarity)
    scores = kept.max(axis=(1, 2))
    return np.where(np.isneginf(scores), 0.0, scores)


def logits_without(weight, bias, similarity, left_out) -> np.ndarray:
    """Return logits (c,) of a prototype probe that may not look at the left-out cells (t f)."""
    return linear_logits(weight, bias, scores_without(similarity, left_out))


def region_effects(classes: Sequence[str], original, left_out, taken_out=None) -> pd.DataFrame:
    """Return one row a class: class, original, left_out, taken_out (logits) and difference = taken_out -
    left_out.

    taken_out None: not encoded yet, nan. Left out, the other tokens have still heard the region through the
    encoder's attention; taken out of the sound, they have not. So the difference is what they had taken up
    from it, and what the encoder makes of the stand-in, which no sum can tell apart.
    """
    original, left_out = np.asarray(original, dtype=float), np.asarray(left_out, dtype=float)
    taken_out = np.full(len(original), np.nan) if taken_out is None else np.asarray(taken_out, dtype=float)
    columns = {"original": original, "left_out": left_out, "taken_out": taken_out}
    return pd.DataFrame({"class": list(classes), **columns, "difference": taken_out - left_out})


# -- hits


def chance_of_hit(grid, boxes: Iterable) -> float:
    """Return the share of the grid's cells that touch a box: how often a random cell would be a hit."""
    return float(touched(grid, boxes).mean())


def touched(grid, boxes: Iterable) -> np.ndarray:
    """Return which cells (t f) share some area with one of the boxes or events."""
    found = np.zeros((grid.times, grid.freqs), dtype=bool)
    for box in boxes:
        found |= grid.overlap((box.onset, box.offset, box.low_hz, box.high_hz)) > 0
    return found
