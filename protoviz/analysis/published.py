"""The paper's numbers that could be read, from data/paper: never measured here, and marked so when drawn.

They are part of the project, so they are read from its own data folder wherever one's own data lie.
"""

from functools import lru_cache
from pathlib import Path

import pandas as pd

from protoviz.paths import shipped_folder

TABLES = ("general", "methods", "labels", "finetuning", "cells", "best")
STATUS = ("read", "checked", "inferred")
CITATION = "Rauch et al., ICLR 2026"


def published(table: str = "general", folder: str | Path | None = None) -> pd.DataFrame:
    """Return one of TABLES: dataset, encoder, method, seed (missing), metric, score (0 to 1), status, source.

    "general" is Table 2 for linear, mhca and protobin; "methods" its row of EAT under all eleven; "labels"
    Table 3 (one label a clip beside many); "finetuning" its references; "cells" single cells; "best" the
    paper's best a data set, with encoder and method missing. data/paper/README.md says where they come from.
    """
    if table not in TABLES:
        raise ValueError(f"there is no published table {table!r}: choose one of {', '.join(TABLES)}")
    return _read(str(folder or shipped_folder() / "paper"), table).copy()


def claims(folder: str | Path | None = None) -> pd.DataFrame:
    """Return what the paper states about these numbers: claim, value, unit, status, source."""
    return _table(Path(folder or shipped_folder() / "paper") / "claims.csv")


def datasets(folder: str | Path | None = None) -> pd.DataFrame:
    """Return the paper's data sets: dataset, classes, labels, train and others (clips), tokens, status,
    source.

    labels: one or many a clip; others: validation and test clips, which are encoded too; tokens: of a clip,
    in 16 x 16 patches.
    """
    return _table(Path(folder or shipped_folder() / "paper") / "datasets.csv")


@lru_cache(maxsize=16)
def _read(folder: str, table: str) -> pd.DataFrame:
    frame = _table(Path(folder) / f"{table}.csv", "score")
    frame["score"] = frame.score / 100
    frame.insert(3, "seed", pd.array([pd.NA] * len(frame), dtype="Int64"))
    return frame


def _table(path: Path, *numbers: str) -> pd.DataFrame:
    """The table in a file, those columns being numbers; ValueError, naming it, where it is not as shipped."""
    try:
        frame = pd.read_csv(path)
        return frame.assign(**{name: pd.to_numeric(frame[name]) for name in numbers})
    except (ValueError, KeyError) as error:  # of letters, of pandas, of numbers
        raise ValueError(f"{path} is damaged ({error}): install protoviz again") from error
