"""Batches encoded side by side, each on processor cores of its own, and handed on in their order."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch

from protoviz.cache.ahead import in_order
from protoviz.encoders.devices import own_threads, torch_threads

MOST_LANES = 8  # each holds the activations of one batch: 0.3 GB at width 768
ON_ACCELERATOR = 2  # one computes while the other's clips go there and its tokens come back


def lanes_for(device: torch.device, asked: int = 0) -> int:
    """Return how many batches are encoded at once on a device; asked: so many, 0: as many as are of use.

    On a processor each core takes a batch of its own: several cores in one batch wait for each other at
    every product, all the more where something else runs on one of them, and share front end and conversion
    badly.
    """
    if asked:
        return asked
    return min(torch.get_num_threads(), MOST_LANES) if device.type == "cpu" else ON_ACCELERATOR


@contextlib.contextmanager
def side_by_side(work: Callable, batches: Iterator, lanes: int) -> Iterator[Iterator]:
    """Yield an iterator over `work(batch)` of each batch, in order, `lanes` of them at once in threads.

    Twice as many are under way or ready, so that no lane waits while its results are written. torch's threads
    are shared out among the lanes, and given back at the end.
    """
    share = max(1, torch.get_num_threads() // lanes)
    with torch_threads():
        pool = ThreadPoolExecutor(lanes, "encode", initializer=own_threads, initargs=(share,))
        try:
            yield in_order(pool, work, batches, 2 * lanes)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
