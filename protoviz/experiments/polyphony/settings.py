"""Sizes, seeds and methods of the polyphony experiment."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from protoviz.analysis.scaling import FORWARD, Grid, Rates, clip_pass_seconds
from protoviz.encoders import present_encoders
from protoviz.experiments import CompareConfig
from protoviz.probes import Method, titles

# With a BatchNorm as well: where it matters most.
NORMED = ("linear + BatchNorm", "mhca + BatchNorm", "protobin + BatchNorm")


def methods_of(names: Iterable[str]) -> list[Method]:
    """Return the methods of these titles, with few rates each; ProbeError for an unknown one
    (`Method.named`).
    """
    return [Method.named(title, few=True) for title in names]


# Twelve epochs of 600 scenes in batches of 32 are 228 steps, as many as eleven of the demo's thirty epochs.
_SHORT = CompareConfig(epochs=12, search_epochs=2, batch_size=32)


@dataclass(frozen=True)
class PolyphonyConfig:
    """Sizes and seeds. The defaults are for minutes an encoder and kind of sources."""

    train: int = 600  # scenes of 1 to `most` events
    validation: int = 120
    scenes: int = 120  # test scenes, each at every number of events
    most: int = 8  # events; fewer where the sources have fewer classes than that and one
    located: int = 40  # of the test scenes: where the probes looked in them
    scene_seed: int = 2  # the demo's scenes have 0 and 1
    methods: tuple[str, ...] = field(default_factory=lambda: titles(*NORMED))
    compare: CompareConfig = _SHORT

    def __post_init__(self) -> None:
        if not 1 <= self.located <= self.scenes:
            raise ValueError(f"{self.located} of {self.scenes} test scenes cannot be looked at")
        methods_of(self.methods)

    @classmethod
    def small(cls) -> "PolyphonyConfig":
        """Return the settings of a rehearsal: every step of the real run on a few scenes."""
        quick = CompareConfig(epochs=2, search_epochs=1, batch_size=32, seeds=(0, 1), prototypes_per_class=5)
        return cls(60, 20, 60, located=12, methods=("linear", "mhca", "protobin"), compare=quick)


@dataclass(frozen=True)
class StrongConfig:
    """The sizes behind the question to human-labelled recordings."""

    encoder: str = "mini-mae"
    train: int = 800
    validation: int = 160
    scene_seed: int = 3
    methods: tuple[str, ...] = ("mhca + BatchNorm", "protobin + BatchNorm")
    compare: CompareConfig = _SHORT

    @classmethod
    def small(cls) -> "StrongConfig":
        """Return the settings of a rehearsal."""
        quick = CompareConfig(epochs=2, search_epochs=1, batch_size=32, seeds=(0, 1), prototypes_per_class=5)
        return cls(train=60, validation=20, compare=quick)


def mini_encoders() -> list[str]:
    """Return the mini encoders that load without fetching anything, the trained ones first."""
    names = [name for name in present_encoders() if name.startswith("mini-")]
    return sorted(names, key=lambda name: name == "mini-random")


TOKENS, WIDTH, CLASSES = 512, 192, 24  # of the minis and the procedural scenes


def predicted_minutes(config: PolyphonyConfig, groups: int, workers: int) -> float:
    """Return minutes for so many pairs of an encoder (a mini) and a kind of sources, each worker on a core
    of its own.

    Another width, or a machine that does something else, takes longer; fewer classes take less.
    """
    runs, test = config.compare, config.scenes * config.most
    grid, rates = Grid(methods=(), width=WIDTH, per_class=runs.prototypes_per_class), Rates.measured()
    encoded = config.train + config.validation + test + config.located * config.most
    seconds = encoded * rates.cores / rates.encode_clips
    for method in methods_of(config.methods):
        a_clip = rates.one_core * clip_pass_seconds(method.probe, TOKENS, CLASSES, grid, rates)
        epochs = len(method.settings()) * runs.search_epochs + len(runs.seeds) * runs.epochs
        seconds += a_clip * epochs * (config.train + FORWARD * config.validation)
        # Tested once, and looked into: the maps take about as long as a training step.
        seconds += a_clip * len(runs.seeds) * (FORWARD * test + config.located * config.most)
    return math.ceil(groups / workers) * seconds / 60
