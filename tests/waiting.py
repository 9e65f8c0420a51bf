"""Waiting for what another thread, process or page does: until it holds, however busy the machine is."""

import time
from collections.abc import Callable

PATIENCE = 240.0  # seconds; what takes longer hangs


def until(
    holds: Callable[[], object],
    pause: Callable[[float], object] = time.sleep,
    why: Callable[[], object] = lambda: "it has not come to hold",
) -> None:
    """Return as soon as this holds. Raise AssertionError, which says why not, where it never does."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, why()
        pause(0.02)
