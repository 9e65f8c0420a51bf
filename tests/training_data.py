"""Small token maps and probes for the tests of training, importable by processes that a test kills."""

import numpy as np
import torch

from protoviz.probes import PROBES, build_probe
from protoviz.training import FitConfig, TokenData

GRID, D, C = (5, 4), 24, 3
QUICK = FitConfig(epochs=3, batch_size=16)
DIVIDING = {"heads": 4, "queries": 8}  # options whose value has to divide D


def clips(count, seed, padded=False):
    """Noise with random truth: nothing to learn, all to compute."""
    rng = np.random.default_rng(seed)
    tokens = torch.tensor(rng.normal(size=(count, 20, D))).half()
    targets = (rng.random((count, C)) < 0.4) * 1.0
    mask = torch.ones(count, 20, dtype=torch.bool)
    if padded:
        mask[::3, 15:] = False
    return TokenData(tokens, torch.tensor(rng.normal(size=(count, D))), mask, targets)


def of_frames(data):
    """The same clips with a truth for every frame (n t c)."""
    batch = next(data.batches(len(data)))
    truth = batch.targets[:, None].repeat(1, GRID[0], 1)
    truth[:, ::2] = 0
    return TokenData(*batch[:3], truth)


class Source:
    """A source as anybody writes one: without a fingerprint. `passed` sees every batch on its way."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def targets(self):
        return self.data.targets()

    def batches(self, size=128, seed=None):
        for batch in self.data.batches(size, seed):
            yield self.passed(batch)

    def passed(self, batch):
        return batch


def fitting(name):
    """The options with which a method takes a width of D."""
    return {key: value for key, value in DIVIDING.items() if key in PROBES[name].options()}


def built(name, seed=0, **hyper):
    """A probe whose first weights the seed decides."""
    torch.manual_seed(seed)
    return build_probe(name, D, C, GRID, **fitting(name), **hyper)


def same(one, other):
    """Two FitResults are equal to the bit."""
    assert one.history.equals(other.history)
    assert (one.best_epoch, one.best_score) == (other.best_epoch, other.best_score)
    assert one.state.keys() == other.state.keys()
    assert all(torch.equal(one.state[key], other.state[key]) for key in one.state)
