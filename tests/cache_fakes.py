"""A small encoder and clip set for the tests of the token cache: no sound, no scenes, microseconds a clip.

A module of its own, so that processes which a test starts or kills can import it too.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder, Encoding
from protoviz.scenes import Event

PATCH = 4  # samples a token


class FakeEncoder(Encoder):
    """Each token is a fixed projection of its own four samples; padding is masked, as the house demands."""

    def __init__(self, grid=(4, 2), dim=8, seed=0, name="fake", gain=1.0):
        super().__init__()
        self.name, self.grid, self.dim, self.gain = name, grid, dim, gain
        self.sample_rate, self.seconds = 16000, grid[0] * grid[1] * PATCH / 16000
        rng = np.random.default_rng(seed)
        self.project = nn.Parameter(torch.from_numpy(rng.standard_normal((PATCH, dim)).astype(np.float32)))
        self.eval().requires_grad_(False)

    def front_end(self) -> dict:
        return {"gain": self.gain, "low_hz": 20, "high_hz": 8000}

    def shape(self) -> dict:
        return {"grid": self.grid}

    def mask(self, samples) -> Tensor:
        return torch.arange(self.grid[0] * self.grid[1]) * PATCH < torch.tensor(samples)[:, None]

    def features(self, waveforms) -> Tensor:
        out = torch.zeros(len(waveforms), self.grid[0] * self.grid[1] * PATCH)
        for row, waveform in zip(out, self.clips(waveforms), strict=True):
            row[: len(waveform)] = waveform
        return out.unflatten(1, (-1, PATCH)) * self.gain

    def forward(self, features, attention=False, mask=None, layers=()) -> Encoding:
        tokens = (features @ self.project).masked_fill(~mask[..., None], 0)
        return Encoding(tokens=tokens, cls=tokens.mean(1), grid=self.grid, mask=mask)


class Deep(FakeEncoder):
    """Four layers; the tokens of each are other multiples of the last's."""

    depth = 3

    def shape(self) -> dict:
        return super().shape() | {"depth": self.depth}

    def forward(self, features, attention=False, mask=None, layers=()) -> Encoding:
        made = super().forward(features, attention, mask)
        shares = {asked: number / self.depth for asked, number in self._chosen(layers).items()}
        return replace(
            made,
            layers={layer: share * made.tokens for layer, share in shares.items()},
            layer_cls={layer: share * made.cls for layer, share in shares.items()},
        )


class Steep(FakeEncoder):
    """What is loud has tokens beyond float16, and what is louder beyond float32."""

    def features(self, waveforms) -> Tensor:
        return super().features(waveforms).sinh()


CLASSES = ("bell", "dog", "rain")


class FakeReader:
    """Noise from the row's seed. `broken`: clip id -> what `read` raises or returns instead."""

    def __init__(self, samples=32, broken=None):
        self.samples, self.broken = samples, broken or {}

    def read(self, row: pd.Series) -> np.ndarray:
        answer = self.broken.get(row["clip"])
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        return np.random.default_rng(int(row.seed)).standard_normal(self.samples).astype(np.float32)

    def events(self, row: pd.Series) -> tuple:
        return ()

    def fingerprint(self) -> str:
        return f"noise of {self.samples} samples"


class KnownReader(FakeReader):
    """Every clip holds one event, in the first half of its time."""

    def events(self, row: pd.Series) -> tuple:
        return (Event(row.labels[0], 0.0, 0.001, 20, 3000),)


def fake_clips(count=20, seed=0, samples=32, broken=None, reader=FakeReader) -> ClipSet:
    """Clips fakes-0000, ... of noise, with one or two labels; every second one is for training."""
    rng = np.random.default_rng(seed)
    labels = [sorted(rng.choice(CLASSES, rng.integers(1, 3), replace=False)) for _ in range(count)]
    table = pd.DataFrame(
        {
            "clip": [f"fakes-{i:04d}" for i in range(count)],
            "split": np.array(["train", "train", "validation", "test"])[np.arange(count) % 4],
            "labels": [list(map(str, found)) for found in labels],
            "polyphony": [len(found) for found in labels],
            "seed": seed * 10_000 + np.arange(count),
            "path": None,
        }
    )
    return ClipSet("fakes", CLASSES, table, reader(samples, broken))
