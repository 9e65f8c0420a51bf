"""Losses by name."""

from collections.abc import Callable

import torch
from torch.nn import functional as F

REDUCTIONS = ("mean", "batchmean", "sum", "none")


def asymmetric_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    gamma_neg: float = 4.0,  # with gamma_pos and margin: the authors' related code; not stated in the paper
    gamma_pos: float = 1.0,
    margin: float = 0.05,
    reduction: str = "mean",
    detach_weight: bool = False,
) -> torch.Tensor:
    """Return the asymmetric multi-label loss (Ridnik et al. 2021) of logits (b c) and targets (b c) in 0..1.

    p = sigmoid(x); q = min(1 - p + margin, 1);
    loss = -[y (1-p)^gamma_pos log max(p, 1e-8) + (1-y) (1-q)^gamma_neg log max(q, 1e-8)].
    reduction: "mean" over all elements, "batchmean" (sum / b), "sum", or "none" (b c).
    detach_weight=True does not differentiate the focusing weights (1-p)^gamma_pos and (1-q)^gamma_neg; the
    published code exists in both forms. Half-precision logits are widened to float32.
    """
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    targets = targets.to(logits.dtype)
    p, not_p = torch.sigmoid(logits), torch.sigmoid(-logits)
    q = (not_p + margin).clamp(max=1)
    weight_pos, weight_neg = not_p**gamma_pos, (1 - q) ** gamma_neg
    if detach_weight:
        weight_pos, weight_neg = weight_pos.detach(), weight_neg.detach()
    positive = targets * weight_pos * p.clamp(min=1e-8).log()
    negative = (1 - targets) * weight_neg * q.clamp(min=1e-8).log()
    return _reduce(-(positive + negative), reduction)


def cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, *, reduction: str = "batchmean"
) -> torch.Tensor:
    """Return softmax cross-entropy for one label a clip: logits (b c), one-hot targets (b c).

    reduction: "batchmean" (the mean over clips, PyTorch's default), "mean" over elements, "sum", "none" (b).
    Raises ValueError where a clip has not exactly one label.
    """
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    if not bool(((targets > 0).sum(1) == 1).all()):
        raise ValueError("cross_entropy needs exactly one label a clip: use loss='asl' for several or none")
    loss = F.cross_entropy(logits, targets.argmax(1), reduction="none")
    return loss.sum() / logits.numel() if reduction == "mean" else _reduce(loss, reduction)


def _reduce(loss: torch.Tensor, reduction: str) -> torch.Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "batchmean":
        return loss.sum() / len(loss)
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss
    raise ValueError(f"reduction {reduction!r} is unknown: choose one of {', '.join(REDUCTIONS)}")


LOSSES: dict[str, Callable[..., torch.Tensor]] = {"asl": asymmetric_loss, "cross_entropy": cross_entropy}
