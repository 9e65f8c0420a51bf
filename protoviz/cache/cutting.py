"""A cache of several layers cut down to some of them, without encoding again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from protoviz.cache import files
from protoviz.cache.files import CacheError
from protoviz.cache.lock import writer_lock
from protoviz.cache.meta import meta_row, shard_size, write_meta
from protoviz.cache.shard import write_shard
from protoviz.cache.store import TokenCache


def cut_cache(folder: str | Path, cache: TokenCache, layers: Sequence[int] | int) -> TokenCache:
    """Return a new cache in `folder` with some layers of another one, which stays as it is.

    It is what encoding these layers would have given, and `TokenCache.create` repairs it as any other. Every
    row is checked as it is read. Raises CacheError where a layer is not there or the folder is not empty.
    """
    folder, asked = Path(folder), sorted({layers} if isinstance(layers, int) else {*layers})
    if folder.exists() and any(path.name[0] != "." for path in folder.iterdir()):
        raise CacheError(f"{folder} is not empty; give a new folder for the layers that are kept")
    folder.mkdir(parents=True, exist_ok=True)
    meta = _meta_of(cache, asked)
    with writer_lock(folder):
        write_meta(folder, {**meta, "complete": False})
        records = [_write(cache, folder, meta, number, asked) for number in range(len(meta["shards"]))]
        for name in (files.INDEX, files.TARGETS):
            files.write_bytes(folder / name, (cache.folder / name).read_bytes())
        write_meta(folder, {**meta, "shards": records})
        for number in range(len(records)):
            (folder / files.shard_record(number)).unlink()
    return TokenCache.open(folder)


def _meta_of(cache: TokenCache, layers: list[int]) -> dict:
    """The whole cache's meta.json with fewer layers; its shards hold the same clips."""
    layout = {**cache.meta["layout"], "shard_clips": shard_size(cache.meta) * len(layers), "layers": layers}
    meta = {**cache.meta, "layout": layout, "layers": layers}
    depth = cache.made_by["shape"].get("depth", "last")
    if layers == [depth]:  # as if nothing else had been asked for
        del layout["layers"]
        meta["layers"] = ["last"]
    return meta


def _write(cache: TokenCache, folder: Path, meta: dict, number: int, layers: list[int]) -> dict:
    """The record of one shard, of which these layers are kept."""
    shards = cache.meta["shards"]
    old, first = shards[number], sum(record["clips"] for record in shards[:number])
    batch = cache.read(np.arange(first, first + old["clips"]), layers)
    rows = np.empty((old["clips"], len(layers)), meta_row(meta))
    rows["tokens"], rows["cls"], rows["mask"] = batch.tokens, batch.cls, batch.mask[:, None]
    known = {name: old[name] for name in ("clips", "skipped", "again") if name in old}
    return write_shard(folder, meta, number, rows, known)
