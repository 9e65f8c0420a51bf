"""Metrics on raw logits: average precision per class, its mean over classes that can have one, accuracy."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln
from scipy.stats import rankdata


class MeanAP(NamedTuple):
    """Mean average precision and what it was taken over."""

    value: float  # mean over the classes with at least one positive; nan where there is none
    per_class: np.ndarray  # (c), nan for absent classes
    absent: tuple[int, ...]  # classes without positives: left out of the mean, to be reported with it


def average_precision(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return average precision (c) of scores (n c) for targets (n c) in {0, 1}; nan for a class without
    positives.

    Equal to scikit-learn's `average_precision_score` per class, ties included: clips with equal scores enter
    together. Scores are ranked as they are, so logits need no sigmoid (which would tie the large ones).

    >>> scores = np.array([[0.9], [0.6], [0.4]])
    >>> targets = np.array([[1], [0], [1]])  # the second of two positives is found third
    >>> average_precision(scores, targets)
    array([0.83333333])
    """
    scores, targets = _checked(scores, targets)
    return _average_precision(scores, targets, np.ones(scores.shape[1]))


def calibrated_average_precision(scores: np.ndarray, targets: np.ndarray, prevalence: float) -> np.ndarray:
    """Return average precision (c) as it would be if each class were in a share `prevalence` of the clips.

    The precision after some clips is TP / (TP + w FP) with w = pi (1 - pi0) / (pi0 (1 - pi)). Here pi is the
    share of the n clips that hold the class, and pi0 is `prevalence`. So the clips without the class count w
    times. So scores of groups with other prevalences can be compared; a random order has about pi0,
    and with pi0 = pi it is `average_precision`. nan for a class that all clips hold, or none.
    Source: Siblini et al., "Master your metrics with calibration", IDA 2020. Raises ValueError unless
    0 < prevalence < 1.
    """
    _check_prevalence(prevalence)
    scores, targets = _checked(scores, targets)
    share = targets.mean(0) if len(targets) else np.zeros(scores.shape[1])
    mixed = (share > 0) & (share < 1)
    share = np.where(mixed, share, 0.5)
    weight = share * (1 - prevalence) / (prevalence * (1 - share))
    return np.where(mixed, _average_precision(scores, targets, weight), np.nan)


@lru_cache(maxsize=4096)
def random_average_precision(positives: int, clips: int, prevalence: float | None = None) -> float:
    """Return the mean (calibrated) average precision of all orders of so many clips, `positives` with the
    class.

    prevalence: as for `calibrated_average_precision`; None: plain average precision. It is the prevalence
    plus what a lucky first hit is worth, which is much where few clips hold the class: 0.10 calibrated is
    0.16 on average with 5 of 120. Raises ValueError unless 1 <= positives <= clips, and calibrated < clips
    and 0 < prevalence < 1.
    """
    if prevalence is not None:
        _check_prevalence(prevalence)
    if not 1 <= positives <= clips - (prevalence is not None):
        raise ValueError(f"{positives} of {clips} clips cannot be positive: give some, or leave some out")
    if prevalence is None:  # a closed form: any number of clips at once
        harmonic = float((1 / np.arange(1, clips + 1)).sum())
        # A hit at rank i has i - 1 clips before it, each a hit with (positives - 1) / (clips - 1).
        return (harmonic + (positives - 1) / max(1, clips - 1) * (clips - harmonic)) / clips
    share = positives / clips
    weight = share * (1 - prevalence) / (prevalence * (1 - share))
    before = np.arange(clips)[:, None]  # clips above a hit, at each rank equally often
    hits = np.arange(positives)[None, :]  # of them with the class
    # Hypergeometric: of the other clips so many stand before, and of the other hits so many among them.
    factorial = gammaln(np.arange(clips + 1) + 1.0)
    possible = (hits <= before) & (before - hits <= clips - positives)
    missed = np.where(possible, before - hits, 0)
    others = np.where(possible, clips - positives - missed, 0)
    ways = factorial[positives - 1] - factorial[hits] - factorial[positives - 1 - hits]
    ways = ways + factorial[clips - positives] - factorial[missed] - factorial[others]
    every = factorial[clips - 1] - factorial[before] - factorial[clips - 1 - before]
    chance = np.exp(np.where(possible, ways - every, -np.inf))
    precision = (hits + 1) / (hits + 1 + weight * np.maximum(before - hits, 0))
    return float((chance * precision).sum() / clips)


