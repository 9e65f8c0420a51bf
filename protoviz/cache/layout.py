"""How a cache is laid out: its settings, the layers that it keeps, its size."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from protoviz.cache import files
from protoviz.cache.files import CacheError
from protoviz.cache.shard import DTYPES
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder
from protoviz.encoders.base import asked_layers
from protoviz.encoders.devices import PRECISIONS

SPEED_ONLY = ("workers", "lanes")  # settings that change no byte


@dataclass(frozen=True)
class CacheConfig:
    """How a cache is laid out and encoded. The first five decide its bytes; a restart has to repeat them.

    precision "bfloat16" multiplies in half precision where the encoder's device does that itself (autocast;
    what a norm or softmax sums stays float32). Tokens then lie 0.1 % (mini-mae) or 0.5 % (mini-random) of
    their root mean square from float32's, 5 or 22 times as far as the rounding to float16 puts them, and the
    forward pass takes about half the time (`python -m benchmarks encoding`).
    """

    dtype: str = "float16"  # half of float32's bytes; its rounding (1/2048) is far below what a probe sees
    # Clips a shard, over the number of layers: what a kill can cost, and is held while encoding (50 MB at
    # width 192, 200 at 768).
    shard_clips: int = 256
    batch: int = 16  # clips a forward pass; larger ones gain nothing on a CPU
    precision: str = "float32"  # of the forward pass: what is documented and tested is exact to its rounding
    layers: Sequence[int] | Literal["all"] | None = None  # as in `Encoding`, or all of them; None: the last
    workers: int = 0  # processes that read ahead: worth their start from a thousand scenes; 0: one thread
    lanes: int = 0  # batches encoded at once; 0: one on each of torch's threads, two on a GPU

    def __post_init__(self):
        if self.dtype not in DTYPES:
            raise CacheError(f"dtype {self.dtype!r} is unknown: choose {' or '.join(DTYPES)}")
        if self.precision not in PRECISIONS:
            raise CacheError(f"precision {self.precision!r} is unknown: choose {' or '.join(PRECISIONS)}")
        if min(self.shard_clips, self.batch) < 1 or min(self.workers, self.lanes) < 0:
            raise CacheError(f"shard_clips and batch must be 1 or more, workers and lanes 0 or more: {self}")

    def layout(self) -> dict:
        """Return what decides the bytes of the files; without layers where it is the last alone."""
        found = {name: value for name, value in asdict(self).items() if name not in SPEED_ONLY}
        return {name: value for name, value in found.items() if value is not None}


def kept_layers(encoder: Encoder, layers: Sequence[int] | Literal["all"] | None) -> list[int] | None:
    """Return the numbers of an encoder's layers in rising order; None: the last alone."""
    if layers is None:
        return None
    if encoder.depth is None:
        raise CacheError(f"{encoder.name} gives no single layers (its depth is not set): leave layers out")
    count = encoder.depth + 1
    asked = range(count) if layers == "all" else asked_layers(layers)
    if wrong := [layer for layer in asked if not -count <= layer < count]:
        raise CacheError(f"{encoder.name} has layers 0 to {encoder.depth}, not {wrong}")
    if not (found := sorted({layer % count for layer in asked})):
        raise CacheError("layers is empty: give numbers, or leave it out for the last")
    return None if found == [encoder.depth] else found


def estimate_bytes(
    encoder: Encoder,
    clips: ClipSet | int,
    dtype: str = "float16",
    layers: Sequence[int] | Literal["all"] | None = None,
) -> int:
    """Return exact bytes of the token maps (tokens, cls and mask) of `clips`: a clip set, or how many.

    Beside them the files hold headers, index and targets: some hundred bytes a clip.
    """
    count = clips if isinstance(clips, int) else len(clips)
    held = len(kept_layers(encoder, layers) or [None])
    return count * held * files.row_dtype(math.prod(encoder.grid), encoder.dim, dtype).itemsize
