"""A cache looked at file by file, and mended as far as that takes no encoder."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np

from protoviz.cache import files
from protoviz.cache.files import DamagedCacheError
from protoviz.cache.lock import LOCK, writer_lock
from protoviz.cache.meta import is_early, recover_meta, shard_count, shard_size, write_meta
from protoviz.cache.sound import sound_records
from protoviz.cache.store import read_table
from protoviz.datasets import ClipSet


@dataclass(frozen=True)
class CacheReport:
    """What `check_cache` found in a folder; files are named by their paths below it."""

    folder: Path
    meta: dict | None  # of the cache; None where neither meta.json nor its copy can be read
    sound: dict[int, dict]  # shard that is as it was written -> its record
    damaged: dict[str, str]  # file -> what is wrong with it
    missing: tuple[int, ...]  # shards that an unfinished cache is still without
    foreign: tuple[str, ...]  # files that are no part of the cache

    @property
    def early(self) -> bool:
        """Whether an earlier protoviz made it: its meta.json and the rows that are read are not checked."""
        return self.meta is not None and is_early(self.meta)

    @property
    def whole(self) -> bool:
        """Whether the cache is finished and nothing of it is damaged."""
        return self.meta is not None and self.meta["complete"] and not self.damaged

    def lost(self) -> list[str]:
        """Return which clips are still to be encoded, a line a shard; by row where the index is damaged."""
        size, clips = shard_size(self.meta), self.meta["clips"]
        known = self.meta["complete"] and files.INDEX not in self.damaged
        ids, lines = read_table(self.folder)["clip"] if known else [], []
        for number in sorted({*range(shard_count(self.meta))} - {*self.sound}):
            last = min((number + 1) * size, clips["count"]) - 1
            begin = sum(record["clips"] for record in self.meta["shards"][:number]) if known else 0
            held = list(ids[begin : begin + self.meta["shards"][number]["clips"]]) if known else []
            named = f": {held[0]} to {held[-1]}" if held else ""
            lines.append(f"shard {number}, rows {number * size:,} to {last:,} of {clips['name']}{named}")
        return lines

    def call(self) -> str:
        """Return the call that encodes what is lost and keeps what is sound, and what it has to be given."""
        if self.meta is None:
            return f"TokenCache.create({str(self.folder)!r}, encoder, clips)"
        made, clips = self.meta["encoder"], self.meta["clips"]
        options = "".join(f", {name}={value!r}" for name, value in self.meta["layout"].items())
        return (
            f"TokenCache.create({str(self.folder)!r}, encoder, clips{options})\n"
            f"  encoder: {made['name']}, weights {made['weights'][:12]} (sha256), {made['shape']}\n"
            f"  clips: {clips['name']}, {clips['count']:,}, fingerprint {clips['fingerprint'][:12]}"
        )


def check_cache(folder: str | Path) -> CacheReport:
    """Return what is in a cache's folder and whether it is as it was written; reads everything, changes
    nothing.

    Raises CacheError where there is no cache, or one of a format that this version does not know.
    """
    folder = Path(folder)
    try:
        meta, damaged = recover_meta(folder)
    except DamagedCacheError as error:
        return CacheReport(folder, None, {}, {files.META: str(error)}, (), ())
    records, wrong = sound_records(folder, meta)
    damaged |= {files.shard_file(number): fault for number, fault in wrong.items()}
    for name, record in meta["files"].items() if meta["complete"] else ():
        if fault := files.fault(folder, name, record, verify=True):
            damaged[name] = fault
    if is_early(meta) and meta["complete"] and not damaged:
        told = hashlib.sha256(_told_targets(folder, meta)).hexdigest()
        if told != meta["files"][files.TARGETS]["sha256"]:
            damaged[files.META] = f"{folder / files.META} is damaged (its classes are not the targets')"
    missing = [number for number in range(shard_count(meta)) if number not in {*records, *wrong}]
    return CacheReport(folder, meta, records, damaged, tuple(missing), _foreign(folder, meta))


def _foreign(folder: Path, meta: dict) -> tuple[str, ...]:
    shards = shard_count(meta)
    ours = {*files.cache_files(shards), *map(files.shard_record, range(shards)), LOCK}
    ours |= {name + files.PART_SUFFIX for name in ours}  # of a writer that was killed, or is at work
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return tuple(sorted(name for name in found if name not in ours))


def repair_cache(folder: str | Path) -> CacheReport:
    """Return what is still wrong with a cache after all is mended that can be without its encoder and clips.

    meta.json and its copy are written from each other, targets from the labels in the index, and sums are
    added to a cache of an earlier protoviz whose shards are sound. Where neither meta.json nor its copy can
    be read, nobody can tell what the shards are: all goes into a folder `damaged` below, and the report has
    no `meta`. Shards that are damaged or missing take `TokenCache.create` with the same encoder and clips.
    Raises as `check_cache`, and CacheInUseError while a process writes there.
    """
    folder = Path(folder)
    with suppress(DamagedCacheError):
        recover_meta(folder)  # raises where there is none, before a lock is written there
    with writer_lock(folder, "being written"):
        report = check_cache(folder)
        if report.meta is None:
            _set_aside(folder)
            return report
        meta = report.meta
        if report.early and meta["complete"] and not report.damaged:
            meta = {**meta, "unlisted": [], "shards": list(report.sound.values())}
        if files.TARGETS in report.damaged and files.INDEX not in report.damaged:
            _mend_targets(folder, meta)
        if meta != report.meta or {files.META, files.COPY} & {*report.damaged}:
            write_meta(folder, meta)
    return check_cache(folder)


def _set_aside(folder: Path) -> None:
    """Move what would be the cache into a folder of its own: nothing is lost and a new one can begin."""
    kept = folder / files.ASIDE
    kept.mkdir(exist_ok=True)
    place = next(one for number in count(1) if not (one := kept / str(number)).exists())
    place.mkdir()
    for name in (files.SHARDS, files.INDEX, files.TARGETS, files.COPY, files.META):
        for one in (name + files.PART_SUFFIX, name):  # of a writer that was killed
            if (folder / one).exists():
                (folder / one).rename(place / one)


def _mend_targets(folder: Path, meta: dict) -> None:
    """Write the targets that the labels in the index give, where those are the ones that were there."""
    told = _told_targets(folder, meta)
    if hashlib.sha256(told).hexdigest() == meta["files"][files.TARGETS]["sha256"]:
        files.write_bytes(folder / files.TARGETS, told)


def _told_targets(folder: Path, meta: dict) -> bytes:
    """targets.npy as the labels in the index give it; nothing where they are not among the classes."""
    made = BytesIO()
    with suppress(ValueError):
        told = ClipSet(meta["clips"]["name"], tuple(meta["classes"]), read_table(folder), None)
        np.lib.format.write_array(made, told.targets(), version=(1, 0), allow_pickle=False)
    return made.getvalue()
