"""Probes that pool without choosing: one fixed vector, or every cell treated alike.

The paper names `linearc`, `conv` and `linpre` without a definition that could be read. Each class here says
in its name what it does, and its docstring says why this reading was taken.
"""

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from protoviz.probes.base import Family, Grid, Probe, Source
from protoviz.probes.explanation import Explanation
from protoviz.probes.inputs import masked_mean
from protoviz.probes.rates import Rates

# Dense layers on one vector: an epoch of 20 steps moves little, and a search costs nothing.
FIXED = Rates((3e-3, 1e-2, 3e-2, 1e-1, 3e-1))
FEW_FIXED = Rates((1e-2, 3e-2, 1e-1))


class LinearProbe(Probe):
    """Linear probe on [cls]: logits = W s + b, s = [cls] (b d).

    Parameters: C D + C. Start: PyTorch's default. Source: paper, section 3 ("linear").
    `batch_norm=True` puts BatchNorm(affine=False, eps 1e-6) before the classifier, as the MAE protocol does;
    whether the paper does is not stated.
    """

    name: ClassVar[str] = "linear"
    family: ClassVar[Family] = "cls"
    source: ClassVar[Source] = "paper"
    main: ClassVar[bool] = True
    reads: ClassVar[frozenset[str]] = frozenset({"cls"})
    fixed: ClassVar[bool] = True
    rates: ClassVar[Rates] = FIXED
    few_rates: ClassVar[Rates] = FEW_FIXED

    def __init__(self, dim: int, classes: int, grid: Grid = None, *, batch_norm: bool = False):
        super().__init__(dim, classes, grid, batch_norm=batch_norm)
        self._add_classifier(dim, batch_norm)

    @classmethod
    def products(cls, tokens, dim, classes, **options) -> float:
        return float(dim * classes)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return [cls] itself, (b d)."""
        return cls


class MlpProbe(Probe):
    """One hidden layer on [cls]: logits = W2 GELU(W1 s + b1) + b2, s = [cls] (b d), hidden units (b m).

    Parameters: m D + m + C m + C. Source: paper ("mlp"); width and activation are not stated there: m = D and
    GELU (erf) are our choice, alias `cls_mlp_gelu`. `batch_norm` acts on [cls].
    """

    name: ClassVar[str] = "mlp"
    alias: ClassVar[str] = "cls_mlp_gelu"
    family: ClassVar[Family] = "cls"
    source: ClassVar[Source] = "reading"
    reads: ClassVar[frozenset[str]] = frozenset({"cls"})
    fixed: ClassVar[bool] = True
    few_rates: ClassVar[Rates] = Rates((1e-3, 3e-3, 1e-2, 3e-2))

    def __init__(
        self,
        dim: int,
        classes: int,
        grid: Grid = None,
        *,
        hidden: int | None = None,
        batch_norm: bool = False,
    ):
        super().__init__(dim, classes, grid, hidden=hidden, batch_norm=batch_norm)
        hidden = dim if hidden is None else hidden
        self._add_classifier(dim, batch_norm)
        self.hidden = nn.Linear(dim, hidden)
        self.classifier = nn.Linear(hidden, classes)

    @classmethod
    def products(cls, tokens, dim, classes, hidden=None, **options) -> float:
        return float((hidden or dim) * (dim + classes))

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return [cls] itself, (b d)."""
        return cls

    def _units(self, pooled: torch.Tensor) -> torch.Tensor:
        return F.gelu(self.hidden(self.norm(pooled)))

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        return self.classifier(self._units(pooled))

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        return Explanation(
            kind="hidden units",
            logits=self.classify(cls),
            bias=self.classifier.bias,
            grid=self.grid_of(tokens.shape[1]),
            inputs=self._units(cls),
            weight=self.classifier.weight,
        )


