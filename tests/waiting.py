"""Waiting for what another thread, process or page does: until it holds, however busy the machine is."""

import time
from collections.abc import Callable

PATIENCE = 240.0  # seconds; what takes longer hangs


def until(holds: Callable[[], object], pause: Callable[[float], object] = time.sleep) -> None:
    """Return as soon as this holds; raise AssertionError where it never comes to hold."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it has not come to hold"
        pause(0.02)
