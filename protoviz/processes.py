"""Processes: how many there is room for, how they begin and end, what they keep of their memory."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext, suppress

# Of glibc's mallopt: M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, in bytes.
KEPT = {-1: 2**31 - 1, -3: 2**30}
GUARD = (
    'put what it does under `if __name__ == "__main__":`, or the classes that it defines into a module '
    "(in a notebook or on the standard input only the latter helps)"
)


class WorkerError(RuntimeError):
    """Processes that could not do their work; the text says why and the cure."""


def cores() -> int:
    """Return the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def spawned(workers: int, begin: Callable[..., None], *given) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes, in each of which `begin(*given)` is called first; they end with this one.

    Started afresh: a fork of a process in which torch has threads may hang. They do not run the caller's
    script again, as Python's own pools do: it needs no `if __name__ == "__main__":`, unless `given` holds an
    object of a class that the script defines. Raises WorkerError, with the cure, where processes end before
    their work. Ctrl-C ends them at once.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # while a process imports the script
        raise WorkerError(f"this script starts processes, which run it again: {GUARD}")
    ours = _from_script(given)
    with nullcontext() if ours else without_script():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(begin, *given))
        try:
            yield pool
        except BrokenProcessPool as error:
            cure = GUARD if ours else "the system may have ended it where memory ran out: use fewer workers"
            raise WorkerError(f"a worker process ended before its work was done; {cure}") from error
        except KeyboardInterrupt:
            for process in list((pool._processes or {}).values()):  # Python 3.14 has kill_workers
                process.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _from_script(given: tuple) -> bool:
    """Whether any of it is of a class or function of the script, which a process has to import to know it."""
    try:
        return b"__main__" in pickle.dumps(given)
    except Exception:  # a queue, which only a process that is being started can take; else it says so itself
        return False


@contextmanager
def without_script() -> Iterator[None]:
    """Keep processes that are started meanwhile from importing the script that started them.

    multiprocessing takes its place from these two attributes; a script from the standard input has none that
    could be imported.
    """
    script, told = sys.modules["__main__"], {}
    for name in ("__file__", "__spec__"):
        if hasattr(script, name):
            told[name] = getattr(script, name)
    with suppress(AttributeError):
        del script.__file__
    script.__spec__ = None
    try:
        yield
    finally:
        for name, value in told.items():
            setattr(script, name, value)


def _begin(begin: Callable[..., None], *given) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends without a traceback of its own
    end_with_parent()
    begin(*given)


def end_with_parent() -> None:
    """End this process, from now on, as soon as the one that started it has ended, killed or not."""

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def keep_memory() -> bool:
    """Return whether this process from now on keeps the memory that it frees, for arrays to come (glibc
    only).

    Dask starts its workers with MALLOC_TRIM_THRESHOLD_=65536: then every array above 64 KB is given back and
    the next one's pages are asked for anew, in each step of a training.
    """
    with suppress(OSError, AttributeError):  # another system has no mallopt
        allocator = ctypes.CDLL(None)
        return all(allocator.mallopt(key, value) for key, value in KEPT.items())
    return False


def release_memory() -> bool:
    """Return whether memory that this process has freed went back to the system now (glibc only).

    A worker that keeps it (`keep_memory`) looks full to Dask, and full ones get no further work.
    """
    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).malloc_trim(0))
    return False
