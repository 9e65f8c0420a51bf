"""One shard on its way to the disk: batches of sounds in, one array and a record out."""

import math
import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from protoviz.cache import files
from protoviz.cache.ahead import DiskFault, Sound
from protoviz.cache.files import CacheError
from protoviz.cache.grouping import encode_in_groups
from protoviz.cache.meta import write_record
from protoviz.encoders import Encoder, EncoderError, Encoding

DTYPES = {name: getattr(torch, name) for name in files.DTYPES}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Encoded(NamedTuple):
    """The token maps of those clips of a batch that could be encoded, and why the others could not."""

    tokens: np.ndarray  # (b l n d) as stored
    cls: np.ndarray  # (b l d) float32
    mask: np.ndarray  # (b n) bool
    skipped: list[tuple[str, str]]  # clip, reason


class BatchEncoder:
    """Turns batches of sounds into what is stored of them; several threads may call it at once."""

    def __init__(
        self,
        encoder: Encoder,
        dtype: str,
        precision: str = "float32",
        layers: Sequence[int] | None = None,  # None: the last
    ):
        self.encoder, self.dtype, self.precision, self.layers = encoder, DTYPES[dtype], precision, layers

    @torch.inference_mode()
    def __call__(self, batch: tuple[Sequence[str], Sequence[Sound]]) -> Encoded:
        """What is stored of (ids, sounds) of clips; one without sound or without numbers is skipped."""
        ids, sounds = batch
        reasons = {clip: sound for clip, sound in zip(ids, sounds, strict=True) if isinstance(sound, str)}
        good = {clip: sound for clip, sound in zip(ids, sounds, strict=True) if clip not in reasons}
        made = None
        if good:
            refused, made = self._encode(good)
            reasons |= refused
        skipped = [(clip, reasons[clip]) for clip in ids if clip in reasons]
        return Encoded(*(made or self._nothing()), skipped)

    def _encode(self, good: dict[str, np.ndarray]) -> tuple[dict[str, str], tuple | None]:
        """Reasons of the clips that were refused; tokens, cls and mask of the others."""
        reasons = {}
        try:
            encoding = self._forward(good)
        except EncoderError:
            reasons = {clip: reason for clip in good if (reason := self._refusal(good[clip]))}
            if not reasons:
                raise  # no single clip is at fault
            good = {clip: sound for clip, sound in good.items() if clip not in reasons}
            if not good:
                return reasons, None
            encoding = self._forward(good)
        unusable, made = self._stored(list(good), encoding)
        return reasons | unusable, made

    def _forward(self, good: dict[str, np.ndarray]) -> Encoding:
        half = self.precision == "bfloat16"
        try:
            with torch.autocast(self.encoder.device.type, torch.bfloat16, enabled=half):
                return encode_in_groups(self.encoder, list(good.values()), self.layers)
        except Exception as error:
            error.add_note(f"while {self.encoder.name} encoded clips {', '.join(good)}")
            raise

    def _refusal(self, sound: np.ndarray) -> str | None:
        """Why the encoder refuses this clip on its own, or None."""
        try:
            encode_in_groups(self.encoder, [sound])  # a clip may be encoded and yet not fit the grid
        except EncoderError as error:
            return f"{self.encoder.name}: {str(error).removeprefix('clip 0 ')}"
        return None

    def _stored(self, ids: list[str], encoding: Encoding) -> tuple[dict[str, str], tuple]:
        """Reasons of clips whose numbers cannot be stored; tokens, cls and mask of the others."""
        wanted = (math.prod(self.encoder.grid), self.encoder.dim)
        if tuple(encoding.tokens.shape[1:]) != wanted:
            raise CacheError(
                f"{self.encoder.name} made tokens of shape {tuple(encoding.tokens.shape)} and promised "
                f"{wanted} a clip (grid {self.encoder.grid}, dim {self.encoder.dim}); correct its attributes"
            )
        mask, held, reasons = encoding.mask, [], {}
        for tokens, cls in self._layers(encoding):
            if not mask.all():
                tokens = torch.where(mask[..., None], tokens, 0)  # padding is nothing, even NaN
            largest = tokens.abs().flatten(1).amax(1)  # NaN where there is one
            usable = torch.isfinite(largest.to(self.dtype)) & torch.isfinite(cls).all(1)
            for i in (~usable).nonzero().flatten().tolist():
                reasons.setdefault(ids[i], _why_unusable(tokens[i], cls[i]))
            held.append((tokens.to(self.dtype), cls))
        kept = [i for i, clip in enumerate(ids) if clip not in reasons]
        parts = (*(torch.stack(part, 1) for part in zip(*held, strict=True)), mask)
        return reasons, tuple((part[kept] if reasons else part).cpu().numpy() for part in parts)

    def _layers(self, encoding: Encoding) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Tokens (b n d) and cls (b d) of each layer that is kept."""
        if self.layers is None:
            return [(encoding.tokens, encoding.cls.float())]
        return [(encoding.layers[layer], encoding.layer_cls[layer].float()) for layer in self.layers]

    def _nothing(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        row = _rows(self.encoder, (0, len(self.layers or [None])), _NAMES[self.dtype])
        return row["tokens"], row["cls"], row["mask"][:, 0]


class ShardWriter:
    """Holds the token maps of one shard until `write`."""

    def __init__(self, encoder: Encoder, clips: int, dtype: str, layers: int = 1):
        self.rows = _rows(encoder, (clips, layers), dtype)
        self.kept = 0
        self.skipped: list[tuple[str, str]] = []  # clip, reason

    def add(self, encoded: Encoded) -> None:
        """Append one batch."""
        span = slice(self.kept, self.kept + len(encoded.tokens))
        for part in ("tokens", "cls"):
            self.rows[part][span] = getattr(encoded, part)
        self.rows["mask"][span] = encoded.mask[:, None]
        self.kept = span.stop
        self.skipped += encoded.skipped

    def write(self, folder: Path, meta: dict, number: int) -> dict:
        """Write the shard into `folder`, last its record, which makes it count, and return that."""
        record = {"clips": self.kept, "skipped": [list(skip) for skip in self.skipped]}
        if again := [clip for clip, reason in self.skipped if isinstance(reason, DiskFault)]:
            record["again"] = again  # the next run tries them
        return write_shard(folder, meta, number, self.rows[: self.kept], record)


def write_shard(folder: Path, meta: dict, number: int, rows: np.ndarray, known: dict) -> dict:
    """Write rows (b l) as a shard, last its record, and return that; known: what it says beside the file's
    sums.

    Of one layer the file has no axis l.
    """
    (folder / files.shard_record(number)).unlink(missing_ok=True)  # of what is replaced
    rows, header = rows[:, 0] if rows.shape[1] == 1 else rows, BytesIO()
    written = files.write_array(folder / files.shard_file(number), rows)
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(rows))
    record = {**known, **written, "crc32": shard_sums(header.getvalue(), rows)}
    write_record(folder, meta, number, record)
    return record


def _rows(encoder: Encoder, shape: tuple[int, int], dtype: str) -> np.ndarray:
    """Empty rows (b l)."""
    return np.empty(shape, files.row_dtype(math.prod(encoder.grid), encoder.dim, dtype))


def shard_sums(header: bytes, rows: np.ndarray) -> str:
    """Return the crc32 of a shard file's header and of each row (b,) or (b l), eight hex digits each.

    A sum a row, because rows are read one at a time: what was read is checked, and no byte more is read for
    it. crc32 is the fastest sum of the standard library (twice sha256 or blake2b); no change of bits within
    32 of each other escapes it, and of others one in 4 billion.
    """
    raw = rows.reshape(-1).view(np.uint8).reshape(rows.size, rows.itemsize)
    return "".join(f"{zlib.crc32(part):08x}" for part in (header, *raw))


def _why_unusable(tokens: torch.Tensor, cls: torch.Tensor) -> str:
    if torch.isfinite(tokens).all() and torch.isfinite(cls).all():
        return f"its tokens reach {tokens.abs().max():.3g}, more than float16 holds; use dtype='float32'"
    return "its tokens hold NaN or infinity"
