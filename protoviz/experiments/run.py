"""The whole way: a grid, what is left of it, an engine, progress, tables."""

import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from protoviz.arguments import in_order
from protoviz.experiments.before import refuse_hopeless
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.engine import cluster_client, run_here, run_on_dask, torch_threads
from protoviz.experiments.estimate import seconds_of
from protoviz.experiments.grid import Grid, GridError
from protoviz.experiments.keeping import describe_grid
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


def _run(cells: Cells, tasks: Sequence[Task], cluster: str | None, workers: int, progress: bool) -> None:
    # In seconds of estimated work, so that the bar's share and its time left mean something.
    weights = {task.key: seconds_of(cells, task) for task in tasks}
    with progress_bar(total=sum(weights.values()), shown=progress) as bar:
        tally = _Tally(cells, weights, bar)
        if cluster is None:
            return run_here(cells, tasks, tally.ended, tally.at_work)
        with cluster_client(cluster, workers, cells.grid) as client:
            bar(Progress(line=f"Dask's own view of the work: {client.dashboard_link}"))
            run_on_dask(cells, tasks, tally.ended, client, torch_threads(cluster, workers, cells.grid))


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
