"""Probes that score every token and keep the largest scores, each with its place."""

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from protoviz.probes.base import Grid, Probe, Source
from protoviz.probes.explanation import Explanation


class TokenLinearMaxProbe(Probe):
    """`linpre`, read as one linear classifier on every token before pooling: logits = max_n (W z_n + b).

    Parameters: C D + C. Of several equal maxima the first cell wins. A clip without a real token gets b.
    `batch_norm` normalises the tokens, with statistics over clips and real tokens.
    Why this reading: the paper's `linpre` is far above `linear` for EAT on AudioSet (26.5 against 17.3 mAP)
    but far below for BEATs on FSD50K (39.9 against 46.9), whose `linear` reads the mean token. A mean of
    per-token features (`token_gelu_mean`) contains the mean token; a max does not. Name unconfirmed; alias
    `token_linear_max`.
    """

    name: ClassVar[str] = "linpre"
    alias: ClassVar[str] = "token_linear_max"
    source: ClassVar[Source] = "reading"

    def __init__(self, dim: int, classes: int, grid: Grid = None, *, batch_norm: bool = False):
        super().__init__(dim, classes, grid, batch_norm=batch_norm)
        self._add_classifier(dim, batch_norm)

    def values(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return W z (m k) of single tokens (m d), without the bias."""
        return self.norm(tokens) @ self.classifier.weight.T

    def by_class(self, scores: torch.Tensor) -> torch.Tensor:
        """Return what scores (b k ...) give to each class, (b c ...)."""
        return scores

    @property
    def bias(self) -> torch.Tensor:
        """(c) what is added to the maxima."""
        return self.classifier.bias

    def token_scores(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Return `values` of every token, (b n k); -inf in padding."""
        tokens = tokens.to(self.dtype)
        if mask is None:
            return self.values(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        scores = tokens.new_full((*mask.shape, self.classifier.out_features), -torch.inf)
        if not mask.any():
            return scores
        return scores.index_put((mask,), self.values(tokens[mask]))

    def _best(self, tokens, mask) -> tuple[torch.Tensor, torch.Tensor]:
        best, where = self.token_scores(tokens, mask).max(1)
        if mask is None:
            return best, where
        empty = ~mask.any(1, keepdim=True)
        return best.masked_fill(empty, 0), where.masked_fill(empty, -1)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the maxima over tokens, (b k)."""
        return self._best(tokens, mask)[0]

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        return self.by_class(pooled) + self.bias

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        """The token scores on the grid; a logit comes from the winning cells alone."""
        best, where = self._best(tokens, mask)
        scores = self.token_scores(tokens, mask).transpose(1, 2)
        scores = scores.masked_fill(scores == -torch.inf, torch.nan)
        cells = torch.zeros_like(scores).scatter(2, where[..., None].clamp(min=0), best[..., None])
        grid = self.grid_of(tokens.shape[1])
        return Explanation(
            kind="cells",
            logits=self.classify(best),
            bias=self.bias,
            grid=grid,
            cells=self.by_class(cells),
            scores=best,
            locations=where,
            similarity=scores.unflatten(2, grid) if maps else None,
        )


class MultimaxProbe(TokenLinearMaxProbe):
    """A small MLP on every token, and the sum of several hard maxima: logit_c = sum_k max_n v_kc . h_n + b_c,
    h_n = GELU(W z_n + a).

    Shapes: h (b n m), v (k c m). Parameters: m D + m + k C m + C. A reading: probes of language models are
    described so ("MultiMax", arXiv 2601.11516: hard maxima over tokens, because a softmax dilutes what is
    rare in a long input), and no code of theirs is public; widths, activation and a set of heads for every
    class are our choice. It is `linpre` with a hidden layer and heads.
    """

    name: ClassVar[str] = "multimax"
    alias: ClassVar[str] = ""
    compared: ClassVar[bool] = False

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        hidden: int = 64,  # a third of a mini's width
        heads: int = 4,
        batch_norm: bool = False,
    ):
        Probe.__init__(self, dim, classes, grid, hidden=hidden, heads=heads, batch_norm=batch_norm)
        self.norm = self._normalisation(dim, batch_norm)
        self.hidden = nn.Linear(dim, hidden)
        self.classifier = nn.Linear(hidden, heads * classes, bias=False)
        self.offset = nn.Parameter(torch.zeros(classes))

    @classmethod
    def products(cls, tokens, dim, classes, hidden=64, heads=4, **options) -> float:
        return float(tokens * hidden * (dim + heads * classes))

    def values(self, tokens) -> torch.Tensor:
        """Return v_kc . h (m k*c) of single tokens (m d), head by head."""
        return self.classifier(F.gelu(self.hidden(self.norm(tokens))))

    def by_class(self, scores) -> torch.Tensor:
        """Return the sum over heads, (b c ...)."""
        return scores.unflatten(1, (-1, self.classes)).sum(1)

    @property
    def bias(self) -> torch.Tensor:
        return self.offset
