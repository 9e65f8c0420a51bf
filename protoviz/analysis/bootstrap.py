"""Bootstrap draws of mean scores, over seeds, over clips or classes, or over seeds and clips at once."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protoviz.analysis.tables import RankingError

LEVEL = 0.95
DRAWS = 2000  # the ends of a 95 % interval then rest on 50 draws each
AT_ONCE = 4_000_000  # counts of clips held at a time: 32 MB
Unit = str | Sequence[str]  # "seed", "clip", "class", or ("seed", "clip")


def units_of(unit: Unit) -> list[str]:
    """Return the columns that are resampled, one or two: "seed" -> ["seed"]."""
    found = [unit] if isinstance(unit, str) else list(unit)
    if (len(found) == 2 and found[0] != "seed") or not 1 <= len(found) <= 2:
        raise RankingError(f"resample one column, or seed and one more, not {found}")
    return found


def bootstrap_means(
    frame: pd.DataFrame, by: list[str], unit: Unit = "seed", draws: int = DRAWS, seed: int = 0
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the groups of `by` (a frame of keys) and bootstrap draws (group, draw) of each one's mean score.

    The mean of a group is the mean over its data sets; within a data set the units (runs of one seed, or
    clips, or classes) are drawn with replacement. Seeds are drawn anew for each group. Clips are the same for
    all who were tested on them, so one draw of all clips of a data set serves every group: differences
    between groups then keep what the clips have in common. A group that lacks some of these clips has in each
    draw the mean over those it has, and nan where there is none of them. unit = ("seed", "clip"): both levels
    in every draw, seeds of the group and the shared clips; every seed must have scored every clip
    (RankingError), because all of them are tested on the same ones. A single unit says nothing about its
    spread: its draws are nan. With three units the interval is about their whole range; it is narrower than
    the true one, as any from so few is.
    """
    units = units_of(unit)
    stream = np.random.default_rng(seed)
    names = list(dict.fromkeys([*by, "dataset"]))
    cells = frame.groupby([*names, *units], sort=False, dropna=False).score.mean().reset_index()
    ids = cells.groupby("dataset", sort=False)[units[-1]]
    every = {name: own.drop_duplicates().sort_values() for name, own in ids}
    keys, drawn = [], []
    for key, group in cells.groupby(by, sort=False):
        means = []
        for name, rows in group.groupby("dataset", sort=False):
            shared = np.random.default_rng([seed, *str(name).encode()])
            if len(units) == 2:
                means.append(_crossed(rows, units, every[name], draws, stream, shared))
            elif units == ["seed"]:
                means.append(_drawn(rows.sort_values(units).score.to_numpy(), draws, stream))
            else:
                scores = rows.set_index(units[0]).score.reindex(every[name])
                means.append(_drawn(scores.to_numpy(), draws, shared))
        keys.append(key)
        drawn.append(np.mean(means, axis=0))
    # With the types of the frame, also where it is empty: what is joined to the keys has those.
    return pd.DataFrame(keys, columns=by).astype(frame[by].dtypes), np.array(drawn).reshape(len(keys), draws)


def ends(drawn: np.ndarray, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile ends (n) of draws (n, draw); nan if the draws are."""
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=1)
    return low, high


def _drawn(values: np.ndarray, draws: int, stream) -> np.ndarray:
    """(draw) means over units drawn from all `values`, of those that are known (not nan)."""
    known, chosen = ~np.isnan(values), stream.integers(len(values), size=(draws, len(values)))
    if known.sum() < 2:
        return np.full(draws, np.nan)
    if known.all():
        return values[chosen].mean(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0: a draw that holds none
        return np.where(known, values, 0)[chosen].sum(axis=1) / known[chosen].sum(axis=1)


def _crossed(rows: pd.DataFrame, units: list[str], ids, draws: int, stream, shared) -> np.ndarray:
    """(draw) means over seeds drawn from `stream` and inner units drawn, of `ids`, from `shared`.

    A draw is held as how often each unit was taken, so that a mean over (seed, clip) is a product of counts.
    """
    values = rows.pivot(index=units[0], columns=units[1], values="score").reindex(columns=ids).to_numpy()
    if np.isnan(values).any():
        raise RankingError(f"scores are missing: give one of every {units[1]} for every seed")
    seeds, clips = values.shape
    if min(seeds, clips) < 2:
        return np.full(draws, np.nan)
    outer = stream.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    means, step = np.empty(draws), max(1, AT_ONCE // clips)
    for start in range(0, draws, step):
        part = slice(start, min(start + step, draws))
        taken = shared.multinomial(clips, np.full(clips, 1 / clips), size=part.stop - start) / clips
        means[part] = ((taken @ values.T) * outer[part]).sum(axis=1)
    return means
