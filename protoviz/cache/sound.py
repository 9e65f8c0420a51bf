"""Which shards of a cache are as they were written: what a writer keeps, and what a check reports."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from protoviz.cache import files
from protoviz.cache.files import CacheError
from protoviz.cache.meta import meta_row, read_record, shard_count, shard_rows
from protoviz.cache.shard import shard_sums
from protoviz.processes import cores

READERS = 4  # threads: a disk seldom gives more at once


def sound_records(folder: Path, meta: dict) -> tuple[dict[int, dict], dict[int, str]]:
    """Return a map: shard -> its record, of those that are as they were written; and shard -> what is wrong
    with it.

    Reads all of them. A shard that is not written yet is in neither. Records of an earlier protoviz get the
    sums of their rows here, once their files have been found sound.
    """
    with ThreadPoolExecutor(min(READERS, cores())) as pool:
        found = list(pool.map(lambda number: _look(folder, meta, number), range(shard_count(meta))))
    records = {number: one for number, one in enumerate(found) if isinstance(one, dict)}
    return records, {number: one for number, one in enumerate(found) if isinstance(one, str)}


def _look(folder: Path, meta: dict, number: int) -> dict | str | None:
    """The record of a shard that is sound, or what is wrong with it; None where it is still to be made."""
    name = files.shard_file(number)
    if (folder / files.shard_record(number)).exists():
        try:
            record = read_record(folder, meta, number)
        except CacheError as error:
            return f"{files.shard_record(number)}: {error}"
    elif meta["complete"]:
        record = meta["shards"][number]
    else:
        return None
    if wrong := files.fault(folder, name, record, verify=True):
        return wrong
    if "crc32" not in record:
        record = {**record, "crc32": _sums(folder / name, shard_rows(meta, record), meta_row(meta))}
    return record


def _sums(path: Path, rows: int, row: np.dtype) -> str:
    held = np.memmap(path, np.uint8, mode="r")
    header = len(held) - rows * row.itemsize
    return shard_sums(held[:header].tobytes(), held[header:].view(row))
