"""Probes: a pooling and its classifier, trained on frozen tokens. All that is true of one is in its class."""

from protoviz.probes.base import Grid, Probe, ProbeError
from protoviz.probes.explanation import Explanation
from protoviz.probes.frames import frame_wise
from protoviz.probes.methods import (
    ALIASES,
    PROBES,
    Method,
    build_probe,
    family_of,
    probe_class,
    seeded_probe,
    titles,
    untrained,
)
from protoviz.probes.origin import refuse_other
from protoviz.probes.prototype import pack, unpack
from protoviz.probes.rates import Rates, Space
from protoviz.probes.storage import OwnCodeError, load_probe, save_probe, stored

__all__ = [
    "ALIASES",
    "PROBES",
    "Explanation",
    "Grid",
    "Method",
    "OwnCodeError",
    "Probe",
    "ProbeError",
    "Rates",
    "Space",
    "build_probe",
    "family_of",
    "frame_wise",
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
