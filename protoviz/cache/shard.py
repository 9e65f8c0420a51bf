"""One shard on its way to the disk: batches of sounds in, one array and a record out."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from protoviz.cache import files
from protoviz.cache.ahead import Sound
from protoviz.cache.files import CacheError
from protoviz.encoders import Encoder, EncoderError, Encoding

DTYPES = {"float16": torch.float16, "float32": torch.float32}


class ShardWriter:
    """Encodes the clips of one shard; holds their token maps until `write`."""

    def __init__(self, encoder: Encoder, clips: int, dtype: str):
        self.encoder, self.dtype = encoder, DTYPES[dtype]
        self.rows = np.empty(clips, files.row_dtype(math.prod(encoder.grid), encoder.dim, dtype))
        self.kept = 0
        self.skipped: list[tuple[str, str]] = []  # clip, reason

    def add(self, ids: Sequence[str], sounds: Sequence[Sound]) -> None:
        """Encode one batch; a clip without sound, or of which the encoder makes no numbers, is skipped."""
        reasons = {clip: sound for clip, sound in zip(ids, sounds, strict=True) if isinstance(sound, str)}
        good = {clip: sound for clip, sound in zip(ids, sounds, strict=True) if clip not in reasons}
        if good:
            reasons |= self._encode(good)
        self.skipped += [(clip, reasons[clip]) for clip in ids if clip in reasons]

    def write(self, folder: Path, number: int) -> dict:
        """The record of the shard, which lies in `folder`; the record is written last and makes it count."""
        written = files.write_array(folder / files.shard_file(number), self.rows[: self.kept])
        record = {"clips": self.kept, "skipped": [list(skip) for skip in self.skipped], **written}
        files.write_json(folder / files.shard_record(number), record)
        return record

    def _encode(self, good: dict[str, np.ndarray]) -> dict[str, str]:
        """Reasons of the clips that were refused; the others are appended to the rows."""
        reasons = {}
        try:
            encoding = self._forward(good)
        except EncoderError:
            reasons = {clip: reason for clip in good if (reason := self._refusal(good[clip]))}
            if not reasons:
                raise  # no single clip is at fault
            good = {clip: sound for clip, sound in good.items() if clip not in reasons}
            if not good:
                return reasons
            encoding = self._forward(good)
        return reasons | self._append(list(good), encoding)

    def _forward(self, good: dict[str, np.ndarray]) -> Encoding:
        try:
            # A batch of shorter clips may come on a shorter grid; a cache holds one.
            return self.encoder.encode(list(good.values())).on_grid(self.encoder.grid)
        except Exception as error:
            error.add_note(f"while {self.encoder.name} encoded clips {', '.join(good)}")
            raise

    def _refusal(self, sound: np.ndarray) -> str | None:
        """Why the encoder refuses this clip on its own, or None."""
        try:
            self.encoder.encode([sound])
        except EncoderError as error:
            return f"{self.encoder.name}: {str(error).removeprefix('clip 0 ')}"
        return None

    def _append(self, ids: list[str], encoding: Encoding) -> dict[str, str]:
        wanted = self.rows["tokens"].shape[1:]
        if tuple(encoding.tokens.shape[1:]) != wanted:
            raise CacheError(
                f"{self.encoder.name} made tokens of shape {tuple(encoding.tokens.shape)} and promised "
                f"{wanted} a clip (grid {self.encoder.grid}, dim {self.encoder.dim}); correct its attributes"
            )
        tokens = torch.where(encoding.mask[..., None], encoding.tokens, 0)  # padding is nothing, even NaN
        stored = tokens.to(self.dtype)
        usable = torch.isfinite(stored).flatten(1).all(1) & torch.isfinite(encoding.cls).all(1)
        span = slice(self.kept, self.kept + int(usable.sum()))
        for part, values in (("tokens", stored), ("cls", encoding.cls), ("mask", encoding.mask)):
            self.rows[part][span] = values[usable].cpu().numpy()
        self.kept = span.stop
        bad = (~usable).nonzero().flatten().tolist()
        return {ids[i]: _why_unusable(tokens[i], encoding.cls[i]) for i in bad}


def _why_unusable(tokens: torch.Tensor, cls: torch.Tensor) -> str:
    if torch.isfinite(tokens).all() and torch.isfinite(cls).all():
        return f"its tokens reach {tokens.abs().max():.3g}, more than float16 holds; use dtype='float32'"
    return "its tokens hold NaN or infinity"
