"""Tiny grids of made-up data, importable by processes that a test starts and kills."""

import os
import time
from dataclasses import replace
from pathlib import Path

from cache_fakes import FakeEncoder, fake_clips

SLOW = "PROTOVIZ_TEST_SLOW"  # seconds that a clip takes to read, for tests that kill on the way


def tiny() -> FakeEncoder:
    return FakeEncoder(name="tiny")


def other() -> FakeEncoder:
    return FakeEncoder(seed=1, dim=6, name="other")


def broken() -> FakeEncoder:
    raise OSError("its weights are on the moon")


def clips(count=40, seed=0):
    time.sleep(float(os.environ.get(SLOW, 0)))
    return fake_clips(count, seed)


def unlabelled(split="test", count=40):
    """Clips of which a split has no labels, as where a publisher keeps them back."""
    made = fake_clips(count)
    kept = [
        [] if part == split else labels
        for part, labels in zip(made.table["split"], made.table.labels, strict=True)
    ]
    return replace(made, table=made.table.assign(labels=kept))


GRID = """
name = "tiny"
seeds = [0, 1]
epochs = 2
device = "cpu"
retries = 0
[search]
sobol = 2
tpe = 2
tpe_round = 2
epochs = 2
rungs = [1]
batch_size = 8
[datasets.bells]
use = "grid_fakes:clips"
[datasets.dogs]
use = "grid_fakes:clips"
options = { count = 36, seed = 1 }
[encoders]
tiny = { use = "grid_fakes:tiny" }
other = { use = "grid_fakes:other" }
[probes]
linear = {}
mlp = {}
[probes."protobin + BatchNorm"]
hyper = { prototypes_per_class = 2, batch_norm = true }
ranges = { prototype_lr = [1e-3, 1e-1] }
"""


def write_grid(folder: Path, text: str = GRID) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text)
    return path
