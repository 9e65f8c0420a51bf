"""A small encoder and clip set for the tests of the token cache: no sound, no scenes, microseconds a clip.

A module of its own, so that processes which a test starts or kills can import it too.
"""

import hashlib
import json

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from protoviz.encoders import Encoder, Encoding

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


class FakeClips:
    """Clips of noise with one or two labels. `broken`: clip id -> what `read` raises or returns for it."""

    classes = ("bell", "dog", "rain")

    def __init__(self, count=20, seed=0, samples=32, broken=None, name="fakes"):
        self.name, self.samples, self.broken = name, samples, broken or {}
        rng = np.random.default_rng(seed)
        labels = [sorted(rng.choice(self.classes, rng.integers(1, 3), replace=False)) for _ in range(count)]
        splits = np.array(["train", "train", "validation", "test"])[np.arange(count) % 4]
        self.table = pd.DataFrame(
            {
                "clip": [f"{name}-{i:04d}" for i in range(count)],
                "split": splits,
                "labels": [list(map(str, found)) for found in labels],
                "polyphony": [len(found) for found in labels],
                "seed": seed * 10_000 + np.arange(count),
            }
        )

    def read(self, i: int) -> np.ndarray:
        answer = self.broken.get(self.table["clip"][i])
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        return np.random.default_rng(int(self.table.seed[i])).standard_normal(self.samples).astype(np.float32)

    def targets(self, split=None) -> np.ndarray:
        chosen = self.table.labels if split is None else self.table.labels[self.table.split == split]
        return np.array([[float(name in found) for name in self.classes] for found in chosen], np.float32)

    def fingerprint(self) -> str:
        parts = self.table.to_dict("list") | {"classes": self.classes, "samples": self.samples}
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
