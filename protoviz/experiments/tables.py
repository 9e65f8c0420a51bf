"""The results of a grid as tidy tables, rebuilt from the files of its finished cells."""

import json
from dataclasses import asdict

import pandas as pd

from protoviz.analysis.claims import published_share
from protoviz.analysis.ranking import own_gap
from protoviz.analysis.tables import mean_sd_over_seeds
from protoviz.experiments.cells import Cells
from protoviz.files import slug
from protoviz.kept import read_frame, write_frame, write_json

FIRST = ("dataset", "encoder", "probe", "method", "seed", "polyphony", "metric", "score", "chance", "clips")


def collect(cells: Cells) -> dict[str, pd.DataFrame]:
    """Return results (a row a run), per-class (a run and class), search (a trial) and lacking, of finished
    cells.

    results: dataset, encoder, probe (a name in PROBES), method (the grid's name of it), seed, metric, score
    (test), chance, clips, rates, best epoch, validation and search scores, seconds of encoding, search and
    the run's share of training, peak_mb, per_class (list of average precisions, None for a class without a
    test clip), and config and versions as JSON. polyphony is 0: all test clips. It can be laid beside
    data/demo/results as it is. lacking: the clips that an encoder lacks and another has, which none is
    trained or scored on (`Cells.lacking`). Source of the columns: `protoviz.analysis.results`.
    """
    runs, classes, trials = [], [], []
    for task in (*cells.tasks("train"), *cells.tasks("tune")):
        if cells.fault(task):
            continue
        try:
            found = [row for path in cells.files(task) if (row := cells.read(path))]
            searched = cells.read(cells.search_file(task)) or {"trials": ()}
        except ValueError:  # a probe with a wrong option, which is listed with the failures
            continue
        names = task.names
        trials += [{**names, **row} for row in searched["trials"]]
        for row in map(dict, found):
            labels = row.pop("classes")
            told = {"config": json.dumps(row["config"]), "versions": json.dumps(row["versions"])}
            runs.append({**row, **told})
            named = {**names, "seed": row["seed"]}
            pairs = zip(labels, row["per_class"], strict=True)
            classes += [{**named, "class": label, "average_precision": value} for label, value in pairs]
    results = pd.DataFrame(runs)
    if len(results):
        results = results[[*FIRST, *(name for name in results if name not in FIRST)]]
    frames = {"results": results, "per-class": pd.DataFrame(classes), "search": pd.DataFrame(trials)}
    return {**frames, **scored(cells), "lacking": cells.lacking()}


def scored(cells: Cells) -> dict[str, pd.DataFrame]:
    """Return the table of each scorer, by its name as a file's: of all seeds of all finished cells, with
    dataset, encoder and method, which is empty where no probe is behind.
    """
    found: dict[str, list[pd.DataFrame]] = {slug(entry.name): [] for entry in cells.grid.scores}
    for task in filter(cells.done, cells.tasks("score")):
        for entry, path in cells.score_files(task).items():
            found[slug(entry.name)].append(read_frame(path).assign(**task.names))
    return {
        name: pd.concat([part for part in parts if len(part)] or parts or [pd.DataFrame()], ignore_index=True)
        for name, parts in found.items()
    }


def write_tables(cells: Cells) -> dict[str, pd.DataFrame]:
    """Return the tables of `collect`, now also as parquet files in the grid's folder, with results.json
    beside them.

    Those without a row are written too: a table of an older grid in this folder is not this one's.
    """
    frames = collect(cells)
    for name, frame in frames.items():
        write_frame(cells.folder / f"{name}.parquet", _typed(frame))
    told = {"command": "protoviz benchmark", **asdict(cells.grid), "failed": cells.failures()}
    counted = frames["lacking"].groupby(["dataset", "encoder"], sort=False).size()
    told["lacking"] = [{"dataset": d, "encoder": e, "clips": int(n)} for (d, e), n in counted.items()]
    told["encoder"] = [entry.name for entry in cells.grid.encoders]
    write_json(cells.folder / "results.json", told)
    return frames


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as numbers where a column holds nothing else, although some rows lack them."""
    for name in ("lr", "prototype_lr", "weight_decay", "score"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name])
    return frame


def in_words(results: pd.DataFrame) -> str:
    """Return `summary` as text, and where a fine-tuned encoder beats linear, how much of that way each method
    goes, beside the paper's share.
    """
    told, table = summary(results).to_string(), own_gap(results)
    if table.empty:
        return told
    cells = table.assign(share=[f"{100 * share:.0f} %" for share in table.share])
    cells = cells.pivot(index="method", columns=["dataset", "encoder"], values="share").fillna("-")
    return (
        f"{told}\n"
        "(score - linear) / (fine-tuned - linear), fine-tuned with one seed; published: "
        f"{100 * published_share():.0f} % (protobin, EAT, as20k)\n{cells.to_string()}"
    )


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return a row a method, a column a data set and encoder: "46.3 ± 0.1", mean and s.d. over seeds in %."""
    if results.empty:
        return pd.DataFrame()
    words = mean_sd_over_seeds(results, ["method", "dataset", "encoder"])
    return words.unstack(["dataset", "encoder"]).fillna("-")
