"""Probes by name: the one place where names become classes, and a class with its options a method."""

from dataclasses import dataclass, field
from typing import Any

from protoviz.files import slug
from protoviz.named import find, is_place
from protoviz.probes.attentive import AbmilpProbe, EpProbe, MhcaProbe, SimpoolProbe
from protoviz.probes.base import Family, Probe, ProbeError
from protoviz.probes.class_bound import ProtoProbe
from protoviz.probes.pooled import (
    ClsMeanConcatProbe,
    ConvGeluMeanProbe,
    FreqConcatProbe,
    LinearProbe,
    MlpProbe,
    TokenGeluMeanProbe,
    TokenLinearMaxProbe,
)
from protoviz.probes.prototype import ProtobinProbe, ProtofloatProbe
from protoviz.probes.rates import Space

# The paper's eleven in the order of its table 2, the ablation's protofloat, then other readings of its names.
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
)
PROBES: dict[str, type[Probe]] = {probe.name: probe for probe in _CLASSES}
ALIASES: dict[str, str] = {probe.alias: probe.name for probe in _CLASSES if probe.alias}


def probe_class(name: str) -> type[Probe]:
    """The class of a probe: a name in PROBES, one in ALIASES, or module:Class. ProbeError for another.

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
        raise ProbeError(f"{name} is no class derived from protoviz.probes.Probe: derive it from that")
    return found


def name_of(probe: type[Probe]) -> str:
    """The name by which `probe_class` finds a class again: its own in PROBES, else module:Class."""
    shipped = PROBES.get(getattr(probe, "name", "")) is probe
    return probe.name if shipped else f"{probe.__module__}:{probe.__qualname__}"


def family_of(title: str) -> Family | None:
    """The family of the probe behind a method's title or file name, "protobin + BatchNorm", "max-pool-norm".

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
    few: bool = False  # of the class's fixed rates only those around what a search with all of them chose

    @classmethod
    def named(
        cls, title: str, probe: str | None = None, options: dict[str, Any] | None = None, few: bool = False
    ) -> "Method":
        """The method of a title: "linear", "protobin + BatchNorm", "my_module:MyProbe + BatchNorm".

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
        title = " + ".join([found.name, *marks]) if probe is None and is_place(head) else title
        return cls(title, name_of(found), chosen, few=few)

    @property
    def found(self) -> type[Probe]:
        """The class."""
        return probe_class(self.probe)

    @property
    def slug(self) -> str:
        """The title as a file name: "protobin + BatchNorm" -> "protobin-batchnorm"."""
        return slug(self.title)

    def settings(self) -> list[tuple[float, float | None]]:
        """All pairs (rate, prototype rate) of a search with fixed rates."""
        rates = self.found.few_rates if self.few else self.found.rates
        return rates.pairs(bool(self.options.get("batch_norm")))


def titles(*variants: str) -> tuple[str, ...]:
    """The titles of all probes that are compared, in their order in PROBES; each before its `variants`."""
    found = [name for name, probe in PROBES.items() if probe.compared]
    return tuple(
        title for name in found for title in (name, *(v for v in variants if v.split(" + ")[0] == name))
    )
