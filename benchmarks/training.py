"""One training step of each method, and many runs in shared passes, beside the naive form and the floor.

A step is forward, loss, backward and AdamW, as `fit` takes it: on float16 token maps as the cache holds them,
or on vectors computed once where the pooling has no weights. Naive: the same weights in plain PyTorch with
autograd, on the same maps. Floor: the bare matrix products of the forward pass. The three take turns in one
process and the best round counts, so a busy machine slows all of them; one thread is timed by processor time,
more by the clock. Memory: each in a process of its own, its highest mark above the inputs, one thread (not on
Windows).
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import together
from benchmarks.memory import peak_mb
from benchmarks.naive import FLOOR, NAIVE, NAIVE_LAYERS
from protoviz.cache.files import row_dtype
from protoviz.losses import asymmetric_loss
from protoviz.probes import PROBES, Probe, build_probe
from protoviz.probes.best_token import choose
from protoviz.training import FitConfig, TokenData
from protoviz.training.data import FixedVectors, MapBatch
from protoviz.training.run import Run


@dataclass(frozen=True)
class Size:
    """What is measured; the defaults are the demo's map and classes, half of its batch to save time."""

    clips: int = 64
    grid: tuple[int, int] = (64, 8)
    dim: int = 192
    classes: int = 24
    rounds: int = 5
    methods: tuple[str, ...] = tuple(NAIVE)
    layered: tuple[tuple[str, int], ...] = tuple((name, many) for name in NAIVE_LAYERS for many in (4, 12))


FULL = Size(clips=32, dim=768, classes=200, rounds=3)  # a middling data set of the paper, widest encoders


