"""The writer of a token cache: shard by shard, in fixed batches, so that a restart changes nothing."""

import math
import shutil
import warnings
from dataclasses import replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path, PurePath

import numpy as np
import pandas as pd
import pyarrow as pa
from rich.console import Console
from rich.filesize import decimal

from protoviz.audio.patience import Patience
from protoviz.cache import files, key
from protoviz.cache.ahead import read_ahead, read_clip
from protoviz.cache.files import CacheError, StaleCacheError
from protoviz.cache.lanes import lanes_for, side_by_side
from protoviz.cache.layout import CacheConfig, estimate_bytes, kept_layers
from protoviz.cache.lock import writer_lock
from protoviz.cache.meta import (
    holds_cache,
    is_early,
    recover_meta,
    shard_count,
    shard_size,
    write_meta,
    write_record,
)
from protoviz.cache.shard import BatchEncoder, ShardWriter
from protoviz.cache.skips import unlisted
from protoviz.cache.sound import sound_records
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder
from protoviz.encoders.devices import has_bfloat16
from protoviz.progress import Progress, progress_bar

SHOWN_SKIPS = 10  # in the summary; all of them are in TokenCache.skipped
SPARE = 1.02  # of the estimate: headers, index and targets


def write_cache(
    folder: Path,
    encoder: Encoder,
    clips: ClipSet,
    config: CacheConfig,
    progress: bool,
    recipe: dict | None = None,
) -> None:
    """Write the whole cache to `folder`. Keep finished shards; raise if the folder holds another cache."""
    if encoder.training:
        raise CacheError(f"{encoder.name} is in training mode: its tokens may be random; call encoder.eval()")
    if config.precision == "bfloat16" and not has_bfloat16(encoder.device):
        raise CacheError(
            f"{encoder.device} does not multiply in bfloat16 itself, and would only be slower; "
            "use precision='float32'"
        )
    if len(clips) == 0:
        raise CacheError(f"{clips.name} holds no clip")
    config = replace(config, layers=kept_layers(encoder, config.layers))
    _refuse_other_rate(encoder, clips)
    folder.mkdir(parents=True, exist_ok=True)
    with writer_lock(folder):
        _Writer(folder, encoder, clips, config, Console(stderr=True, quiet=not progress), recipe).run()


def _refuse_other_rate(encoder: Encoder, clips: ClipSet) -> None:
    """Raise unless the clips are at the encoder's rate or do not state theirs.

    At another, every second would be taken for more or less of one and every pitch for another.
    """
    wanted, given = encoder.sample_rate, clips.sample_rate
    if given not in (None, wanted):
        raise CacheError(
            f"{clips.name} has clips at {given} Hz and {encoder.name} takes {wanted} Hz; load the clips with "
            f"sample_rate={wanted}, or an encoder that runs at their rate too (asit) with sample_rate={given}"
        )


def _storable(clips: ClipSet) -> pd.DataFrame:
    """The clip table as the index keeps it, paths as texts; refused now rather than after the last clip."""
    paths = [str(path) if isinstance(path, PurePath) else path for path in clips.table.path]
    table = clips.table.assign(path=pd.Series(paths, clips.table.index, dtype=clips.table.path.dtype))
    try:
        pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        reason = "; ".join(map(str, error.args))
        raise CacheError(
            f"the table of {clips.name} cannot be written as Parquet ({reason}); give each column plain "
            "values of one type: texts, numbers or lists of texts"
        ) from error
    return table


