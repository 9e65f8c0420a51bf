"""Statistics of scores as tables: gains, ranks, agreement, wins, critical differences, statements.

Each is a title and a function, because some scores do not allow some sums: RankingError then says why.
"""

from collections.abc import Callable
from functools import partial

import pandas as pd

from protoviz.analysis import ranking, significance
from protoviz.analysis.claims import recomputed_claims
from protoviz.analysis.published import published
from protoviz.analysis.tables import BASELINE, RankingError
from protoviz.figures.style import percent
from protoviz.report.tables import (
    BEST,
    SECOND,
    Cell,
    Column,
    Row,
    Table,
    contested,
    gain_cell,
    number_cell,
    score_cell,
)

NAN = float("nan")
FROM_PUBLISHED = "Computed here from published cells."
Part = tuple[str, Callable[[], Table]]


def of_scores(mean_of: pd.DataFrame, all_of: pd.DataFrame, name: str, title: str, source: str) -> list[Part]:
    """Return what follows from any frame of scores.

    mean_of: the rows that have a common mean (one metric); all_of: those whose cells may be compared one by
    one. source: who published them, "" for own ones.
    """
    parts = (
        ("gains", f"gain over {BASELINE}", _gains, mean_of),
        ("ranks", "encoders' ranks", _ranks, mean_of),
        ("agreement", "agreement of the encoders' ranks", _agreement, mean_of),
        ("average-ranks", "average ranks of methods", _average_ranks, all_of),
        ("wins", "pairwise wins", _wins, all_of),
        ("shift", "ranks by wins, base to supervised", _shift, all_of),
    )
    return [
        (f"{title}: {words}", partial(make, frame, f"{name}-{key}", f"{title}: {words}", bool(source)))
        for key, words, make, frame in parts
    ]


def of_paper(title: str) -> list[Part]:
    """Return what follows from the paper's tables alone: the gap to fine-tuning, its claims recomputed."""
    parts = {"gap closed to fine-tuning": _gap, "its statements, computed again": _statements}
    return [(f"{title}: {words}", partial(make, f"{title}: {words}")) for words, make in parts.items()]


def _gains(frame: pd.DataFrame, name: str, title: str, mark: bool) -> Table:
    """Methods down, encoders across; the last column is the mean over encoders, where there are several."""
    table = ranking.gains(frame)
    if table.empty:
        raise RankingError(f"{BASELINE} is the only method: gains need another")
    if table.encoder.nunique() > 1:
        whole = table.groupby("method", sort=False).gain.mean().reset_index()
        table = pd.concat([table, whole.assign(encoder="mean", low=NAN, high=NAN)])
    digits = 2 if mark else 1  # as published cells are printed
    methods, encoders = (table[key].drop_duplicates().tolist() for key in ("method", "encoder"))
    at = table.set_index(["method", "encoder"])
    rows = [
        Row((m,), tuple(gain_cell(*at.loc[(m, e), ["gain", "low", "high"]], digits) for e in encoders))
        for m in methods
    ]
    values = at.gain.unstack("encoder").loc[methods, encoders].reset_index(drop=True)
    rows = contested(rows, values, [""] * len(rows), digits)
    note = f"Points over {BASELINE}, mean over data sets" + (
        f". {FROM_PUBLISHED}" if mark else "; 95 % bootstrap intervals over seeds."
    )
    return Table(name, title, ("method",), tuple(Column(e, mark) for e in encoders), tuple(rows), note)


def _ranks(frame: pd.DataFrame, name: str, title: str, mark: bool) -> Table:
    if frame.encoder.nunique() < 2:
        raise RankingError("ranks need two encoders or more, not one")
    table = ranking.ranks(frame) if mark else ranking.ranks_with_intervals(frame)
    encoders, methods = (table[key].drop_duplicates().tolist() for key in ("encoder", "method"))
    found = {(row["encoder"], row["method"]): row for row in table.to_dict("records")}

    def cell(row: dict) -> Cell:
        sure = not mark and not pd.isna(row["low"])
        aside = percent(row["score"]) + (f", {row['rank_low']} to {row['rank_high']}" if sure else "")
        return Cell(str(row["rank"]), aside, {1: BEST, 2: SECOND}.get(row["rank"], ""))

    rows = [Row((e,), tuple(cell(found[e, m]) for m in methods)) for e in encoders]
    note = "Rank by the mean score, which stands beside it in %" + (
        f". {FROM_PUBLISHED}" if mark else ", with the rank's 95 % interval over seeds."
    )
    return Table(name, title, ("encoder",), tuple(Column(m, mark) for m in methods), tuple(rows), note)


