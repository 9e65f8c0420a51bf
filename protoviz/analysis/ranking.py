"""Encoders ranked under each pooling, and how sure the ranks are. Frames in and out, whoever made the scores.

A frame of scores has the columns of `tables.SCORE_COLUMNS`, a row a run; other columns are left alone. The
unit that intervals are drawn over is a column too: "seed", or "clip" (or "class") where a row is one clip's
(class's) score, or both, ("seed", "clip").
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from protoviz.analysis.bootstrap import DRAWS, LEVEL, Unit, bootstrap_means, ends, units_of
from protoviz.analysis.tables import BASELINE, TUNED, RankingError


def shared_sets(frame: pd.DataFrame) -> list:
    """Return the data sets on which every encoder was scored under every method, in the frame's order.

    Means over other sets would compare encoders on different clips. Raises RankingError where there is none,
    or where the rows hold several metrics: accuracy and mAP have no common mean.
    """
    if frame.empty:
        raise RankingError("there are no scores to rank: give a table with rows")
    if frame.metric.nunique() > 1:
        found = ", ".join(sorted(frame.metric.unique()))
        raise RankingError(f"scores of several metrics have no common mean ({found}): choose one")
    pairs = frame[["dataset", "encoder", "method"]].drop_duplicates()
    full = pairs.encoder.nunique() * pairs.method.nunique()
    count = pairs.groupby("dataset", sort=False).size()
    if not (count == full).any():
        raise RankingError("no data set has scores of every encoder under every method: run what is missing")
    return count.index[count == full].tolist()


def comparable_methods(frame: pd.DataFrame) -> list[str]:
    """Return the methods under which every encoder was scored, on the data set that has most of them; in
    order.

    `ranks` of their rows has no gap; a table in which one encoder lacks a method still ranks the others.
    """
    pairs = frame[["dataset", "encoder", "method"]].drop_duplicates()
    count = pairs.groupby(["dataset", "method"], sort=False).size()
    full = count[count == pairs.encoder.nunique()].reset_index()
    if full.empty:
        return []
    most = full.groupby("dataset", sort=False).size().idxmax()
    return full[full.dataset == most].method.tolist()


def cell_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame: dataset, encoder, method, metric, mean, sd, runs: a row a cell of a table, in the
    frame's order.

    sd: standard deviation over seeds (n - 1), as the paper reports it; nan for a single run.
    """
    keys = ["dataset", "encoder", "method", "metric"]
    cells = frame.groupby(keys, sort=False, dropna=False).score.agg(["mean", "std", "size"])
    return cells.reset_index().rename(columns={"std": "sd", "size": "runs"})


def mean_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame: encoder, method, score (mean over `shared_sets` of the mean over runs), sets; in the
    frame's order.
    """
    sets = shared_sets(frame)
    cells = frame[frame.dataset.isin(sets)].groupby(["encoder", "method", "dataset"], sort=False).score.mean()
    means = cells.groupby(["encoder", "method"], sort=False).mean().reset_index()
    return means.assign(sets=len(sets))


def ranks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return `mean_scores` with rank: 1 is the best encoder under a method; equal scores share the better."""
    means = mean_scores(frame)
    rank = means.groupby("method").score.rank(ascending=False, method="min").astype(int)
    return means.assign(rank=rank)


def ranks_with_intervals(
    frame: pd.DataFrame, unit: Unit = "seed", draws: int = DRAWS, level: float = LEVEL, seed: int = 0
) -> pd.DataFrame:
    """Return `ranks` with low, high (of the score), rank_low, rank_high and uncertain, by bootstrap over
    `unit`.

    uncertain: the encoder's interval crosses that of another under the same method, so their order is not
    settled by these runs; also where a single run gives no interval (low and high are then nan).
    """
    table = ranks(frame)
    frame = frame[frame.dataset.isin(shared_sets(frame))]
    keys, drawn = bootstrap_means(frame, ["encoder", "method"], unit, draws, seed)
    order = keys.reset_index().set_index(["encoder", "method"])["index"]
    drawn = drawn[order.loc[pd.MultiIndex.from_frame(table[["encoder", "method"]])].to_numpy()]
    low, high = ends(drawn, level)
    table = table.assign(low=low, high=high, rank_low=table["rank"], rank_high=table["rank"], uncertain=True)
    for _, rows in table.groupby("method"):
        i = rows.index.to_numpy()
        if np.isnan(drawn[i]).any():
            continue
        place = 1 + (drawn[i][None] > drawn[i][:, None]).sum(axis=1)  # (encoder, draw)
        tail = (1 - level) / 2
        table.loc[i, "rank_low"] = np.quantile(place, tail, axis=1, method="lower")
        table.loc[i, "rank_high"] = np.quantile(place, 1 - tail, axis=1, method="higher")
        table.loc[i, "uncertain"] = crossing(low[i], high[i])
    return table


