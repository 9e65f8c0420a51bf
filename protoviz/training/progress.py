"""How far a training is: a bar over the steps of all runs, or a function of the caller's for every epoch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from protoviz.progress import Listener, Progress, progress_bar
from protoviz.training.run import Run

OnEpoch = Callable[[int, int, float, float], None]  # run, epoch, loss, score


class Steps:
    """Tells a bar of every step, and a caller's function of every epoch."""

    def __init__(self, runs: list[Run], bar: Listener, on_epoch: OnEpoch | None):
        self.runs, self.bar, self.on_epoch, self.total = runs, bar, on_epoch, _steps_left(runs)

    def step(self) -> None:
        """Note that one run has taken one step."""
        self.bar(Progress(1))

    def epoch(self, number: int, run: Run) -> None:
        """Note that run `number` has finished an epoch; one that has ended takes no more steps."""
        self.total -= run.steps_left if run.done else 0
        self.bar(Progress(text=_text(self.runs), total=self.total))
        if self.on_epoch:
            row = run.rows[-1]
            self.on_epoch(number, row["epoch"], row["loss"], row["score"])


def _steps_left(runs: list[Run]) -> int:
    return sum(run.steps_left for run in runs if not run.done)


def _text(runs: list[Run]) -> str:
    what = runs[0].probe.name if len(runs) == 1 else f"{len(runs)} runs"
    epoch = max((run.epoch for run in runs), default=0)
    text = f"{what}, epoch {epoch} of {max((run.config.epochs for run in runs), default=0)}"
    best = max((run.best_score for run in runs if run.best_epoch), default=None)
    return text if best is None else f"{text}, best score {best:.3f}"


@contextmanager
def steps_of(runs: list[Run], progress: bool | OnEpoch | None) -> Iterator[Steps]:
    """Yield what hears of steps and epochs. progress: True shows a bar; a function is called every epoch."""
    with progress_bar(_text(runs), _steps_left(runs), shown=progress is True) as bar:
        yield Steps(runs, bar, progress if callable(progress) else None)
