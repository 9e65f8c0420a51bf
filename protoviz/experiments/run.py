"""The whole way: a grid, what it can never be given, what is left of it, an engine, progress, tables."""

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd

from protoviz.arguments import in_order
from protoviz.datasets.clips import SPLITS
from protoviz.encoders.devices import device_named
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.engine import Here, cluster_client, run_on_dask, threads_a_worker
from protoviz.experiments.estimate import seconds_of
from protoviz.experiments.grid import Grid, GridError
from protoviz.experiments.keeping import describe_grid
from protoviz.experiments.rates import SearchConfig
from protoviz.experiments.tables import write_tables
from protoviz.experiments.written import write_settings
from protoviz.progress import Listener, Progress, progress_bar

EVERY = 30.0  # s between two writes of the tables while it runs


@in_order
def run_grid(
    grid: Grid,
    folder: str | Path | None = None,
    cluster: str | None = None,
    workers: int = 2,
    progress: bool = True,
    results: str | Path | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables of `collect` after running what is left of a grid in `folder` (runs/NAME if absent).

    cluster: None: in this process; "local", "slurm" or a scheduler's address: see `cluster_client`. Finished
    cells are not run again, whatever process finished them. Failed ones are tried again; they are listed in
    results.json and by `Cells.failures`, with their error, and the others go on. Where none has, a recipe's
    files are written too, into `results` (the folder of that name in `folder` if absent). Raises GridError
    before any work for what no run could do: see `refuse_hopeless`.
    """
    if workers < 1:
        raise GridError(f"{workers} workers run nothing: give at least 1")
    cells = Cells(grid, folder or grid.folder)
    if grid.recipe:
        grid.recipe.begin(grid)
    tasks, tried = cells.to_do(), set()
    refuse_hopeless(cells, tasks, cluster)
    write_settings(cells.folder, grid)
    try:
        while tasks:
            _run(cells, tasks, cluster, workers, progress)
            tried.update(task.key for task in tasks)
            tasks = [task for task in cells.to_do() if task.key not in tried]
    finally:  # stopped by hand, too, it leaves tables of what is done
        cells.tidy()
        frames = write_tables(cells)
    describe_grid(cells)
    if grid.recipe and not cells.failures():
        grid.recipe.finish(cells, frames, Path(results or cells.folder / "results"))
    return frames


def refuse_hopeless(cells: Cells, tasks: Sequence[Task], cluster: str | None = None) -> None:
    """Raise GridError, which lists every fault, if no run of these tasks could end well.

    Looked at: the splits and classes of each data set, the options of each probe on each encoder's grid and
    width, what `cluster` names (see `run_grid`), and, where the work is done here, the device and what the
    search runs on (RuntimeError). What is merely absent (weights, a copy of a data set, a module) is no such
    fault: its cells are listed as failed, and the others run.
    """
    if cluster not in (None, "local", "slurm") and ":" not in cluster:
        raise GridError(f"cluster {cluster!r}: write local, slurm, or an address such as tcp://HOST:8786")
    if cluster in (None, "local") and tasks:
        device_named(cells.grid.device)
        if isinstance(cells.grid.search, SearchConfig) and any(task.kind == "search" for task in tasks):
            import_module("protoviz.experiments.search")  # which says what it lacks
    if faults := list(dict.fromkeys(_faults(cells, tasks))):
        raise GridError("nothing was run:\n" + "\n".join(faults))


def _faults(cells: Cells, tasks: Sequence[Task]) -> Iterator[str]:
    for task in tasks:
        if not task.probe or cells.fault(task):
            continue
        pair = cells.of(task)
        facts, name = pair.clip_facts, task.dataset
        if missing := [split for split in SPLITS if not facts.splits.get(split)]:
            there = ", ".join(f"{count:,} {split}" for split, count in facts.splits.items())
            yield (
                f"datasets.{name} has no {' and no '.join(missing)} clips (it has {there}): probes are "
                "trained on train, chosen on validation and scored on test; give shares, or a "
                "table that has them"
            )
        elif len(facts.classes) < 2 and (full := [split for split in SPLITS if split not in facts.odd]):
            yield (
                f"datasets.{name} has one class, and every {full[0]} clip has it: there is nothing to tell "
                "apart; add clips without it (`[]` in a table of labels)"
            )
        elif task.kind != "tune":
            method, there = cells.method(task.probe), facts.splits["train"]
            if (method.first or 0) > there:
                yield (
                    f"probes.{task.probe} learns from the first {method.first:,} training clips, and "
                    f"datasets.{name} has {there:,}: give fewer, or more clips"
                )
            try:
                pair.probe(method)
            except (ValueError, TypeError) as error:
                yield f"probes.{task.probe} on datasets.{name} by encoders.{task.encoder}: {error}"


def _run(cells: Cells, tasks: Sequence[Task], cluster: str | None, workers: int, progress: bool) -> None:
    # In seconds of estimated work, so that the bar's share and its time left mean something.
    weights = {task.key: seconds_of(cells, task) for task in tasks}
    with progress_bar(total=sum(weights.values()), shown=progress) as bar:
        tally = _Tally(cells, weights, bar)
        if cluster is None:
            return Here(cells, tasks, tally.ended, tally.at_work).run()
        with cluster_client(cluster, workers, cells.grid) as client:
            bar(Progress(line=f"Dask's own view of the work: {client.dashboard_link}"))
            run_on_dask(cells, tasks, tally.ended, client, threads_a_worker(cluster, workers, cells.grid))


class _Tally:
    """Counts tasks for a bar, and writes the tables now and then."""

    def __init__(self, cells: Cells, weights: dict[str, float], bar: Listener):
        self.cells, self.weights, self.bar, self.done, self.failed = cells, weights, bar, 0, 0
        self.there = sum(1 for task in cells.tasks()) - len(weights)
        self.written = time.monotonic()
        bar(Progress(text=self._text(1)))

    def at_work(self, event: Progress) -> None:
        """Show what this process is at."""
        self.bar(event._replace(text=f"{self._text(1)}, now: {event.text}"))

    def ended(self, task: Task, error: str | None, workers: int) -> None:
        """Note that a task is done or has failed."""
        self.done, self.failed = self.done + (error is None), self.failed + (error is not None)
        line = f"failed: {task}: {error}" if error else None
        self.bar(Progress(self.weights[task.key], self._text(workers), line=line))
        if time.monotonic() - self.written > EVERY:
            write_tables(self.cells)
            self.written = time.monotonic()

    def _text(self, workers: int) -> str:
        text = f"{self.done} of {len(self.weights)} tasks done"
        text += f", {self.there} were there" if self.there else ""
        text += f", {self.failed} failed" if self.failed else ""
        return text + (f", {workers} workers" if workers > 1 else "")
