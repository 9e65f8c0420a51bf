"""What a search of a probe's learning rates covers: fixed rates, or ranges."""

from dataclasses import asdict, dataclass
from itertools import product

Span = tuple[float, float]  # lowest and highest value, drawn on a logarithmic scale


@dataclass(frozen=True)
class Rates:
    """Fixed learning rates that a search tries, each with each of the prototypes' rates."""

    plain: tuple[float, ...]
    prototypes: tuple[float, ...] = ()  # empty: the probe has no prototypes
    normed: tuple[float, ...] = ()  # with a BatchNorm before the classifier; empty: as plain

    def pairs(self, batch_norm: bool = False) -> list[tuple[float, float | None]]:
        """Return all pairs (rate, prototype rate) of the search."""
        own = self.normed if batch_norm and self.normed else self.plain
        return list(product(own, self.prototypes or (None,)))


@dataclass(frozen=True)
class Space:
    """What is searched, and within what.

    The ranges are the paper's (section on the protocol). Which probes take the higher rates is not stated
    there; the prototype probes do here, because a cosine without a temperature needs it.
    """

    lr: Span = (1e-4, 7e-3)  # paper; or 2e-3 to 8e-2, which suits prototypes
    weight_decay: Span = (1e-5, 5e-4)  # paper
    prototype_lr: Span | None = None  # a range of their own; the paper has none, and they take `lr`

    def __post_init__(self):
        for name, span in self.spans().items():
            object.__setattr__(self, name, tuple(span))  # a list could not be looked up among known spaces
            if len(span) != 2 or not 0 < span[0] <= span[1]:
                raise ValueError(f"range {name} {span}: give a lowest and a highest value above 0")

    def spans(self) -> dict[str, Span]:
        """Return the ranges that are searched, by the name of a FitConfig field."""
        return {name: span for name, span in asdict(self).items() if span is not None}
