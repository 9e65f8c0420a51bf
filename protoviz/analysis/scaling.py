"""What the paper's whole grid takes: bytes, operations, hours, by formula from rates of one machine.

    bytes = encoders x clips x tokens x width x 2        hours of a run = clip passes x seconds a clip pass

Every rate is one that `make bench` wrote into SPEED. A rate that was measured at another size is scaled by
the multiplications of the forward pass (that of the pooling, or of the encoder): a model, not a measurement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from protoviz.analysis.published import datasets, published
from protoviz.kept import read_json
from protoviz.paths import shipped_folder
from protoviz.probes import probe_class
from protoviz.probes.prototype import PrototypeProbe

SPEED = Path("results") / "speed.json"  # below the data folder
OTHERS = "linpre"  # a dense layer on every token
FORWARD = 1 / 3  # of a training step: what scoring a clip costs
HOUR = 3600


@dataclass(frozen=True)
class Grid:
    """The paper's grid; what it does not state is marked."""

    encoders: int = 9
    methods: tuple[str, ...] = field(default_factory=lambda: tuple(published("methods").method.unique()))
    # Not stated: 48,510 runs at most are 14 data sets x 9 encoders x 11 methods x 35.
    runs_per_cell: int = 35
    epochs: int = 30
    per_class: int = 20
    per_class_many: int = 10  # on as20k, whose 527 classes are "many"
    many: int = 500
    width: int = 768
    depth: int = 12  # of ViT-Base
    number_bytes: int = 2  # float16, as our cache; the paper's is not stated
    group: int = 8  # runs that `fit_many` trains in one pass

    @property
    def passes_together(self) -> float:
        """Passes over the maps that grouped runs need, as a share of lone runs': groups over runs."""
        return -(-self.runs_per_cell // self.group) / self.runs_per_cell

    def prototypes(self, classes: int) -> int:
        """Return prototypes a class of a probe of so many classes."""
        return self.per_class_many if classes > self.many else self.per_class


def read_speed(data: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return what `make bench` measured (data: another data folder than the shipped one): table of the
    benchmarks -> its rates, machine and command.
    """
    return read_json((data or shipped_folder()) / SPEED, dict[str, dict[str, Any]])


@dataclass(frozen=True)
class Rates:
    """Rates of one machine. Times are of all its cores together."""

    cores: int
    encode_clips: float  # a second, of an encoder of this shape: tokens, width, blocks
    encode_shape: tuple[int, int, int]
    step_ms: Mapping[str, float]  # method -> ms of a step of this shape: clips, tokens, width, classes
    step_shape: tuple[int, int, int, int]
    prototype_s: float  # scores and gradient of this shape: clips, tokens, width, classes, prototypes of each
    prototype_shape: tuple[int, int, int, int, int]
    one_core: float  # times as long, on one core
    # Eight rates in one pass over eight lone runs. Others: not measured.
    together: Mapping[str, float]

    @classmethod
    def measured(cls, data: Path | None = None) -> "Rates":
        """Return the rates that `make bench` wrote into a data folder."""
        return _measured(data)

    def encode_seconds(self, flops: float) -> float:
        """Return seconds of a forward pass of so many operations (see `encoder_flops`)."""
        return flops / (self.encode_clips * encoder_flops(*self.encode_shape))


@lru_cache
def _measured(data: Path | None) -> Rates:
    speed = read_speed(data)
    encoding, steps, kernel = (speed[name] for name in ("encoding", "training", "kernel"))
    largest = max(run["classes"] for run in kernel["runs"])
    seconds = {run["threads"]: run["seconds"] for run in kernel["runs"] if run["classes"] == largest}
    return Rates(
        cores=steps["threads"],
        encode_clips=encoding["encode"]["clips_per_s"],
        encode_shape=tuple(encoding["shape"]),
        step_ms={one["method"]: one["ms"] for one in steps["steps"] if not _compares(one["method"])},
        step_shape=tuple(steps["shape"]),
        prototype_s=seconds[steps["threads"]],
        prototype_shape=(
            *(kernel[name] for name in ("clips", "tokens", "width")),
            largest,
            kernel["per_class"],
        ),
        one_core=seconds[1] / seconds[steps["threads"]],
        together=steps["together"],
    )


def encoder_flops(tokens: int, width: int, depth: int) -> float:
    """Return floating-point operations of one clip through a ViT: two a multiplication, tokens with [cls].

    A block has 4 D^2 for query, key, value and output, 8 D^2 for the hidden layer of four times the width,
    and 2 N D for attention, a token each.
    """
    return 2.0 * depth * tokens * (12 * width**2 + 2 * tokens * width)


def pooling_products(method: str, tokens: int, width: int, classes: int, per_class: int = 0) -> float:
    """Return multiplications of a probe's forward pass for a clip; method: of PROBES, or module:Class."""
    found = probe_class(method)
    options = {"prototypes_per_class": per_class} if "prototypes_per_class" in found.options() else {}
    return found.products(tokens, width, classes, **options)


def _compares(method: str) -> bool:
    """Whether it is the kernel of the prototypes that costs time."""
    return issubclass(probe_class(method), PrototypeProbe)


def clip_pass_seconds(method: str, tokens: int, classes: int, grid: Grid, rates: Rates) -> float:
    """Return seconds that one clip takes in one epoch of one run alone, on the machine of `rates`.

    A method that was not measured takes as long a multiplication as OTHERS.
    """
    products = pooling_products(method, tokens, grid.width, classes, grid.prototypes(classes))
    if _compares(method):
        clips, *shape = rates.prototype_shape
        return rates.prototype_s / clips * products / pooling_products(method, *shape)
    clips, *shape = rates.step_shape
    measured = method if method in rates.step_ms else OTHERS
    return rates.step_ms[measured] / 1000 / clips * products / pooling_products(measured, *shape)


def encoding(grid: Grid = Grid(), rates: Rates | None = None) -> pd.DataFrame:
    """Return a frame: dataset, clips, tokens, bytes, flops, hours: all clips encoded once by every encoder, a
    row a data set.

    All encoders count as ViT-Base with 16 x 16 patches; BEATs and Dasheng have fewer tokens.
    """
    table, rates = datasets(), rates or Rates.measured()
    clips = table.train + table.others
    flops = pd.Series([encoder_flops(n + 1, grid.width, grid.depth) for n in table.tokens])
    return pd.DataFrame(
        {
            "dataset": table.dataset,
            "clips": clips,
            "tokens": table.tokens,
            "bytes": grid.encoders * clips * table.tokens * grid.width * grid.number_bytes,
            "flops": grid.encoders * clips * flops,
            "hours": grid.encoders * clips * rates.encode_seconds(flops) / HOUR,
        }
    )


def training(grid: Grid = Grid(), rates: Rates | None = None) -> pd.DataFrame:
    """Return a row a data set and method, all its runs on all encoders, every run whole (the paper's upper
    bound).

    runs; passes (clips x epochs x runs); flops of the forward products; alone_h and together_h, hours in lone
    runs and in groups of `grid.group`; read and read_together, bytes out of the cache. Validation is left
    out. Groups save time by what was measured, and none where nothing was; every group reads once.
    """
    rows, rates = [], rates or Rates.measured()
    runs = grid.encoders * grid.runs_per_cell
    for one in datasets().itertuples():
        for method in grid.methods:
            passes = runs * grid.epochs * one.train
            alone = passes * clip_pass_seconds(method, one.tokens, one.classes, grid, rates) / HOUR
            products = pooling_products(
                method, one.tokens, grid.width, one.classes, grid.prototypes(one.classes)
            )
            kept = 1 if probe_class(method).fixed else one.tokens  # vectors that are pooled once
            read = passes * kept * grid.width * grid.number_bytes
            rows.append(
                {
                    "dataset": one.dataset,
                    "method": method,
                    "runs": runs,
                    "passes": passes,
                    "flops": 2 * passes * products,
                    "alone_h": alone,
                    "together_h": alone * rates.together.get(method, 1.0),
                    "read": read,
                    "read_together": read * grid.passes_together,
                }
            )
    return pd.DataFrame(rows)


def workers(
    counts: Sequence[int] = (1, 2, 4, 16, 64, 256, 1024),
    store_gb: float = 1.0,
    grouped: bool = True,
    grid: Grid = Grid(),
    rates: Rates | None = None,
) -> pd.DataFrame:
    """Return a frame: workers, compute_h, store_h, longest_h, hours, bottleneck: a simple model of the whole
    grid's time.

    hours = max(compute / workers, bytes read / rate of the store, longest task): workers are machines like
    that of `rates`, tasks (a lone run, or a group of `fit_many`) share nothing but one store of `store_gb`
    GB/s, an assumption about a network disk. Scheduling, start-up and failures cost nothing here, so the
    hours are a lower bound. bottleneck: which of the three is the maximum.
    """
    table, encoded = training(grid, rates), encoding(grid, rates)
    trained = table.together_h if grouped else table.alone_h
    compute = trained.sum() + encoded.hours.sum()
    store = (table.read_together if grouped else table.read).sum() / (store_gb * 1e9) / HOUR
    longest = (trained / table.runs).max() * (min(grid.group, grid.runs_per_cell) if grouped else 1)
    rows = []
    for count in counts:
        parts = {"compute": compute / count, "store": store, "longest task": longest}
        bottleneck = max(parts, key=parts.get)
        rows.append((count, *parts.values(), parts[bottleneck], bottleneck))
    return pd.DataFrame(rows, columns=["workers", "compute_h", "store_h", "longest_h", "hours", "bottleneck"])
