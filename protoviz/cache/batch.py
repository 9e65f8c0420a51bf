"""What a probe is fed: a few clips' token maps with their truth."""

from collections.abc import Sequence
from typing import NamedTuple

import torch


class TokenBatch(NamedTuple):
    """Token maps of `b` clips as the encoder left them; fp16, so widen them before computing."""

    tokens: torch.Tensor  # (b n d), or of several layers (b l n d), the dtype of the cache (fp16)
    cls: torch.Tensor  # (b d) or (b l d) float32; the mean token where the encoder has no [cls]
    mask: torch.Tensor  # (b n) bool, True = a real token, False = padding
    targets: torch.Tensor  # (b c) float32, 1 where the clip holds the class

    def of_layers(self, asked: Sequence[int] | int | None, held: Sequence[int]) -> "TokenBatch":
        """Return some layers of a batch (b l n d) of the layers `held`; one number, or None for the last of
        them, takes the axis l away.
        """
        if asked is None or isinstance(asked, int):
            place = -1 if asked is None else held.index(asked)
        else:
            place = [held.index(layer) for layer in asked]
            if list(asked) == list(held):
                return self
        return self._replace(tokens=self.tokens[:, place], cls=self.cls[:, place])
