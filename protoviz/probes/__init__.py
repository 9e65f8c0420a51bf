"""Probes: a pooling and its classifier, trained on frozen tokens. All that is true of one is in its class."""

from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import torch

from protoviz.arguments import in_order
from protoviz.probes.base import Explanation, Grid, Probe, ProbeError
from protoviz.probes.methods import ALIASES, PROBES, Method, family_of, probe_class, titles
from protoviz.probes.origin import refuse_other
from protoviz.probes.prototype import pack, unpack
from protoviz.probes.rates import Rates, Space
from protoviz.probes.storage import load_probe as _load
from protoviz.probes.storage import save_probe, stored
from protoviz.settings import checked

__all__ = [
    "ALIASES",
    "PROBES",
    "Explanation",
    "Grid",
    "Method",
    "Probe",
    "ProbeError",
    "Rates",
    "Space",
    "build_probe",
    "family_of",
    "load_probe",
    "pack",
    "probe_class",
    "refuse_other",
    "save_probe",
    "seeded_probe",
    "stored",
    "titles",
    "unpack",
    "untrained",
]
_GENERATOR = Lock()  # torch's global generator is everybody's


@in_order
def build_probe(name: str, dim: int, classes: int, grid: Grid = None, **hyper) -> Probe:
    """An untrained probe for tokens of width `dim` on a (t, f) `grid`; `hyper` are the method's own options.

    `name` is one of PROBES or ALIASES, or module:Class of a class of your own, which is imported. The first
    weights come from torch's global generator: call `torch.manual_seed` before. Raises ProbeError for an
    unknown name or option.
    """
    return _built(probe_class(name), name, dim, classes, grid, hyper)


def _built(probe: type[Probe], name: str, dim: int, classes: int, grid: Grid, hyper: dict) -> Probe:
    try:
        return probe(dim, classes, grid, **hyper)
    except ProbeError:
        raise
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:  # torch's, of impossible sizes
        raise ProbeError(f"{name}: {error}; its options stand in its docstring") from error


def _as_stored(name: str, **settings: Any) -> Probe:
    """`build_probe` of settings in a file, each of which has to be of its type."""
    hints = probe_class(name).options()
    for option, value in settings.items():
        checked(value, hints.get(option, Any), f"settings.{option}", error=ProbeError)
    return build_probe(name, **settings)


def untrained(probe: Probe, seed: int) -> Probe:
    """The probe as its training started: the same settings, first weights from `torch.manual_seed(seed)`.

    Type and `precision`, which are set on a probe and not when it is built, are the probe's too.
    That is the start of a run that called `torch.manual_seed(seed)` and then `build_probe`, as `benchmark`
    does; its saved probes keep the seed as `probe.metadata["seed"]`. Torch's generator is left as it was.
    """
    with _seeded(seed):  # by its class: nobody has to be able to import it
        fresh = type(probe)(probe.dim, probe.classes, probe.grid, **probe.hyper).to(probe.dtype)
    if hasattr(probe, "precision"):
        fresh.precision = probe.precision
    return fresh.eval()


def seeded_probe(seed: int, name: str, dim: int, classes: int, grid: Grid = None, **hyper) -> Probe:
    """`build_probe` with first weights from `torch.manual_seed(seed)`; torch's generator stays as it was."""
    with _seeded(seed):
        return build_probe(name, dim, classes, grid, **hyper)


@contextmanager
def _seeded(seed: int):
    """torch's generator at a seed for the length of a `with`, one thread at a time; afterwards as it was."""
    with _GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def load_probe(path: str | Path, encoder: Any = None) -> Probe:
    """The probe that `save_probe` wrote, in evaluation mode; `probe.metadata` is what was saved with it.

    encoder: the `Encoder` whose tokens it will read, or a token cache; ProbeError says in what another one
    differs from that it was trained on (see `refuse_other`).
    """
    probe = _load(path, _as_stored)
    if encoder is not None:
        refuse_other(probe, encoder, str(path))
    return probe
