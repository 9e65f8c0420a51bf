"""Probes that pool without choosing: one fixed vector, or every cell treated alike."""

from typing import ClassVar

import torch

from protoviz.probes.base import Probe


class LinearProbe(Probe):
    """Linear probe on [cls]: logits = W s + b, s = [cls] (b d).

    Parameters: C D + C. Start: PyTorch's default. Source: paper, section 3 ("linear").
    `batch_norm=True` puts BatchNorm(affine=False, eps 1e-6) before the classifier, as the MAE protocol does;
    whether the paper does is not stated.
    """

    name: ClassVar[str] = "linear"
    reads: ClassVar[frozenset[str]] = frozenset({"cls"})
    fixed: ClassVar[bool] = True

    def __init__(
        self, dim: int, classes: int, grid: tuple[int, int] | None = None, *, batch_norm: bool = False
    ):
        super().__init__(dim, classes, grid, batch_norm=batch_norm)
        self._add_classifier(dim, batch_norm)

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """[cls] itself, (b d)."""
        return cls
