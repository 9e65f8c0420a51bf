"""Scores over polyphony: what a probe keeps when more events share a scene, and what chance does meanwhile.

Average precision of a random order is about the share of clips that hold the class. With k events of C
classes that share is k / C: it rises with k and lifts every curve by itself. Hence two more scales.
"""

import numpy as np
import pandas as pd

from protoviz.analysis.ranking import intervals
from protoviz.analysis.results import sources

PREFERRED = ("dial", "demo")  # tables: one made for the dial, else the demo's own
SCALES = {
    "score": "mAP",
    "above chance": "mAP minus chance",
    "normalised": "(mAP − chance) / (1 − chance)",
}


def dial_tables(frame: pd.DataFrame) -> list[str]:
    """The tables of `results` that hold scores by polyphony, the one to show first in front."""
    return sources(frame[frame.polyphony > 0], *PREFERRED)


def dial_runs(frame: pd.DataFrame, table: str, encoder: str) -> pd.DataFrame:
    """The rows of `results` behind one set of curves: one table, encoder and data set, its mAP at each k."""
    rows = frame[(frame.source == table) & (frame.encoder == encoder) & (frame.polyphony > 0)]
    return rows[(rows.dataset == rows.dataset.min()) & (rows.metric == "mAP")] if len(rows) else rows


def random_precision(positives: int, clips: int) -> float:
    """The mean average precision of all orders of so many clips, of which `positives` hold the class.

    It is the share positives / clips plus a little, because the first hit of an order counts in full: the
    less, the more clips. Raises ValueError unless 1 <= positives <= clips.
    """
    if not 1 <= positives <= clips:
        raise ValueError(f"{positives} of {clips} clips cannot hold a class")
    if clips == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, clips + 1)).sum())
    # A hit at rank i has i - 1 clips before it, each a hit with (positives - 1) / (clips - 1).
    return (harmonic + (positives - 1) / (clips - 1) * (clips - harmonic)) / clips


def curves(frame: pd.DataFrame, scale: str = "score") -> pd.DataFrame:
    """method, polyphony, score, low, high, chance, clips: each method's mean over seeds with its interval.

    frame: rows of `results` of one encoder, table and data set; rows of all clips (polyphony 0) are left
    out. scale: one of SCALES; chance is scaled like the scores, so it is 0 in all but the first.
    """
    if scale not in SCALES:
        raise ValueError(f"there is no scale {scale!r}: choose one of {', '.join(SCALES)}")
    frame = frame[frame.polyphony > 0]
    frame = frame.assign(score=_scaled(frame.score, frame.chance, scale))
    table = intervals(frame, ["method", "polyphony"])
    known = frame.groupby(["method", "polyphony"])[["chance", "clips"]].first()
    table = table.join(known, on=["method", "polyphony"])
    return table.assign(chance=_scaled(table.chance, table.chance, scale))


def lead(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """polyphony, lead (first minus second) and settled (their intervals do not cross); table: `curves`."""
    one, two = (table[table.method == name].set_index("polyphony") for name in (first, second))
    both = one.add_suffix("_one").join(two.add_suffix("_two"), how="inner")
    apart = (both.low_one > both.high_two) | (both.low_two > both.high_one)
    told = pd.DataFrame({"lead": both.score_one - both.score_two, "settled": apart})
    return told.reset_index()


def _scaled(score: pd.Series, chance: pd.Series, scale: str) -> pd.Series:
    if scale == "score":
        return score
    above = score - chance
    return above if scale == "above chance" else above / (1 - chance)
