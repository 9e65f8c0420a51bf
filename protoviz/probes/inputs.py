"""Inputs of a probe: what is refused, means over real tokens, and tokens without what they share."""

from typing import Literal

import torch

Centre = Literal["clip", "train"] | None  # whose mean token is taken off every token; None: nobody's


class ProbeError(ValueError):
    """Inputs or settings that a probe cannot work with; the text names the cure."""


def masked_mean(tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the mean over real tokens, (b n d) -> (b d), zero if there is none. Padding has to be zero."""
    if mask is None:
        return tokens.mean(1)
    return tokens.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def mean_token(tokens: torch.Tensor, mask: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor:
    """Return `masked_mean` in that type, of each layer of (b l n d) too; only one is widened at a time."""
    if tokens.ndim == 3:
        return masked_mean(tokens.to(dtype), mask)
    return torch.stack([masked_mean(layer.to(dtype), mask) for layer in tokens.unbind(1)], 1)


def without(tokens: torch.Tensor, common: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return tokens (b n d) or (b l n d) minus a vector of each clip and layer, in its type; padding stays
    zero.

    common: (b d), (b l d), or without b the same for all clips.
    """
    return hidden(tokens.to(common.dtype) - common[..., None, :], mask)


def hidden(tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return tokens (b n d), or of several layers (b l n d), with zeros where the mask (b n) is False."""
    if mask is None:
        return tokens
    return tokens.masked_fill(~(mask if tokens.ndim == 3 else mask[:, None])[..., None], 0)


def require_finite(values: torch.Tensor, what: str) -> None:
    """Raise ProbeError that names the clips whose values (b ...) hold NaN or infinity."""
    # The extremes show any NaN or infinity and cost a twentieth of isfinite().all().
    low, high = torch.aminmax(values.detach())
    if bool(torch.isfinite(low) & torch.isfinite(high)):
        return
    bad = (~torch.isfinite(values)).flatten(1).any(1).nonzero().flatten().tolist()
    raise ProbeError(
        f"the {what} of clip(s) {bad} in the batch hold NaN or infinity: "
        "look at the recording, encode again, or leave the clip out"
    )
