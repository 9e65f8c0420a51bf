"""Recordings that whoever serves the explorer puts into its clip list: a folder with one folder a label."""

from pathlib import Path

import pandas as pd

from protoviz.datasets import folder_table

FOLDER_VARIABLE = "PROTOVIZ_RECORDINGS"
LISTED_A_LABEL = 4  # a list to choose from by hand; fifty labels are two hundred entries


def list_recordings(folder: str | Path, classes: tuple[str, ...]) -> pd.DataFrame:
    """The first few sound files of every label in `folder`/LABEL/ (or `folder`/SPLIT/LABEL/).

    Columns: recording (its place below the folder, which names it in a link), label (as a class name), known
    (the label is one of the classes), title, path. A file that is a link to a place outside the folder is
    left out. Raises ValueError where there is none.
    """
    inside = Path(folder).resolve()
    table = folder_table(folder)
    table = table[[Path(path).resolve().is_relative_to(inside) for path in table.path]]
    if table.empty:
        raise ValueError(f"{folder}: every sound file in it is a link to a place outside of it")
    folders = table.labels.str[0]
    table = table[folders.groupby(folders).cumcount() < LISTED_A_LABEL]
    folders = table.labels.str[0]
    labels = folders.str.strip().str.lower().str.replace(r"[\s-]+", "_", regex=True)
    titles = folders.str.replace("_", " ") + ": " + table.path.map(lambda path: Path(path).name)
    alike = titles.duplicated(keep=False)  # of two splits: a list has room for one of each title
    titles = titles.where(~alike, titles + " (" + table["clip"] + ")")
    return pd.DataFrame(
        {
            "recording": table["clip"],
            "label": labels,
            "known": labels.isin(classes),
            "title": titles,
            "path": table.path,
        }
    ).reset_index(drop=True)
