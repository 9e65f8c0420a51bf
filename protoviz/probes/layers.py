"""Tokens of several layers: which a probe reads, and their convex mixture."""

from collections.abc import Iterable, Sequence

import torch

Layers = list[int] | int | None  # of an encoder (0: what enters its first block); None: its last
CLIPS = 8  # mixed at once: what is widened for it stays small
EPS = 1e-12  # as F.normalize: a shorter vector counts as zero


def mix(vectors: torch.Tensor, weights: torch.Tensor, unit: bool) -> torch.Tensor:
    """Return sum_l a_l z_l (b n d), in the type of the weights a (l), of vectors (b l n d) of any float type.

    unit: z_l is divided by its norm first; the sum is not. The gradient reaches the weights, and the vectors
    where they ask for it. Nothing of size (b l n d) is made or kept beside the vectors themselves.
    """
    if vectors.requires_grad:
        vectors = vectors.to(weights.dtype)
        return torch.einsum("l,blnd->bnd", weights, _unit(vectors) if unit else vectors)
    return _Mix.apply(vectors, weights, unit)


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx, vectors, weights, unit):
        ctx.save_for_backward(vectors, weights)
        ctx.unit = unit
        b, _, n, d = vectors.shape
        mixed = torch.zeros(b, n, d, dtype=weights.dtype, device=vectors.device)
        for clips, layer, part in _parts(vectors, weights.dtype, unit):
            mixed[clips].add_(part.mul_(weights[layer]))
        return mixed

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        vectors, weights = ctx.saved_tensors
        total = torch.zeros_like(weights)
        for clips, layer, part in _parts(vectors, weights.dtype, ctx.unit):
            total[layer] += part.mul_(grad[clips]).sum()
        return None, total, None


def _parts(vectors, dtype, unit):
    """(clips, layer, a copy of its vectors (b n d)), some clips after the others."""
    for start in range(0, len(vectors), CLIPS):
        clips = slice(start, start + CLIPS)
        for layer in range(vectors.shape[1]):
            part = vectors[clips, layer].to(dtype, copy=True)
            yield clips, layer, part.div_(_norm(part)) if unit else part


def _norm(vectors):
    return torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(EPS)


def _unit(vectors):
    return vectors / _norm(vectors)


def checked_layers(layers: Layers | Sequence[int]) -> Layers:
    """Return the layers as a list, a number or None; ValueError for what names no layers."""
    if layers is None or (isinstance(layers, int) and not isinstance(layers, bool) and layers >= 0):
        return layers
    named = list(layers) if isinstance(layers, Sequence) and not isinstance(layers, str) else []
    whole = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in named)
    if not (named and whole and named == sorted(set(named))):
        raise ValueError(
            f"layers={layers!r}: give one number, or several in rising order ([4, 7, 10, 12]); 0 is what "
            "enters the first block"
        )
    return named


def asked_of(probes: Iterable) -> dict[str, list[int]]:
    """Return the options of `Encoder.encode` for what probes read: none where the last layer does."""
    named = {layer for probe in probes if probe.layers is not None for layer in listed(probe.layers, 0)}
    return {"layers": sorted(named)} if named else {}


def listed(layers: Layers, last: int) -> list[int]:
    """Return the layers by their numbers, where the encoder's last has this one."""
    return [last] if layers is None else [layers] if isinstance(layers, int) else layers