class _Writer:
    """One run over one folder, which it has for itself."""

    def __init__(
        self,
        folder: Path,
        encoder: Encoder,
        clips: ClipSet,
        config: CacheConfig,
        console: Console,
        recipe: dict | None,
    ):
        self.folder, self.encoder, self.clips = folder, encoder, clips
        self.config, self.console, self.recipe = config, console, recipe
        self.unlisted = unlisted(clips)
        self.ids = clips.table["clip"].tolist()
        self.table = _storable(clips)
        self.patience = Patience()

    def run(self) -> None:
        meta = self._begin()
        self.config = replace(self.config, **meta["layout"])  # a repair repeats the first run
        shards, size = range(shard_count(meta)), shard_size(meta)
        rows = {number: range(number * size, min((number + 1) * size, len(self.ids))) for number in shards}
        done = self._finished(meta)
        todo = [number for number in shards if number not in done]
        if todo:
            self._announce(len(done), len(shards), sum(len(rows[number]) for number in todo))
            if meta["complete"]:
                meta = self._reopened(meta, done)
            done |= self._encode(meta, {number: rows[number] for number in todo})
        records = [done[number] for number in shards]
        known = {"shards": records, "unlisted": self.unlisted}
        if files.index_faults(self.folder, meta) or {name: meta.get(name) for name in known} != known:
            self._finish(meta, known)
        for number in shards:
            (self.folder / files.shard_record(number)).unlink(missing_ok=True)
        self._summarise(records)

    def _begin(self) -> dict:
        """meta.json as it stands; written now where it is absent, refused where it is of something else."""
        made_from = self._made_from()
        if holds_cache(self.folder):
            meta, faults = recover_meta(self.folder)
            key.refuse_stale(self.folder, meta, self.encoder, self.clips)
            self._refuse_other_layout(meta)
            if faults:
                self._say(f"{'; '.join(faults.values())}: written anew")
                write_meta(self.folder, meta)
            # What an early meta.json says is not checked otherwise.
            return meta | made_from if is_early(meta) else meta
        ours = {files.META + files.PART_SUFFIX, files.ASIDE}  # of a run killed at its first step, of a repair
        if found := sorted({p.name for p in self.folder.iterdir() if p.name[0] != "."} - ours):
            raise CacheError(
                f"{self.folder} holds {found[0]} and is not a token cache; give a new or empty folder"
            )
        meta = {
            "format": files.FORMAT,
            **made_from,
            "layout": self.config.layout(),
            "made_with": {name: version(name) for name in ("protoviz", "torch", "numpy")},
            "unlisted": self.unlisted,
            **({"recipe": self.recipe} if self.recipe else {}),
            "complete": False,
        }
        write_meta(self.folder, meta)
        return meta

    def _made_from(self) -> dict:
        """What encoder and clips alone decide in meta.json."""
        return {
            "encoder": key.encoder_key(self.encoder),
            "clips": key.clips_key(self.clips),
            "grid": list(self.encoder.grid),
            "dim": self.encoder.dim,
            "layers": self.config.layers or ["last"],
            "cls_kind": self.encoder.cls_kind,
            "seconds": self.encoder.seconds,
            "sample_rate": self.encoder.sample_rate,
            "classes": list(self.clips.classes),
        }

    def _refuse_other_layout(self, meta: dict) -> None:
        wanted = self.config.layout()
        # Of a repair the rest is repeated. Older caches do not name the precision.
        names = ["dtype", "precision", "layers"] if "shards" in meta else [*{"layers": None, **wanted}]
        found = {"precision": "float32"} | meta["layout"]
        if other := [name for name in names if found.get(name) != wanted.get(name)]:
            cached = ", ".join(f"{name}={found.get(name)!r}" for name in other)
            given = ", ".join(f"{name}={wanted.get(name)!r}" for name in other)
            raise StaleCacheError(
                f"{self.folder} was begun with {cached}, not {given}; go on with {cached}, or delete it"
            )

    def _reopened(self, meta: dict, done: dict[int, dict]) -> dict:
        """meta.json of a whole cache, now of an unfinished one with the shards that are `done`.

        A shard may hold other clips once it is repaired, and the index names those of before: killed in
        between, the cache would give tokens under the wrong clips.
        """
        for number, record in done.items():
            write_record(self.folder, meta, number, record)
        meta = {**meta, "complete": False}
        write_meta(self.folder, meta)
        return meta

    def _finished(self, meta: dict) -> dict[int, dict]:
        """The records of the shards that are there and sound; without one of which a clip is back."""
        records, faults = sound_records(self.folder, meta)
        for fault in faults.values():
            self._say(f"{self.folder / fault}: encoded again")
        return {number: record for number, record in records.items() if not self._is_back(record)}

    def _is_back(self, record: dict) -> bool:
        """Whether a clip can be read now that the disk failed when the shard was made."""
        rows = (self.ids.index(clip) for clip in record.get("again", ()))
        return any(not isinstance(read_clip(self.clips, row, self.patience), str) for row in rows)

    def _announce(self, there: int, shards: int, clips: int) -> None:
        """Say what will be written, and refuse what does not fit."""
        needed = estimate_bytes(self.encoder, clips, self.config.dtype, self.config.layers)
        free = shutil.disk_usage(self.folder).free
        if there:
            self._say(f"{self.folder}: {there} of {shards} shards are there")
        cells = f"{math.prod(self.encoder.grid)} tokens of width {self.encoder.dim} in {self.config.dtype}"
        if self.config.layers:
            cells += f", of layers {', '.join(map(str, self.config.layers))}"
        self._say(f"{self.encoder.name} encodes {clips:,} clips of {self.clips.name}, each {cells}")
        self._say(f"{self.folder}: {decimal(needed)} to write, {decimal(free)} free")
        if needed * SPARE > free:
            raise CacheError(
                f"{self.folder} has {decimal(free)} free and the token maps of {clips:,} clips need "
                f"{decimal(needed)}; choose a folder on a larger disk, or fewer clips"
            )

    def _encode(self, meta: dict, rows: dict[int, range]) -> dict[int, dict]:
        """The record of each shard, now on the disk; rows: shard -> rows of the clip table."""
        size = self.config.batch
        batches = {
            number: [span[i : i + size] for i in range(0, len(span), size)] for number, span in rows.items()
        }
        every = [batch for shard in batches.values() for batch in shard]
        layers = self.config.layers
        encode = BatchEncoder(self.encoder, self.config.dtype, self.config.precision, layers)
        lanes = lanes_for(self.encoder.device, self.config.lanes)
        done = {}
        with (
            read_ahead(self.clips, every, self.config.workers) as sounds,
            side_by_side(encode, zip(map(self._named, every), sounds, strict=True), lanes) as encoded,
            progress_bar("encoding", sum(map(len, every)), "clips", not self.console.quiet) as progress,
        ):
            for number, shard in batches.items():
                writer = ShardWriter(self.encoder, len(rows[number]), self.config.dtype, len(layers or [0]))
                for batch in shard:
                    writer.add(next(encoded))
                    progress(Progress(len(batch)))
                done[number] = writer.write(self.folder, meta, number)
        return done

    def _named(self, batch: range) -> list[str]:
        return self.ids[batch.start : batch.stop]

    def _finish(self, meta: dict, known: dict) -> None:
        """Write targets and index, then the meta.json that makes the cache whole."""
        records = known["shards"]
        skipped = [skip for record in records for skip in record["skipped"]]
        gone = [n for n, record in enumerate(records) if not record["clips"] and record.get("again")]
        whole = len(skipped) == len(self.ids)
        if whole or gone:
            for number in range(len(records)) if whole else gone:  # so that the next attempt reads them again
                (self.folder / files.shard_record(number)).unlink(missing_ok=True)
            clip, reason = (skipped if whole else records[gone[0]]["skipped"])[0]
            some = f"{len(skipped):,}" if gone and not whole else "none"
            cure = "" if whole else "; once the disk is there, the same call goes on"
            could = "could not be read" if gone and not whole else "could be encoded"
            raise CacheError(
                f"{some} of the {len(self.ids):,} clips of {self.clips.name} {could}; {clip}: {reason}{cure}"
            )
        kept = ~self.table["clip"].isin([clip for clip, _ in skipped])
        targets = np.asarray(self.clips.targets(), dtype=np.float32)[kept.to_numpy()]
        index = BytesIO()
        self.table[kept].reset_index(drop=True).to_parquet(index, index=False)
        written = {
            files.TARGETS: files.write_array(self.folder / files.TARGETS, targets),
            files.INDEX: files.write_bytes(self.folder / files.INDEX, index.getvalue()),
        }
        write_meta(self.folder, {**meta, "complete": True, "files": written, **known})

    def _summarise(self, records: list[dict]) -> None:
        skipped = [skip for record in records for skip in record["skipped"]]
        self._say(f"{self.folder}: {len(self.ids) - len(skipped):,} clips encoded, {len(skipped):,} skipped")
        if not skipped:
            return
        lines = [f"  {clip}: {reason}" for clip, reason in skipped[:SHOWN_SKIPS]]
        if more := len(skipped) - SHOWN_SKIPS:
            lines += [f"  and {more:,} more, listed in TokenCache.skipped"] if more > 0 else []
        for line in lines:
            self._say(line)
        if self.console.quiet:
            text = "\n".join(lines)
            warnings.warn(f"{len(skipped):,} of {len(self.ids):,} clips were skipped:\n{text}", stacklevel=5)

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)
