"""Probes that weigh the cells with softmax attention and average them into one vector.

All of them average tokens before any projection: sum_n a_n (V z_n) = V sum_n a_n z_n, and a query is folded
into the key projection, u.(K z_n) = (K^T u).z_n. Same numbers, but no projection of every token: for D = 768
and 512 tokens a projection costs D / heads times as much as the rest.
"""

import math
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from protoviz.probes.base import Family, Grid, Probe, ProbeError, Source
from protoviz.probes.explanation import Explanation
from protoviz.probes.inputs import masked_mean


class AttentiveProbe(Probe):
    """What the attentive probes share: pooled = project(sum_n a_hn x_n), a (b h n) from a softmax over real
    tokens.

    A subclass gives `look` (attention and what it averages) and, where it has one, the projection. A clip
    without any real token has zero attention everywhere.
    """

    family: ClassVar[Family] = "attentive"

    @classmethod
    def products(cls, tokens: int, dim: int, classes: int, **options: Any) -> float:
        """Return scores of every token by one query of full width, and the weighted mean of tokens."""
        return float(2 * tokens * dim)

    def look(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return attention (b h n) and the vectors x (b n d) that it averages, from prepared tokens."""
        raise TypeError(f"{type(self).__name__} has no attention: build one of protoviz.PROBES")

    def project(self, averaged: torch.Tensor) -> torch.Tensor:
        """Return the descriptor (b k) of one average per head (b h d)."""
        return averaged.flatten(1)

    def project_weight(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the (c h d) that acts on averages as weight (c k) acts on the descriptor."""
        return weight[:, None]

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the descriptor (b k)."""
        attention, seen = self.look(tokens.to(self.dtype), mask)
        return self.project(attention @ seen)

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        attention, seen = self.look(tokens.to(self.dtype), mask)
        averaged = attention @ seen
        weight = self.project_weight(self.folded_classifier()[0])
        cells = seen.new_zeros(len(seen), self.classes, seen.shape[1])
        for h in range(attention.shape[1]):  # one head at a time: (b c h n) would be large
            cells += attention[:, None, h] * torch.einsum("bnd,cd->bcn", seen, weight[:, h])
        grid = self.grid_of(tokens.shape[1])
        return Explanation(
            kind="cells",
            logits=self.classify(self.project(averaged)),
            bias=self.classify(self.project(torch.zeros_like(averaged[:1])))[0],
            grid=grid,
            cells=cells,
            attention=attention.unflatten(2, grid) if maps else None,
        )


class MhcaProbe(AttentiveProbe):
    """Multi-head attention with one learned query: pooled = concat_h sum_n a_hn (V z_n)_h, then W pooled.

    a_h = softmax_n(u_h . (K z_n)_h / sqrt(D / H)); u (d) ~ 0.02 randn, K and V (d d) without bias, no query
    or output projection, H = 12 heads, classifier without bias. Parameters: 2 D^2 + D + C D (urban with EAT,
    D=768, C=10: 1,188,096, the paper's 1.2 million), and C with `bias=True`.
    Source: AIM's attentive probe (apple/ml-aim) without its BatchNorm, as in the authors' earlier code. Not
    stated in the paper: classifier bias and normalisation; here `batch_norm` acts on the pooled vector.
    """

    name: ClassVar[str] = "mhca"
    source: ClassVar[Source] = "paper"
    main: ClassVar[bool] = True

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        heads: int = 12,  # as of the published code; they have to divide the width
        bias: bool = False,  # the paper counts no parameters for one
        batch_norm: bool = False,
    ):
        super().__init__(dim, classes, grid, heads=heads, bias=bias, batch_norm=batch_norm)
        if heads < 1 or dim % heads:
            raise ProbeError(f"{heads} heads do not divide a width of {dim}: choose heads that do")
        self.heads = heads
        self.query = nn.Parameter(torch.randn(1, dim) * 0.02)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self._add_classifier(dim, batch_norm, bias)

    @classmethod
    def products(cls, tokens, dim, classes, heads=12, **options) -> float:
        return heads * super().products(tokens, dim, classes)

    def look(self, tokens, mask) -> tuple[torch.Tensor, torch.Tensor]:
        query = self.query.view(self.heads, 1, -1)
        folded = (query @ self.key.weight.unflatten(0, (self.heads, -1))).squeeze(1)
        return masked_softmax(tokens @ folded.T / math.sqrt(self.dim / self.heads), mask), tokens

    def project(self, averaged) -> torch.Tensor:
        value = self.value.weight.unflatten(0, (self.heads, -1))
        return torch.einsum("bhd,hkd->bhk", averaged, value).flatten(1)

    def project_weight(self, weight) -> torch.Tensor:
        value = self.value.weight.unflatten(0, (self.heads, -1))
        return torch.einsum("chk,hkd->chd", weight.unflatten(1, (self.heads, -1)), value)


class EpProbe(AttentiveProbe):
    """Efficient probing: M learned queries on raw tokens, query m gives slice m of the values.

    a_m = softmax_n(u_m . z_n / sqrt D); pooled = concat_m sum_n a_mn (V z_n)_slice m; u (m d) ~ 0.02 randn, V
    (d/o d) without bias, no key projection. Parameters: M D + D^2 / o + C D / o + C.
    Source: billpsomas/efficient-probing (Psomas et al. 2025). M = 32 and o = 1 are its defaults; the paper's
    own are not stated. M o has to divide D.
    """

    name: ClassVar[str] = "ep"
    source: ClassVar[Source] = "paper"

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        queries: int = 32,  # of the published code; the paper's own are not stated
        reduction: int = 1,  # of the published code
        batch_norm: bool = False,
    ):
        super().__init__(dim, classes, grid, queries=queries, reduction=reduction, batch_norm=batch_norm)
        if min(queries, reduction) < 1 or dim % (queries * reduction):
            raise ProbeError(
                f"{queries} queries x reduction {reduction} do not divide a width of {dim}: choose others"
            )
        self.query = nn.Parameter(torch.randn(queries, dim) * 0.02)
        self.value = nn.Linear(dim, dim // reduction, bias=False)
        self._add_classifier(dim // reduction, batch_norm)

    @classmethod
    def products(cls, tokens, dim, classes, queries=32, **options) -> float:
        return queries * super().products(tokens, dim, classes)

    def look(self, tokens, mask) -> tuple[torch.Tensor, torch.Tensor]:
        return masked_softmax(tokens @ self.query.T / math.sqrt(self.dim), mask), tokens

    def project(self, averaged) -> torch.Tensor:
        value = self.value.weight.unflatten(0, (len(self.query), -1))
        return torch.einsum("bmd,mkd->bmk", averaged, value).flatten(1)

    def project_weight(self, weight) -> torch.Tensor:
        value = self.value.weight.unflatten(0, (len(self.query), -1))
        return torch.einsum("cmk,mkd->cmd", weight.unflatten(1, (len(self.query), -1)), value)


class SimpoolProbe(AttentiveProbe):
    """SimPool: the mean token asks, normalised tokens answer: pooled = sum_n a_n y_n, then W pooled + b.

    y = LN(z), eps 1e-6; a = softmax_n((Q mean_n z_n) . (K y_n) / sqrt D); Q and K (d d) without bias, one
    head. The query is the mean of the raw tokens, the values are the normalised ones. Parameters: 2 D^2 + 2 D
    + C D + C. Source: billpsomas/simpool (Psomas et al. 2023). `projections=False` leaves out Q and K (2 D +
    C D + C), as other code near the paper does; which form the paper used is not stated.
    """

    name: ClassVar[str] = "simpool"
    source: ClassVar[Source] = "paper"

    def __init__(
        self, dim: int, classes: int, grid: Grid = None, *, projections: bool = True, batch_norm: bool = False
    ):
        super().__init__(dim, classes, grid, projections=projections, batch_norm=batch_norm)
        self.layer_norm = nn.LayerNorm(dim, eps=1e-6)
        self.query = nn.Linear(dim, dim, bias=False) if projections else None
        self.key = nn.Linear(dim, dim, bias=False) if projections else None
        self._add_classifier(dim, batch_norm)

    def look(self, tokens, mask) -> tuple[torch.Tensor, torch.Tensor]:
        """Average tokens normalised without gain and shift: those are applied after, once a clip.

        The shift adds the same to the score of every token, so the softmax never sees it.
        """
        plain = F.layer_norm(tokens, (self.dim,), eps=self.layer_norm.eps)
        query = masked_mean(tokens, mask)
        if self.query is not None:
            query = self.query(query) @ self.key.weight
        query = query * self.layer_norm.weight / math.sqrt(self.dim)
        return masked_softmax(plain @ query[:, :, None], mask), plain

    def project(self, averaged) -> torch.Tensor:
        return averaged.squeeze(1) * self.layer_norm.weight + self.layer_norm.bias

    def project_weight(self, weight) -> torch.Tensor:
        return (weight * self.layer_norm.weight)[:, None]


class AbmilpProbe(AttentiveProbe):
    """Attention-based multiple-instance pooling: a = softmax_n(w . z_n + b_a); pooled = sum_n a_n z_n.

    Parameters: D + 1 + C D + C; the bias b_a never changes the attention. `depth=2` scores w . tanh(V z_n +
    b_v) + b_a instead (D^2 + 2 D + 1 + C D + C). Source: gmum/beyond_cls, whose published run has depth 1, no
    self-attention, no position and patch tokens only. The paper's setting is not stated.
    """

    name: ClassVar[str] = "abmilp"
    source: ClassVar[Source] = "paper"

    def __init__(
        self, dim: int, classes: int, grid: Grid = None, *, depth: int = 1, batch_norm: bool = False
    ):
        super().__init__(dim, classes, grid, depth=depth, batch_norm=batch_norm)
        if depth not in (1, 2):
            raise ProbeError(f"abmilp has depth 1 or 2, not {depth}")
        self.hidden = nn.Linear(dim, dim) if depth == 2 else None
        self.score = nn.Linear(dim, 1)
        self._add_classifier(dim, batch_norm)

    def look(self, tokens, mask) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = tokens if self.hidden is None else torch.tanh(self.hidden(tokens))
        return masked_softmax(self.score(hidden), mask), tokens


def masked_softmax(scores: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return attention (b h n) over real tokens of scores (b n h); 0 in padding and in empty clips."""
    scores = scores.transpose(1, 2)
    if mask is None:
        return scores.softmax(-1)
    real = mask[:, None]
    return scores.masked_fill(~real, torch.finfo(scores.dtype).min).softmax(-1) * real
