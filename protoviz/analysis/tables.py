"""The columns that every table of scores has, published or own, so that one set of functions reads all."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from protoviz.paths import data_folder

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
TUNED = "fine-tuned"  # an encoder whose weights were trained, with a linear layer: what probes are held to


FORMER = {"dial": "polyphony"}  # names of tables and pages in files and links of an earlier version


class RankingError(ValueError):
    """A frame cannot be ranked; the message says what it lacks."""


def probe_of(method: str) -> str:
    """Return the probe (a name in PROBES) behind a method: "protobin + BatchNorm" -> "protobin"."""
    return method.split(" + ")[0]


def of_names(names: pd.Series, tell: Callable[[str], object]) -> pd.Series:
    """Return what `tell` says of each name of a column. It is asked once a name: columns have many rows."""
    return names.map({name: tell(name) for name in names.unique()})


def called(name: str) -> str:
    """Return today's name of a table or page: "dial-search" -> "polyphony-search"."""
    first, *rest = name.split("-", 1)
    return "-".join([FORMER.get(first, first), *rest])


def table_files(folder: str | Path | None = None, kind: str = ".parquet") -> list[Path]:
    """Return the tables of a study, or of a data folder (the shipped one if absent); kind: or their settings.

    A data folder holds the study demo. Before it did, and before every grid was a study, tables lay in
    results/ and demo/ beside each other, and in the folder itself.
    """
    place = Path(folder or data_folder())
    rooms = [place / "demo" / "results", place / "demo", place, place / "results"]
    found = [path for room in rooms for path in sorted(room.glob(f"*{kind}")) if path.name[0] != "."]
    return sorted(found, key=lambda path: path.stem != "results")  # the main table first


def table_file(folder: str | Path | None, name: str) -> Path:
    """Return the file of a table, one of its former name where only that is there; see `table_files`."""
    files = table_files(folder)
    own = [path for path in files if path.stem == name]
    older = [path for path in files if called(path.stem) == name]
    return [*own, *older, Path(folder or data_folder()) / "results" / f"{name}.parquet"][0]


def settings_file(table: Path) -> Path:
    """Return the JSON file beside a table that says how it was made."""
    path = table.with_suffix(".json")
    former = table.with_name("demo.json")
    return former if table.stem == "results" and former.exists() else path


def mean_sd(mean: float, sd: float = float("nan"), digits: int = 1) -> str:
    """Return a score and its deviation (0 to 1) in percent: "46.3 ± 0.1", or "46.3"; "" for nan."""
    if pd.isna(mean):
        return ""
    return f"{100 * mean:.{digits}f}" + ("" if pd.isna(sd) else f" ± {100 * sd:.{digits}f}")


def mean_sd_over_seeds(frame: pd.DataFrame, by: str | Sequence[str]) -> pd.Series:
    """Return `mean_sd` of each group of a frame of scores; the s.d. is that of n - 1 seeds."""
    cells = frame.groupby(by, sort=False).score.agg(["mean", "std"])
    return pd.Series(list(map(mean_sd, cells["mean"], cells["std"])), cells.index, dtype=object)
