"""The highest mark of one piece of work, in a fork of this process, so that nothing else is counted."""

import ctypes
import os
import resource
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

RESET = Path("/proc/self/clear_refs")  # Linux: writing 5 starts the mark anew


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
    torch.set_num_threads(1)
    _give_back_at_once()
    step = prepare()
    if RESET.exists():
        RESET.write_text("5")
        before = _status("VmRSS")
        step()
        return (_status("VmHWM") - before) / 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) / (1024 if sys.platform != "darwin" else 1024**2)  # a Mac counts bytes


def _give_back_at_once() -> None:
    """Makes glibc return what is freed: kept for reuse it would hide what the step takes."""
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 2**16)  # M_MMAP_THRESHOLD: larger blocks come from the system and go back to it
        libc.malloc_trim(0)


def _status(field: str) -> int:
    """Kilobytes that Linux reports for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))