class Problem:
    """A batch and a method; the ways to take one step."""

    def __init__(self, size: Size, method: str, layers: int = 0):
        """layers: how many it reads; 0: the last, without a mixture."""
        self.size, self.method, self.layers = size, method, list(range(1, layers + 1)) or None
        make = torch.Generator().manual_seed(0)
        shape = (size.clips, *([layers] if layers else []), size.grid[0] * size.grid[1], size.dim)
        tokens = torch.empty(shape, dtype=torch.float16).normal_(generator=make)
        targets = torch.rand(size.clips, size.classes, generator=make) < 0.2
        self.data = TokenData(tokens, tokens[..., 0, :], None, targets)  # some vector stands in for [cls]
        (self.batch,) = self.data.batches(size.clips, layers=self.layers)

    def probe(self) -> Probe:
        """The probe, always with the same first weights."""
        torch.manual_seed(1)
        options = {"layers": self.layers, "dropout": 0.0} if self.layers else {}
        return build_probe(self.method, self.size.dim, self.size.classes, self.size.grid, **options)

    def ours(self) -> Callable[[], None]:
        """A step of `fit`."""
        probe = self.probe()
        run = Run(probe, FitConfig(batch_size=self.size.clips), self.size.clips)
        if probe.fixed:
            vectors = FixedVectors(self.data, [probe], self.size.clips)
            return lambda: run.step(next(vectors.batches(self.size.clips)))
        # A new MapBatch every time: checking the batch belongs to the step, reading it does not.
        return lambda: run.step(MapBatch(self.batch, [probe]))

    def naive(self) -> Callable[[], None]:
        """The same step in plain PyTorch."""
        probe, config = self.probe(), FitConfig()
        groups = probe.parameter_groups(config.lr, config.prototype_lr, config.weight_decay)
        optimiser, weights = torch.optim.AdamW(groups), dict(probe.named_parameters())

        def step() -> None:
            optimiser.zero_grad(set_to_none=True)
            (asymmetric_loss(self.naive_logits(weights), self.batch.targets) + probe.penalty()).backward()
            optimiser.step()

        return step

    def naive_logits(self, weights: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits (b c) of the plain form."""
        reads = "tokens" in PROBES[self.method].reads
        tokens, height = self.batch.tokens.float() if reads else None, self.size.grid[1]
        form = (NAIVE_LAYERS if self.layers else NAIVE)[self.method]
        return form(weights, tokens, self.batch.cls, height)

    def floor(self) -> Callable[[], None]:
        """The products of the forward pass, on tokens that are float32 already."""
        probe, tokens = self.probe(), self.batch.tokens.float()
        tokens = tokens[:, 0] if self.layers else tokens  # what is mixed is one map

        def products() -> None:
            with torch.no_grad():
                FLOOR[self.method](probe, tokens, self.batch.cls)

        return products


def milliseconds(size: Size, method: str, layers: int = 0) -> dict[str, float]:
    """Best milliseconds of each way, which take turns."""
    problem = Problem(size, method, layers)
    ways = {"ours": problem.ours(), "naive": problem.naive(), "floor": problem.floor()}
    best = dict.fromkeys(ways, float("inf"))
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for number in range(size.rounds + 1):
        for way, step in ways.items():
            start = clock()
            step()
            taken = clock() - start
            best[way] = min(best[way], taken) if number else best[way]  # the first loads code and memory
    return {way: 1e3 * value for way, value in best.items()}


def megabytes(size: Size, method: str, way: str, layers: int = 0) -> float | None:
    """MB that two steps take at most above inputs and weights (in the second, AdamW has its moments)."""

    def prepare() -> Callable[[], None]:
        small = Size(2, (2, size.grid[1]), size.dim, 2)
        getattr(Problem(small, method, layers), way)()()  # code that is loaded on first use is nobody's
        step = getattr(Problem(size, method, layers), way)()
        return lambda: (step(), step())

    return peak_mb(prepare)


def rows(size: Size | None = None) -> list[dict]:
    """One row a method: ms of a step and its ratios, MB of ours and of the naive form, weights."""
    size = size or Size()
    choose(size.dim)  # the trial of a way is no part of a step; forks inherit the choice
    return [_row(size, method) for method in size.methods]


def layered_rows(size: Size | None = None) -> list[dict]:
    """One row a method and number of layers: as `rows`, and the bytes of a clip's tokens in a cache."""
    size, found = size or Size(), []
    cell = row_dtype(size.grid[0] * size.grid[1], size.dim, "float16").itemsize
    for method, layers in size.layered:
        found.append({**_row(size, method, layers), "layers": layers, "clip_bytes": layers * cell})
    return found


def _row(size: Size, method: str, layers: int = 0) -> dict:
    memory = {way: megabytes(size, method, way, layers) for way in ("ours", "naive")}
    best = milliseconds(size, method, layers)
    return {
        "method": method,
        "ms": best["ours"],
        "of_naive": best["ours"] / best["naive"],
        "of_floor": best["ours"] / best["floor"],
        "mb": memory["ours"],
        "naive_mb": memory["naive"],
        "weights": sum(weight.numel() for weight in Problem(size, method, layers).probe().parameters()),
    }


def main(arguments: Iterable[str] = ()) -> dict:
    """Print the tables; gives the rates of `protoviz.analysis.scaling.SPEED`."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--full", action="store_true", help="width 768 and 200 classes")
    parser.add_argument("--cache", help="compare precisions on this token cache, not on maps made here")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args(list(arguments))
    before = torch.get_num_threads()
    torch.set_num_threads(chosen.threads)
    size, console = FULL if chosen.full else Size(), Console()
    cells = size.grid[0] * size.grid[1]
    shape = f"{size.clips} clips x {cells} tokens x {size.dim}, {size.classes} classes"
    title = f"training step, {shape}, {chosen.threads} threads"
    found, layered = rows(size), layered_rows(size)
    console.print(_table(found, title))
    console.print(_table(layered, "of several layers, mixed"))
    shared = together.main(chosen.cache)
    torch.set_num_threads(before)
    shape = [size.clips, cells, size.dim, size.classes]
    steps = {"steps": found, "layered": layered}
    return {"shape": shape, "threads": chosen.threads, **steps, "together": shared}


def _table(found: list[dict], title: str) -> Table:
    table = Table("method", "ms", "of naive", "of floor", "MB", "MB naive", "weights", title=title)
    if "layers" in found[0]:
        table.add_column("layers")
        table.add_column("MB a clip in a cache")
    for row in found:
        figures = (f"{row[key]:.3g}" for key in ("ms", "of_naive", "of_floor"))
        memory = ("" if row[key] is None else f"{row[key]:.0f}" for key in ("mb", "naive_mb"))
        held = (str(row["layers"]), f"{row['clip_bytes'] / 1e6:.2f}") if "layers" in row else ()
        table.add_row(row["method"], *figures, *memory, f"{row['weights']:,}", *held)
    return table


if __name__ == "__main__":
    main(sys.argv[1:])
