"""The columns that every table of scores has, published or own, so that one set of functions reads all."""

from pathlib import Path

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


FORMER = {"dial": "polyphony"}  # names of tables and pages in files and links of an earlier version


class RankingError(ValueError):
    """A frame cannot be ranked; the message says what it lacks."""


def probe_of(method: str) -> str:
    """Return the probe (a name in PROBES) behind a method: "protobin + BatchNorm" -> "protobin"."""
    return method.split(" + ")[0]


def called(name: str) -> str:
    """Return today's name of a table or page: "dial-search" -> "polyphony-search"."""
    first, *rest = name.split("-", 1)
    return "-".join([FORMER.get(first, first), *rest])


def table_file(folder: Path, name: str) -> Path:
    """Return the file of a table: one of its former name where only that is there."""
    older = [path for path in sorted(folder.glob("*.parquet")) if called(path.stem) == name]
    path = folder / f"{name}.parquet"
    return older[0] if older and not path.exists() else path
