"""An open shard: read a row at a time, and each row checked the first time."""

import os
import time
import zlib
from pathlib import Path
from threading import Lock
from weakref import finalize

import numpy as np

from protoviz.cache import files
from protoviz.cache.files import CacheError, DamagedCacheError

SETTLED = 2_000_000_000  # ns: the coarsest clock of a file system, FAT's; a younger file may change unseen


class Seen:
    """Which rows of a shard this process has found sound, in the file as it is now."""

    def __init__(self, count: int):
        self.count = count
        self._known: tuple[tuple | None, np.ndarray] = None, np.zeros(count, bool)

    def rows(self, told: os.stat_result) -> np.ndarray:
        """Return (b,) bool, to be marked further: all False if the file has changed since, or only just."""
        stamp = told.st_size, told.st_mtime_ns, told.st_ctime_ns
        if time.time_ns() - told.st_mtime_ns < SETTLED:
            return np.zeros(self.count, bool)
        if self._known[0] != stamp:
            self._known = stamp, np.zeros(self.count, bool)
        return self._known[1]


class Shard:
    """One open shard, read from any number of threads.

    Raises DamagedCacheError where the file is gone, cut or changed, CacheError where the disk does not give
    it. Of a shard without sums, which an earlier protoviz wrote, changed bytes are not found.
    """

    def __init__(self, folder: Path, number: int, record: dict, row: np.dtype, seen: Seen):
        self.folder, self.path = folder, folder / files.shard_file(number)
        self.size, self.seen = row.itemsize, seen
        self.header = record["bytes"] - seen.count * row.itemsize
        self.sums = np.frombuffer(bytes.fromhex(record.get("crc32", "")), ">u4").tolist()
        try:
            self._file, self._turn = self.path.open("rb", buffering=0), Lock()
        except FileNotFoundError as error:
            raise self._fault("is missing") from error
        except OSError as error:
            raise CacheError(f"{self.path} cannot be opened ({error}); see to that and try again") from error
        finalize(self, self._file.close)
        if self.sums:
            self._check_header()

    def _check_header(self) -> None:
        header = np.empty(self.header, np.uint8)
        self._fill([header], 0, "its header")
        if zlib.crc32(header) != self.sums[0]:
            raise self._fault("does not match its checksum in its header")

    def read(self, row: int, into: list[np.ndarray]) -> None:
        """Fill arrays with what lies one behind the other in a row: tokens (n d), cls (d), mask (n)."""
        seen = self.seen.rows(os.fstat(self._file.fileno())) if self.sums else None
        self._fill(into, self.header + row * self.size, f"row {row}")
        if seen is None or seen[row]:
            return
        found = 0
        for part in into:
            found = zlib.crc32(part, found)
        if found != self.sums[1 + row]:
            raise self._fault(f"does not match its checksum in row {row}")
        seen[row] = True

    def _fill(self, into: list[np.ndarray], at: int, place: str) -> None:
        parts = [memoryview(array.reshape(-1).view(np.uint8)) for array in into]
        while parts:  # once, but on a file system that gives less than it was asked for
            try:
                done = self._some(parts, at)
            except OSError as error:
                raise CacheError(
                    f"{self.path} cannot be read at {place} ({error}); see to the disk, then try again"
                ) from error
            if not done:
                raise self._fault(f"ends within {place}: it has shrunk since it was opened")
            at += done
            while parts and done >= len(parts[0]):
                done -= len(parts.pop(0))
            parts[:1] = [part[done:] for part in parts[:1]]

    def _some(self, parts: list[memoryview], at: int) -> int:
        """The bytes read from a place of the file, straight to where they are wanted."""
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), parts, at)
        with self._turn:  # Windows has no call that reads at a place
            self._file.seek(at)
            return self._file.readinto(parts[0])

    def _fault(self, what: str) -> DamagedCacheError:
        return DamagedCacheError(f"{self.path} {what}; {files.cure(self.folder)}")
