"""The files of a token cache: where they lie, and how each appears whole or not at all."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

FORMAT = 1  # raised when an older reader would misread a newer cache
META = "meta.json"
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
    """The path of a shard below the cache folder: a plain .npy array of `row_dtype`."""
    return f"{SHARDS}/{number:05d}.npy"


def row_dtype(cells: int, dim: int, tokens: str) -> np.dtype:
    """One clip in a shard: tokens (n d), cls (d) and mask (n) side by side, so that one read fetches all."""
    return np.dtype(
        [("tokens", tokens, (cells, dim)), ("cls", "float32", (dim,)), ("mask", "bool", (cells,))]
    )


def shard_record(number: int) -> str:
    """The path of the note that says a shard is whole; it is gone once meta.json lists the shard."""
    return f"{SHARDS}/{number:05d}.json"


class _Summed:
    """A binary file that keeps the length and sha256 of what passes through it."""

    def __init__(self, file):
        self.file, self.digest, self.bytes = file, hashlib.sha256(), 0

    def write(self, data) -> int:
        self.digest.update(data)
        self.bytes += len(data)
        return self.file.write(data)


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[_Summed]:
    """A file that appears under `path` only when it is complete and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + PART_SUFFIX)
    with beside.open("wb") as file:
        yield _Summed(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)  # noqa: PTH105 (one call to watch in tests, and the word the docs use)
    if os.name == "posix":  # the new name, too, has to reach the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_bytes(path: Path, data: bytes) -> dict:
    """{"bytes", "sha256"} of the file, which appears whole or not at all."""
    with _whole_file(path) as file:
        file.write(data)
    return {"bytes": file.bytes, "sha256": file.digest.hexdigest()}


def write_array(path: Path, array: np.ndarray) -> dict:
    """{"bytes", "sha256"} of the .npy file, which appears whole or not at all."""
    with _whole_file(path) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return {"bytes": file.bytes, "sha256": file.digest.hexdigest()}


def write_json(path: Path, value) -> dict:
    """{"bytes", "sha256"} of the JSON file, which appears whole or not at all."""
    return write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def fault(folder: Path, name: str, record: dict, verify: bool = False) -> str | None:
    """What is wrong with file `name` against its record, or None. verify: read it and compare checksums."""
    path = folder / name
    if not path.is_file():
        return f"{name} is missing"
    if (size := path.stat().st_size) != record["bytes"]:
        return f"{name} has {size:,} bytes instead of {record['bytes']:,}"
    if verify:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != record["sha256"]:
                return f"{name} does not match its checksum"
    return None


def index_faults(folder: Path, meta: dict, verify: bool = False) -> list[str]:
    """What is wrong with index and targets; empty where nothing is."""
    if not meta["complete"]:
        return ["index and targets are still to be written"]
    found = (fault(folder, name, record, verify) for name, record in meta["files"].items())
    return [text for text in found if text]


def read_meta(folder: Path) -> dict:
    """What meta.json says. Raises CacheError where there is no cache, or one this version cannot read."""
    path = folder / META
    if not path.is_file():
        raise CacheError(f"no token cache at {folder} ({META} is not there); TokenCache.create makes one")
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        version = meta["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedCacheError(
            f"{path} is damaged ({error}); delete {folder} and create it again"
        ) from error
    if version != FORMAT:
        raise CacheError(
            f"{folder} has cache format {version} and this protoviz reads format {FORMAT}; "
            "use the protoviz that wrote it, or create the cache again"
        )
    return meta
