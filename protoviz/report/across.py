"""The tables of docs/dial.md: encoders under every method, and one encoder over the number of events."""

from pathlib import Path

import pandas as pd

from protoviz.analysis.dial import at_polyphony
from protoviz.analysis.ranking import ranks_with_intervals
from protoviz.analysis.results import results, settings, whole_sets

SHOWN = {  # columns of `at_polyphony` at each number of events: what the page calls them
    1: {"accuracy": "accuracy", "mAP": "mAP", "calibrated mAP": "at 10 %", "first place hits": "hits"},
    4: {"calibrated mAP": "at 10 %", "first place hits": "hits"},
    8: {"mAP": "mAP", "calibrated mAP": "at 10 %", "first place hits": "hits"},
}


def encoders_table(data: Path, dataset: str) -> str:
    """A row a method, a column an encoder: test mAP in % and its rank among the encoders, as Markdown.

    data: the folder that holds results/. The rank has a ≈ where the seeds' intervals leave it open.
    """
    rows = _dial(data)
    rows = rows[rows.dataset == dataset]
    table = ranks_with_intervals(rows)
    names, methods = table.encoder.drop_duplicates().tolist(), table.method.drop_duplicates().tolist()
    cells = {
        (row.method, row.encoder): _ranked(100 * row.score, row.rank_, row.uncertain)
        for row in table.rename(columns={"rank": "rank_"}).itertuples()
    }
    lines = [["test mAP, % (rank)", *names]]
    lines += [[method, *(cells[method, name] for name in names)] for method in methods]
    spread = 100 * rows.groupby(["encoder", "method"]).score.std()
    note = (
        f"Mini encoders; {dataset} scenes of 1 to {rows.polyphony_most.iloc[0]} events, "
        f"{int(rows.clips.iloc[0]):,} test clips; chance {100 * rows.chance.iloc[0]:.1f}. Means over "
        f"{rows.seed.nunique()} seeds, whose standard deviation is {spread.median():.1f} in the middle and "
        f"{spread.max():.1f} at most; ≈: their intervals leave the rank open. `{rows.command.iloc[0]}`"
    )
    return "\n".join([_markdown(lines), "", note])


def polyphony_table(data: Path, dataset: str, encoder: str) -> str:
    """A row a method, columns by the number of events: mAP, mAP at a prevalence of 10 %, hits; in %."""
    folder = Path(data) / "results"
    scores, places = (pd.read_parquet(folder / f"{stem}.parquet") for stem in ("dial", "localisation"))
    scores, places = (
        frame[(frame.dataset == dataset) & (frame.encoder == encoder)] for frame in (scores, places)
    )
    columns = {}
    for k, shown in SHOWN.items():
        table = at_polyphony(scores, places, k)
        if table.empty:
            continue
        table = table.set_index("method")
        for name, title in shown.items():
            means = table[name].fillna("").str.split(" ± ").str[0].replace("nan", "")
            columns[f"k = {k}: {title}"] = means
    table = pd.DataFrame(columns)
    lines = [[f"{encoder}, %", *table.columns], *([name, *row] for name, *row in table.itertuples())]
    for name in ("[cls] attention", "loudest cell"):  # no probe is behind them
        hits = places[(places.method == name) & (places.measure == "first")].set_index("polyphony").score
        beside = [f"{100 * hits[int(t[4:].split(':')[0])]:.1f}" if "hits" in t else "" for t in table.columns]
        lines.insert(-1, [name, *beside])
    return _markdown(lines)


def _dial(data: Path) -> pd.DataFrame:
    """The runs of results/dial.parquet over all test clips, with the command and the highest polyphony."""
    frame = results(data)
    frame = frame[frame.source == "dial"]
    if frame.empty:
        raise FileNotFoundError(f"{data}/results/dial.parquet does not exist: `protoviz dial` makes it")
    most = frame.groupby("dataset").polyphony.max()
    frame = whole_sets(frame)
    return frame.assign(polyphony_most=frame.dataset.map(most), command=settings("dial", data)["command"])


def _ranked(score: float, rank: int, uncertain: bool) -> str:
    words = f"{score:.1f} ({'≈' if uncertain else ''}{rank})"
    return f"**{words}**" if rank == 1 else words


def _markdown(lines: list[list[str]]) -> str:
    head, *rows = lines
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))