class ClsMeanConcatProbe(Probe):
    """`linearc`, read as linear on [cls] beside the mean token: logits = W [s; mean_n z_n] + b.

    Parameters: 2 C D + C. The paper calls it a token-map baseline and gives no definition that could be read;
    "c" for "concat" is the reading its fact sheet supports best. Name unconfirmed; alias `cls_mean_concat`.
    """

    name: ClassVar[str] = "linearc"
    alias: ClassVar[str] = "cls_mean_concat"
    source: ClassVar[Source] = "reading"
    reads: ClassVar[frozenset[str]] = frozenset({"tokens", "cls"})
    fixed: ClassVar[bool] = True
    rates: ClassVar[Rates] = FIXED
    few_rates: ClassVar[Rates] = FEW_FIXED

    def __init__(self, dim: int, classes: int, grid: Grid = None, *, batch_norm: bool = False):
        super().__init__(dim, classes, grid, batch_norm=batch_norm)
        self._add_classifier(2 * dim, batch_norm)

    @classmethod
    def products(cls, tokens, dim, classes, **options) -> float:
        return float(2 * dim * classes)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return [cls] and mean token side by side, (b 2d)."""
        return torch.cat([cls, masked_mean(tokens.to(self.dtype), mask)], 1)

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        tokens = tokens.to(self.dtype)
        weight, bias = self.folded_classifier()
        of_cls, of_mean = weight.split(self.dim, 1)
        return Explanation(
            kind="cells",
            logits=self.classify(self.pool(tokens, cls, mask)),
            bias=bias,
            grid=self.grid_of(tokens.shape[1]),
            cells=mean_contributions(tokens, of_mean, mask),
            rest=cls @ of_cls.T,
        )


class CellMeanProbe(Probe):
    """What probes share that average a feature of every cell: pooled = mean_n v_n.

    A subclass gives `features` (b n d), which may hold anything in padding cells.
    """

    def features(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Return the features v (b n d) of every cell of prepared tokens."""
        raise TypeError(f"{type(self).__name__} has no features: build one of protoviz.PROBES")

    def _real_features(self, tokens, mask) -> torch.Tensor:
        features = self.features(tokens.to(self.dtype), mask)
        return features if mask is None else features.masked_fill(~mask[..., None], 0)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the mean feature of the real cells, (b d)."""
        return masked_mean(self._real_features(tokens, mask), mask)

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        features = self._real_features(tokens, mask)
        weight, bias = self.folded_classifier()
        return Explanation(
            kind="cells",
            logits=self.classify(masked_mean(features, mask)),
            bias=bias,
            grid=self.grid_of(tokens.shape[1]),
            cells=mean_contributions(features, weight, mask),
        )


class ConvGeluMeanProbe(CellMeanProbe):
    """`conv`, read as a 3 x 3 convolution on the map: pooled = mean_n GELU(conv(z) + b_k)_n, then W pooled +
    b.

    Shapes: map (b d t f), kernel (d d 3 3), zero padding 1. Parameters: 9 D^2 + D + C D + C.
    Padding tokens count as zero, as does what lies outside the map, so padding at the end changes nothing.
    The paper says only "convolution on the token map"; kernel, width and activation are our choice.
    Details unconfirmed; alias `conv_gelu_mean`.
    """

    name: ClassVar[str] = "conv"
    alias: ClassVar[str] = "conv_gelu_mean"
    source: ClassVar[Source] = "reading"
    rates: ClassVar[Rates] = Rates((1e-3, 3e-3))  # an epoch takes ten times that of any other: two rates
    few_rates: ClassVar[Rates] = Rates((1e-3,))

    def __init__(self, dim: int, classes: int, grid: Grid = None, *, batch_norm: bool = False):
        super().__init__(dim, classes, grid, batch_norm=batch_norm)
        self._needs_grid()
        self.kernel = nn.Conv2d(dim, dim, 3, padding=1)
        self._add_classifier(dim, batch_norm)

    @classmethod
    def products(cls, tokens, dim, classes, **options) -> float:
        return float(tokens * 9 * dim * dim)

    def features(self, tokens, mask) -> torch.Tensor:
        """Return GELU of the convolved map, (b n d)."""
        image = tokens.unflatten(1, self.grid_of(tokens.shape[1])).permute(0, 3, 1, 2)
        return F.gelu(self.kernel(image)).permute(0, 2, 3, 1).flatten(1, 2)


class TokenGeluMeanProbe(CellMeanProbe):
    """Another reading of `linpre`: a layer on every token before pooling, pooled = mean_n GELU(W_p z_n +
    b_p).

    Parameters: D^2 + D + C D + C. Not one of the paper's names; see `TokenLinearMaxProbe` for why it is not
    `linpre`.
    """

    name: ClassVar[str] = "token_gelu_mean"
    compared: ClassVar[bool] = False

    def __init__(self, dim: int, classes: int, grid: Grid = None, *, batch_norm: bool = False):
        super().__init__(dim, classes, grid, batch_norm=batch_norm)
        self.layer = nn.Linear(dim, dim)
        self._add_classifier(dim, batch_norm)

    @classmethod
    def products(cls, tokens, dim, classes, **options) -> float:
        return float(tokens * dim * dim)

    def features(self, tokens, mask) -> torch.Tensor:
        """Return GELU(W_p z_n + b_p), (b n d)."""
        return F.gelu(self.layer(tokens))


class FreqConcatProbe(Probe):
    """A third reading of `linpre`: the mean over time of every frequency row, rows side by side (b f*d).

    Parameters: F C D + C, F the height of the grid. Frequency-preserving pooling (Niizumi et al.), which a
    reviewer of the paper asked for. Not one of the paper's names. A row without a real cell gives zeros.
    """

    name: ClassVar[str] = "freq_concat"
    compared: ClassVar[bool] = False
    fixed: ClassVar[bool] = True
    rates: ClassVar[Rates] = FIXED
    few_rates: ClassVar[Rates] = FEW_FIXED

    def __init__(self, dim: int, classes: int, grid: Grid = None, *, batch_norm: bool = False):
        super().__init__(dim, classes, grid, batch_norm=batch_norm)
        self._needs_grid()
        self._add_classifier(self.grid[1] * dim, batch_norm)

    def _rows(self, tokens, mask) -> torch.Tensor:
        """Tokens divided by the number of real cells in their row, (b t f d)."""
        maps = tokens.to(self.dtype).unflatten(1, self.grid_of(tokens.shape[1]))
        if mask is None:
            return maps / maps.shape[1]
        real = mask.unflatten(1, maps.shape[1:3]).sum(1, keepdim=True).clamp(min=1)
        return maps / real[..., None]

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return mean token of every frequency row, (b f*d)."""
        return self._rows(tokens, mask).sum(1).flatten(1)

    def _explain(self, tokens, cls, mask, maps) -> Explanation:
        weight, bias = self.folded_classifier()
        rows = self._rows(tokens, mask)
        cells = torch.einsum("btfd,cfd->bctf", rows, weight.unflatten(1, rows.shape[2:]))
        return Explanation(
            kind="cells",
            logits=self.classify(self.pool(tokens, cls, mask)),
            bias=bias,
            grid=self.grid_of(tokens.shape[1]),
            cells=cells.flatten(2),
        )


def mean_contributions(
    features: torch.Tensor, weight: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Return what each cell adds to W mean_n v_n: (b c n) of features (b n d), 0 in padding, and W (c d)."""
    count = features.shape[1] if mask is None else mask.sum(1).clamp(min=1)[:, None, None]
    return torch.einsum("bnd,cd->bcn", features, weight) / count
