"""Sizes, seeds and methods of the polyphony dial."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from protoviz.benchmark import CompareConfig, Method
from protoviz.encoders import present_encoders

# Fewer rates than in `benchmark.METHODS`, around those that its search chose: probe, rates plain, rates with
# a BatchNorm before the classifier, rates of the prototypes. A dense layer on one vector costs nothing.
_TOKENS = (3e-3, 1e-2, 3e-2, 1e-1)
_RATES: tuple[tuple[str, tuple[float, ...], tuple[float, ...], tuple[float, ...]], ...] = (
    ("linear", (1e-2, 3e-2, 1e-1), (1e-2, 3e-2, 1e-1), ()),
    ("mlp", (1e-3, 3e-3, 1e-2, 3e-2), (1e-3, 3e-3, 1e-2, 3e-2), ()),
    ("linearc", (1e-2, 3e-2, 1e-1), (1e-2, 3e-2, 1e-1), ()),
    ("linpre", _TOKENS, _TOKENS, ()),
    ("mhca", _TOKENS, _TOKENS, ()),
    ("ep", _TOKENS, _TOKENS, ()),
    ("simpool", _TOKENS, _TOKENS, ()),
    ("abmilp", _TOKENS, _TOKENS, ()),
    ("proto", (3e-1, 1.0), (1e-2, 3e-2), (3e-3, 1e-2)),
    ("protobin", (3e-1, 1.0), (1e-2, 3e-2), (1e-3, 3e-3)),
    ("protofloat", (3e-1, 1.0), (1e-2, 3e-2), (1e-3, 3e-3)),
    ("conv", (1e-3,), (1e-3,), ()),
)
_BOTH = {
    title: Method(title, probe, rates, prototypes, hyper)
    for probe, plain, normed, prototypes in _RATES
    for title, rates, hyper in (
        (probe, plain, {}),
        (f"{probe} + BatchNorm", normed, {"batch_norm": True}),
    )
}
METHODS = (  # of the dial: every probe, and a BatchNorm where it matters most (`methods_of` knows all pairs)
    "linear",
    "linear + BatchNorm",
    "mlp",
    "linearc",
    "conv",
    "linpre",
    "mhca",
    "mhca + BatchNorm",
    "ep",
    "simpool",
    "abmilp",
    "proto",
    "protobin",
    "protobin + BatchNorm",
    "protofloat",
)


def methods_of(titles: Iterable[str]) -> list[Method]:
    """The methods of these titles; ValueError, with those that there are, for an unknown one."""
    titles = list(titles)
    if unknown := [title for title in titles if title not in _BOTH]:
        raise ValueError(f"there is no method {', '.join(unknown)}: choose of {', '.join(_BOTH)}")
    return [_BOTH[title] for title in titles]


# Twelve epochs of 600 scenes in batches of 32 are 228 steps, as many as eleven of the demo's thirty epochs.
_SHORT = CompareConfig(epochs=12, search_epochs=2, batch_size=32)


@dataclass(frozen=True)
class DialConfig:
    """The sizes and seeds of the dial. The defaults are for minutes an encoder and kind of sources."""

    train: int = 600  # scenes of 1 to `most` events
    validation: int = 120
    scenes: int = 120  # test scenes, each at every number of events
    most: int = 8  # events; fewer where the sources have fewer classes than that and one
    located: int = 40  # of the test scenes: where the probes looked in them
    scene_seed: int = 2  # the demo's scenes have 0 and 1
    methods: tuple[str, ...] = METHODS
    compare: CompareConfig = _SHORT

    def __post_init__(self) -> None:
        if not 1 <= self.located <= self.scenes:
            raise ValueError(f"{self.located} of {self.scenes} test scenes cannot be looked at")
        methods_of(self.methods)

    @classmethod
    def small(cls) -> "DialConfig":
        """The settings of a rehearsal: every step of the real run on a few scenes."""
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
        """The settings of a rehearsal."""
        quick = CompareConfig(epochs=2, search_epochs=1, batch_size=32, seeds=(0, 1), prototypes_per_class=5)
        return cls(train=60, validation=20, compare=quick)


def mini_encoders() -> list[str]:
    """The mini encoders that load without fetching anything, the trained ones first."""
    names = [name for name in present_encoders() if name.startswith("mini-")]
    return sorted(names, key=lambda name: name == "mini-random")


# Milliseconds of a training step on 64 clips of 512 tokens of width 192 and 24 classes with one thread
# (`python -m benchmarks.training --threads 1`, rounded), those of prototypes for one in a class.
_STEP = {"linpre": 11.4, "mhca": 16.2, "ep": 28.2, "simpool": 30.0, "abmilp": 6.7, "conv": 213.0}
_A_PROTOTYPE = 1.43  # the other probes cost nothing beside these
ENCODED = 15  # clips a second, mixed and encoded by a mini on one core
FORWARD = 1 / 3  # of a training step: what scoring a clip costs


def predicted_minutes(config: DialConfig, groups: int, workers: int) -> float:
    """Minutes that the dial takes for so many pairs of an encoder (a mini) and a kind of sources, each worker
    on a core of its own.

    Another width, or a machine that does something else, takes longer; fewer classes take less.
    """
    runs, test = config.compare, config.scenes * config.most
    seconds = (config.train + config.validation + test + config.located * config.most) / ENCODED
    for method in methods_of(config.methods):
        step = _STEP.get(method.probe, 0.0)
        step = _A_PROTOTYPE * runs.prototypes_per_class if method.prototype_rates else step
        a_clip = step / 64 / 1000
        epochs = len(method.settings()) * runs.search_epochs + len(runs.seeds) * runs.epochs
        seconds += a_clip * epochs * (config.train + FORWARD * config.validation)
        # Tested once, and looked into: the maps take about as long as a training step.
        seconds += a_clip * len(runs.seeds) * (FORWARD * test + config.located * config.most)
    return math.ceil(groups / workers) * seconds / 60
