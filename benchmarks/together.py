"""`fit_many` of eight configurations beside eight lone runs, and what the precision of products does to mAP.

Both on token maps made here: clips of noise in which each class, where present, fills a few cells with its
own direction, so that there is something to learn and the score stays off 1.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from protoviz.cache import TokenCache
from protoviz.metrics import mean_average_precision
from protoviz.probes import Probe, build_probe, titles
from protoviz.probes.best_token import preferred
from protoviz.training import FitConfig, TokenData, TokenSource, fit, fit_many, predict_many

RATES = (3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2)


@dataclass(frozen=True)
class World:
    """Token maps with planted classes."""

    grid: tuple[int, int] = (64, 8)
    dim: int = 192
    classes: int = 24
    present: float = 0.1  # share of clips that hold a class
    cells: int = 3  # that it fills
    strength: float = 0.35  # length of its direction beside noise of 1 an entry; chance and 1 stay far

    def clips(self, count: int, seed: int) -> TokenData:
        """Clips with float16 tokens; [cls] is the mean token."""
        rng, length = np.random.default_rng(seed), self.grid[0] * self.grid[1]
        directions = np.random.default_rng(7).standard_normal((self.classes, self.dim), np.float32)
        tokens = rng.standard_normal((count, length, self.dim), np.float32)
        targets = (rng.random((count, self.classes)) < self.present).astype(np.float32)
        for clip, label in zip(*np.nonzero(targets), strict=True):
            where = rng.choice(length, self.cells, replace=False)
            tokens[clip, where] += self.strength * directions[label]
        return TokenData(torch.from_numpy(tokens).half(), None, None, targets)

    def build(self, method: str, seed: int = 0, **hyper) -> Probe:
        """A probe for these maps; the seed decides its first weights."""
        torch.manual_seed(seed)
        return build_probe(method, self.dim, self.classes, self.grid, **hyper)


GROUPS: dict[str, Callable[[World, int], list[tuple[Probe, FitConfig]]]] = {
    **{
        f"8 rates of {name}": lambda world, epochs, name=name: [
            (world.build(name), FitConfig(epochs=epochs, lr=rate)) for rate in RATES
        ]
        for name in ("linear", "abmilp", "ep", "protobin")
    },
    "8 methods": lambda world, epochs: [
        (world.build(name), FitConfig(epochs=epochs))
        for name in titles()
        if name not in ("conv", "mlp", "linpre", "linearc")
    ],
    "5 orders of protobin": lambda world, epochs: [
        (world.build("protobin", seed), FitConfig(epochs=epochs, seed=seed)) for seed in range(5)
    ],
}


def grouped_rows(world: World | None = None, clips: int = 512, epochs: int = 2) -> list[dict]:
    """One row a group: seconds of lone runs and of fit_many, their ratio, whether all results are equal.

    One thread and its processor time: the two run one after the other, so a busy machine would decide.
    """
    world = world or World()
    train, validation = world.clips(clips, 1), world.clips(clips // 4, 2)
    fit(world.build("ep"), train, validation, FitConfig(epochs=1))  # loads code
    found, clock, threads = [], time.process_time, torch.get_num_threads()
    torch.set_num_threads(1)
    for title, make in GROUPS.items():
        start = clock()
        lone = [fit(probe, train, validation, config) for probe, config in make(world, epochs)]
        middle = clock()
        together = fit_many(make(world, epochs), train, validation)
        end = clock()
        equal = all(
            one.history.equals(other.history)
            and all(torch.equal(one.state[key], other.state[key]) for key in one.state)
            for one, other in zip(lone, together, strict=True)
        )
        times = {"lone_s": middle - start, "together_s": end - middle}
        found.append({"runs": title, **times, "ratio": (end - middle) / (middle - start), "equal": equal})
    torch.set_num_threads(threads)
    return found


@dataclass(frozen=True)
class Maps:
    """What the precisions are compared on."""

    train: TokenSource
    validation: TokenSource
    test: TokenSource
    build: Callable[[str, int], Probe]  # method, seed of the first weights

    @classmethod
    def made_here(cls) -> "Maps":
        """A small world, the same every time."""
        world = World(grid=(16, 4), dim=96, classes=10, present=0.2, cells=1, strength=0.8)
        sizes = ((600, 1), (200, 2), (600, 3))
        return cls(*(world.clips(count, seed) for count, seed in sizes), world.build)

    @classmethod
    def of_cache(cls, folder: str) -> "Maps":
        """The splits of a token cache."""
        cache = TokenCache.open(folder)
        world = World(cache.grid, cache.dim, len(cache.classes))
        return cls(*(cache.split(split) for split in ("train", "validation", "test")), world.build)


def precision_rows(maps: Maps | None = None, seeds: int = 5, epochs: int = 12) -> list[dict]:
    """One row a precision of protobin's training steps: test mAP over seeds, and its distance to float32's.

    `difference` is the mean over seeds of mAP minus that of float32 with the same seed, `largest` the largest
    such difference, `seed_sd` the standard deviation over seeds: the noise that a difference has to stay in.
    """
    maps = maps or Maps.made_here()
    names, scores = ["float32", "auto", "bfloat16"], {}
    width = maps.build("linear", 0).dim
    if "float16" in preferred(width):
        names.append("float16")  # elsewhere it is only imitated, and slow
    # Small calls take float32 without a choice; here they are to go the ways of large ones.
    with patch("protoviz.probes.cosine_max.LARGE", 0):
        for name in names:
            runs = [
                (
                    maps.build("protobin", seed, batch_norm=True),
                    FitConfig(epochs, lr=5e-3, prototype_lr=1e-2, precision=name, seed=seed),
                )
                for seed in range(seeds)
            ]
            fit_many(runs, maps.train, maps.validation)
            logits = predict_many([probe for probe, _ in runs], maps.test)
            scores[name] = [mean_average_precision(one, maps.test.targets()).value for one in logits]
    return [
        {
            "precision": name,
            "mAP": float(np.mean(score)),
            "seed_sd": float(np.std(score, ddof=1)),
            "difference": float(np.mean(score) - np.mean(scores["float32"])),
            "largest": float(np.abs(np.subtract(score, scores["float32"])).max()),
        }
        for name, score in scores.items()
    ]


def main(cache: str | None = None) -> dict[str, float]:
    """Print the tables; gives the share of the time of eight lone runs, by method."""
    console = Console()
    table = Table(
        "runs", "lone, s", "fit_many, s", "ratio", "bit-equal", title="fit_many beside lone runs, one thread"
    )
    groups = grouped_rows()
    for row in groups:
        seconds = (f"{row[key]:.2f}" for key in ("lone_s", "together_s", "ratio"))
        table.add_row(row["runs"], *seconds, "yes" if row["equal"] else "NO")
    console.print(table)
    table = Table("precision", "test mAP", "s.d. over seeds", "mean change", "largest change")
    table.title = "protobin, precision of training steps"
    for row in precision_rows(Maps.of_cache(cache) if cache else None):
        table.add_row(
            row["precision"], *(f"{row[key]:.4f}" for key in ("mAP", "seed_sd", "difference", "largest"))
        )
    console.print(table)
    rates = "8 rates of "
    return {row["runs"].removeprefix(rates): row["ratio"] for row in groups if row["runs"].startswith(rates)}
