"""Probes by name: the one place where names become classes, and a class with its options a method."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch

from protoviz.arguments import in_order
from protoviz.files import slug
from protoviz.named import code_digest, find, is_place
from protoviz.probes.attentive import AbmilpProbe, EpProbe, MhcaProbe, SimpoolProbe
from protoviz.probes.base import Family, Grid, Probe, ProbeError
from protoviz.probes.cgp import CgpProbe, Head2ToeProbe, LinearCgpProbe
from protoviz.probes.class_bound import ProtoProbe
from protoviz.probes.frames import (
    CgpFramesProbe,
    Head2ToeFramesProbe,
    LinearFramesProbe,
    ProtobinFramesProbe,
)
from protoviz.probes.pooled import (
    ClsMeanConcatProbe,
    ConvGeluMeanProbe,
    FreqConcatProbe,
    LinearProbe,
    MlpProbe,
    TokenGeluMeanProbe,
)
from protoviz.probes.prototype import ProtobinProbe, ProtofloatProbe
from protoviz.probes.rates import Space
from protoviz.probes.token_max import MultimaxProbe, TokenLinearMaxProbe

# The paper's eleven in the order of its table 2, the ablation's protofloat, other readings of its names, then
# later work: all layers, and single frames.
# A new probe is one class, with all that is true of it, and a line here.
_CLASSES = (
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
    TokenGeluMeanProbe,
    FreqConcatProbe,
    MultimaxProbe,
    LinearCgpProbe,
    Head2ToeProbe,
    CgpProbe,
    LinearFramesProbe,
    ProtobinFramesProbe,
    CgpFramesProbe,
    Head2ToeFramesProbe,
)
PROBES: dict[str, type[Probe]] = {probe.name: probe for probe in _CLASSES}
ALIASES: dict[str, str] = {probe.alias: probe.name for probe in _CLASSES if probe.alias}
_GENERATOR = Lock()  # torch's global generator is everybody's


def probe_class(name: str) -> type[Probe]:
    """Return the class of a probe: a name in PROBES, one in ALIASES, or module:Class. ProbeError for another.

    A module:Class is imported: its code runs.
    """
    known = ALIASES.get(name, name)
    if known in PROBES:
        return PROBES[known]
    if not is_place(name):
        raise ProbeError(
            f"there is no probe {name!r}: choose one of {', '.join([*PROBES, *ALIASES])}, or module:Class"
        )
    found = find(name, Probe, ProbeError, "MyProbe")
    if not (isinstance(found, type) and issubclass(found, Probe)):
        raise ProbeError(f"{name} has to be a class derived from protoviz.probes.Probe")
    return found


def name_of(probe: type[Probe]) -> str:
    """Return the name by which `probe_class` finds a class again: its own in PROBES, else module:Class."""
    shipped = PROBES.get(getattr(probe, "name", "")) is probe
    return probe.name if shipped else f"{probe.__module__}:{probe.__qualname__}"


def own_code(probe: type[Probe]) -> list[str]:
    """Return what tells results of a module:Class from those of its code as it was: a digest of its file.

    Empty for a class in PROBES, and where there is no file, as in a notebook.
    """
    return code_digest(probe) if is_place(name_of(probe)) else []


def family_of(title: str) -> Family | None:
    """Return the family of the probe behind a method's title or file name, "protobin + BatchNorm",
    "max-pool-norm".

    None where no class of that name is known: it is in no registry, and nothing has imported it.
    """
    stem = slug(title.split(" + ")[0])
    named = {slug(probe.name): probe.family for probe in (*_derived(Probe), *PROBES.values()) if probe.name}
    fitting = [name for name in named if f"{stem}-".startswith(f"{name}-")]
    return named[max(fitting, key=len)] if fitting else None


def _derived(kind: type[Probe]) -> list[type[Probe]]:
    """All classes derived from one that are imported by now."""
    return [found for one in kind.__subclasses__() for found in (one, *_derived(one))]


@dataclass(frozen=True)
class Method:
    """A probe with its options, as one row of a table."""

    title: str  # "protobin + BatchNorm"
    probe: str  # a name in PROBES, or module:Class
    options: dict[str, Any] = field(default_factory=dict)
    space: Space | None = None  # ranges of a search; None: the class's
    first: int | None = None  # training clips that it learns from, of their order; None: all

    @classmethod
    def named(cls, title: str, probe: str | None = None, options: dict[str, Any] | None = None) -> "Method":
        """Return the method of a title: "linear", "protobin + BatchNorm", "my_module:MyProbe + BatchNorm".

        What follows a + is one of the class's `variants`. Where `probe` (its name) or `options` are given the
        title may say anything. A module:Class has the name of its class in the title. Raises ProbeError for
        an unknown probe, variant or option.
        """
        head, *marks = title.split(" + ")
        found = probe_class(probe or head)
        known = found.options()
        variants = {name: own for name, own in found.variants.items() if own.keys() <= known.keys()}
        strange = [one for one in marks if one not in variants]
        if strange and options is None and probe is None:
            there = ", ".join(variants) or "none"
            raise ProbeError(f"{title}: {head} has no variant {strange[0]!r}; there are {there}")
        chosen = dict(options or {})
        for one in marks:
            chosen = variants.get(one, {}) | chosen
        if unknown := [key for key in chosen if key not in known]:
            there = ", ".join(known) or "none"
            raise ProbeError(f"{title}: {found.name} has no option {unknown[0]!r}; there are {there}")
        if probe is None and is_place(head):
            title = " + ".join([found.name or found.__name__, *marks])
        return cls(title, name_of(found), chosen)

    @property
    def found(self) -> type[Probe]:
        """The class."""
        return probe_class(self.probe)

    @property
    def slug(self) -> str:
        """The title as a file name: "protobin + BatchNorm" -> "protobin-batchnorm"."""
        return slug(self.title)

    def hyper(self, prototypes_per_class: int | None = None) -> dict[str, Any]:
        """Return its options, with so many prototypes a class where it has some and says none."""
        takes = prototypes_per_class and "prototypes_per_class" in self.found.options()
        return ({"prototypes_per_class": prototypes_per_class} if takes else {}) | self.options

    def settings(self, few: bool = False) -> list[tuple[float, float | None]]:
        """Return all pairs (rate, prototype rate) of a search with fixed rates; few: only those around what
        a search with all of them chose.
        """
        rates = self.found.few_rates if few else self.found.rates
        return rates.pairs(bool(self.options.get("batch_norm")))


def titles(*variants: str) -> tuple[str, ...]:
    """Return the titles of all probes that are compared, as PROBES has them; each before its `variants`."""
    found = [name for name, probe in PROBES.items() if probe.compared]
    return tuple(
        title for name in found for title in (name, *(v for v in variants if v.split(" + ")[0] == name))
    )


# -- untrained probes


@in_order
def build_probe(name: str, dim: int, classes: int, grid: Grid = None, **hyper) -> Probe:
    """Return an untrained probe for tokens of width `dim` on a (t, f) `grid`; `hyper` are the method's own
    options, `layers` (see `Probe.read_layers`) and `centre` (see `Probe.centre_tokens`).

    `name` is one of PROBES or ALIASES, or module:Class of a class of your own, which is imported. The first
    weights come from torch's global generator: call `torch.manual_seed` before. Raises ProbeError for an
    unknown name or option.

    >>> probe = build_probe("protobin", dim=192, classes=24, grid=(64, 8))
    >>> probe(torch.zeros(2, 512, 192)).shape  # logits (b c) of tokens (b n d)
    torch.Size([2, 24])
    """
    return built(probe_class(name), name, dim, classes, grid, **hyper)


def built(probe: type[Probe], name: str, dim: int, classes: int, grid: Grid = None, **hyper) -> Probe:
    """Return a probe of this class; `name`: what it was called, for the text of a ProbeError."""
    own = probe.own_options()
    base = {key: hyper.pop(key) for key in ("layers", "centre") if key in hyper and key not in own}
    try:
        made = probe(dim, classes, grid, **hyper)
        if base.get("layers") is not None:
            made.read_layers(base["layers"])
        if base.get("centre") is not None:
            made.centre_tokens(base["centre"])
        return made
    except ProbeError:
        raise
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:  # torch's, of impossible sizes
        raise ProbeError(f"{name}: {error}; its options stand in its docstring") from error


def untrained(probe: Probe, seed: int) -> Probe:
    """Return the probe as its training started: the same settings, first weights from
    `torch.manual_seed(seed)`.

    Type and `precision`, which are set on a probe and not when it is built, are the probe's too.
    A probe centred on its training tokens keeps their mean, which a training finds before its first step.
    That is the start of a run that called `torch.manual_seed(seed)` and then `build_probe`, as `benchmark`
    does; its saved probes keep the seed as `probe.metadata["seed"]`. Torch's generator is left as it was.
    """
    with _seeded(seed):  # by its class: nobody has to be able to import it
        fresh = built(type(probe), **probe.settings).to(probe.dtype)
    if hasattr(probe, "precision"):
        fresh.precision = probe.precision
    if probe.centre == "train":
        fresh.common.copy_(probe.common)
    return fresh.eval()


def seeded_probe(seed: int, name: str, dim: int, classes: int, grid: Grid = None, **hyper) -> Probe:
    """Return `build_probe` with first weights from a seed; torch's own generator stays as it was."""
    with _seeded(seed):
        return build_probe(name, dim, classes, grid, **hyper)


@contextmanager
def _seeded(seed: int):
    """torch's generator at a seed for the length of a `with`, one thread at a time; afterwards as it was."""
    with _GENERATOR, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
