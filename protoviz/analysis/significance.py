"""Are the poolings apart? Average ranks over many comparisons, Friedman's test, Nemenyi's difference.

Source: Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), section 3.2.
The paper itself counts pairwise wins (`ranking.win_matrix`); this is the usual second look.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import f, friedmanchisquare, studentized_range

from protoviz.analysis.tables import RankingError

ALPHA = 0.05


@dataclass(frozen=True)
class CriticalDifference:
    """What a diagram of critical difference shows."""

    ranks: pd.Series  # method -> average rank, best (lowest) first
    difference: float  # average ranks that differ by this much or more are apart
    p_value: float  # of Friedman's test in the form of Iman and Davenport: all methods are alike
    blocks: int  # pairs of data set and encoder
    cliques: tuple[tuple[str, ...], ...]  # largest sets of neighbours that are not apart
    alpha: float = ALPHA


def block_ranks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return (block, method) ranks within each pair of data set and encoder, 1 the best; ties share the mean.

    A cell's score is its mean over runs. Pairs that lack a method are left out, because ranks among fewer
    methods are lower. Ranks know no unit, so data sets of different metrics may stand together.
    """
    if frame.empty:
        raise RankingError("there are no scores to rank: give a table with rows")
    cells = frame.groupby(["dataset", "encoder", "method"], sort=False).score.mean().unstack("method")
    cells = cells[frame.method.drop_duplicates()].dropna()
    if cells.empty:
        raise RankingError("no pair of data set and encoder has scores of every method: run what is missing")
    return cells.rank(axis=1, ascending=False, method="average")


def nemenyi(methods: int, blocks: int, alpha: float = ALPHA) -> float:
    """Return the critical difference of average ranks: q_alpha sqrt(k (k + 1) / 6 N), k methods and N blocks.

    q_alpha is the studentised range of k groups and endless degrees of freedom, over the root of 2.
    """
    q = studentized_range.ppf(1 - alpha, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * blocks)))


def friedman(ranks: pd.DataFrame) -> float:
    """Return the p value of Friedman's test on `block_ranks`, as Iman and Davenport's F, which is less
    conservative.

    Methods that are ordered alike in every block give 0; methods that are equal in every block give 1.
    """
    blocks, methods = ranks.shape
    if (ranks.nunique(axis=1) == 1).all():
        return 1.0
    chi = float(friedmanchisquare(*ranks.to_numpy().T).statistic)
    rest = blocks * (methods - 1) - chi
    if rest <= 1e-9 * blocks:
        return 0.0
    return float(f.sf((blocks - 1) * chi / rest, methods - 1, (methods - 1) * (blocks - 1)))


def critical_difference(frame: pd.DataFrame, alpha: float = ALPHA) -> CriticalDifference:
    """Return average ranks of the methods of a frame of scores, and which of them these data do not tell
    apart.

    Blocks are pairs of data set and encoder, as in the paper's Figure 5; those of one data set share its
    clips, so they are not quite independent, which the test assumes. Raises RankingError for fewer than three
    methods or two blocks.
    """
    table = block_ranks(frame)
    blocks, methods = table.shape
    if methods < 3 or blocks < 2:
        raise RankingError(
            f"a critical difference needs three methods and two pairs of data set and encoder; "
            f"there are {methods} and {blocks}"
        )
    ranks = table.mean().sort_values(kind="stable").rename("rank").rename_axis("method")
    gap = nemenyi(methods, blocks, alpha)
    return CriticalDifference(ranks, gap, friedman(table), blocks, cliques(ranks, gap), alpha)


def cliques(ranks: pd.Series, difference: float) -> tuple[tuple[str, ...], ...]:
    """Return the largest sets of two or more methods whose average ranks differ by less than `difference`."""
    ranks = ranks.sort_values(kind="stable")
    values, found, reach = ranks.to_numpy(), [], 0
    for i, value in enumerate(values):
        end = int(np.searchsorted(values, value + difference, side="left"))
        if end - i > 1 and end > reach:
            found.append(tuple(ranks.index[i:end]))
            reach = end
    return tuple(found)