def crossing(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return (n) bool: the interval [low, high] meets at least one other of the n."""
    meets = (low[:, None] <= high[None]) & (low[None] <= high[:, None])
    np.fill_diagonal(meets, False)
    return meets.any(axis=1)


def intervals(
    frame: pd.DataFrame,
    by: list[str],
    unit: Unit = "seed",
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the groups of `by` with score (mean over data sets of the mean over units), low and high."""
    keys, drawn = bootstrap_means(frame, by, unit, draws, seed)
    names = list(dict.fromkeys([*by, "dataset"]))
    cells = frame.groupby([*names, *units_of(unit)], sort=False, dropna=False).score.mean()
    means = cells.groupby(names, sort=False).mean().groupby(by, sort=False).mean()
    low, high = ends(drawn, level)
    return keys.assign(score=means.to_numpy(), low=low, high=high)


def gains(
    frame: pd.DataFrame,
    baseline: str = BASELINE,
    unit: Unit = "seed",
    draws: int = DRAWS,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Return encoder, method, gain over `baseline` (mean over `shared_sets`), low, high, of other methods."""
    means = mean_scores(frame)
    frame = frame[frame.dataset.isin(shared_sets(frame))]
    if baseline not in set(means.method):
        raise RankingError(f"there are no scores of the baseline {baseline!r}: run it, or name another")
    keys, drawn = bootstrap_means(frame, ["encoder", "method"], unit, draws)
    place = {key: i for i, key in enumerate(keys.itertuples(index=False, name=None))}
    base = means[means.method == baseline].set_index("encoder").score
    rows = []
    for encoder, method, score in means[["encoder", "method", "score"]].itertuples(index=False):
        if method != baseline:
            low, high = ends((drawn[place[encoder, method]] - drawn[place[encoder, baseline]])[None], level)
            rows.append((encoder, method, score - base[encoder], low[0], high[0]))
    return pd.DataFrame(rows, columns=["encoder", "method", "gain", "low", "high"])


def gap_closed(frame: pd.DataFrame, references: pd.DataFrame, baseline: str = BASELINE) -> pd.DataFrame:
    """Return a frame: dataset, encoder, method, share: (score - baseline) / (fine-tuned - baseline), for
    every other method.

    references: dataset, encoder, score of the fine-tuned encoder; pairs without one are left out. A share is
    0 where a probe scores as the baseline does and 1 where it scores as the fine-tuned encoder does; nan
    where fine-tuning does not beat the baseline, so that there is no gap.
    """
    keys = ["dataset", "encoder"]
    means = frame.groupby([*keys, "method"], sort=False).score.mean().reset_index()
    base = means[means.method == baseline].rename(columns={"score": "base"})[[*keys, "base"]]
    tuned = references.rename(columns={"score": "tuned"})[[*keys, "tuned"]]
    table = means[means.method != baseline].merge(base, on=keys).merge(tuned, on=keys)
    gap = table.tuned - table.base
    share = (table.score - table.base) / gap.where(gap > 0)
    return table.assign(share=share)[[*keys, "method", "share"]].reset_index(drop=True)


def own_gap(frame: pd.DataFrame, tuned: str = TUNED, baseline: str = BASELINE) -> pd.DataFrame:
    """Return the rows of `gap_closed` that have a share, of runs among which are fine-tuned encoders.

    frame: dataset, encoder, method, score, a row a run; tuned: the method's name of those encoders.
    """
    probes, encoders = frame[frame.method != tuned], frame[frame.method == tuned]
    references = encoders.groupby(["dataset", "encoder"], sort=False).score.mean().reset_index()
    return gap_closed(probes, references, baseline).dropna(subset=["share"]).reset_index(drop=True)


def rank_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return a frame: first, second, tau: Kendall's tau-b between the encoders' order under two methods, for
    each pair.

    table: a frame of `ranks`. 1: the same order, -1: the reverse, nan for fewer than two encoders.
    """
    scores = table.pivot(index="encoder", columns="method", values="score")
    pairs = combinations(table.method.drop_duplicates(), 2)
    enough = len(scores) > 1
    rows = [
        (a, b, float(kendalltau(scores[a], scores[b]).statistic) if enough else float("nan"))
        for a, b in pairs
    ]
    return pd.DataFrame(rows, columns=["first", "second", "tau"])


def win_ranks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame: encoder, method, wins, rank: each encoder's methods by how often they beat another
    clearly.

    wins: the sum of a method's row in the `win_matrix` of this encoder's scores alone; rank 1 wins most, and
    equal counts share the better rank (the measure of the paper's Figure 8). Raises RankingError as
    `win_matrix` does.
    """
    parts = []
    for encoder, rows in frame.groupby("encoder", sort=False):
        wins = win_matrix(rows).sum(axis=1).rename("wins").reset_index()
        rank = wins.wins.rank(ascending=False, method="min").astype(int)
        parts.append(wins.assign(encoder=encoder, rank=rank)[["encoder", "method", "wins", "rank"]])
    if not parts:
        raise RankingError("there are no scores to rank: give a table with rows")
    return pd.concat(parts, ignore_index=True)


def win_shift(frame: pd.DataFrame, mark: str = "+") -> pd.DataFrame:
    """Return a frame: encoder, method, before, after, up: ranks by wins under an encoder and under its
    supervised variant.

    The variant has the encoder's name and `mark` after it (BEATs, BEATs+); up: how many places a method gains
    (the paper's Figure 8). Wins are counted over the data sets and methods that both were scored on. Raises
    RankingError where there is no such pair, or as `win_matrix` does.
    """
    names = frame.encoder.drop_duplicates().tolist()
    parts = []
    for name in (name for name in names if f"{name}{mark}" in names):
        both = [frame[frame.encoder == one] for one in (name, f"{name}{mark}")]
        for key in ("dataset", "method"):
            shared = set(both[0][key]) & set(both[1][key])
            both = [rows[rows[key].isin(shared)] for rows in both]
        if both[0].empty or both[1].empty:
            continue
        before, after = (win_ranks(rows).set_index("method")["rank"] for rows in both)
        table = pd.DataFrame({"encoder": name, "before": before, "after": after.loc[before.index]})
        parts.append(table.assign(up=table.before - table.after).rename_axis("method").reset_index())
    if not parts:
        raise RankingError(f"no encoder has a variant beside it, named like it with {mark!r} behind")
    return pd.concat(parts, ignore_index=True)[["encoder", "method", "before", "after", "up"]]


def moves(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return encoder, before, after, up: ranks under two methods and the places gained; most first."""
    place = table.pivot(index="encoder", columns="method", values="rank")
    frame = pd.DataFrame({"before": place[first], "after": place[second]})
    frame = frame.assign(up=frame.before - frame.after).reset_index()
    return frame.sort_values(["up", "after"], ascending=[False, True], ignore_index=True)


def win_matrix(frame: pd.DataFrame, margin: float | None = None) -> pd.DataFrame:
    """Return methods x methods: in how many (data set, encoder) pairs the row beats the column clearly.

    Clearly: the mean over seeds is higher by more than one standard deviation (n - 1) of the opponent's
    scores; what lies within is a tie and counts for neither (the paper's Figure 5). Raises RankingError
    where a cell has a single run, so no deviation. margin: where deviations are not known, a win is a mean
    higher by more than this instead (0.01 is a point); such counts are not the paper's.
    """
    cells = frame.groupby(["dataset", "encoder", "method"], sort=False).score.agg(["mean", "std"])
    if margin is not None:
        cells["std"] = float(margin)
    if cells["std"].isna().any():
        raise RankingError("a win needs the deviation over seeds: run at least two")
    methods = frame.method.drop_duplicates().tolist()
    mean, deviation = (cells[name].unstack("method")[methods].to_numpy() for name in ("mean", "std"))
    wins = mean[:, :, None] - mean[:, None] > deviation[:, None]  # (pair, row, column); nan wins nothing
    return pd.DataFrame(wins.sum(axis=0), index=pd.Index(methods, name="method"), columns=methods)


def method_agreement(one: pd.DataFrame, other: pd.DataFrame) -> tuple[float, list[str]]:
    """Return Kendall's tau-b between the orders that two frames of scores give the methods they share, and
    those.

    A method's place is its mean over the data sets and encoders of its frame (`mean_scores`). 1: the same
    order, -1: the reverse; nan for fewer than two shared methods.
    """
    means = [mean_scores(frame).groupby("method", sort=False).score.mean() for frame in (one, other)]
    shared = [name for name in means[0].index if name in means[1].index]
    if len(shared) < 2:
        return float("nan"), shared
    return float(kendalltau(means[0][shared], means[1][shared]).statistic), shared
