"""Processes: how many there is room for, how they begin and end, what they keep of their memory."""

import ctypes
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

# Of glibc's mallopt: M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, in bytes.
KEPT = {-1: 2**31 - 1, -3: 2**30}


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


def keep_memory() -> bool:
    """Whether this process from now on keeps the memory that it frees, for arrays to come (glibc only).

    Dask starts its workers with MALLOC_TRIM_THRESHOLD_=65536: then every array above 64 KB is given back and
    the next one's pages are asked for anew, in each step of a training.
    """
    with suppress(OSError, AttributeError):  # another system has no mallopt
        allocator = ctypes.CDLL(None)
        return all(allocator.mallopt(key, value) for key, value in KEPT.items())
    return False


def release_memory() -> bool:
    """Whether memory that this process has freed went back to the system now (glibc only).

    A worker that keeps it (`keep_memory`) looks to Dask as if it were full, and full ones get no further work.
    """
    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).malloc_trim(0))
    return False
