"""Token maps on disk: encode once, read many.

    cache = TokenCache.create("runs/tokens", encoder, clips)   # resumes; says what it will write
    for batch in cache.split("train").batches(size=128, seed=0): ...

One folder: shards/NNNNN.npy (plain arrays: `numpy.load(path)["tokens"]`, "cls" and "mask"), targets.npy,
index.parquet (the clip table), meta.json (what it was made from, checksums) and its copy meta.copy.json. An
unfinished one has no index, and its meta.json says so. `cache_files` names them all. Of several layers the
arrays of a shard have an axis l behind that of the clips.
"""

from protoviz.cache.batch import TokenBatch
from protoviz.cache.checking import CacheReport, check_cache, repair_cache
from protoviz.cache.cutting import cut_cache
from protoviz.cache.files import (
    CacheError,
    CacheInUseError,
    DamagedCacheError,
    StaleCacheError,
    UnfinishedCacheError,
    cache_files,
)
from protoviz.cache.layout import CacheConfig, estimate_bytes
from protoviz.cache.store import TokenCache
from protoviz.cache.view import TokenView

__all__ = [
    "CacheConfig",
    "CacheError",
    "CacheInUseError",
    "CacheReport",
    "DamagedCacheError",
    "StaleCacheError",
    "TokenBatch",
    "TokenCache",
    "TokenView",
    "UnfinishedCacheError",
    "cache_files",
    "check_cache",
    "cut_cache",
    "estimate_bytes",
    "repair_cache",
]
