"""Scores over polyphony: what a probe keeps when more events share a scene, and what chance does meanwhile.

Average precision of a random order is about the share of clips that hold the class. With k events of C
classes that share is k / C: it rises with k and lifts every curve by itself. Hence two more scales.
"""

import pandas as pd

from protoviz.analysis.ranking import intervals

SCALES = {
    "score": "mAP",
    "above chance": "mAP minus chance",
    "normalised": "(mAP − chance) / (1 − chance)",
}


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
