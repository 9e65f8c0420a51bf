"""What a probe is fed: a few clips' token maps with their truth."""

from typing import NamedTuple

import torch


class TokenBatch(NamedTuple):
    """Token maps of `b` clips as the encoder left them; fp16, so widen them before computing."""

    tokens: torch.Tensor  # (b n d), the dtype of the cache (fp16)
    cls: torch.Tensor  # (b d) float32; the mean token where the encoder has no [cls]
    mask: torch.Tensor  # (b n) bool, True = a real token, False = padding
    targets: torch.Tensor  # (b c) float32, 1 where the clip holds the class
