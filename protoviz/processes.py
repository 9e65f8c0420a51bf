"""Processes beside this one: how many there is room for, and how they begin and end."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spawned(workers: int, begin: Callable[..., None], *given) -> ProcessPoolExecutor:
    """A pool of processes, in each of which `begin(*given)` is called first; they end with this one.

    Started afresh: a fork of a process in which torch has threads may hang.
    """
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(begin, *given))


def _begin(begin: Callable[..., None], *given) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    begin(*given)


def _end_with_parent() -> None:
    """Ends a worker whose parent was killed: it would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)
