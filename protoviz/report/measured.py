"""The tables of own results in README and docs: a row a method with the rates that its search chose."""

from pathlib import Path
from typing import NotRequired, TypedDict

import pandas as pd

from protoviz.analysis.detection import EVENTS
from protoviz.analysis.tables import mean_sd, mean_sd_over_seeds, settings_file, table_file
from protoviz.kept import read_frame, read_json
from protoviz.report.formats import DASH, as_code, as_read, pipes


class _Compare(TypedDict):
    seeds: list[int]


class _Setting(TypedDict):
    """What the JSON file beside a table says of its runs, as far as it is read."""

    encoder: str
    command: str
    test: NotRequired[int]  # of scenes alone
    single: NotRequired[tuple[int, int, int]]
    compare: _Compare


class _FewShot(TypedDict):
    encoder: str
    command: str


def demo_table(folder: Path) -> str:
    """Return the demo's results as a Markdown table: test mAP in %, mean ± s.d. over seeds, and chance."""
    results, setting = _results(folder, "results", "demo")
    names = {0: "mixed, k = 1-8", 1: "k = 1", 4: "k = 4", 8: "k = 8"}
    columns = {k: name for k, name in names.items() if k in set(results.polyphony)}
    results = results.assign(column=results.polyphony.map(columns))
    return _markdown(
        "test mAP, %", results, columns, setting, f"{setting['test']:,} held-out procedural scenes"
    )


def poolings_table(folder: Path) -> str:
    """Return the comparison as a Markdown table: test scores in %, mean ± s.d. over seeds, and chance."""
    results, setting = _results(folder, "poolings", "poolings")
    columns = {"mixed": "mAP, k = 1-8", "one event": "accuracy, k = 1"}
    results = results[results.polyphony == 0].assign(column=results.scenes.map(columns))
    scenes = f"{setting['test']:,} held-out procedural scenes, and {setting['single'][2]:,} of one event"
    return _markdown("test, %", results, columns, setting, scenes)


def frames_table(folder: Path) -> str:
    """Return the scores of detectors as a Markdown table: in %, mean ± s.d. over seeds, and chance."""
    results, setting = _results(folder, "frames", "frames")
    mixed = results[results.polyphony == 0].assign(column=results.measure)
    some = results[(results.measure == EVENTS) & results.polyphony.isin((1, 4, 8))]
    some = some.assign(column="k = " + some.polyphony.astype(str))
    table = pd.concat([mixed, some])
    names = table.column.drop_duplicates().tolist()
    rows = []
    for (method, learned), runs in table.groupby(["method", "learned"], sort=False):
        cells = mean_sd_over_seeds(runs, "column").reindex(names, fill_value=DASH)
        rows.append([as_read(method), learned, *cells])
    chance = table.groupby("column").chance.first()
    rows.append(["chance", "", *(mean_sd(chance[name]) for name in names)])
    clips = f"{int(mixed.clips.max()):,}"
    held = "held-out procedural scenes" if "test" in setting else f"test clips of {mixed.dataset.iloc[0]}"
    scenes = f"{clips} {held}; k = ...: {EVENTS} at so many events"
    return "\n".join([pipes(["%", "learned from", *names], rows, words=2), "", _note(setting, scenes)])


def few_shot_table(folder: Path) -> str:
    """Return the few-shot runs as a Markdown table: a mean with two spreads, of seeds and of draws, and the
    range.

    The spread of seeds is that of the runs on one draw of the shots, pooled over draws; that of draws is
    between their means. A run is below `linear` if the linear probe of that draw and seed scores more.
    """
    path = table_file(folder, "few-shot")
    runs, told = read_frame(path), read_json(settings_file(path), _FewShot)
    linear = runs[runs.method == "linear"].rename(columns={"score": "linear"})
    by = ["condition", "draw", "seed"]
    runs = runs.merge(linear[[*by, "linear"]], on=by, how="left")
    rows = []
    for (condition, method), found in runs.groupby(["condition", "method"], sort=False):
        draws = found.groupby("draw").score
        seeds, span = draws.var().mean() ** 0.5, map(mean_sd, (found.score.min(), found.score.max()))
        cells = [mean_sd(found.score.mean(), seeds), mean_sd(draws.mean().std()), " to ".join(span)]
        below = f"{(found.score < found.linear).sum()} of {len(found)}" if method != "linear" else DASH
        rows.append([f"{condition} ({found.shots.mean():.0f})", as_read(method), *cells, below])
    head = [
        "rule (shots a class)",
        "test mAP, %",
        "mean ± s.d. of seeds",
        "s.d. of draws",
        "lowest to highest",
        "below linear",
    ]
    note = (
        f"{as_read(told['encoder'])}, a mini encoder; procedural sound in BirdSet's layout, "
        f"{runs.clips.iloc[0]:,} test segments, chance {mean_sd(runs.chance.iloc[0])}; {runs.draw.nunique()} "
        f"draws of the shots, {runs.seed.nunique()} seeds of training for each; {as_code(told['command'])}."
    )
    return "\n".join([pipes(head, rows), "", note])


def _results(folder: Path, stem: str, command: str) -> tuple[pd.DataFrame, dict]:
    path = table_file(folder, stem)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: `protoviz {command}` makes it")
    return read_frame(path), read_json(settings_file(path), _Setting)


def _markdown(corner: str, results: pd.DataFrame, columns: dict, setting: dict, scenes: str) -> str:
    """One row a method, one column a value of `column`, the rates of the first column, and chance."""
    names = list(columns.values())
    rows = []
    for method, runs in results.groupby("method", sort=False):
        cells = mean_sd_over_seeds(runs, "column").reindex(names, fill_value=DASH)
        rates = runs.loc[runs.column == names[0], ["lr", "prototype_lr"]].head(1).stack().dropna()
        rows.append([as_read(method), *cells, ", ".join(f"{rate:g}" for rate in rates)])
    chance = results.groupby("column").chance.first()
    rows.append(["chance", *(mean_sd(chance[name]) for name in names), ""])
    table = pipes([corner, *names, "rates of the first column: classifier, prototypes"], rows)
    return "\n".join([table, "", _note(setting, scenes)])


def _note(setting: dict, scenes: str) -> str:
    """What stands below a table of the minis."""
    return (
        f"{as_read(setting['encoder'])}, a mini encoder trained on procedural sound; {scenes}; seeds "
        f"{', '.join(map(str, setting['compare']['seeds']))}; {as_code(setting['command'])}."
    )
