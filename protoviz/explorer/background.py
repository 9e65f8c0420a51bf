"""Long work beside the event loop: steps in a thread, with progress, that can be cancelled.

A session runs at most one thing of a kind at a time; a new one takes the place of the old one. All sessions
share a few threads, and after every step the next job has its turn: an hour of sound that one student scans
does not keep another's file waiting.
"""

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import param

from protoviz.explorer.limits import LIMITS

WORKERS = 2  # one may decode a file while another encodes, which takes torch's own threads besides
TELL_SECONDS = 0.15  # between two reports of progress: a bar needs no more, and each one is a message

Steps = Generator[float, None, Any]  # yields the share done, 0 to 1; what it returns is the result


@dataclass(eq=False)
class _Job:
    steps: Steps
    done: Callable[[Any], None]
    stopped: Callable[[Exception | None], None]
    deliver: Callable[[Callable[[], None]], None]
    cancelled: bool = False
    told: float = 0.0
    worked: float = 0.0  # seconds in steps, without the waiting for others' turns


class Work(param.Parameterized):
    """Runs one thing at a time and says how far it is.

    `deliver` hands a call over to the session (for a served page: its document's next tick, under its lock);
    None, as in a test or a notebook: there is nobody to keep waiting, and `run` does the whole work itself.
    """

    label = param.String(default="", doc="What is being done; plain text.")
    progress = param.Number(default=0.0, bounds=(0, 1), doc="Share that is done.")
    running = param.Boolean(default=False, doc="Something is under way.")

    def __init__(self, **params):
        super().__init__(**params)
        self.deliver: Callable[[Callable[[], None]], None] | None = None
        self._job: _Job | None = None

    def run(
        self,
        label: str,
        steps: Steps,
        done: Callable[[Any], None],
        stopped: Callable[[Exception | None], None],
    ) -> None:
        """Go through the steps, then call `done(result)` in the session.

        Where a step raises a ValueError, or the steps have worked longer than `LIMITS.seconds`, it calls
        `stopped(error)`; where somebody cancels, `stopped(None)`. A step that runs is never cut short.
        Any other error is a mistake of ours and is raised in the session. What ran before is forgotten.
        """
        self.forget()
        if self.deliver is None:
            self._at_once(label, steps, done, stopped)
            return
        self._job = _Job(steps, done, stopped, self.deliver)
        self.param.update(label=label, progress=0.0, running=True)
        _pool().submit(self._step, self._job)

    def cancel(self) -> None:
        """Stop after the step that is running; whoever started the work is told."""
        job = self._job
        self.forget()
        if job is not None:
            job.stopped(None)

    def forget(self) -> None:
        """Stop without telling: something else takes the place of this work."""
        if self._job is not None:
            self._job.cancelled = True
        self._end()

    def _end(self) -> None:
        self._job = None
        self.param.update(running=False)

    def _at_once(self, label: str, steps: Steps, done: Callable, stopped: Callable) -> None:
        self.label = label
        try:
            while True:
                self.progress = next(steps)
        except StopIteration as end:
            result = end.value
        except ValueError as error:
            stopped(error)
            return
        done(result)

    # -- in a thread

    def _step(self, job: _Job) -> None:
        """One step, then back into the queue, behind the others."""
        if job.cancelled:
            job.steps.close()
            return
        begun = time.monotonic()
        try:
            share = next(job.steps)
            job.worked += time.monotonic() - begun
            if job.worked > LIMITS.seconds:
                job.steps.close()
                raise ValueError(
                    f"stopped after {LIMITS.seconds} seconds of work, the limit here; what is done stays"
                )
        except StopIteration as end:
            result = end.value
            job.deliver(lambda: self._finish(job, lambda: job.done(result)))
            return
        except Exception as error:
            mistake = error
            job.deliver(lambda: self._finish(job, lambda: _answer(job, mistake)))
            return
        now = time.monotonic()
        if now - job.told > TELL_SECONDS:
            job.told = now
            job.deliver(lambda: self._report(job, share))
        _pool().submit(self._step, job)

    # -- back in the session

    def _report(self, job: _Job, share: float) -> None:
        if job is self._job:
            self.progress = share

    def _finish(self, job: _Job, tell: Callable[[], None]) -> None:
        if job is self._job:  # else it was cancelled, or another took its place, while this was on its way
            self._end()
            tell()


def _answer(job: _Job, error: Exception) -> None:
    if not isinstance(error, ValueError):
        raise error
    job.stopped(error)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="protoviz-work")
