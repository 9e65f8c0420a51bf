"""What the polyphony experiment measured: encoders under every method, one encoder over k."""

from pathlib import Path

import pandas as pd

from protoviz.analysis.polyphony import HITS, at_polyphony, labelled_hits
from protoviz.analysis.ranking import ranks_with_intervals
from protoviz.analysis.results import results, settings, whole_sets
from protoviz.analysis.tables import mean_sd, table_file
from protoviz.kept import read_frame
from protoviz.report.formats import as_code, as_read, pipes

SHOWN = {  # measures of `at_polyphony` at each number of events: what a column's title calls them
    1: {"accuracy": "accuracy", "mAP": "mAP", "calibrated mAP": "at 10 %", HITS: "hits"},
    4: {"calibrated mAP": "at 10 %", HITS: "hits"},
    8: {"mAP": "mAP", "calibrated mAP": "at 10 %", HITS: "hits"},
}


def encoders_table(data: Path, dataset: str) -> str:
    """Return a row a method, a column an encoder: test mAP in % and its rank among the encoders, as Markdown.

    data: a study, or a data folder (see `table_files`). The rank has a ≈ where the seeds' intervals leave it
    open.
    """
    rows = _polyphony(data)
    rows = rows[rows.dataset == dataset]
    table = ranks_with_intervals(rows)
    names, methods = table.encoder.drop_duplicates().tolist(), table.method.drop_duplicates().tolist()
    cells = {
        (row.method, row.encoder): _ranked(100 * row.score, row.rank_, row.uncertain)
        for row in table.rename(columns={"rank": "rank_"}).itertuples()
    }
    lines = [[as_read(method), *(cells[method, name] for name in names)] for method in methods]
    spread = 100 * rows.groupby(["encoder", "method"]).score.std()
    note = (
        f"Mini encoders; {dataset} scenes of 1 to {rows.polyphony_most.iloc[0]} events, "
        f"{int(rows.clips.iloc[0]):,} test clips; chance {100 * rows.chance.iloc[0]:.1f}. Means over "
        f"{rows.seed.nunique()} seeds, whose standard deviation is {spread.median():.1f} in the middle and "
        f"{spread.max():.1f} at most; ≈: their intervals leave the rank open. {as_code(rows.command.iloc[0])}"
    )
    return "\n\n".join([pipes(["test mAP, % (rank)", *map(as_read, names)], lines), note])


def polyphony_table(data: Path, dataset: str, encoder: str) -> str:
    """Return a row a method, columns by the number of events: mAP, mAP at 10 % prevalence, hits; in %."""
    scores, places = (frame[frame.dataset == dataset] for frame in _measured(data))
    return _by_polyphony(scores, places, encoder)


def folder_tables(folder: Path) -> str:
    """Return what `protoviz polyphony` wrote, as Markdown: a table for each kind of scenes and encoder."""
    scores, places = _measured(Path(folder))
    parts = []
    for (dataset, encoder), rows in scores.groupby(["dataset", "encoder"], sort=False):
        clips = f"{int(rows.clips[rows.polyphony > 0].iloc[0]):,}"
        head = f"{as_read(dataset)} scenes, {clips} at each number of events"
        parts.append(f"{head} (k = 1: the single-label control)")
        parts.append(_by_polyphony(rows, places[places.dataset == dataset], encoder, deviations=True))
    return "\n\n".join(parts)


def strong_table(folder: Path) -> str:
    """Return how often places fell into a labelled event: a row a method and map, as Markdown."""
    table = labelled_hits(_read(Path(folder), "strong"))
    clips, chance = table[["clips", "chance"]].iloc[0]
    shown = (100 * table[["score", "low", "high"]]).itertuples(index=False)
    hits = [f"{mean:.1f} ({low:.1f} to {high:.1f})" for mean, low, high in shown]
    labels = (table[name].map(as_read) for name in ("method", "map", "measure"))
    rows = zip(*labels, hits, strict=True)
    note = (
        f"{clips:.0f} labelled clips; a cell drawn at random shares time with an event in "
        f"{100 * chance:.1f} % of cases."
    )
    return "\n\n".join([pipes(["method", "map", "measure", "hits, %"], rows, words=3), note])


def _by_polyphony(scores: pd.DataFrame, places: pd.DataFrame, encoder: str, deviations: bool = False) -> str:
    """Means of one encoder, with their deviations or without; scores and places: of one kind of scenes."""
    scores, places = (frame[frame.encoder == encoder] for frame in (scores, places))
    cells, heads = {}, {}
    for k, titles in SHOWN.items():
        table = at_polyphony(scores, places, k)
        for row in table[table.measure.isin(titles)].itertuples():
            sd = row.sd if deviations else float("nan")
            cells[row.method, k, row.measure] = mean_sd(row.score, sd)
            heads[k, row.measure] = None
    columns = [(k, measure) for k, titles in SHOWN.items() for measure in titles if (k, measure) in heads]
    methods = sorted(dict.fromkeys(method for method, *_ in cells), key="chance".__eq__)
    rows = [[as_read(name), *(cells.get((name, *column), "") for column in columns)] for name in methods]
    heads = (f"k = {k}: {SHOWN[k][measure]}" for k, measure in columns)
    return pipes([f"{as_read(encoder)}, %", *heads], rows)


def _measured(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and places."""
    return _read(folder, "polyphony"), _read(folder, "localisation")


def _read(folder: Path, stem: str) -> pd.DataFrame:
    path = table_file(folder, stem)
    if not path.exists():
        more = " --strong FOLDER --birds FOLDER" if stem == "strong" else " --recordings FOLDER"
        raise FileNotFoundError(f"{path} does not exist: `protoviz polyphony{more}` makes it")
    return read_frame(path)


def _polyphony(data: Path) -> pd.DataFrame:
    """Return the runs of the table polyphony over all test clips, with command and highest k."""
    frame = results(data)
    frame = frame[frame.source == "polyphony"]
    if frame.empty:
        raise FileNotFoundError(
            f"{data} has no table polyphony: `protoviz polyphony --recordings FOLDER` makes it"
        )
    most = frame.groupby("dataset").polyphony.max()
    frame = whole_sets(frame)
    return frame.assign(
        polyphony_most=frame.dataset.map(most), command=settings("polyphony", data)["command"]
    )


def _ranked(score: float, rank: int, uncertain: bool) -> str:
    words = f"{score:.1f} ({'≈' if uncertain else ''}{rank})"
    return f"**{words}**" if rank == 1 else words
