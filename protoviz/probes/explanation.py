"""What a probe looked at, and what each part of it added to a logit."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a probe looked at, as tensors (`numpy()` gives the same as arrays).

    Always there: `logits` (b c) and `kind`, which names what the contributions run over:
    "prototypes", "cells", "dimensions" (entries of the descriptor) or "hidden units". `spatial` tells whether
    the probe looked at places at all. Padding cells are nan in `similarity` and 0 in `attention` and `cells`.
    Of a probe that answers frame by frame every frame stands where a clip does: logits, inputs and
    contributions have (b t) in place of (b).
    """

    kind: str
    logits: torch.Tensor  # (b c)
    bias: torch.Tensor  # (c)
    grid: tuple[int, int]  # of maps and locations; finer than the tokens where the probe upsamples
    inputs: torch.Tensor | None = None  # (b p) what the classifier multiplies, after any normalisation
    weight: torch.Tensor | None = None  # (c p) what it multiplies with
    cells: torch.Tensor | None = None  # (b c n) contribution of a cell, where the logit is a sum over cells
    rest: torch.Tensor | None = None  # (b c) beside `cells`: what comes from no cell but from [cls]
    scores: torch.Tensor | None = None  # (b j) the largest similarity of each prototype, never normalised
    locations: torch.Tensor | None = None  # (b j) cell n of that maximum, first on ties; -1: no real cell
    similarity: torch.Tensor | None = None  # (b j t f)
    attention: torch.Tensor | None = None  # (b h t f) sums to 1 over the real cells, one map a head or query
    layer_weights: torch.Tensor | None = None  # (l) of the mixture of layers that is looked at, summing to 1
    lowest: torch.Tensor | None = None  # (b j) the smallest similarity, of a probe that reads it too
    lowest_locations: torch.Tensor | None = None  # (b j) its cell, as `locations`
    each: int = 1  # inputs that belong to one prototype, side by side

    @property
    def contributions(self) -> torch.Tensor:
        """(b c p): summed over the last axis and with `bias` added they are the logits.

        p runs over what `kind` says: prototypes, cells n (and at last [cls], where `rest` is not None) and so
        on.
        """
        if self.cells is None:
            found = self.inputs[..., None, :] * self.weight
            return found if self.each == 1 else found.reshape(*found.shape[:-1], -1, self.each).sum(-1)
        if self.rest is None:
            return self.cells
        join = np.concatenate if isinstance(self.cells, np.ndarray) else torch.cat
        return join([self.cells, self.rest[:, :, None]], -1)

    @property
    def spatial(self) -> bool:
        """False if no map is behind the logits (linear, mlp) or maps were not asked for."""
        return any(part is not None for part in (self.cells, self.similarity, self.attention))

    def numpy(self) -> "Explanation":
        """Return the same explanation with numpy arrays, for code that knows nothing of torch."""
        return self._each(lambda tensor: tensor.cpu().numpy())

    def _each(self, change) -> "Explanation":
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        changed = {name: change(v) for name, v in values.items() if isinstance(v, torch.Tensor)}
        return replace(self, **changed)
