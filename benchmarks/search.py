"""A search of fifty trials beside fifty lone runs of the same settings, in one process and one thread.

Lone, whole: each trial's settings by `fit`, all epochs. Lone, dropped: the same, each ended where the search
ended it; what is left between that and the search is what trials share in a pass, less what Optuna takes
(its own time and one write to the disk a step). Processor time, so a busy machine does not decide; the
writes' waiting is not in it.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.together import World
from protoviz.experiments.search import SearchConfig, search
from protoviz.probes import Probe, Space, untrained
from protoviz.training import FitConfig, TokenSource, fit_many

PROBES = ("linear", "abmilp", "mhca", "protobin")
CONFIG = SearchConfig(epochs=18, rungs=(2, 6))  # the shares of 30 epochs with rungs at 3 and 10, in less time


def rows(
    world: World | None = None,
    clips: int = 256,
    config: SearchConfig = CONFIG,
    probes: tuple[str, ...] = PROBES,
) -> list[dict]:
    """One row a probe: seconds of the search, of whole lone runs, of lone runs dropped alike, and ratios."""
    world = world or World(grid=(16, 4), dim=96, classes=10, present=0.2)
    train, validation = world.clips(clips, 1), world.clips(clips // 4, 2)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = []
    try:
        for name in probes:
            found.append(_row(world.build(name), train, validation, config))
    finally:
        torch.set_num_threads(threads)
    return found


def _row(probe: Probe, train: TokenSource, validation: TokenSource, config: SearchConfig) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        warm = SearchConfig(sobol=1, tpe=1, epochs=1, rungs=())
        search("warm", Path(folder) / "studies.journal", probe, train, validation, config=warm)  # loads code
        begun = time.process_time()
        result = search("timed", Path(folder) / "studies.journal", probe, train, validation, config=config)
        searched = time.process_time() - begun
    trials = result.trials[result.trials.epochs > 0]
    whole = _lone(probe, trials, train, validation, config, lambda row: config.epochs)
    dropped = _lone(probe, trials, train, validation, config, lambda row: row.epochs)
    return {
        "probe": probe.name,
        "search_s": searched,
        "whole_s": whole,
        "dropped_s": dropped,
        "ratio": searched / whole,
        "shared": searched / dropped,
        "epochs": result.epochs / (len(trials) * config.epochs),
    }


def _lone(
    probe: Probe,
    trials: pd.DataFrame,
    train: TokenSource,
    validation: TokenSource,
    config: SearchConfig,
    epochs: Callable[[tuple], int],
) -> float:
    """Seconds of the trials one by one, each for so many epochs."""
    begun = time.process_time()
    for row in trials.itertuples():
        rates = {name: getattr(row, name) for name in Space(lr=(1, 1)).spans()}
        settings = FitConfig(config.epochs, config.batch_size, prototype_lr=None, **rates)
        last = epochs(row)
        keep = (
            None if last == config.epochs else (lambda epoch, runs, last=last: runs if epoch < last else ())
        )
        fit_many([(untrained(probe, config.seed), settings)], train, validation, keep=keep)
    return time.process_time() - begun


def main() -> None:
    table = Table(
        "probe",
        "search, s",
        "50 lone runs, s",
        "ratio",
        "dropped alike, s",
        "of it",
        "epochs",
        title=f"a search of {CONFIG.sobol} + {CONFIG.tpe} trials beside lone runs, one thread",
    )
    for row in rows():
        seconds = (f"{row[key]:.2f}" for key in ("search_s", "whole_s", "ratio", "dropped_s", "shared"))
        table.add_row(row["probe"], *seconds, f"{row['epochs']:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
