"""The reader of a token cache: token maps by row, in batches, in shuffled order, never all at once."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from protoviz.cache import files, key
from protoviz.cache.batch import TokenBatch
from protoviz.cache.encode import CacheConfig, write_cache
from protoviz.cache.files import CacheError, DamagedCacheError, UnfinishedCacheError

OPEN_SHARDS = 64  # each holds three file handles; a process may often have no more than 1,024 (256 on macOS)


class TokenCache:
    """The token maps of a clip set on disk, in the order of its table; `create` or `open` gives one.

    Memory: the files are mapped, not loaded. What a process holds for itself is one batch (128 clips of 512
    tokens of width 192 in float16: 25 MB) and the clip table; pages of the files stay in memory only as long
    as the system has nothing better to do with it. So a cache may be far larger than the memory.

    table     the clip set's table without skipped clips; row i of the table is clip i of the cache
    classes   names, in the order of the targets' columns
    grid      (T, F); token n = t * F + f
    dim       width d
    skipped   frame with clip and reason
    """

    def __init__(self, folder: Path, meta: dict):
        self.folder, self.meta = folder, meta
        self.grid: tuple[int, int] = tuple(meta["grid"])
        self.dim: int = meta["dim"]
        self.classes: tuple[str, ...] = tuple(meta["classes"])
        self.table = pd.read_parquet(folder / files.INDEX)
        self.table["labels"] = [list(labels) for labels in self.table.labels]
        skipped = [skip for record in meta["shards"] for skip in record["skipped"]]
        self.skipped = pd.DataFrame(skipped, columns=["clip", "reason"], dtype=str)
        self._targets = np.load(folder / files.TARGETS, mmap_mode="r")
        # Row i of the cache is row i - starts[k] of shard k, for the last k with starts[k] <= i.
        self._starts = np.cumsum([0, *(record["clips"] for record in meta["shards"])])
        self._shard = lru_cache(OPEN_SHARDS)(partial(_open_shard, folder))

    @classmethod
    def create(cls, folder: str | Path, encoder, clips, *, progress: bool = True, **layout) -> "TokenCache":
        """The cache of `clips` (a ClipSet) as `encoder` sees them, encoded now as far as it is not there yet.

        layout: fields of CacheConfig (dtype, shard_clips, batch, workers). Before it starts it says how many
        bytes it will write. Killed at any moment and called again, it goes on at the first missing shard, and
        the files end as if nothing had happened (on one machine with the same torch). A clip that cannot be
        read, or whose tokens are not finite, is skipped, listed in `skipped` and counted aloud; it stays so
        until the folder is deleted. A damaged cache is repaired by encoding the damaged shards again.

        Raises StaleCacheError where the folder holds another encoder's, data list's or layout's cache,
        CacheInUseError while another process encodes there, CacheError where the disk is too small.
        """
        folder = Path(folder)
        write_cache(folder, encoder, clips, CacheConfig(**layout), progress)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path, encoder=None, clips=None, verify: bool = False) -> "TokenCache":
        """The finished cache in `folder`.

        encoder, clips: refuse a cache that was made from others. The sizes of all files are checked always;
        verify: their checksums too, which reads everything. Raises StaleCacheError, UnfinishedCacheError,
        DamagedCacheError, or CacheError where there is no cache; each says what to do.
        """
        folder = Path(folder)
        meta = files.read_meta(folder)
        key.refuse_stale(folder, meta, encoder, clips)
        again = "TokenCache.create with the same encoder and clips"
        if not meta["complete"]:
            shards = -(-meta["clips"]["count"] // meta["layout"]["shard_clips"])
            missing = sum(not (folder / files.shard_record(number)).is_file() for number in range(shards))
            raise UnfinishedCacheError(
                f"{folder} is unfinished: {missing} of {shards} shards are missing; {again} goes on with them"
            )
        found = files.index_faults(folder, meta, verify)
        for number, record in enumerate(meta["shards"]):
            found += files.shard_faults(folder, number, record, verify)
        if found:
            raise DamagedCacheError(
                f"{folder} is damaged: {'; '.join(found[:5])}{'; ...' if len(found) > 5 else ''}. "
                f"Delete those files; {again} then encodes what is missing"
            )
        return cls(folder, meta)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        encoder, clips = self.meta["encoder"]["name"], self.meta["clips"]["name"]
        return f"TokenCache({str(self.folder)!r}: {len(self):,} clips of {clips} by {encoder})"

    def __reduce__(self):
        return TokenCache.open, (self.folder,)  # another process maps the files itself

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of what decides the token maps: encoder, data list and dtype."""
        made_from = [self.meta[part]["fingerprint"] for part in ("encoder", "clips")]
        return hashlib.sha256("\n".join([*made_from, self.meta["layout"]["dtype"]]).encode()).hexdigest()

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays on disk."""
        return sum(part["bytes"] for record in self.meta["shards"] for part in record["files"].values())

    def read(self, indices: int | Sequence[int] | np.ndarray) -> TokenBatch:
        """The clips at `indices` (rows of the table, any order, repeats allowed), copied out of the files."""
        rows = np.atleast_1d(np.asarray(indices))
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise IndexError(
                f"clips are read by their row numbers, not by {rows.dtype} of shape {rows.shape}"
            )
        if rows.size and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(
                f"rows {rows.min()} to {rows.max()} asked of {self!r}, which has 0 to {len(self) - 1}"
            )
        rows = rows.astype(np.int64)
        cells = self.grid[0] * self.grid[1]
        tokens = np.empty((len(rows), cells, self.dim), self.meta["layout"]["dtype"])
        cls = np.empty((len(rows), self.dim), np.float32)
        mask = np.empty((len(rows), cells), np.bool_)
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        for shard in np.unique(shards):
            arrays = self._shard(int(shard))
            places = np.flatnonzero(shards == shard)
            inside = rows[places] - self._starts[shard]
            for place, row in zip(places.tolist(), inside.tolist(), strict=True):
                tokens[place] = arrays.tokens[row]  # one copy, straight from the mapped file
            cls[places], mask[places] = arrays.cls[inside], arrays.mask[inside]
        return TokenBatch(*map(torch.from_numpy, (tokens, cls, mask, self._targets[rows])))

    def batches(
        self, split: str | None = None, size: int = 128, seed: int | None = None
    ) -> Iterator[TokenBatch]:
        """Every clip of a split (None: of all) once, `size` at a time, the last batch perhaps smaller.

        seed None: in the order of the table; else in an order that the seed decides, over the whole split.
        """
        return self.split(split).batches(size, seed)

    def targets(self, split: str | None = None) -> np.ndarray:
        """(b c) float32 of every clip of a split (None: of all), in the order of the table."""
        return self.split(split).targets()

    def split(self, split: str | None) -> "TokenView":
        """The clips of one split, with the same len, batches, read and targets; None: all clips."""
        if split is None:
            return TokenView(self, np.arange(len(self)))
        rows = np.flatnonzero((self.table.split == split).to_numpy())
        if len(rows) == 0:
            known = ", ".join(map(repr, sorted(set(self.table.split))))
            raise CacheError(f"{self.folder} has no split {split!r}; it has {known}")
        return TokenView(self, rows)


class TokenView:
    """Some clips of a token cache, in the order of its table."""

    def __init__(self, cache: TokenCache, rows: np.ndarray):
        self.cache, self.rows = cache, rows
        self.classes, self.grid, self.dim = cache.classes, cache.grid, cache.dim

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the clip table, numbered anew."""
        return self.cache.table.iloc[self.rows].reset_index(drop=True)

    def read(self, indices: int | Sequence[int] | np.ndarray) -> TokenBatch:
        """The clips at `indices`, which are rows of this view's table."""
        return self.cache.read(self.rows[indices])

    def batches(self, size: int = 128, seed: int | None = None) -> Iterator[TokenBatch]:
        """Every clip once, `size` at a time; seed None: in the order of the table; else shuffled by it."""
        if size < 1:
            raise ValueError(f"a batch of {size} clips; size has to be at least 1")
        rows = self.rows if seed is None else np.random.default_rng(seed).permutation(self.rows)
        for start in range(0, len(rows), size):
            yield self.cache.read(rows[start : start + size])

    def targets(self) -> np.ndarray:
        """(b c) float32, in the order of the table."""
        return np.asarray(self.cache._targets[self.rows])


class _Shard(NamedTuple):
    tokens: np.ndarray  # (b n d)
    cls: np.ndarray  # (b d)
    mask: np.ndarray  # (b n)


def _open_shard(folder: Path, number: int) -> _Shard:
    return _Shard(*(np.load(folder / files.shard_file(number, part), mmap_mode="r") for part in files.PARTS))
