"""This project's own results, from every file that holds some: one tidy frame, whatever made them.

A result table is a parquet file with at least the columns NEEDED. What it leaves out, the JSON file of its
name beside it says: `encoder`, and the settings of the runs. Tables are never pooled: scores of the same
method from two tables were made with other settings, so `source` tells them apart and a ranking or a curve is
drawn from one.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from protoviz.analysis.pruning import ALL, REFITTED, REMOVED
from protoviz.analysis.ranking import intervals, own_gap
from protoviz.analysis.tables import (
    FORMER,
    TUNED,
    called,
    mean_sd,
    mean_sd_over_seeds,
    of_names,
    probe_of,
    settings_file,
    table_file,
    table_files,
)
from protoviz.kept import read_frame, read_json
from protoviz.study import Study

NEEDED = ("method", "seed", "polyphony", "metric", "score", "chance", "clips")
COLUMNS = (
    "source",  # stem of the file: "demo", "poolings", "polyphony"
    "encoder",
    "probe",  # a name in PROBES
    "method",  # the probe with its options, as a table calls it
    "dataset",  # "mixed" polyphony, "one event", or a data set's name
    "polyphony",  # events in the scored clips; 0: all test clips
    "seed",
    "metric",
    "score",  # 0 to 1
    "chance",  # what guessing would score on the same clips: it rises with polyphony
    "clips",  # how many were scored
)

BY_POLYPHONY = "by-polyphony"  # the table of `protoviz study add FOLDER polyphony`
PRUNED = {REMOVED: " + pruned", REFITTED: " + pruned, refitted"}  # of a stage: behind the method


def results(folder: str | Path | None = None) -> pd.DataFrame:
    """Return all own results of a study or a data folder (the shipped one if absent), a row a run and
    polyphony: COLUMNS.

    Read from every place of `table_files`; the source of a study's main table is its name. Empty where there
    is none.
    """
    return _read(_stamps(folder))[0].copy()


def results_of(study: Study | None) -> pd.DataFrame:
    """Return `results` of a study with what `protoviz study add FOLDER polyphony` computed, whose source is
    BY_POLYPHONY; of the shipped folder where there is no study.
    """
    if study is None:
        return results()
    frame = results(study.folder)
    if BY_POLYPHONY not in study.results:
        return frame
    added = study.results[BY_POLYPHONY]
    added = added.assign(source=BY_POLYPHONY, probe=of_names(added.method, probe_of))
    return pd.concat([frame, added[list(COLUMNS)]], ignore_index=True) if len(frame) else added[list(COLUMNS)]


def settings(source: str, folder: str | Path | None = None) -> dict:
    """Return what the JSON file beside a table says about its runs; {} where there is none."""
    return dict(_read(_stamps(folder))[1].get(source, {}))


def per_class(folder: str | Path | None = None) -> pd.DataFrame:
    """Return a frame: method, per_class, score, low, high: test mAP at so many prototypes a class, means over
    seeds.

    Read from the table per-class, which `protoviz per-class` makes, and the table pruning beside it.
    """
    return by_number(read_frame(table_file(folder, "per-class")), pruning(folder))


def by_number(frame: pd.DataFrame, pruned: pd.DataFrame) -> pd.DataFrame:
    """Return method, per_class, score, low, high of the tables per-class and pruning; intervals over seeds.

    The pruned probes of as many prototypes as others were trained with are further methods (see PRUNED).
    """
    if len(pruned):
        whole = pruned[pruned["class"] == ALL]
        whole = whole.assign(per_class=whole.kept / (pruned["class"].nunique() - 1))
        whole = whole[whole.per_class.isin(frame.per_class) & (whole.kept < whole.kept.max())]
        names = whole.method + whole.stage.map(PRUNED)
        frame = pd.concat([frame, whole.assign(method=names, per_class=whole.per_class.astype(int))])
    return intervals(frame.assign(dataset="mixed"), ["method", "per_class"])


def pruning(folder: str | Path | None = None) -> pd.DataFrame:
    """Return the table pruning of `protoviz per-class` (columns: of the scorer `Pruned`), or an empty one."""
    path = table_file(folder, "pruning")
    return read_frame(path) if path.exists() else pd.DataFrame()


def sources(frame: pd.DataFrame, *prefer: str) -> list[str]:
    """Return the tables of a frame of `results`: those of `prefer` first, then most encoders, most runs."""
    size = frame.groupby("source", sort=False).agg(encoders=("encoder", "nunique"), rows=("score", "size"))
    size["preferred"] = [-prefer.index(name) if name in prefer else -len(prefer) for name in size.index]
    return size.sort_values(["preferred", "encoders", "rows"], ascending=False, kind="stable").index.tolist()


def whole_sets(frame: pd.DataFrame, tuned: bool = False) -> pd.DataFrame:
    """Return the rows of a frame of `results` over all test clips, of one metric a table and data set:
    that of `ranked_metric`, as the paper ranks.

    Fine-tuned encoders are left out, unless tuned: they are what methods are held to, and no method.
    """
    frame = frame[(frame.polyphony == 0) & (tuned | (frame.method != TUNED))]
    chosen = frame.groupby(["source", "dataset"], sort=False).metric.transform(ranked_metric)
    return frame[frame.metric == chosen]


def gaps(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return source -> `own_gap` of its scores over all test clips, of each source with fine-tuned encoders.

    A frame is empty where no fine-tuned encoder beats linear. frame: of `results`.
    """
    whole = whole_sets(frame, tuned=True)
    there = sources(whole[whole.method == TUNED]) if len(whole) else []
    return {name: own_gap(whole[whole.source == name]) for name in there}


