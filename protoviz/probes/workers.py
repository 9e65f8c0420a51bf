"""Parts of one computation side by side: Python threads, each with a single thread of torch.

Left alone, torch splits every operation over its threads and waits for the slowest after each. Where parts
need nothing of one another, one wait at the end is enough: a busy machine then delays the whole once, and
operations that torch does not split run side by side all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import torch

from protoviz.encoders.devices import own_threads, torch_threads


def each(work: Callable[[Any], Any], parts: Sequence, threads: int) -> list:
    """Return `[work(part) for part in parts]`, by that many threads; by the caller where it is one.

    A lone part goes to a worker too: in the caller torch would split it, and a product that is split
    otherwise rounds otherwise. Gradients are never recorded in a worker. torch keeps the number of threads
    it had.
    """
    if threads < 2:
        return [work(part) for part in parts]
    inference = torch.is_inference_mode_enabled()

    def quietly(part):
        with torch.inference_mode(inference), torch.no_grad():  # both are settings of a thread
            return work(part)

    with torch_threads():  # a new worker's setting is what torch reports everywhere
        return list(_pool(os.getpid(), threads).map(quietly, parts))


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Workers of this process: a fork takes over none, so it gets its own."""
    return ThreadPoolExecutor(threads, "protoviz", initializer=own_threads, initargs=(1,))
