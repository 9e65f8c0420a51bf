"""Probes by name: the one place where names become classes."""

from pathlib import Path
from threading import Lock
from typing import Any

import torch

from protoviz.arguments import in_order
from protoviz.probes.attentive import AbmilpProbe, EpProbe, MhcaProbe, SimpoolProbe
from protoviz.probes.base import Explanation, Grid, Probe, ProbeError
from protoviz.probes.class_bound import ProtoProbe
from protoviz.probes.origin import refuse_other
from protoviz.probes.pooled import (
    ClsMeanConcatProbe,
    ConvGeluMeanProbe,
    FreqConcatProbe,
    LinearProbe,
    MlpProbe,
    TokenGeluMeanProbe,
    TokenLinearMaxProbe,
)
from protoviz.probes.prototype import ProtobinProbe, ProtofloatProbe, pack, unpack
from protoviz.probes.storage import load_probe as _load
from protoviz.probes.storage import save_probe, stored

# The paper's eleven in the order of its table 2, and the ablation's protofloat.
_PAPER = (
    LinearProbe,
    MlpProbe,
    ClsMeanConcatProbe,
    ConvGeluMeanProbe,
    TokenLinearMaxProbe,
    MhcaProbe,
    EpProbe,
    SimpoolProbe,
    AbmilpProbe,
    ProtoProbe,
    ProtobinProbe,
    ProtofloatProbe,
)
# Other readings of names that the paper leaves undefined.
_READINGS = (TokenGeluMeanProbe, FreqConcatProbe)

METHODS: tuple[str, ...] = tuple(probe.name for probe in _PAPER)
PROBES: dict[str, type[Probe]] = {probe.name: probe for probe in (*_PAPER, *_READINGS)}
# What a method of the paper does where its own definition could not be read: these names say it.
ALIASES: dict[str, str] = {
    "cls_mlp_gelu": "mlp",
    "cls_mean_concat": "linearc",
    "conv_gelu_mean": "conv",
    "token_linear_max": "linpre",
}

__all__ = [
    "ALIASES",
    "METHODS",
    "PROBES",
    "Explanation",
    "Grid",
    "Probe",
    "ProbeError",
    "build_probe",
    "load_probe",
    "pack",
    "refuse_other",
    "save_probe",
    "seeded_probe",
    "stored",
    "unpack",
    "untrained",
]
_GENERATOR = Lock()  # torch's global generator is everybody's


@in_order
def build_probe(name: str, dim: int, classes: int, grid: Grid = None, **hyper) -> Probe:
    """An untrained probe for tokens of width `dim` on a (t, f) `grid`; `hyper` are the method's own options.

    `name` is one of PROBES or ALIASES. The first weights come from torch's global generator: call
    `torch.manual_seed` before. Raises ProbeError for an unknown name or option.
    """
    known = ALIASES.get(name, name)
    if known not in PROBES:
        raise ProbeError(f"there is no probe {name!r}: choose one of {', '.join([*PROBES, *ALIASES])}")
    try:
        return PROBES[known](dim, classes, grid, **hyper)
    except TypeError as error:
        raise ProbeError(f"{name}: {error}; its options stand in its docstring") from error


def untrained(probe: Probe, seed: int) -> Probe:
    """The probe as its training started: the same settings, first weights from `torch.manual_seed(seed)`.

    Type and `precision`, which are set on a probe and not when it is built, are the probe's too.
    That is the start of a run that called `torch.manual_seed(seed)` and then `build_probe`, as `benchmark`
    does; its saved probes keep the seed as `probe.metadata["seed"]`. Torch's generator is left as it was.
    """
    fresh = seeded_probe(seed, **probe.settings).to(probe.dtype)
    if hasattr(probe, "precision"):
        fresh.precision = probe.precision
    return fresh.eval()


def seeded_probe(seed: int, name: str, dim: int, classes: int, grid: Grid = None, **hyper) -> Probe:
    """`build_probe` with first weights from `torch.manual_seed(seed)`; torch's generator stays as it was."""
    with _GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_probe(name, dim, classes, grid, **hyper)


def load_probe(path: str | Path, encoder: Any = None) -> Probe:
    """The probe that `save_probe` wrote, in evaluation mode; `probe.metadata` is what was saved with it.

    encoder: the `Encoder` whose tokens it will read, or a token cache; ProbeError says in what another one
    differs from that it was trained on (see `refuse_other`).
    """
    probe = _load(path, build_probe)
    if encoder is not None:
        refuse_other(probe, encoder, str(path))
    return probe
