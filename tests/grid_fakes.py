"""Tiny grids of made-up data, importable by processes that a test starts and kills."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path

from cache_fakes import Deep, FakeEncoder, FakeReader, KnownReader, fake_clips

from protoviz.encoders import EncoderError

FLAKY = "PROTOVIZ_TEST_FLAKY"
LOUD = 1.5  # of noise with s.d. 1: a few clips
SLOW = "PROTOVIZ_TEST_SLOW"  # seconds that a clip takes to read, for tests that kill on the way


def tiny() -> FakeEncoder:
    return FakeEncoder(name="tiny")


def other() -> FakeEncoder:
    return FakeEncoder(seed=1, dim=6, name="other")


def deep() -> Deep:
    return Deep(name="deep")


def wide() -> FakeEncoder:
    """A quarter of a megabyte a clip."""
    return FakeEncoder(name="wide", grid=(64, 8), dim=256)


def broken() -> FakeEncoder:
    raise OSError("its weights are on the moon")


def clips(count=40, seed=0):
    time.sleep(float(os.environ.get(SLOW, 0)))
    return fake_clips(count, seed)


class Short(FakeEncoder):
    """An encoder with a limit of its own: it refuses clips that begin loudly."""

    def features(self, waveforms):
        if any(float(sound[0]) > LOUD for sound in waveforms):
            raise EncoderError("clip 0 begins too loudly for it")
        return super().features(waveforms)


def short() -> FakeEncoder:
    return Short(seed=2, name="short")


class FlakyReader(FakeReader):
    """Clips 7 (test) and 4 (train) cannot be read while the file that FLAKY names is there."""

    def read(self, row):
        if row["clip"] in ("fakes-0007", "fakes-0004") and os.path.exists(os.environ.get(FLAKY, "")):  # noqa: PTH110
            raise OSError(errno.EIO, "Input/output error")
        return super().read(row)


def known(count=40):
    """Clips whose events are known."""
    return fake_clips(count, reader=KnownReader)


class Attending(FakeEncoder):
    """One layer, one head: it attends by the size of what is in a cell."""

    def forward(self, features, attention=False, mask=None, layers=()):
        made = super().forward(features, attention, mask, layers)
        if not attention:
            return made
        rows = made.tokens.norm(dim=2).masked_fill(~mask, -float("inf")).softmax(1)[:, None]
        return replace(made, attention=(0.75 * rows,), cls_to_cls=(rows[..., 0] * 0 + 0.25,))


def attending() -> FakeEncoder:
    return Attending(name="attending")


def flaky(count=40):
    return fake_clips(count, reader=FlakyReader)


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


SMALLEST = """
seeds = [0]
epochs = 1
device = "cpu"
retries = 0
search = { sobol = 1, tpe = 1, tpe_round = 1, epochs = 1, rungs = [1], batch_size = 8 }
"""  # settings of a grid, in front of its tables


def write_grid(folder: Path, text: str = GRID) -> Path:
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


def few(count=40, without="", classes=3):
    """The clips without a split, or with fewer classes."""
    made = fake_clips(count)
    table = made.table[made.table.split != without]
    held = made.classes[:classes]
    labels = [[label for label in row if label in held] or [held[0]] for row in table.labels]
    return replace(made, table=table.assign(labels=labels).reset_index(drop=True), classes=held)
