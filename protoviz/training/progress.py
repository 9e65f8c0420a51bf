"""How far a training is: a bar with the time left, or a function of the caller's that hears of epochs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from protoviz.training.run import Run

Told = Callable[[int, int, float, float], None]  # run, epoch, loss, score


class Watch:
    """Hears of steps and epochs; this one keeps them to itself or tells the caller's function of epochs."""

    def __init__(self, told: Told | None = None):
        self.told = told

    def step(self) -> None:
        """Note that one run has taken one step."""

    def epoch(self, number: int, run: Run) -> None:
        """Run `number` has finished an epoch."""
        row = run.rows[-1]
        if self.told:
            self.told(number, row["epoch"], row["loss"], row["score"])


class Bar(Watch):
    """A bar over the steps of all runs, with the time left and the best score so far."""

    def __init__(self, runs: list[Run], bar: Progress):
        super().__init__()
        self.runs, self.bar = runs, bar
        self.task = bar.add_task(self._text(), total=self._total())

    def step(self) -> None:
        self.bar.advance(self.task)

    def epoch(self, number: int, run: Run) -> None:
        self.bar.update(self.task, description=self._text())
        if run.done:  # perhaps before its last epoch
            self.bar.update(self.task, total=self.bar.tasks[0].total - run.steps_left)

    def _total(self) -> int:
        return sum(run.steps_left for run in self.runs if not run.done)

    def _text(self) -> str:
        what = self.runs[0].probe.name if len(self.runs) == 1 else f"{len(self.runs)} runs"
        epoch = max((run.epoch for run in self.runs), default=0)
        text = f"{what}, epoch {epoch} of {max((run.config.epochs for run in self.runs), default=0)}"
        best = max((run.best_score for run in self.runs if run.best_epoch), default=None)
        return text if best is None else f"{text}, best score {best:.3f}"


@contextmanager
def watch(progress: bool | Told | None, runs: list[Run]) -> Iterator[Watch]:
    """Yield the Watch that `progress` asks for: True a bar, a function to be called, False or None
    nothing.
    """
    if progress is not True:
        yield Watch(progress or None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("left")) as bar:
        yield Bar(runs, bar)
