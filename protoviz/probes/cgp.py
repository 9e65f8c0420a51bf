"""Probes of all layers, from the authors' follow-up (houtan-ghaffari/BAT_ICML2026, models/heads.py).

Each is built with `layers=[...]`. Without, it reads the last layer alone.
"""

from typing import ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional as F

from protoviz.probes.base import Family, Grid, Probe, ProbeError, Source
from protoviz.probes.cosine_max import extremes
from protoviz.probes.explanation import Explanation
from protoviz.probes.inputs import masked_mean, mean_token
from protoviz.probes.layers import Layers
from protoviz.probes.pooled import FEW_FIXED, FIXED
from protoviz.probes.prototype import PrototypeProbe, nowhere_if_empty
from protoviz.probes.rates import Rates

Summary = Literal["cls", "mean"]


def reads_of(summary: Summary) -> frozenset[str]:
    """Return what a probe reads that takes [cls], or the mean token in its place."""
    if summary not in ("cls", "mean"):
        raise ProbeError(f"summary {summary!r} is unknown: choose cls or mean")
    return frozenset({"cls" if summary == "cls" else "tokens"})


class LayerVectors(Probe):
    """What probes share that read one vector of every layer: pooled = [v_1; ...; v_L] (b l*d).

    v_l is [cls] of layer l; with `summary="mean"`, for encoders without one, its mean token.
    """

    source: ClassVar[Source] = "published"
    family: ClassVar[Family] = "cls"
    compared: ClassVar[bool] = False
    several: ClassVar[bool] = True
    fixed = True
    rates: ClassVar[Rates] = FIXED
    few_rates: ClassVar[Rates] = FEW_FIXED

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the layers' vectors side by side, (b l*d)."""
        vectors = cls if "cls" in self.reads else mean_token(tokens, mask, self.dtype)
        return vectors.flatten(1)


class LinearCgpProbe(LayerVectors):
    """Linear on a learned convex mixture of the layers: logits = W sum_l a_l v_l + b.

    a is the softmax of a vector; v_l (b d) are not normalised. Parameters: L + C D + C.
    It is `linear` of several layers, whose vectors are read once: an epoch needs no token map.
    """

    name: ClassVar[str] = "linear_cgp"

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        summary: Literal["cls", "mean"] = "cls",
        batch_norm: bool = False,
    ):
        super().__init__(dim, classes, grid, summary=summary, batch_norm=batch_norm)
        self.reads = reads_of(summary)
        self._add_classifier(dim, batch_norm)

    def read_layers(self, layers: Layers) -> None:
        super().read_layers(layers)
        if isinstance(layers, list):
            self.mixture = nn.Parameter(torch.zeros(len(layers)))

    @classmethod
    def products(cls, tokens, dim, classes, layers=None, **options) -> float:
        mixed = len(layers) if isinstance(layers, list) else 0
        return float(dim * (classes + mixed))

    def normed(self, pooled: torch.Tensor) -> torch.Tensor:
        if self.mixture is not None:
            pooled = torch.einsum("l,bld->bd", self.layer_weights, pooled.unflatten(1, (-1, self.dim)))
        return super().normed(pooled)


class Head2ToeProbe(LayerVectors):
    """Linear on all layers side by side: logits = W [v_1; ...; v_L] + b; the loss chooses among the inputs.

    Parameters: L C D + C. To the loss comes a group lasso, `lasso` times sqrt(C) sum_k |W_k| over the columns
    k of W, so that an input is used by all classes or dropped by all (Evci et al. 2022, in the follow-up's
    form).
    """

    name: ClassVar[str] = "head2toe"

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        summary: Literal["cls", "mean"] = "cls",
        lasso: float = 1e-4,  # the follow-up's, on all its data sets
        batch_norm: bool = False,
    ):
        super().__init__(dim, classes, grid, summary=summary, lasso=lasso, batch_norm=batch_norm)
        self.reads = reads_of(summary)
        self.lasso, self._batch_norm = lasso, batch_norm
        self._add_classifier(dim, batch_norm)

    def read_layers(self, layers: Layers) -> None:
        super().read_layers(layers)
        if isinstance(layers, list):
            self._add_classifier(len(layers) * self.dim, self._batch_norm)

    @classmethod
    def products(cls, tokens, dim, classes, layers=None, **options) -> float:
        return float(dim * classes * (len(layers) if isinstance(layers, list) else 1))

    def penalty(self) -> torch.Tensor | float:
        """Return the group lasso of the classifier."""
        if not self.lasso:
            return 0.0
        return self.lasso * self.classes**0.5 * torch.linalg.vector_norm(self.classifier.weight, dim=0).sum()