def _agreement(frame: pd.DataFrame, name: str, title: str, mark: bool) -> Table:
    table = ranking.rank_agreement(ranking.ranks(frame))
    if frame.encoder.nunique() < 3 or table.empty:
        raise RankingError("rank agreement needs at least three encoders and two methods")
    methods = list(dict.fromkeys([*table["first"], *table["second"]]))
    tau = {(a, b): v for a, b, v in table[["first", "second", "tau"]].itertuples(index=False)}
    rows = [
        Row((a,), tuple(number_cell(tau.get((a, b), float("nan")), 2) for b in methods[1:]))
        for a in methods[:-1]
    ]
    note = (
        f"Kendall's τ of the order of {frame.encoder.nunique()} encoders: 1 the same order, −1 the reverse."
    )
    return Table(name, title, ("method",), tuple(Column(m, mark) for m in methods[1:]), tuple(rows), note)


def _average_ranks(frame: pd.DataFrame, name: str, title: str, mark: bool) -> Table:
    found = significance.critical_difference(frame)
    rows = [
        Row((method,), (Cell(f"{rank:.2f}"), Cell(_not_apart(found, method))))
        for method, rank in found.ranks.items()
    ]
    note = (
        f"{found.blocks} pairs of data set and encoder; critical difference {found.difference:.2f} at "
        f"{percent(found.alpha, 0)} % (Nemenyi); Friedman's test, p = {found.p_value:.2g}. Average ranks "
        "that differ by less are not told apart."
    )
    columns = (Column("average rank", mark), Column("not told apart from", mark))
    return Table(name, title, ("method",), columns, tuple(rows), note)


def _not_apart(found: significance.CriticalDifference, method: str) -> str:
    distance = (found.ranks - found.ranks[method]).abs().drop(method)
    near = distance.index[distance < found.difference]
    if len(near) == len(distance):
        return "any other"
    return ", ".join(near) or "none"


def _wins(frame: pd.DataFrame, name: str, title: str, mark: bool) -> Table:
    table = ranking.win_matrix(frame)
    rows = [
        Row(
            (a,),
            (
                *(Cell() if a == b else Cell(str(table.loc[a, b])) for b in table.columns),
                Cell(str(table.loc[a].sum())),
            ),
        )
        for a in table.index
    ]
    note = (
        "In how many pairs of data set and encoder the row beats the column: its mean is higher by more than "
        "one standard deviation of the column's seeds. Ties count for neither."
    )
    return Table(
        name, title, ("method",), tuple(Column(m, mark) for m in (*table.columns, "all")), tuple(rows), note
    )


def _shift(frame: pd.DataFrame, name: str, title: str, mark: bool) -> Table:
    table = ranking.win_shift(frame)

    def cell(row) -> Cell:
        return Cell(f"{row.before} → {row.after}", f"{row.up:+d}".replace("-", "−") if row.up else "same")

    methods, encoders = (table[key].drop_duplicates().tolist() for key in ("method", "encoder"))
    at = table.set_index(["method", "encoder"])
    rows = [
        Row((m,), tuple(cell(at.loc[m, e]) if (m, e) in at.index else Cell() for e in encoders))
        for m in methods
    ]
    note = (
        "A method's rank by pairwise wins under an encoder and under its supervised variant; places gained."
    )
    return Table(
        name, title, ("method",), tuple(Column(f"{e} → {e}+", mark) for e in encoders), tuple(rows), note
    )


def _gap(title: str) -> Table:
    table = ranking.gap_closed(published("labels"), published("finetuning"))
    return gap_table(table, "published-gap", title, "fine-tuned as the encoders' own papers report it.")


def gap_table(table: pd.DataFrame, name: str, title: str, note: str) -> Table:
    """Return a row an encoder and data set, a column a method, of `gap_closed`; note: who was fine-tuned."""
    methods = table.method.drop_duplicates().tolist()
    at = table.set_index(["encoder", "dataset", "method"]).share
    pairs = list(dict.fromkeys(zip(table.encoder, table.dataset, strict=True)))
    rows = [Row(pair, tuple(score_cell(at.get((*pair, m), float("nan"))) for m in methods)) for pair in pairs]
    note = f"(score - linear) / (fine-tuned - linear) in %, {note}"
    return Table(
        name,
        title,
        ("encoder", "data set"),
        tuple(Column(m, True) for m in methods),
        tuple(rows),
        note,
    )


def _statements(title: str) -> Table:
    table = recomputed_claims()
    digits = {"points": 2, "percent": 1, "rank": 0}
    rows = [
        Row((row.claim, row.unit), (Cell(f"{row.value:g}"), number_cell(row.computed, digits[row.unit])))
        for row in table.itertuples()
    ]
    columns = (Column("stated", True), Column("computed from its tables", True))
    note = "A dash: the table behind the statement could not be read."
    return Table("published-statements", title, ("statement", "unit"), columns, tuple(rows), note)
