"""Which tables a report holds: own results by source, own beside published, the paper's, statistics of both.

A sum that some scores do not allow (one seed has no deviation) is left out, and the report says why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from protoviz.analysis.published import CITATION, published
from protoviz.analysis.ranking import cell_scores, intervals
from protoviz.analysis.results import gaps, ranked_metric, results, settings, sources, whole_sets
from protoviz.analysis.tables import RankingError
from protoviz.files import slugs_apart
from protoviz.report import statistics
from protoviz.report.tables import Cell, Column, Row, Table, contested, score_cell

PUBLISHED = f"PUBLISHED ({CITATION})"
OWN = "measured here"


@dataclass(frozen=True)
class Contents:
    """The tables, and in words what could not be made."""

    tables: tuple[Table, ...]
    gaps: tuple[str, ...] = ()


def contents(data: str | Path | None = None) -> Contents:
    """Return all that the results below a data folder (the shipped one if absent) and the paper's tables
    give.

    Own scores are those over all test clips (polyphony 0). Raises ValueError where the folder has no results.
    """
    every = results(data)
    own = whole_sets(every)
    if own.empty:
        raise ValueError(f"no results below {data or 'the data folder'}: `protoviz poolings` makes some")
    tables, gaps = [], {}
    beside = []
    for name in sources(own):
        frame = own[own.source == name]
        encoders = frame.encoder.drop_duplicates().tolist()
        parts = statistics.of_scores(
            frame[frame.metric == ranked_metric(frame.metric)],
            frame,
            f"own-{name}",
            f"Own results, {name}",
            "",
        )
        found = [score_table(frame, settings(name, data)), *_kept(parts, gaps), *_gap(every, name)]
        tables += [_minis(table, encoders) for table in found]
        beside.append(_minis(beside_published(frame, name), encoders))
    tables += [*beside, published_table()]
    parts = statistics.of_scores(published(), published(), "published", PUBLISHED, CITATION)
    tables += _kept([*parts, *statistics.of_paper(PUBLISHED)], gaps)
    names = slugs_apart(table.name for table in tables)  # of files, labels and links; sources may be any text
    tables = [replace(table, name=names[table.name]) for table in tables]
    return Contents(tuple(tables), tuple(f"{'; '.join(titles)}: {why}." for why, titles in gaps.items()))


def _kept(parts: Sequence[tuple[str, Callable[[], Table]]], gaps: dict[str, list[str]]) -> list[Table]:
    found = []
    for title, make in parts:
        try:
            found.append(make())
        except RankingError as error:
            gaps.setdefault(str(error), []).append(title)
    return found


def _gap(every: pd.DataFrame, source: str) -> list[Table]:
    """The table of what each method closes of the gap to fine-tuned encoders, where a source has some."""
    table = gaps(every).get(source, pd.DataFrame())
    title = f"Own results, {source}: gap closed to fine-tuning"
    return [statistics.gap_table(table, f"own-{source}-gap", title, "fine-tuned here.")] if len(table) else []


def score_table(frame: pd.DataFrame, told: dict) -> Table:
    """Return encoder x method by data set of one source: mean ± s.d. over seeds, interval; a contest an
    encoder.

    told: the settings of the runs. Chance, where every encoder has the same, is the last row.
    """
    source = frame.source.iloc[0]
    cells = cell_scores(frame).set_index(["encoder", "method", "dataset"])
    spans = intervals(frame, ["encoder", "method", "dataset"]).set_index(["encoder", "method", "dataset"])
    sets = frame.dataset.drop_duplicates().tolist()
    pairs = frame[["encoder", "method"]].drop_duplicates().itertuples(index=False, name=None)
    rows, values = [], []
    for encoder, method in pairs:
        keys = [(encoder, method, name) for name in sets]
        found = [_looked_up(cells, spans, key) for key in keys]
        rows.append(Row((encoder, method), tuple(score_cell(*one) for one in found)))
        values.append([one[0] for one in found])
    rows = contested(rows, pd.DataFrame(values), [row.labels[0] for row in rows])
    chance = frame.groupby("dataset").chance.agg(["first", "nunique"])
    if (chance["nunique"] == 1).all():
        rows.append(Row(("", "chance"), tuple(score_cell(chance["first"][name]) for name in sets)))
    metric = frame.drop_duplicates("dataset").set_index("dataset").metric
    columns = tuple(Column(f"{name}: {metric[name]}, %") for name in sets)
    note = f"Mean ± standard deviation over seeds (n - 1), then the 95 % bootstrap interval. {_about(told)}"
    note = " ".join([note.strip(), *_clips_told(frame, told)])
    return Table(
        f"own-{source}", f"Own results, {source}", ("encoder", "method"), columns, tuple(rows), note.strip()
    )


def _looked_up(cells: pd.DataFrame, spans: pd.DataFrame, key: tuple) -> tuple[float, float, float, float]:
    if key not in cells.index:
        return (float("nan"),) * 4
    cell, span = cells.loc[key], spans.loc[key]
    return float(cell["mean"]), float(cell.sd), float(span.low), float(span.high)


def _clips_told(frame: pd.DataFrame, told: dict) -> list[str]:
    """Sentences on clips that some encoders lack, and on scores of one data set over other clips."""
    words = []
    for row in told.get("lacking", []):
        name, encoder, clips = row["dataset"], row["encoder"], row["clips"]
        words.append(f"{name}: {encoder} lacks {clips} clips; no encoder is scored on them.")
    for dataset, rows in frame.groupby("dataset", sort=False):
        counts = rows.groupby("encoder", sort=False).clips.agg(["min", "max"])
        if counts["min"].min() != counts["max"].max():
            each = ", ".join(f"{name} on {low}" for name, low in counts["min"].items())
            words.append(f"{dataset}: scores of different clips ({each}) are no comparison of encoders.")
    return words


def _about(told: dict) -> str:
    """What the settings beside a table say of its runs, in a sentence."""
    words = []
    if seeds := told.get("compare", {}).get("seeds"):
        words.append("Seeds " + ", ".join(map(str, seeds)))
    if told.get("reduced"):
        words.append("reduced settings, a first look")
    if told.get("command"):
        words.append(f"made by {told['command']}")
    return "; ".join(words) + "." if words else ""


def _minis(table: Table, encoders: Sequence[str]) -> Table:
    """The table; where minis are among its encoders its note says what they are, wherever it is pasted."""
    names = [name for name in encoders if name.startswith("mini")]
    trained = [name for name in names if name != "mini-random"]
    words = []
    if len(trained) == 1:
        words.append(f"{trained[0]} is a mini encoder, trained on procedural sound.")
    elif trained:
        words.append(f"{', '.join(trained)} are mini encoders, trained on procedural sound.")
    if "mini-random" in names:
        words.append("mini-random is a mini encoder that is not trained at all.")
    return replace(table, note=" ".join([table.note, *words]).strip())


def published_table() -> Table:
    """Return the paper's general table: encoder x method by data set, and their mean, computed here."""
    frame = published()
    wide = frame.pivot(index=["encoder", "method"], columns="dataset", values="score")
    order = frame[["encoder", "method"]].drop_duplicates().itertuples(index=False, name=None)
    wide = wide.loc[list(order), frame.dataset.drop_duplicates()]
    wide["mean"] = wide.mean(axis=1, skipna=False)
    rows = [
        Row(key, tuple(score_cell(v, digits=2) for v in line))
        for key, line in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    rows = contested(rows, wide.reset_index(drop=True), [row.labels[0] for row in rows], digits=2)
    columns = tuple(Column(name, published=True) for name in wide.columns)
    note = (
        "Table 2 as read in public notes of the paper (data/paper/README.md), mAP in %; none of it was "
        "measured here. The means follow from the cells."
    )
    return Table("published-general", PUBLISHED, ("encoder", "method"), columns, tuple(rows), note)


def beside_published(own: pd.DataFrame, source: str) -> Table:
    """Return methods down; own columns of one source, then the paper's for one encoder under all methods.

    An own column whose encoder and data set the paper scored too has the paper's beside it. Where they have
    none in common the two sides may be compared by the order of their methods only, and the note says so.
    """
    theirs = pd.concat([published(name) for name in ("methods", "general", "labels", "cells")])
    theirs = theirs.drop_duplicates(["dataset", "encoder", "method"])
    scores: dict[tuple, pd.DataFrame] = {}
    metric = {}
    for (encoder, dataset), rows in own.groupby(["encoder", "dataset"], sort=False):
        scores[OWN, encoder, dataset] = cell_scores(rows).set_index("method")[["mean", "sd"]]
        metric[OWN, encoder, dataset] = rows.metric.iloc[0]
        twin = theirs[(theirs.encoder.str.lower() == encoder.lower()) & (theirs.dataset == dataset)]
        _add_published(twin, scores, metric)
    common = any(side == PUBLISHED for side, *_ in scores)
    all_methods = theirs.merge(published("methods")[["dataset", "encoder"]].drop_duplicates())
    for _, rows in all_methods.groupby("dataset", sort=False):
        _add_published(rows, scores, metric)
    methods = list(dict.fromkeys([*own.method, *all_methods.method]))
    values = pd.DataFrame({i: one["mean"].reindex(methods) for i, one in enumerate(scores.values())})
    rows = [
        Row((name,), tuple(_cell_of(one, name, side == PUBLISHED) for (side, *_), one in scores.items()))
        for name in methods
    ]
    digits = [2 if side == PUBLISHED else 1 for side, *_ in scores]
    rows = contested(rows, values.reset_index(drop=True), [""] * len(rows), digits)
    columns = tuple(
        Column(f"{encoder}, {dataset}: {metric[side, encoder, dataset]}", side == PUBLISHED, side)
        for side, encoder, dataset in scores
    )
    note = "In %; best and second of each column among its own methods."
    if not common:
        note += " No encoder and data set in common: compare the order of methods, not the heights."
    return Table(
        f"beside-{source}",
        f"Own results, {source}, beside the paper's",
        ("method",),
        columns,
        tuple(rows),
        note,
    )


def _add_published(rows: pd.DataFrame, scores: dict, metric: dict) -> None:
    for (encoder, dataset), part in rows.groupby(["encoder", "dataset"], sort=False):
        key = (PUBLISHED, encoder, dataset)
        scores.setdefault(key, part.set_index("method")[["score"]].rename(columns={"score": "mean"}))
        metric[key] = part.metric.iloc[0]


def _cell_of(scores: pd.DataFrame, method: str, published_side: bool) -> Cell:
    if method not in scores.index:
        return Cell()
    row = scores.loc[method]
    return score_cell(row["mean"], digits=2) if published_side else score_cell(row["mean"], row.sd)
