"""The whole way: a grid, what is left of it, an engine, progress, tables."""

import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from protoviz.arguments import in_order
from protoviz.experiments.before import refuse_hopeless
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.engine import cluster_client, run_here, run_on_dask, torch_threads
from protoviz.experiments.estimate import seconds_of
from protoviz.experiments.grid import Grid, GridError
from protoviz.experiments.tables import write_tables
from protoviz.experiments.written import write_settings

EVERY = 30.0  # s between two writes of the tables while it runs


@in_order
def run_grid(
    grid: Grid,
    folder: str | Path | None = None,
    cluster: str | None = None,
    workers: int = 2,
    progress: bool = True,
) -> dict[str, pd.DataFrame]:
    """Return the tables of `collect` after running what is left of a grid in `folder` (runs/NAME if absent).

    cluster: None: in this process; "local", "slurm" or a scheduler's address: see `cluster_client`. Finished
    cells are not run again, whatever process finished them. Failed ones are tried again; they are listed in
    results.json and by `Cells.failures`, with their error, and the others go on. Raises GridError before any
    work for what no run could do: see `refuse_hopeless`.
    """
    if workers < 1:
        raise GridError(f"{workers} workers run nothing: give at least 1")
    cells = Cells(grid, folder or grid.folder)
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
    return frames


def _run(cells: Cells, tasks: Sequence[Task], cluster: str | None, workers: int, progress: bool) -> None:
    with Show(cells, tasks, progress) as show:
        if cluster is None:
            return run_here(cells, tasks, show)
        with cluster_client(cluster, workers, cells.grid) as client:
            show.says(f"Dask's own view of the work: {client.dashboard_link}")
            run_on_dask(cells, tasks, show, client, torch_threads(cluster, workers, cells.grid))


class Show:
    """A bar in seconds of estimated work, so that its share and its time left mean something."""

    def __init__(self, cells: Cells, tasks: Sequence[Task], progress: bool):
        self.cells, self.done, self.failed, self.workers = cells, 0, 0, 1
        self.weights = {task.key: seconds_of(cells, task) for task in tasks}
        self.there = sum(1 for task in cells.tasks()) - len(tasks)
        self.now, self.written = "", time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self.bar = Progress(
            *columns, TextColumn("left"), console=Console(stderr=True), disable=not (progress and tasks)
        )

    def __enter__(self) -> "Show":
        self.bar.start()
        self.task = self.bar.add_task(self._text(), total=sum(self.weights.values()))
        return self

    def __exit__(self, *_) -> None:
        self.bar.stop()

    def says(self, text: str) -> None:
        """Print a line above the bar."""
        self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def starts(self, task: Task) -> None:
        """Note that this process begins a task."""
        self.now = str(task)
        self.bar.update(self.task, description=self._text())

    def inside(self, text: str) -> None:
        """Note how far this process is within its task."""
        self.bar.update(self.task, description=f"{self._text()}, {text}")

    def told(self, task: Task, error: str | None, workers: int) -> None:
        """Note that a task is done or has failed."""
        self.done, self.failed = self.done + (error is None), self.failed + (error is not None)
        self.workers, self.now = workers, ""
        self.bar.update(self.task, description=self._text(), advance=self.weights[task.key])
        if error:
            self.says(f"failed: {task}: {error}")
        if time.monotonic() - self.written > EVERY:
            write_tables(self.cells)
            self.written = time.monotonic()

    def _text(self) -> str:
        text = f"{self.done} of {len(self.weights)} tasks done"
        text += f", {self.there} were there" if self.there else ""
        text += f", {self.failed} failed" if self.failed else ""
        text += f", {self.workers} workers" if self.workers > 1 else ""
        return f"{text}, now: {self.now}" if self.now else text
