"""The dial's tables as text, for the command line and for README."""

from pathlib import Path

import pandas as pd

from protoviz.analysis.dial import K_COLUMNS, at_polyphony, labelled_hits


def dial_table(folder: Path) -> str:
    """A Markdown table for each kind of sources and encoder: every method at one event, at 4 and at 8."""
    scores = _read(folder, "dial")
    located = _read(folder, "localisation")
    parts = []
    for (dataset, encoder), rows in scores.groupby(["dataset", "encoder"], sort=False):
        places = located[(located.dataset == dataset) & (located.encoder == encoder)]
        clips = int(rows.clips.iloc[0])
        parts.append(f"{encoder} on {dataset} scenes, {clips:,} at each number of events; %")
        for k in K_COLUMNS:
            table = at_polyphony(rows, places, k)
            if len(table):
                control = ": the single-label control" if k == 1 else ""
                parts += [f"k = {k}{control}", _markdown(table)]
    return "\n\n".join(parts)


def strong_table(folder: Path) -> str:
    """One line a method and map: how often its places fell into a labelled event."""
    table = labelled_hits(_read(folder, "strong"))
    clips, chance = table[["clips", "chance"]].iloc[0]
    lines = [
        f"{clips:.0f} labelled clips; a cell drawn at random shares time with an event in "
        f"{100 * chance:.1f} % of cases."
    ]
    for row in table.itertuples():
        lines.append(
            f"{row.method}, {row.map}, {row.measure}: {100 * row.score:.1f} % "
            f"({100 * row.low:.1f} to {100 * row.high:.1f})"
        )
    return "\n".join(lines)


def _markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * table.shape[1], *table.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _read(folder: Path, stem: str) -> pd.DataFrame:
    path = Path(folder) / f"{stem}.parquet"
    if not path.exists():
        more = " --strong FOLDER --birds FOLDER" if stem == "strong" else ""
        raise FileNotFoundError(f"{path} does not exist: `protoviz dial{more}` makes it")
    return pd.read_parquet(path)
