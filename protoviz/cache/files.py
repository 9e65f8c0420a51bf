"""The files of a token cache: where they lie, and how each appears whole or not at all."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from protoviz.files import command, digest_of, write_whole

FORMAT = 1  # raised when an older reader would misread a newer cache
META = "meta.json"
COPY = "meta.copy.json"  # of it: without what it says, no shard could be told from any other
DTYPES = ("float16", "float32")  # of tokens
ASIDE = "damaged"  # a folder: what a repair found to be past use
INDEX = "index.parquet"
TARGETS = "targets.npy"
SHARDS = "shards"
PART_SUFFIX = ".part"  # a file that is being written; never read, and the next writer writes it anew


class CacheError(ValueError):
    """A token cache cannot be made or read; the message names it, what is wrong and the cure."""


class StaleCacheError(CacheError):
    """The cache was made from another encoder or data list."""


class DamagedCacheError(CacheError):
    """Files of the cache are missing or changed."""


class UnfinishedCacheError(CacheError):
    """Some shards are still to be encoded."""


class CacheInUseError(CacheError):
    """Another process is encoding into the same folder."""


def shard_file(number: int) -> str:
    """Return the path of a shard below the cache folder: a plain .npy array of `row_dtype`."""
    return f"{SHARDS}/{number:05d}.npy"


def cache_files(shards: int) -> list[str]:
    """Return the paths below the cache folder of all files of a finished cache of so many shards."""
    return [META, COPY, INDEX, TARGETS, *map(shard_file, range(shards))]


def row_dtype(cells: int, dim: int, tokens: str) -> np.dtype:
    """Return a clip in a shard: tokens (n d), cls (d) and mask (n) side by side, so that one read has all."""
    return np.dtype(
        [("tokens", tokens, (cells, dim)), ("cls", "float32", (dim,)), ("mask", "bool", (cells,))]
    )


def shard_record(number: int) -> str:
    """Return the path of the note that says a shard is whole; it is gone once meta.json lists the shard."""
    return f"{SHARDS}/{number:05d}.json"


class _Summed:
    """Keeps the length and sha256 of what passes through it into a binary file."""

    def __init__(self):
        self.digest, self.bytes = hashlib.sha256(), 0

    def write(self, data) -> int:
        self.digest.update(data)
        self.bytes += len(data)
        return self.file.write(data)

    def whole(self, path: Path, write: Callable[["_Summed"], object]) -> dict:
        """Return {"bytes", "sha256"} of the file, written whole; its name, too, has reached the disk."""

        def into(beside: Path) -> None:
            with beside.open("wb") as self.file:
                write(self)

        write_whole(path, into, path.with_name(path.name + PART_SUFFIX))
        if os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return {"bytes": self.bytes, "sha256": self.digest.hexdigest()}


def write_bytes(path: Path, data: bytes) -> dict:
    """Return {"bytes", "sha256"} of the file, which appears whole or not at all."""
    return _Summed().whole(path, lambda file: file.write(data))


def write_array(path: Path, array: np.ndarray) -> dict:
    """Return {"bytes", "sha256"} of the .npy file, which appears whole or not at all."""
    plain = np.ascontiguousarray(array)
    return _Summed().whole(
        path, lambda file: np.lib.format.write_array(file, plain, version=(1, 0), allow_pickle=False)
    )


def cure(folder: Path) -> str:
    """Return what to do about damage, as the second half of a sentence."""
    return (
        f"{command('cache', 'repair', folder)} mends it, and so does TokenCache.create with the same encoder "
        "and clips; what is sound is kept"
    )


def fault(folder: Path, name: str, record: dict, verify: bool = False) -> str | None:
    """Return what is wrong with file `name` against its record, or None. verify: compare checksums too."""
    path = folder / name
    if not path.is_file():
        return f"{name} is missing"
    if (size := path.stat().st_size) != record["bytes"]:
        return f"{name} has {size:,} bytes instead of {record['bytes']:,}"
    if verify:
        try:
            found = digest_of(path)
        except OSError as error:
            return f"{name} cannot be read ({error})"
        if found != record["sha256"]:
            return f"{name} does not match its checksum"
    return None


def index_faults(folder: Path, meta: dict) -> list[str]:
    """Return what is wrong with index and targets, by their checksums; empty if nothing is."""
    if not meta["complete"]:
        return ["index and targets are still to be written"]
    found = (fault(folder, name, record, verify=True) for name, record in meta["files"].items())
    return [text for text in found if text]
