"""A table as it is before any format: labels, cells, which of them win, and which were published.

Formats (`protoviz.report.formats`) decide how bold, underlined, missing and published look.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pandas as pd

from protoviz.analysis.tables import mean_sd
from protoviz.figures.style import minus, percent

BEST, SECOND = "best", "second"


@dataclass(frozen=True)
class Cell:
    """One number as it is shown."""

    text: str = ""  # "46.3 ± 0.1"; "" where there is none, which every format shows as a dash
    aside: str = ""  # "46.2 to 46.4": what is said more quietly after it
    mark: str = ""  # BEST, SECOND or ""


@dataclass(frozen=True)
class Column:
    """One column of numbers."""

    name: str
    published: bool = False  # the paper's numbers and not this project's: every format says so
    group: str = ""  # what neighbouring columns have in common, written once above them


@dataclass(frozen=True)
class Row:
    """One line: a label for each of the table's keys, a cell for each of its columns."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table with its words."""

    name: str  # of its file, and of its label in LaTeX
    title: str
    keys: tuple[str, ...]  # headings of the label columns
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""

    def __post_init__(self):
        for row in self.rows:
            if len(row.labels) != len(self.keys) or len(row.cells) != len(self.columns):
                raise ValueError(f"{self.name}: a row has {len(row.cells)} cells for {len(self.columns)}")

    @property
    def groups(self) -> list[tuple[str, int]]:
        """The columns' groups with how many columns each holds, in order; [] where none is named."""
        if not any(column.group for column in self.columns):
            return []
        return [(name, len(list(columns))) for name, columns in groupby(c.group for c in self.columns)]


def marks(values: Sequence[float], digits: int = 1) -> list[str]:
    """Return BEST for the highest, SECOND for the next, of scores (0 to 1; nan: none) as shown with `digits`.

    Scores that are shown alike are alike: two bests are both BEST, and then nothing is SECOND, as in a race.
    One score alone is no contest.
    """
    shown = np.round(100 * np.asarray(values, float), digits)
    if (~np.isnan(shown)).sum() < 2:
        return [""] * len(shown)
    place = [int((shown > one).sum()) if one == one else -1 for one in shown]
    return [{0: BEST, 1: SECOND}.get(rank, "") for rank in place]


def score_cell(value: float, sd: float = np.nan, low: float = np.nan, high: float = np.nan, digits: int = 1):
    """Return a Cell of a score (0 to 1) in percent, its deviation and its interval where they are known."""
    if np.isnan(value):
        return Cell()
    return Cell(
        mean_sd(value, sd, digits),
        "" if np.isnan(low) else f"{percent(low, digits)} to {percent(high, digits)}",
    )


def gain_cell(value: float, low: float = np.nan, high: float = np.nan, digits: int = 1) -> Cell:
    """Return a Cell of a difference of scores, in points, with its sign."""
    if np.isnan(value):
        return Cell()
    ends = "" if np.isnan(low) else " to ".join(percent(end, digits, sign=True) for end in (low, high))
    return Cell(percent(value, digits, sign=True), ends)


def number_cell(value: float, digits: int = 0) -> Cell:
    """Return a Cell of a plain number; none for nan."""
    return Cell() if pd.isna(value) else Cell(minus(f"{value:,.{digits}f}"))


def contested(
    rows: Sequence[Row], values: pd.DataFrame, contests: Sequence, digits: int | Sequence[int] = 1
) -> list[Row]:
    """Return the rows with the best and the second of each column marked, within each contest.

    values: (row, column) scores, nan where there is none; contests: one label a row, None: it takes no part
    (chance). Which is best among the methods of one encoder is asked of that encoder's rows alone. digits: as
    `marks` takes them, one number for all columns or one each.
    """
    places = [digits] * values.shape[1] if isinstance(digits, int) else digits
    cells = [list(row.cells) for row in rows]
    for contest in dict.fromkeys(one for one in contests if one is not None):
        at = [i for i, one in enumerate(contests) if one == contest]
        for j in range(values.shape[1]):
            for i, mark in zip(at, marks(values.iloc[at, j], places[j]), strict=True):
                cells[i][j] = replace(cells[i][j], mark=mark)
    return [replace(row, cells=tuple(line)) for row, line in zip(rows, cells, strict=True)]
