"""The columns that every table of scores has, published or own, so that one set of functions reads all."""

SCORE_COLUMNS = (
    "dataset",  # what was scored: "as20k", or "mixed" and "one event" for procedural scenes
    "encoder",
    "method",  # a row of a table: "linear", "protobin + BatchNorm"
    "seed",  # of the probe's weights and the order of clips; missing where one number is all there is
    "metric",  # "mAP" or "accuracy"
    "score",  # 0 to 1
)
# The paper's three in its order, and what a table of own results adds to them.
PAPER_METHODS = ("linear", "mhca", "protobin")
BASELINE = "linear"


class RankingError(ValueError):
    """A frame cannot be ranked; the message says what it lacks."""


def probe_of(method: str) -> str:
    """Return the probe (a name in PROBES) behind a method: "protobin + BatchNorm" -> "protobin"."""
    return method.split(" + ")[0]
