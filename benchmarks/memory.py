"""What processes hold; the highest mark of one piece of work, in a fork, so that nothing else is counted."""

import ctypes
import os
import resource
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

RESET = Path("/proc/self/clear_refs")  # writing 5 starts the mark anew from what there is now


def status_mb(process: int | str = "self", field: str = "VmRSS") -> float | None:
    """MB (2^20) that a process holds (VmHWM: held at most); None where the system does not tell it so."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def peak_mb(prepare: Callable[[], Callable[[], None]]) -> float | None:
    """MB (2^20) that `prepare()()` takes at most above what `prepare()` holds, with one thread.

    None where processes cannot fork. What a step loads or builds on its first call belongs into `prepare`.
    """
    if not hasattr(os, "fork"):
        return None
    receive, send = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of torch sleep; the child starts none
        child = os.fork()
    if child == 0:
        try:
            os.close(receive)
            os.write(send, str(_peak(prepare)).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    if not text:
        raise RuntimeError("the process that measured memory ended early; is there enough of it?")
    return float(text)


def _peak(prepare: Callable[[], Callable[[], None]]) -> float:
    import torch

    torch.set_num_threads(1)
    _give_back_at_once()
    step = prepare()
    with suppress(OSError):  # a kernel without it, or one that forbids it: the mark of `prepare` stays
        RESET.write_text("5")
    before = _highest()
    step()
    return _highest() - before


def _highest() -> float:
    """The highest MB so far of the memory that this process has now.

    Linux' `ru_maxrss` is none: it survives `exec`, so that a child of a large process begins with its mark.
    """
    if (told := status_mb(field="VmHWM")) is not None:
        return told
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of a fork only what it has itself
    return highest / (1024 if sys.platform != "darwin" else 1024**2)  # a Mac counts bytes


def _give_back_at_once() -> None:
    """Makes glibc return what is freed: kept for reuse it would hide what the step takes."""
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 2**16)  # M_MMAP_THRESHOLD: larger blocks come from the system and go back to it
        libc.malloc_trim(0)
