"""The reader of a token cache: token maps by row, in batches, in shuffled order, never all at once."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from protoviz.arguments import in_order
from protoviz.cache import files, key
from protoviz.cache.batch import TokenBatch
from protoviz.cache.encode import write_cache
from protoviz.cache.files import CacheError, DamagedCacheError, UnfinishedCacheError
from protoviz.cache.layout import CacheConfig
from protoviz.cache.meta import layers_of, meta_row, read_meta, shard_count, shard_rows
from protoviz.cache.reading import Seen, Shard
from protoviz.cache.skips import skip_frame
from protoviz.cache.view import TokenView
from protoviz.datasets import ClipSet, clips_of
from protoviz.encoders import Encoder

VIEWS = {"view", "view_of"}  # columns of a table in which clips have further views
OPEN_SHARDS = 128  # each holds a file handle, of which a process may have 1,024 as a rule, and 256 on macOS


class TokenCache:
    """The token maps of a clip set on disk, in the order of its table; `create` or `open` gives one.

    Memory: a process holds one batch (128 clips of 512 tokens of width 192 in float16: 25 MB) and the clip
    table. Clips are read, not mapped: pages of a mapped file count as a process's own memory wherever one is
    watched (Dask ends a worker over them), while what the system keeps of a file that was read counts for
    nobody. So a cache may be far larger than the memory, and than any limit on it.

    table     the clip set's table without skipped clips; row i of the table is clip i of the cache
    classes   names, in the order of the targets' columns
    grid      (T, F); token n = t * F + f
    dim       width d
    further   (v 2) rows of clips and of their further views, which the table has as clips of their own
    layers    the numbers of its layers in rising order, as in `Encoding`; ("last",) where that is all and the
              encoder does not say how deep it is
    skipped   frame with clip, kind and reason: what the data set left out, then what encoding did
    again     those of them that the disk failed, which `create` tries once more

    A row whose bytes are not those that were written is never given: each is checked when this object first
    reads it, and again where its file has changed since (size or times). That takes a second a GB, once
    (`python -m benchmarks encoding`). Rows of a cache of an earlier protoviz, which has no sums of its rows,
    are not checked; `protoviz cache repair` and `create` add them.
    """

    def __init__(self, folder: Path, meta: dict):
        self.folder, self.meta = folder, meta
        self.grid: tuple[int, int] = tuple(meta["grid"])
        self.dim: int = meta["dim"]
        self.layers: tuple = layers_of(meta)
        self.classes: tuple[str, ...] = tuple(meta["classes"])
        self.table = read_table(folder)
        self.skipped = skip_frame(meta)
        self.again: tuple[str, ...] = tuple(c for record in meta["shards"] for c in record.get("again", ()))
        self.further = further_views(self.table)
        self._targets = np.load(folder / files.TARGETS, allow_pickle=False)
        # Row i of the cache is row i - starts[k] of shard k, for the last k with starts[k] <= i.
        self._starts = np.cumsum([0, *(record["clips"] for record in meta["shards"])])
        held = int(self._starts[-1])
        if (len(self.table), *self._targets.shape) != (held, held, len(self.classes)):
            raise DamagedCacheError(
                f"{folder} is damaged: its shards hold {held} clips, its index {len(self.table)} and its "
                f"targets {self._targets.shape} for {len(self.classes)} classes; {files.cure(folder)}"
            )
        self._row = meta_row(meta)
        seen = [Seen(shard_rows(meta, record)) for record in meta["shards"]]
        parts = folder, meta["shards"], self._row, seen
        self._shard = lru_cache(OPEN_SHARDS)(partial(_open_shard, *parts))

    @classmethod
    @in_order
    def create(
        cls,
        folder: str | Path,
        encoder: Encoder,
        clips: ClipSet | list | Mapping,
        *,
        progress: bool = True,
        recipe: dict | None = None,
        **layout,
    ) -> "TokenCache":
        """Return the cache of `clips` as `encoder` sees them, encoded now as far as it is not there yet.

        clips: a ClipSet, a list of (file, labels), or a split of `datasets` with audio (see `clips_of`).
        layout: fields of CacheConfig (dtype, shard_clips, batch, precision, layers, workers, lanes). Before
        it starts it says how many bytes it will write. Killed at any moment and called again, it goes on at
        the first missing shard, and the files end as if nothing had happened (on one machine with the same
        torch). A clip that cannot be read, or whose tokens are not finite, is skipped, listed in `skipped`
        and counted aloud. Where the disk failed it, and not the clip (`again`), the next call tries it anew;
        else it stays skipped until the folder is deleted. Where a whole shard fails so, CacheError says that
        the disk is gone; the same call goes on later. A damaged cache is repaired by encoding the damaged
        shards again.

        Raises StaleCacheError where the folder holds another encoder's, data list's or layout's cache,
        CacheInUseError while another process encodes there, CacheError where the disk is too small or the
        clips are at another sample rate than the encoder's.
        """
        folder = Path(folder)
        clips = clips_of(clips, encoder.sample_rate, encoder.seconds)
        write_cache(folder, encoder, clips, CacheConfig(**layout), progress, recipe)
        return cls.open(folder)

    @classmethod
    @in_order
    def open(
        cls,
        folder: str | Path,
        encoder: Encoder | None = None,
        clips: ClipSet | None = None,
        verify: bool = False,
    ) -> "TokenCache":
        """Return the finished cache in `folder`.

        encoder, clips: refuse a cache that was made from others. Checked always: meta.json, index and targets
        by their checksums, shards by their sizes; verify: shards by their checksums too, which reads
        everything (else each row is checked when it is first read). A cache of an earlier protoviz opens:
        its meta.json has no checksum, and only the form of its values is looked at.

        Raises StaleCacheError, UnfinishedCacheError, DamagedCacheError, or CacheError where there is no
        cache; each says what to do.
        """
        folder = Path(folder)
        meta = read_meta(folder)
        key.refuse_stale(folder, meta, encoder, clips)
        if not meta["complete"]:
            shards = shard_count(meta)
            missing = sum(not (folder / files.shard_record(number)).is_file() for number in range(shards))
            raise UnfinishedCacheError(
                f"{folder} is unfinished: {missing} of {shards} shards are missing; TokenCache.create with "
                "the same encoder and clips goes on with them"
            )
        found = files.index_faults(folder, meta)
        for number, record in enumerate(meta["shards"]):
            found += filter(None, [files.fault(folder, files.shard_file(number), record, verify)])
        if found:
            raise DamagedCacheError(
                f"{folder} is damaged: {'; '.join(found[:5])}{'; ...' if len(found) > 5 else ''}; "
                f"{files.cure(folder)}"
            )
        return cls(folder, meta)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        encoder, clips = self.meta["encoder"]["name"], self.meta["clips"]["name"]
        return f"TokenCache({str(self.folder)!r}: {len(self):,} clips of {clips} by {encoder})"

    def __reduce__(self):
        return TokenCache.open, (self.folder,)  # another process opens the files itself

    @property
    def fingerprint(self) -> str:
        """sha256 (hex) of what decides the token maps: encoder, data list, dtype, precision, skips."""
        return self._digest([clip for record in self.meta["shards"] for clip, _ in record["skipped"]])

    @property
    def whole_fingerprint(self) -> str:
        """The `fingerprint` that it would have with all clips, which is known before any is encoded."""
        return self._digest([])

    def _digest(self, skipped: list[str]) -> str:
        made_from = (self.meta[part]["fingerprint"] for part in ("encoder", "clips"))
        layout = self.meta["layout"]
        told = layout["dtype"], layout.get("precision", "float32"), skipped, layout.get("layers")
        return key.maps_digest(*made_from, *told)

    @property
    def made_by(self) -> dict:
        """The encoder: name, weights, shape, front end, fingerprint (see `key.encoder_key`)."""
        return self.meta["encoder"]

    @property
    def nbytes(self) -> int:
        """Bytes of all shards on disk."""
        return sum(record["bytes"] for record in self.meta["shards"])

    def read(
        self, indices: int | Sequence[int] | np.ndarray, layers: Sequence[int] | int | None = None
    ) -> TokenBatch:
        """Return a copy of the clips at `indices` (rows of the table, any order, repeats allowed).

        layers: a number; None, the last of the cache; or several, of which tokens are (b l n d). Others are
        not read.
        """
        places, several = self._layer_places(layers), not (layers is None or isinstance(layers, int))
        rows = np.atleast_1d(np.asarray(indices))
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise IndexError(f"clips are read by row numbers, not by {rows.dtype} of shape {rows.shape}")
        if rows.size and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"{self!r} has rows 0 to {len(self) - 1}, not {rows.min()} to {rows.max()}")
        rows = rows.astype(np.int64)
        shape = len(rows), len(places)
        parts = (part for part, _ in self._row.fields.values())
        arrays = tuple(np.empty((*shape, *part.shape), part.base) for part in parts)
        for place, (shard, row) in enumerate(self._places(rows)):
            for number, layer in enumerate(places):
                at = row * len(self.layers) + layer
                self._shard(shard).read(at, [array[place, number] for array in arrays])
        tokens, cls, mask = arrays if several else (array[:, 0] for array in arrays)
        mask = mask[:, 0] if several else mask
        return TokenBatch(*map(torch.from_numpy, (tokens, cls, mask, self._targets[rows])))

    def _layer_places(self, layers: Sequence[int] | int | None) -> list[int]:
        """Where layers lie in a clip's rows."""
        asked = [self.layers[-1]] if layers is None else [layers] if isinstance(layers, int) else list(layers)
        if missing := [layer for layer in asked if layer not in self.layers]:
            raise CacheError(
                f"{self.folder} holds layers {', '.join(map(str, self.layers))} and not {missing}: "
                "encode with layers= into another folder"
            )
        return [self.layers.index(layer) for layer in asked]

    def _places(self, rows: np.ndarray) -> zip:
        """(shard, row in it) of each row of the cache."""
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        return zip(shards.tolist(), (rows - self._starts[shards]).tolist(), strict=True)

    def batches(
        self,
        split: str | None = None,
        size: int = 128,
        seed: int | None = None,
        layers: Sequence[int] | int | None = None,
    ) -> Iterator[TokenBatch]:
        """Return every clip of a split (None: of all) once, `size` at a time, the last batch perhaps smaller.

        seed None: in the order of the table; else in an order that the seed decides, over the whole split.
        layers: as in `read`.
        """
        return self.split(split).batches(size, seed, layers)

    def targets(self, split: str | None = None) -> np.ndarray:
        """Return (b c) float32 of every clip of a split (None: of all), in the order of the table."""
        return self.split(split).targets()

    def split(self, split: str | None) -> "TokenView":
        """Return the clips of one split, with the same len, batches, read and targets; None: all clips.

        A clip that was kept in several views is one clip; one whose own sound was skipped is not there.
        """
        own = self.table["view"] == 0 if {*self.table} >= VIEWS else np.full(len(self), True)
        if split is None:
            return TokenView(self, np.flatnonzero(own))
        rows = np.flatnonzero((self.table.split == split) & own)
        if len(rows) == 0:
            known = ", ".join(map(repr, sorted(set(self.table.split))))
            raise CacheError(f"{self.folder} has no split {split!r}; it has {known}")
        return TokenView(self, rows)


def read_table(folder: Path) -> pd.DataFrame:
    """Return the clip table of a cache whose index has been checked."""
    table = pd.read_parquet(folder / files.INDEX)
    table["labels"] = [list(labels) for labels in table.labels]
    return table


def further_views(table: pd.DataFrame) -> np.ndarray:
    """Return (v 2) int64: the row of a clip and that of a further view of it, by the table's columns."""
    if not {*table} >= VIEWS:
        return np.zeros((0, 2), np.int64)
    own = pd.Series(np.arange(len(table)), table["clip"])[(table["view"] == 0).to_numpy()]
    rows = np.flatnonzero((table["view"] > 0) & table["view_of"].isin(own.index))
    return np.stack([own[table["view_of"].iloc[rows]].to_numpy(), rows], 1).astype(np.int64)


def _open_shard(folder: Path, records: list[dict], row: np.dtype, seen: list[Seen], number: int) -> Shard:
    return Shard(folder, number, records[number], row, seen[number])
