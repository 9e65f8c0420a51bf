"""Recordings that whoever serves the explorer puts into its clip list, with labels of tables or folders."""

import re
from pathlib import Path

import pandas as pd

from protoviz.datasets import folder_table
from protoviz.figures.style import as_written, spoken

FOLDER_VARIABLE = "PROTOVIZ_RECORDINGS"
LISTED_A_LABEL = 4  # a list to choose from by hand; fifty labels are two hundred entries


def list_recordings(folder: str | Path, classes: tuple[str, ...]) -> pd.DataFrame:
    """Return the first few sound files of every label of a folder, labelled as the data set `folder` reads
    it.

    Where it has splits, the few are taken from each in turn. A file without a label is left out.
    Columns: recording (its place below the folder, which names it in a link), label (as a class name; several
    with " + " between), labels (their set), known (each is one of the classes), title, path. A file that is
    a link to a place outside the folder is left out. Raises ValueError where there is none.
    """
    inside = Path(folder).resolve()
    table = folder_table(folder)
    table = table[[Path(path).resolve().is_relative_to(inside) for path in table.path]]
    if table.empty:
        raise ValueError(f"{folder}: every sound file in it is a link to a place outside of it")
    table = _few(table[table.labels.str.len() > 0])
    names = table.labels.map(lambda labels: [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in labels])
    shown = table.labels.str.join(" + ").map(spoken)
    titles = shown + ": " + table.path.map(lambda path: as_written(Path(path).name))
    alike = titles.duplicated(keep=False)  # of two splits: a list has room for one of each title
    titles = titles.where(~alike, titles + " (" + table["clip"].map(as_written) + ")")
    return pd.DataFrame(
        {
            "recording": table["clip"],
            "label": names.str.join(" + "),
            "labels": names.map(frozenset),
            "known": names.map(lambda labels: set(labels) <= set(classes)).astype(bool),
            "title": titles,
            "path": table.path,
        }
    ).reset_index(drop=True)


def _few(table: pd.DataFrame) -> pd.DataFrame:
    """The first few rows of every set of labels, from its splits in turn, in the order of the table."""
    labels = table.labels.str.join("\n")
    turn = labels.groupby([labels, table["split"]]).cumcount().sort_values(kind="stable")
    chosen = labels[turn.index].groupby(labels[turn.index]).head(LISTED_A_LABEL)
    return table.loc[chosen.index.sort_values()]
