"""How many prototypes a class needs: those that add least are removed one by one, without the encoder.

Letters: b clip, j prototype, c class. Logits are W s + b, so a prototype is taken away by subtracting
W[:, j] s_j: scores are computed once, and what is left is what the smaller probe would say.

`pruned_means` and `class_needs` read what runs of several seeds left: a table of the scorer `Pruned`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from protoviz.analysis.ranking import intervals
from protoviz.metrics import average_precision, precision_at_hits

ALL = ""  # in the column class: the mean over classes
REMOVED, REFITTED = "removed", "refitted"  # stages: prototypes taken away; then the classifier trained anew

DIGITS = 12  # of an mAP: sums of the same parts in another order are the same, and then the first is taken
CHUNK = 2**22  # logits at a time: 32 MB in float64, beside as much in float32


@dataclass(frozen=True, eq=False)
class Pruning:
    """The order in which prototypes were removed, and what was left after each round."""

    removed: np.ndarray  # (r) prototypes, the first removed first
    counts: np.ndarray  # (k) prototypes kept, falling: at the start and after each round
    precisions: np.ndarray  # (k c) average precision of the clips that chose; nan for absent classes
    total: int  # prototypes at the start

    @property
    def scores(self) -> np.ndarray:
        """(k) their mean over classes."""
        return np.nanmean(self.precisions, axis=1)

    @property
    def best(self) -> int:
        """The fewest prototypes with the highest score on the clips that chose."""
        return int(self.counts[len(self.counts) - 1 - self.scores[::-1].argmax()])

    def curve(self, scores, weight, bias, targets, classes: Sequence[str]) -> pd.DataFrame:
        """Return kept, class ("": their mean), score: average precision of other clips, as in `prune`."""
        parts = []
        for count in self.counts.tolist():
            logits = logits_of(scores, weight, bias, self.kept(count)).astype(np.float32)
            each = average_precision(logits, targets)
            told = {"class": ["", *classes], "score": [np.nanmean(each), *each]}
            parts.append(pd.DataFrame(told).assign(kept=count))
        return pd.concat(parts, ignore_index=True)[["kept", "class", "score"]]

    def kept(self, count: int) -> np.ndarray:
        """Return the prototypes (count) that are left when so many are, in rising order."""
        if not self.total - len(self.removed) <= count <= self.total:
            left = self.total - len(self.removed)
            raise ValueError(f"{count} prototypes: this pruning kept {left} to {self.total}")
        return np.setdiff1d(np.arange(self.total), self.removed[: self.total - count])


def prune(scores, weight, bias, targets, stop: int = 1, share: float = 0.0) -> Pruning:
    """Return the Pruning that takes away, in each round, the prototypes without which mAP stays highest.

    scores   (b j) of clips that were not trained on
    weight   (c j), bias (c): of the classifier, behind any normalisation folded into it
    targets  (b c) of 0 and 1
    stop     prototypes at which it ends
    share    of those kept, how many a round removes: those that cost least, each by itself. 0: one a round,
             the greedy order. With more the rounds are fewer, which thousands of prototypes need.
    Every mAP is exact: that of the float32 logits of what is kept. Of prototypes that cost the same the first
    goes first. Time: b x c x j products and a sort of the clips for each prototype kept, in every round.
    Raises ValueError for arrays that do not fit, and where no class has a positive.
    """
    scores, weight, bias = (np.asarray(one, dtype=float) for one in (scores, weight, bias))
    present = np.asarray(targets, dtype=bool)
    fits = weight.shape == (present.shape[1], scores.shape[1]) and len(scores) == len(present)
    if not (fits and bias.shape == weight.shape[:1]):
        shapes = [one.shape for one in (scores, weight, bias, present)]
        raise ValueError(f"scores, weight, bias, targets are {shapes}: give (b j), (c j), (c), (b c)")
    if not present.any():
        raise ValueError("no clip has a label: nothing can choose between prototypes")
    if not 1 <= stop <= weight.shape[1] or not 0 <= share < 1:
        raise ValueError(f"stop {stop}, share {share}: give 1 to {weight.shape[1]}, and 0 to less than 1")
    rows, kept = np.ascontiguousarray(scores.T), np.arange(weight.shape[1])
    removed, counts, precisions = [], [], []
    while True:
        logits = logits_of(scores, weight, bias, kept)
        counts.append(len(kept))
        precisions.append(average_precision(logits.astype(np.float32), present))
        if len(kept) <= stop:
            break
        costs = -_without_each(rows[kept], weight[:, kept], logits.T, present.T)
        take = min(max(1, int(share * len(kept))), len(kept) - stop)
        order = np.argsort(costs, kind="stable")[:take]
        removed += kept[order].tolist()
        kept = np.delete(kept, order)
    order = np.array(removed, dtype=int)
    return Pruning(order, np.array(counts), np.array(precisions), weight.shape[1])


def pruned_means(table: pd.DataFrame, stage: str = REMOVED) -> pd.DataFrame:
    """Return kept, class (ALL: their mean), score, low, high: of one method's pruned probes, over seeds.

    Intervals (`intervals`) are of the mean over classes alone; a number that a seed lacks is left out.
    """
    rows = table[table.stage == stage]
    rows = rows[rows.groupby("kept").seed.transform("nunique") == rows.seed.nunique()]
    whole = rows["class"] == ALL
    mean = intervals(rows[whole].assign(dataset=""), ["kept", "class"])
    classes = rows[~whole].groupby(["kept", "class"], sort=False).score.mean().reset_index()
    return pd.concat([mean, classes], ignore_index=True)[["kept", "class", "score", "low", "high"]]


def chosen_counts(table: pd.DataFrame) -> list[int]:
    """Return how many prototypes the validation clips of each seed chose to keep, rising."""
    return sorted(table[table.chosen].groupby("seed").kept.first().tolist())


def class_needs(table: pd.DataFrame) -> pd.DataFrame:
    """Return class, prototypes (mean over seeds), least, most, score, whole: most prototypes first.

    prototypes: of those that the validation clips chose to keep, how many argue for the class most; score:
    average precision of what is kept, its classifier trained anew, and `whole` that of the unpruned probe.
    """
    classes = table[table["class"] != ALL]
    kept = classes[classes.chosen & (classes.stage == REFITTED)].groupby("class", sort=False)
    whole = classes[(classes.stage == REMOVED) & (classes.kept == classes.kept.max())]
    found = pd.DataFrame(
        {
            "prototypes": kept.prototypes.mean(),
            "least": kept.prototypes.min(),
            "most": kept.prototypes.max(),
            "score": kept.score.mean(),
            "whole": whole.groupby("class", sort=False).score.mean(),
        }
    )
    found = found.rename_axis("class").reset_index()
    return found.sort_values(["prototypes", "class"], ascending=[False, True], ignore_index=True)


def logits_of(scores, weight, bias, kept: np.ndarray) -> np.ndarray:
    """Return logits (b c) of the prototypes `kept` alone."""
    return scores[:, kept] @ weight[:, kept].T + bias


def _without_each(scores: np.ndarray, weight: np.ndarray, logits: np.ndarray, present: np.ndarray):
    """(j) mAP without each prototype: scores (j b), weight (c j), logits (c b), present (c b)."""
    held = present.any(1)
    total = np.zeros(len(scores))
    for own, row, hits in zip(weight[held], logits[held], present[held], strict=True):
        for part in _parts(len(scores), len(row)):
            left = row - own[part, None] * scores[part]
            total[part] += precision_at_hits(left.astype(np.float32), hits).mean(1)
    return np.round(total / held.sum(), DIGITS)


def _parts(count: int, width: int) -> Iterator[slice]:
    step = max(1, CHUNK // width)
    return (slice(start, start + step) for start in range(0, count, step))
