"""What the checks of an encoder share: its test sounds, and the encodings of them, each made once."""

import traceback
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from protoviz.encoders.base import Encoder, Encoding
from protoviz.encoders.check.process import settings

SHORT = 0.5  # seconds: shorter than any clip of the published data sets
PART = 0.6  # of the longest clip: some rows of cells stay empty
LOUDNESS = 0.1  # root mean square of the noises, full scale 1
SAME = 1e-3  # of the tokens' root mean square: far above float32 rounding, far below what a probe sees
EXACT = 1e-5  # of the same: between two runs on one machine, where a GPU may add in another order


class Fault(Exception):
    """What an encoder does wrong, with the cure."""


class NotTested(Exception):
    """Why a check does not apply."""


class Subject:
    """An encoder under test."""

    call = "encoder.encode"

    def __init__(self, encoder: Encoder):
        self.encoder = encoder
        self.settings = settings()
        self.last = "no clip yet"  # what was encoded last, for whoever has to look for a fault

    @property
    def samples(self) -> int:
        """Of the clip that fills the grid."""
        return round(self.encoder.seconds * self.encoder.sample_rate)

    @cached_property
    def lengths(self) -> list[int]:
        """Samples of the test clips, the longest first: the full length, a part of it, half a second."""
        short = round(SHORT * self.encoder.sample_rate)
        return sorted({self.samples, round(PART * self.samples), min(short, self.samples)}, reverse=True)

    @cached_property
    def unequal(self) -> list[np.ndarray]:
        """Noises of those lengths, each quieter than the one before."""
        return [self.noise(count, i) * np.float32(0.3**i) for i, count in enumerate(self.lengths)]

    @cached_property
    def together(self) -> Encoding:
        """The noises as one batch, with attention."""
        return self.encode(self.unequal, "noises of unequal length", attention=True)

    @cached_property
    def alone(self) -> list[Encoding]:
        """Each of the noises as a batch of its own, on the encoder's grid."""
        return [encoding.on_grid(self.encoder.grid) for encoding in self.single]

    @cached_property
    def single(self) -> list[Encoding]:
        """The same, each on the grid that it came with."""
        return [self.encode([clip], f"{self.seconds(clip)} of noise") for clip in self.unequal]

    @cached_property
    def loud(self) -> Encoding:
        """A square wave of full scale and full length, with attention."""
        beats = np.arange(self.samples) // max(1, self.encoder.sample_rate // 500) % 2
        return self.encode([(2.0 * beats - 1).astype(np.float32)], "full scale", attention=True)

    def encode(self, clips: list[np.ndarray], what: str, attention: bool = False) -> Encoding:
        """Return the encoding of clips (s,), which are called `what`."""
        self.last = what
        return self.encoder.encode([clip.copy() for clip in clips], attention=attention)

    def seconds(self, clip: np.ndarray | int) -> str:
        """Return the length of a clip, in words."""
        count = clip if isinstance(clip, int) else len(clip)
        return f"{count / self.encoder.sample_rate:.3g} s"

    def noise(self, samples: int, seed: int = 0) -> np.ndarray:
        """Return white noise (s,) float32."""
        return np.random.default_rng(seed).standard_normal(samples).astype(np.float32) * np.float32(LOUDNESS)


def apart(one: Tensor, other: Tensor) -> float:
    """Return the largest difference of two tensors, as a share of the first one's root mean square."""
    size = one.detach().double().square().mean().sqrt().clamp_min(1e-12)
    worst = (one.detach().double() - other.detach().double()).abs().max()
    return float(torch.nan_to_num(worst / size, nan=float("inf")))


def moved(one: Encoding, other: Encoding) -> np.ndarray:
    """Return (n,): how far each token of a clip lies from that of another clip, less what most share."""
    off = (other.tokens - one.tokens)[0].detach().double()
    if len(off) > 2:
        off = off - off.median(dim=0).values
    return off.norm(dim=-1).cpu().numpy()


def own_line(error: BaseException) -> str:
    """Return the author's own line that was running, in brackets; empty where there is none."""
    others = str(Path(torch.__file__).parent), str(Path(__file__).parent)
    lines = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(others)]
    return f" ({Path(lines[-1].filename).name} line {lines[-1].lineno}: {lines[-1].line})" if lines else ""


def listed(faults: list[str]) -> str:
    """Return the faults as one text."""
    return "; ".join(faults)
