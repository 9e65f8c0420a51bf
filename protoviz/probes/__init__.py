"""Probes by name: the one place where names become classes."""

from protoviz.probes.base import Explanation, Probe, ProbeError
from protoviz.probes.pooled import LinearProbe
from protoviz.probes.prototype import ProtobinProbe
from protoviz.probes.storage import load_probe as _load
from protoviz.probes.storage import save_probe

PROBES: dict[str, type[Probe]] = {probe.name: probe for probe in (LinearProbe, ProtobinProbe)}

__all__ = ["PROBES", "Explanation", "Probe", "ProbeError", "build_probe", "load_probe", "save_probe"]


def build_probe(name: str, dim: int, classes: int, grid: tuple[int, int] | None = None, **hyper) -> Probe:
    """An untrained probe for tokens of width `dim` on a (t, f) `grid`; `hyper` are the method's own options.

    Its first weights come from torch's global generator: call `torch.manual_seed` before.
    Raises ProbeError for an unknown name or option.
    """
    if name not in PROBES:
        raise ProbeError(f"there is no probe {name!r}: choose one of {', '.join(PROBES)}")
    try:
        return PROBES[name](dim, classes, grid, **hyper)
    except TypeError as error:
        raise ProbeError(f"{name}: {error}; its options stand in its docstring") from error


def load_probe(path) -> Probe:
    """The probe that `save_probe` wrote, in evaluation mode; `probe.metadata` is what was saved with it."""
    return _load(path, build_probe)