def ranked_metric(names: pd.Series) -> str:
    """Return the metric that has a mean over data sets: mAP where there is any, else the first."""
    return "mAP" if (names == "mAP").any() else names.iloc[0]


def by_method(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method, a column a data set of a frame of `results`: "46.3 ± 0.1", mean and s.d. over
    seeds, %.

    As `mean_sd_over_seeds` writes them. The last row is chance. One encoder,
    one polyphony: choose them first, because a cell would otherwise mix what cannot be compared (ValueError).
    """
    for column in ("source", "encoder"):
        if frame[column].nunique() != 1:
            raise ValueError(f"choose one {column}: there are {', '.join(sorted(frame[column].unique()))}")
    if frame.groupby("dataset").polyphony.nunique().max() != 1:
        raise ValueError("choose one polyphony a data set: 0 is all of its test clips")
    names = {name: f"{name}: {rows.metric.iloc[0]}, %" for name, rows in frame.groupby("dataset", sort=False)}
    table = mean_sd_over_seeds(frame, ["method", "dataset"]).unstack("dataset")
    table = table.loc[frame.method.drop_duplicates(), list(names)]
    chance = frame.groupby("dataset").chance.first()
    table.loc["chance"] = [mean_sd(chance[name]) for name in names]
    return table.rename(columns=names).rename_axis(columns=None)


def _stamps(folder: str | Path | None) -> tuple[tuple[str, int, int], ...]:
    """Path, time and size of each table and JSON file, so that one that is written anew is read anew."""
    files = [*table_files(folder), *table_files(folder, ".json")]
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)


@lru_cache(maxsize=4)
def _read(stamps: tuple[tuple[str, int, int], ...]) -> tuple[pd.DataFrame, dict[str, dict]]:
    frames, told = [], {}
    for path in (Path(name) for name, *_ in stamps if name.endswith(".parquet")):
        frame = read_frame(path)
        if not set(NEEDED) <= set(frame):
            continue  # a search, or a table of something else
        source = _source(path)
        if source != path.stem and path.stem in FORMER and path.with_stem(source).exists():
            continue  # this folder has the table under its name of today too
        if source in told:
            raise ValueError(f"two tables would be called {source!r}: rename {path}")
        told[source] = settings_of(path)
        frames.append(_tidy(frame, path, source, told[source]))
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS)), told
    return pd.concat(frames, ignore_index=True), told


def _source(path: Path) -> str:
    """The table's name: of the file, or of the study whose main table it is."""
    if path.stem != "results":
        return called(path.stem)
    return "demo" if path.parent.name == "demo" else str(settings_of(path).get("name", path.stem))


def settings_of(path: Path) -> dict[str, Any]:
    """Return what the JSON file beside a table says; {} where there is none."""
    beside = settings_file(path)
    return read_json(beside, dict[str, Any]) if beside.exists() else {}


def _tidy(frame: pd.DataFrame, path: Path, source: str, told: dict) -> pd.DataFrame:
    if "encoder" not in frame and not isinstance(told.get("encoder"), str):
        raise ValueError(f"neither {path} nor {settings_file(path).name} names the encoder: add a column")
    given = {
        "source": source,
        "encoder": told.get("encoder"),
        "probe": of_names(frame.method, probe_of),
        "dataset": frame.scenes if "scenes" in frame else "mixed",
    }
    missing = {name: value for name, value in given.items() if name == "source" or name not in frame}
    return frame.assign(**missing)[list(COLUMNS)]
