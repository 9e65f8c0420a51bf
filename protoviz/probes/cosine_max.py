"""The score of a prototype in a clip, s_j = max_n cos(p_j, z_n), without ever holding all similarities.

Tokens come from a frozen encoder, so of the n similarities of a (clip, prototype) pair only the largest one
carries a gradient. The similarities are made tile by tile (some clips x some prototypes), each tile is reduced
at once to its maximum and the place of it, and the backward pass gathers the winning tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

EPS = 1e-12  # as F.normalize: a vector shorter than this has cosine 0 with everything
DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def cosine_max(
    tokens: torch.Tensor,
    prototypes: torch.Tensor,
    mask: torch.Tensor | None = None,
    precision: str = "auto",
    budget_mb: float = 32.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest cosine of every prototype over the tokens of every clip, and the token that has it.

    tokens      (b n d) any floating type
    prototypes  (j d)   any floating type
    mask        (b n)   bool, True = real token; None: all are real. A masked token never wins, whatever it holds.
    precision   type of the matrix product: "float32", "bfloat16", "float16", "float64", or "auto": float64 where
                an input is float64, else float32. Sums and the gradient are float32 (float64) always.
    budget_mb   megabytes (2^20) that one tile of similarities and its tokens may take.

    Returns scores (b j), float64 where an input is float64, else float32, and index (b j) int64.

    Differentiable once, with respect to the prototypes and, where they ask for it, to the tokens. Both gradients
    go through the winning token alone. Ties: the first token (lowest n) wins, as in `torch.max(dim)`; the gradient
    is then a valid subgradient, where `torch.amax` would split it evenly.
    A token or prototype of norm below 1e-12 has cosine 0, as `F.normalize` gives. A clip without a real token has
    score 0, index 0 and no gradient: it says as much as a clip of silence whose tokens are all zero.
    NaN in a real token makes all scores of its clip NaN; NaN in a prototype makes its scores NaN.
    Raises ValueError where shapes do not fit or a clip has no token at all (n = 0).
    """
    _check(tokens, prototypes, mask, precision)
    double = torch.float64 in (tokens.dtype, prototypes.dtype)
    if precision == "auto":
        precision = "float64" if double else "float32"
    result = torch.float64 if double else torch.float32
    plan = _Plan(DTYPES[precision], result, int(budget_mb * 2**20))
    return _CosineMax.apply(prototypes, tokens, mask, plan)