def precision_at_hits(scores: np.ndarray, hits: np.ndarray, weight: float = 1.0) -> np.ndarray:
    """Return the precision (k m) at each of the m clips that `hits` (n bool) marks, of k orders (k n) of n
    clips.

    Clips with equal scores enter together. A clip that is no hit counts `weight` times. The mean over m is
    the average precision of an order.
    """
    found, every = np.sort(scores[:, hits], axis=1), np.sort(scores, axis=1)
    places = [row.searchsorted(own) for row, own in zip(every, found, strict=True)]
    as_high = scores.shape[1] - np.array(places, dtype=float).reshape(found.shape)
    first = np.zeros(found.shape, dtype=int)  # of the hits with the same score, in rising order
    first[:, 1:] = np.where(found[:, 1:] != found[:, :-1], np.arange(1, max(1, found.shape[1])), 0)
    good = found.shape[1] - np.maximum.accumulate(first, axis=1)
    return good / (good + weight * (as_high - good))


def _average_precision(scores: np.ndarray, targets: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Average precision (c) where a clip without the class counts `weight` (c) times."""
    precisions = np.full(scores.shape[1], np.nan)
    for c in np.flatnonzero(targets.any(0)):
        precisions[c] = precision_at_hits(scores[:, c][None], targets[:, c] > 0, weight[c]).mean()
    return precisions


def mean_average_precision(scores: np.ndarray, targets: np.ndarray) -> MeanAP:
    """Return MeanAP of scores (n c) for targets (n c): classes without positives are left out and named.

    scikit-learn and torchmetrics count such a class as 0 in their macro mean; that lowers the figure.
    """
    per_class = average_precision(scores, targets)
    absent = np.isnan(per_class)
    value = float(per_class[~absent].mean()) if not absent.all() else float("nan")
    return MeanAP(value, per_class, tuple(int(c) for c in np.flatnonzero(absent)))


def auroc(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return area under the ROC curve (c) of scores (n c) for targets (n c); nan if all clips or none are
    hits.

    The share of pairs of one clip with the class and one without in which the former scores higher; a tie
    counts one half. A random order has 1/2 however rare the class is: unlike average precision, it does not
    move with prevalence.
    """
    scores, targets = _checked(scores, targets)
    positives = targets.sum(0)
    above = (rankdata(scores, axis=0) * targets).sum(0) - positives * (positives + 1) / 2
    with np.errstate(invalid="ignore"):
        pairs = positives * (len(scores) - positives)
        return np.where(pairs > 0, above / pairs, np.nan)


def accuracy(scores: np.ndarray, targets: np.ndarray) -> float:
    """Share of clips whose largest score (n c) is their one label; targets (n c) one-hot.

    Of several largest scores the first class counts.
    """
    scores, targets = _checked(scores, targets)
    if len(targets) == 0 or not (targets.sum(1) == 1).all():
        raise ValueError("accuracy needs clips with exactly one label each: use mean_average_precision")
    return float((scores.argmax(1) == targets.argmax(1)).mean())


def _check_prevalence(prevalence: float) -> None:
    if not 0 < prevalence < 1:
        raise ValueError(f"a reference prevalence lies between 0 and 1, not {prevalence}")


def _checked(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores, targets = np.asarray(scores), np.asarray(targets)
    if scores.ndim != 2 or scores.shape != targets.shape:
        raise ValueError(f"scores and targets must be (n, c) alike, not {scores.shape} and {targets.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores hold NaN or infinity: the probe diverged; try a smaller learning rate")
    if not np.isin(targets, (0, 1)).all():
        raise ValueError("targets have to be 0 or 1")
    return scores.astype(np.float64), targets.astype(np.float64)
