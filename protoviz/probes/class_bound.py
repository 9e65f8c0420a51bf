"""The earlier prototype probe: real prototypes, each bound to its class (Rauch et al. 2025a, Bird-MAE)."""

from typing import ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional as F

from protoviz.probes.base import Grid, ProbeError
from protoviz.probes.prototype import PrototypeProbe
from protoviz.probes.rates import Rates

EPSILON = 1e-4  # of the published cosine


class ProtoProbe(PrototypeProbe):
    """Class-bound real prototypes: logit_c = sum_{j in c} relu(w_cj) s_j + b_c, s_j = max_n cos(p_j, z_n).

    Shapes: prototypes p (j d), J a class, class c owns rows c J .. c J + J - 1; w (c J), b (c).
    Parameters: C J D + C J + C. Start: p uniform in 0..1, w = 1, b = -2. To the loss comes `orthogonality`
    times |P_c P_c^T - 1| of the normalised prototypes: one Frobenius norm over all classes, divided by C J^2.
    Source: DBD-research-group/Bird-MAE (`PPNet`). Options of that code, off by default because it is not
    stated which of them the paper kept:
    `cosine="published"`: two channels of 1e-4 appended, 1e-4 under both roots and on the prototype's norm,
    division by 1.01 and a ReLU (its orthogonality has the same epsilons). `focal`: tokens minus [cls].
    `upsample`: the token map doubled bilinearly first; with a mask, padding weighs nothing in it.
    `batch_norm` acts on the scores.
    """

    name: ClassVar[str] = "proto"
    main: ClassVar[bool] = True
    few_rates: ClassVar[Rates] = Rates((3e-1, 1.0), (3e-3, 1e-2), normed=(1e-2, 3e-2))

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        prototypes_per_class: int = 20,  # the paper's J; 10 for AudioSet
        cosine: Literal["exact", "published"] = "exact",  # whether the paper kept the code's is not stated
        focal: bool = False,  # the same
        upsample: bool = False,  # the same
        orthogonality: float = 1.0,  # Bird-MAE's weight
        batch_norm: bool = False,
    ):
        super().__init__(
            dim,
            classes,
            grid,
            prototypes_per_class=prototypes_per_class,
            cosine=cosine,
            focal=focal,
            upsample=upsample,
            orthogonality=orthogonality,
            batch_norm=batch_norm,
        )
        if cosine not in ("exact", "published"):
            raise ProbeError(f"cosine {cosine!r} is unknown: choose exact or published")
        self.published, self.focal, self.upsample = cosine == "published", focal, upsample
        self.orthogonality = orthogonality
        if focal:
            self.reads = frozenset({"tokens", "cls"})
        if upsample:
            self._needs_grid()
        self._add_prototypes(prototypes_per_class)
        self.vectors = nn.Parameter(torch.rand(self.count, dim))
        self.norm = self._normalisation(self.count, batch_norm)
        self.weight = nn.Parameter(torch.ones(classes, prototypes_per_class))
        self.bias = nn.Parameter(torch.full((classes,), -2.0))

    def prototype_parameters(self) -> list[nn.Parameter]:
        return [self.vectors]

    def prototypes(self) -> torch.Tensor:
        """Return the real prototypes (j d)."""
        return self.vectors

    def compared_grid(self, count: int) -> tuple[int, int]:
        t, f = self.grid_of(count)
        return (2 * t, 2 * f) if self.upsample else (t, f)

    def operands(self, tokens, cls, mask) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        prototypes = self.vectors
        if self.focal:
            tokens = tokens.to(self.dtype) - cls[:, None]
        if self.upsample:
            tokens, mask = double(tokens.to(self.dtype), self.grid_of(tokens.shape[1]), mask)
        if self.published:
            tokens = _append(tokens.to(self.dtype), EPSILON, EPSILON, EPSILON**0.5, 0)
            prototypes = _append(prototypes, EPSILON, EPSILON, 0, EPSILON**0.5)
        return tokens, prototypes, mask

    def adjust(self, cosine: torch.Tensor) -> torch.Tensor:
        """Return the published form: the exact cosine of longer vectors, times a factor of each prototype."""
        if not self.published:
            return cosine
        norm = (self.vectors.square().sum(1) + 2 * EPSILON**2 + EPSILON).sqrt()
        return torch.relu(cosine * (norm / (norm + EPSILON) / 1.01))

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        own = self.norm(pooled).unflatten(1, self.weight.shape)
        return (own * torch.relu(self.weight)).sum(2) + self.bias

    def class_weights(self) -> tuple[torch.Tensor, torch.Tensor]:
        weight = torch.diag_embed(torch.relu(self.weight).T).permute(
            1, 2, 0
        )  # (c c J), zero off the own class
        return weight.flatten(1), self.bias

    def penalty(self) -> torch.Tensor | float:
        """Return `orthogonality` times the orthogonality loss of the prototypes."""
        if not self.orthogonality:
            return 0.0
        p = F.normalize(self.vectors, dim=1)
        if self.published:
            p = self.vectors / ((self.vectors.square().sum(1, keepdim=True) + EPSILON).sqrt() + EPSILON)
        p = p.unflatten(0, self.weight.shape)
        gram = p @ p.transpose(1, 2) - torch.eye(self.per_class, dtype=p.dtype, device=p.device)
        return self.orthogonality * torch.linalg.vector_norm(gram) / gram.numel()


def double(
    tokens: torch.Tensor, grid: tuple[int, int], mask: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return tokens (b n d) of `grid` on a grid twice as fine, bilinear between cell centres, and their mask
    (b 4n).

    Padding weighs nothing: at its border the nearest real cells are continued, as at the border of the map.
    """

    def finer(values: torch.Tensor) -> torch.Tensor:  # (b n k) -> (b 4n k)
        image = values.unflatten(1, grid).permute(0, 3, 1, 2)
        image = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
        return image.permute(0, 2, 3, 1).flatten(1, 2)

    if mask is None:
        return finer(tokens), None
    real = mask[..., None].to(tokens.dtype)
    share = finer(real)
    mask = mask.unflatten(1, grid).repeat_interleave(2, 1).repeat_interleave(2, 2).flatten(1)
    # A fine cell inside a real one always has a share of at least 9/16.
    return finer(tokens * real) / share.clamp(min=0.5), mask


def _append(vectors: torch.Tensor, *channels: float) -> torch.Tensor:
    extra = vectors.new_tensor(channels).expand(*vectors.shape[:-1], len(channels))
    return torch.cat([vectors, extra], -1)