class CgpProbe(PrototypeProbe):
    """Convex gated probing: real prototypes against all cells and [cls] of a mixture of all layers.

    z^_n = sum_l a_l z_ln / |z_ln|, c^ the same of [cls], a = softmax of a learned vector; neither is
    normalised again. With p_j of norm 1 the features of prototype j are min_n p_j . z^_n, p_j . c^ and
    max_n p_j . z^_n, in this order; logits = W [features of all prototypes] + b.
    Parameters: L + J D + 3 J C + C, J prototypes in all. Of several equal cells the first wins.
    `summary="mean"`, for encoders without [cls], has mean_n p_j . z^_n in the middle. The authors train it
    with 10,000 prototypes, whatever the number of classes, and `dropout` before the linear layer.
    """

    name: ClassVar[str] = "cgp"
    source: ClassVar[Source] = "published"
    compared: ClassVar[bool] = False

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        prototypes_per_class: int = 20,  # as the other prototype probes, to compare at equal numbers
        prototypes: int | None = None,  # in all, in place of so many a class
        summary: Literal["cls", "mean"] = "cls",
        dropout: float = 0.2,  # the authors'
        batch_norm: bool = False,
    ):
        super().__init__(
            dim,
            classes,
            grid,
            prototypes_per_class=prototypes_per_class,
            prototypes=prototypes,
            summary=summary,
            dropout=dropout,
            batch_norm=batch_norm,
        )
        self.reads = reads_of(summary) | {"tokens"}
        self._add_prototypes(prototypes_per_class, prototypes)
        self.vectors = nn.Parameter(torch.randn(self.count, dim) * 0.02)
        self.dropout = SeededDropout(dropout)
        self._add_classifier(3 * self.count, batch_norm)

    def prototype_parameters(self) -> list[nn.Parameter]:
        return [self.vectors]

    def prototypes(self) -> torch.Tensor:
        """Return the real prototypes (j d)."""
        return self.vectors

    def mixed(self, tokens, cls, mask):
        if self.mixture is not None:
            return super().mixed(tokens, cls, mask)
        if cls is not None:
            cls = F.normalize(cls.to(self.dtype), dim=-1)
        return F.normalize(tokens.to(self.dtype), dim=-1), cls, mask

    def cosines(self, tokens, prototypes) -> torch.Tensor:
        return tokens @ F.normalize(prototypes, dim=-1).T

    def score(self, tokens, cls, mask) -> tuple[torch.Tensor, torch.Tensor]:
        high, top, _, _ = extremes(tokens, self.vectors, mask, self.precision)
        return high, nowhere_if_empty(top, mask)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the features (b 3j), those of one prototype side by side."""
        high, _, low, _ = extremes(tokens, self.vectors, mask, self.precision)
        summary = cls if "cls" in self.reads else masked_mean(tokens, mask)
        return torch.stack([low, self.cosines(summary, self.vectors), high], -1).flatten(1)

    def normed(self, pooled: torch.Tensor) -> torch.Tensor:
        return self.dropout(super().normed(pooled))

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        high, top, low, bottom = extremes(tokens, self.vectors, mask, self.precision)
        pooled = self.pool(tokens, cls, mask)
        return Explanation(
            kind="prototypes",
            logits=self.classify(pooled),
            bias=self.classifier.bias,
            grid=self.grid_of(tokens.shape[1]),
            inputs=self.normed(pooled),
            weight=self.classifier.weight,
            each=3,
            scores=high,
            locations=nowhere_if_empty(top, mask),
            lowest=low,
            lowest_locations=nowhere_if_empty(bottom, mask),
            similarity=self.similarity(tokens, cls, mask) if maps else None,
        )


class SeededDropout(nn.Module):
    """Dropout that draws by its own count of steps: a repeated or resumed training drops the same inputs."""

    def __init__(self, share: float):
        super().__init__()
        if not 0 <= share < 1:
            raise ProbeError(f"dropout {share}: give a share of at least 0 and below 1")
        self.share = share
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not (self.training and self.share):
            return values
        dice = torch.Generator(values.device).manual_seed(int(self.steps))
        self.steps += 1
        kept = torch.rand(values.shape, generator=dice, device=values.device) >= self.share
        return values * kept / (1 - self.share)