@dataclass(frozen=True)
class _Plan:
    product: torch.dtype  # of the matrix product
    result: torch.dtype  # of scores and gradients
    budget: int  # bytes

    def tile(self, clips: int, length: int, width: int, count: int) -> tuple[int, int]:
        """Clips and prototypes of a tile, so that its similarities and its tokens stay within the budget."""
        size = torch.finfo(self.product).bits // 8
        protos = min(count, 1024)
        per_clip = length * (protos * size + width * (size + torch.finfo(self.result).bits // 8))
        return max(1, min(clips, self.budget // per_clip)), protos


class _CosineMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, prototypes, tokens, mask, plan):
        norms = _norm(prototypes.to(plan.result))
        scores, index = _search(prototypes, norms, tokens, mask, plan)
        ctx.save_for_backward(prototypes, norms, tokens, mask, scores, index)
        ctx.plan = plan
        ctx.mark_non_differentiable(index)
        return scores, index

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad, _):
        prototypes, norms, tokens, mask, scores, index = ctx.saved_tensors
        grad = grad.to(ctx.plan.result)
        if mask is not None:
            grad = grad * mask.any(1, keepdim=True)
        to_prototypes = to_tokens = None
        if ctx.needs_input_grad[0]:
            to_prototypes = _prototype_gradient(
                grad, prototypes, norms, tokens, mask, scores, index, ctx.plan
            )
        if ctx.needs_input_grad[1]:
            to_tokens = _token_gradient(grad, prototypes, norms, tokens, mask, scores, index)
        return to_prototypes, to_tokens, None, None


def _search(prototypes, norms, tokens, mask, plan):
    """Scores (b j) and winners (b j), tile by tile."""
    (b, n, d), j = tokens.shape, len(prototypes)
    scores = torch.empty(b, j, dtype=plan.result, device=tokens.device)
    index = torch.empty(b, j, dtype=torch.int64, device=tokens.device)
    clips, protos = plan.tile(b, n, d, j)
    for i in range(0, b, clips):
        part = slice(i, i + clips)
        hidden = None if mask is None else ~mask[part].reshape(-1)
        unit = _unit(tokens[part], None if mask is None else mask[part], plan.result)
        unit = unit.to(plan.product).view(-1, d)
        rows = None if hidden is None else hidden.nonzero().view(-1)
        for k in range(0, j, protos):
            some = slice(k, k + protos)
            weight = (prototypes[some] / norms[some, None]).to(plan.product)
            tile = unit @ weight.t()
            if rows is not None:
                tile.index_fill_(0, rows, -torch.inf)
            best, where = _first_max(tile.view(-1, n, tile.shape[-1]))
            scores[part, some], index[part, some] = best, where
    if mask is not None:
        scores.masked_fill_(~mask.any(1, keepdim=True), 0.0)
    return scores, index


def _first_max(tile):
    """Maximum (b j) over n of (b n j) and its first place.

    On a CPU the tile is seen as a channels-last image (b j n 1): one max pooling gives value and place in a single
    vectorised pass, several times faster than `max(1)` and with the same rules for ties and NaN.
    """
    if tile.device.type != "cpu":
        return tile.max(1)
    best, where = F.max_pool2d(tile.unsqueeze(2).permute(0, 3, 1, 2), (tile.shape[1], 1), return_indices=True)
    return best.flatten(1), where.flatten(1)


def _prototype_gradient(grad, prototypes, norms, tokens, mask, scores, index, plan):
    """(j d): with u_j = sum_b g_bj z^_b(winner), dp = (u - p^ sum_b g s) / |p|; the norm costs no pass over tokens."""
    (b, n, d), j = tokens.shape, len(prototypes)
    total = torch.zeros(j, d, dtype=plan.result, device=tokens.device)
    clips, _ = plan.tile(b, n, d, j)
    for i in range(0, b, clips):
        part = slice(i, i + clips)
        unit = _unit(tokens[part], None if mask is None else mask[part], plan.result).view(-1, d)
        first = torch.arange(0, len(unit), n, device=unit.device)
        winners = (index[part] + first[:, None]).t().contiguous()
        weights = grad[part].t().contiguous()
        total += F.embedding_bag(winners, unit, mode="sum", per_sample_weights=weights)
    radial = (grad * scores).sum(0) * (norms > EPS)  # a clamped norm is a constant
    total -= prototypes.to(plan.result) * (radial / norms)[:, None]
    total /= norms[:, None]
    return total.to(prototypes.dtype)


def _token_gradient(grad, prototypes, norms, tokens, mask, scores, index):
    """(b n d): every token sums the prototypes that it won, by the same bags the other way round."""
    b, n, d = tokens.shape
    unit_prototypes = prototypes.to(norms.dtype) / norms[:, None]
    result = torch.empty_like(tokens)
    for i in range(b):
        order = index[i].argsort(stable=True)
        counts = torch.bincount(index[i], minlength=n)
        pulled = F.embedding_bag(
            order, unit_prototypes, counts.cumsum(0) - counts, mode="sum", per_sample_weights=grad[i][order]
        )
        own = None if mask is None else mask[i]
        length = _norm(tokens[i].to(norms.dtype))
        radial = torch.zeros_like(length).index_add_(0, index[i], grad[i] * scores[i]) * (length > EPS)
        full = (pulled - _unit(tokens[i], own, norms.dtype) * radial[:, None]) / length[:, None]
        result[i] = full if own is None else full.masked_fill_(~own[:, None], 0.0)
    return result


def _norm(x):
    return torch.linalg.vector_norm(x, dim=-1).clamp_min(EPS)


def _unit(tokens, mask, dtype):
    """Tokens of norm 1, masked ones zero (whatever they held)."""
    unit = tokens.to(dtype)
    unit = unit / _norm(unit)[..., None]
    return unit if mask is None else unit.masked_fill_(~mask[..., None], 0.0)


def _check(tokens, prototypes, mask, precision):
    if tokens.ndim != 3 or prototypes.ndim != 2 or tokens.shape[2] != prototypes.shape[1]:
        raise ValueError(
            f"cosine_max needs tokens (b n d) and prototypes (j d) of one width d, "
            f"not {tuple(tokens.shape)} and {tuple(prototypes.shape)}"
        )
    if tokens.shape[1] == 0:
        raise ValueError("cosine_max needs at least one token a clip; these clips have none (n = 0)")
    if mask is not None and (mask.dtype != torch.bool or mask.shape != tokens.shape[:2]):
        raise ValueError(
            f"the mask has to be bool (b n) = {tuple(tokens.shape[:2])}, True = real token; "
            f"it is {mask.dtype} {tuple(mask.shape)}"
        )
    if precision != "auto" and precision not in DTYPES:
        raise ValueError(f"unknown precision {precision!r}: choose auto or one of {', '.join(DTYPES)}")
