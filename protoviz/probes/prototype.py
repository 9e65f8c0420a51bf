"""Prototype probes: every prototype looks for the cell that is most like it."""

from typing import ClassVar, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from protoviz.probes.base import Family, Grid, Probe, ProbeError, Source
from protoviz.probes.cosine_max import cosine_max
from protoviz.probes.explanation import Explanation
from protoviz.probes.rates import Rates, Space

GRADIENTS = ("through_norm", "constant_norm", "clipped")


class PrototypeProbe(Probe):
    """What the prototype probes share: s_j = max_n cos(p_j, z_n), scores (b j) of tokens (b n d).

    A subclass gives `prototypes` (j d). A token of zero norm has similarity 0. A clip without real tokens
    has score 0 and location -1 for every prototype.
    """

    family: ClassVar[Family] = "prototype"
    source: ClassVar[Source] = "paper"
    unit: ClassVar[bool] = True  # as tokens are compared by their direction
    # A score is a cosine that moves by a few hundredths, so a classifier on raw scores needs weights in the
    # tens, which AdamW reaches in 600 steps only at a large rate; behind a BatchNorm unit weights do.
    # Prototypes start at randn * 0.02: a step of 1e-2 turns half the signs over.
    rates: ClassVar[Rates] = Rates(
        (1e-2, 1e-1, 3e-1, 1.0), (3e-4, 1e-3, 3e-3, 1e-2), normed=(1e-3, 3e-3, 1e-2, 3e-2)
    )
    few_rates: ClassVar[Rates] = Rates((3e-1, 1.0), (1e-3, 3e-3), normed=(1e-2, 3e-2))
    space: ClassVar[Space] = Space(lr=(2e-3, 8e-2))
    precision = "auto"  # of the similarities (see cosine_max); set it on a probe to trade exactness for speed

    def _add_prototypes(self, per_class: int, count: int | None = None) -> None:
        if min(per_class, 1 if count is None else count) < 1:
            raise ProbeError(f"prototypes_per_class {per_class} and prototypes {count} have to be at least 1")
        self.per_class = per_class
        self.count = count or per_class * self.classes

    @classmethod
    def products(cls, tokens, dim, classes, prototypes_per_class=20, prototypes=None, **options) -> float:
        return float(tokens * dim * (prototypes or classes * prototypes_per_class))

    def prototypes(self) -> torch.Tensor:
        """Return the prototypes (j d) that are compared with tokens."""
        raise TypeError(f"{type(self).__name__} has no prototypes: build one of protoviz.PROBES")

    def operands(self, tokens, cls, mask) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return tokens (b n d), prototypes (j d) and mask as they are compared."""
        return tokens, self.prototypes(), mask

    def adjust(self, cosine: torch.Tensor) -> torch.Tensor:
        """Return scores (b j) from the largest cosines; an increasing function, so the place stays."""
        return cosine

    def compared_grid(self, count: int) -> tuple[int, int]:
        """Return the (t, f) grid of what is compared, for `count` tokens."""
        return self.grid_of(count)

    def score(self, tokens, cls, mask) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (b j) and locations n (b j) of prepared inputs."""
        tokens, prototypes, mask = self.operands(tokens, cls, mask)
        cosine, locations = cosine_max(tokens, prototypes, mask, precision=self.precision)
        return self.adjust(cosine), nowhere_if_empty(locations, mask)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the scores (b j)."""
        return self.score(tokens, cls, mask)[0]

    def similarity(self, tokens, cls, mask) -> torch.Tensor:
        """Return similarity maps (b j t f) of prepared inputs; nan in padding cells."""
        grid = self.compared_grid(tokens.shape[1])
        tokens, prototypes, mask = self.operands(tokens, cls, mask)
        maps = self.adjust(self.cosines(tokens.to(self.dtype), prototypes)).transpose(1, 2)
        maps = maps if mask is None else maps.masked_fill(~mask[:, None], torch.nan)
        return maps.unflatten(2, grid)

    def cosines(self, tokens: torch.Tensor, prototypes: torch.Tensor) -> torch.Tensor:
        """Return similarities (b n j) of tokens and prototypes."""
        return F.normalize(tokens, dim=-1) @ F.normalize(prototypes, dim=-1).T

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        scores, locations = self.score(tokens, cls, mask)
        weight, bias = self.class_weights()
        return Explanation(
            kind="prototypes",
            logits=self.classify(scores),
            bias=bias,
            grid=self.compared_grid(tokens.shape[1]),
            inputs=self.norm(scores),
            weight=weight,
            scores=scores,
            locations=locations,
            similarity=self.similarity(tokens, cls, mask) if maps else None,
        )


class ProtobinProbe(PrototypeProbe):
    """Binarised prototypes, any class: logits = W s + b, s_j = max_n cos(sign(v_j), z_n), sign(0) = +1.

    Shapes: latent v (j d) with j = J C in all, tokens (b n d), scores s (b j), W (c j).
    Parameters: C J D + C^2 J + C (urban with EAT, D=768, C=10, J=20: 155,610). After training the prototypes
    need 1 bit a weight. Source: paper section 3.1 and the authors' follow-up code (class `Protobin`): start
    randn * 0.02, identity straight-through gradient, both sides L2-normalised, no temperature, no clipping,
    dense classifier with bias and PyTorch's default start. Of several equal maxima the first cell wins.

    `gradient`, for z of norm 1: "through_norm" differentiates the norm of the binary vector as well,
    dv = (z - s p / sqrt D) / sqrt D, as the plain code does; "constant_norm" holds it, dv = z / sqrt D;
    "clipped" is the first with zero gradient where |v| > 1. `batch_norm=True` puts BatchNorm(affine=False,
    eps 1e-6) on the scores. Not stated in the paper: whether weight decay applies to v.
    """

    name: ClassVar[str] = "protobin"
    main: ClassVar[bool] = True

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        prototypes_per_class: int = 20,  # the paper's J; 10 for AudioSet
        prototypes: int | None = None,  # in all, in place of so many a class; the follow-up takes 10,000
        gradient: Literal["through_norm", "constant_norm", "clipped"] = "through_norm",  # as plain code does
        batch_norm: bool = False,
    ):
        super().__init__(
            dim,
            classes,
            grid,
            prototypes_per_class=prototypes_per_class,
            prototypes=prototypes,
            gradient=gradient,
            batch_norm=batch_norm,
        )
        if gradient not in GRADIENTS:
            raise ProbeError(f"gradient {gradient!r} is unknown: choose one of {', '.join(GRADIENTS)}")
        self._add_prototypes(prototypes_per_class, prototypes)
        self.gradient = gradient
        self.latent = nn.Parameter(torch.randn(self.count, dim) * 0.02)
        self._add_classifier(self.count, batch_norm)

    def prototype_parameters(self) -> list[nn.Parameter]:
        return [self.latent]

    def prototypes(self) -> torch.Tensor:
        """Return binary prototypes (j d) in {-1, +1} whose gradient reaches the latent ones."""
        latent = self.latent.clamp(-1, 1) if self.gradient == "clipped" else self.latent
        # The difference is exactly zero, so the value stays exactly +-1.
        return binarise(self.latent.detach()) + (latent - latent.detach())

    def score(self, tokens, cls, mask) -> tuple[torch.Tensor, torch.Tensor]:
        scores, locations = super().score(tokens, cls, mask)
        if self.gradient == "constant_norm" and torch.is_grad_enabled():
            # Add back what the norm takes away: d(|p|^2 / 2D) = p / D times the score; the value stays.
            half_square = self.prototypes().square().sum(1) / (2 * self.dim)
            scores = scores + scores.detach() * (half_square - half_square.detach())
        return scores, locations


class ProtofloatProbe(PrototypeProbe):
    """Protobin without binarisation: logits = W s + b, s_j = max_n cos(v_j, z_n), any class.

    Shapes and parameters as protobin: C J D + C^2 J + C, start randn * 0.02. Source: the paper's ablation
    ("protofloat", app. B). `batch_norm=True` puts BatchNorm(affine=False, eps 1e-6) on the scores.
    """

    name: ClassVar[str] = "protofloat"

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        prototypes_per_class: int = 20,  # the paper's J; 10 for AudioSet
        batch_norm: bool = False,
    ):
        super().__init__(dim, classes, grid, prototypes_per_class=prototypes_per_class, batch_norm=batch_norm)
        self._add_prototypes(prototypes_per_class)
        self.vectors = nn.Parameter(torch.randn(self.count, dim) * 0.02)
        self._add_classifier(self.count, batch_norm)

    def prototype_parameters(self) -> list[nn.Parameter]:
        return [self.vectors]

    def prototypes(self) -> torch.Tensor:
        """Return the real prototypes (j d)."""
        return self.vectors


def nowhere_if_empty(locations: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the locations (b j), -1 in clips without a real token."""
    return locations if mask is None else locations.masked_fill(~mask.any(1, keepdim=True), -1)


def binarise(latent: torch.Tensor) -> torch.Tensor:
    """Return +1 where latent >= 0, else -1, in the type of `latent`; torch.sign would leave 0 at 0."""
    return torch.where(latent >= 0, 1.0, -1.0).to(latent.dtype)


def pack(signs: torch.Tensor) -> torch.Tensor:
    """Return a bit a weight: (j d), of which the sign counts, -> uint8 (j, ceil(d / 8)); 0 is +."""
    return torch.from_numpy(np.packbits((signs.detach().cpu() >= 0).numpy(), axis=1))


def unpack(bits: torch.Tensor, dim: int) -> torch.Tensor:
    """Return the float32 (j dim) of -1 and +1 that `pack` stored."""
    signs = np.unpackbits(bits.cpu().numpy(), axis=1, count=dim)
    return torch.from_numpy(signs).float() * 2 - 1
