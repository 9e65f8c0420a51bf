"""Clips read while the encoder works on the ones before."""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np

from protoviz.audio import check_values, to_waveform
from protoviz.audio.patience import Patience, disk_error
from protoviz.datasets import ClipSet
from protoviz.processes import spawned

# What a broken file raises (AudioError is a ValueError). Anything else is a fault of code: it stops the run.
UNREADABLE = (OSError, ValueError, RuntimeError, EOFError)


class DiskFault(str):
    """A reason that may be gone the next time: the disk, and not the clip."""

    __slots__ = ()


Sound = np.ndarray | str  # the waveform (s,), or the reason why there is none


def read_clip(clips: ClipSet, row: int, patience: Patience | None = None) -> Sound:
    """Return the waveform (s,) float32 of one clip, or why it cannot be used: a DiskFault, or a text.

    A read that the disk fails is tried again a few times first.
    """
    try:
        waveform = to_waveform((patience or Patience())(clips.read, row), "its waveform")
        check_values(waveform, "its waveform")
    except UNREADABLE as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return DiskFault(reason) if disk_error(error) else reason
    return waveform.numpy()


@contextlib.contextmanager
def read_ahead(clips: ClipSet, batches: Sequence[range], workers: int = 0) -> Iterator[Iterator[list[Sound]]]:
    """Yield an iterator over the sounds of each batch of rows, in order, read before they are asked for.

    workers: processes that read; 0: one thread of this one. At most workers + 2 batches are held.
    """
    read = _read_in_worker if workers else _Reader(clips)
    with spawned(workers, _start_worker, clips) if workers else ThreadPoolExecutor(1) as pool:
        try:
            yield in_order(pool, read, iter(batches), workers + 1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def in_order(pool: Executor, work: Callable, batches: Iterator, depth: int) -> Iterator:
    """Yield `work(batch)` of each batch, in order; `depth` more than the one asked for are under way."""
    waiting = deque()
    for batch in batches:
        waiting.append(pool.submit(work, batch))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Reader:
    def __init__(self, clips: ClipSet):
        self.clips, self.patience = clips, Patience()

    def __call__(self, rows: range) -> list[Sound]:
        return [read_clip(self.clips, row, self.patience) for row in rows]


_reader: _Reader | None = None  # of a worker process: clips are sent to it once, not with every batch


def _start_worker(clips: ClipSet) -> None:
    global _reader
    _reader = _Reader(clips)


def _read_in_worker(rows: range) -> list[Sound]:
    return _reader(rows)
