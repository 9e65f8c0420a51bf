"""What the paper states about its scores, computed again from its published tables."""

import pandas as pd

from protoviz.analysis.published import claims, published
from protoviz.analysis.ranking import gains, gap_closed, ranks

UNITS = ("points", "percent", "rank")  # of what tables of scores say; the size of the grid is in `scaling`


def recomputed_claims() -> pd.DataFrame:
    """Return a frame: claim, value, unit, status, source of `claims` on scores and ranks, and computed: from
    the tables.

    computed is rounded as the paper rounds; missing where the table behind a claim could not be read.
    """
    frame, computed = claims(), _computed()
    frame = frame[frame.unit.isin(UNITS)].reset_index(drop=True)
    found = [next((v for start, v in computed.items() if c.startswith(start)), None) for c in frame.claim]
    return frame.assign(computed=pd.array(found, dtype="Float64"))


def published_share() -> float:
    """Return what the paper calls 63 %: protobin's share of EAT's gap to fine-tuning on as20k, 0 to 1."""
    share = gap_closed(published("labels"), published("finetuning"))
    return float(share.set_index(["dataset", "encoder", "method"]).share["as20k", "EAT", "protobin"])


def _computed() -> dict[str, float]:
    """The beginning of a claim -> its value from the published tables."""
    gain = gains(published())
    place = ranks(published()).set_index(["encoder", "method"])["rank"]
    told = {
        "mean gain of protobin over linear, 5 general": round(
            100 * gain[gain.method == "protobin"].gain.mean(), 2
        ),
        "gap to fine-tuning closed by protobin, EAT on as20k": round(100 * published_share(), 1),
    }
    for encoder, method in place.index:
        told[f"rank of {encoder} under {method},"] = float(place[encoder, method])
    return told
