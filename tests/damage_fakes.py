"""Kinds of files whose readers do everything wrong, for the tests of the damage suite: no torch, no sound."""

import os
import time
from pathlib import Path

from benchmarks.damage.kind import Kind

GOOD = bytes(range(1, 201))


def make(folder: Path) -> None:
    (folder / "a.bin").write_bytes(GOOD)
    (folder / "b.txt").write_text("beside")


def read(folder: Path) -> bytes:
    """The bytes, and everything that can go wrong, by the sum of the bytes."""
    data = (folder / "a.bin").read_bytes()
    match 0 if data == GOOD else 1 + sum(data) % 6:
        case 1:
            os._exit(3)
        case 2:
            time.sleep(600)
        case 3:
            raise MemoryError("no 40 GB")
        case 4:
            return {}["a.bin"]
        case 5:
            print("a.bin is damaged and made again")
            return GOOD
    return data if data == GOOD else b"another"


BAD = Kind("bad", make, ("*.bin",), (read,))
