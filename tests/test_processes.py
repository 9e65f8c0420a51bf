"""What a process keeps of its memory: counted in a process of its own, started as Dask starts its workers."""

import json
import os
import subprocess
import sys

import pytest

from protoviz.processes import cores, keep_memory

COUNT = """
import json, resource, sys
import torch
from protoviz.processes import keep_memory
kept = keep_memory() if sys.argv[1] == "keep" else None
step = lambda: torch.ones(2 * 2**20)  # 8 MB
for _ in range(10):  # until the freed ones lie so that they fit
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(json.dumps([kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before]))
"""


def count(how: str) -> tuple[bool | None, int]:
    """What `keep_memory` returned, and the page faults of ten arrays of 8 MB, one after the other."""
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}
    made = subprocess.run(
        [sys.executable, "-c", COUNT, how], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(made.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_freed_memory_is_used_again():
    kept, faults = count("keep")
    if not kept:
        pytest.skip("this system's C library has no mallopt")
    assert faults < count("leave")[1] / 4


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert keep_memory() is False
    assert cores() >= 1
