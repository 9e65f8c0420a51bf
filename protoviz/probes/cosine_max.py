"""The score of a prototype in a clip, s_j = max_n cos(p_j, z_n), without ever holding all similarities.

Tokens come from a frozen encoder, so of the n similarities of a (clip, prototype) pair only the largest one
carries a gradient. Similarities are made tile by tile (some clips x some prototypes), each tile is reduced at
once to its maxima and their places, and the backward pass gathers the winning tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from protoviz.probes.best_token import FINDERS, GIVE, Plain, choose
from protoviz.probes.workers import each

EPS = 1e-12  # as F.normalize: a vector shorter than this has cosine 0 with everything
PRECISIONS = ("auto", "fast", "float64", "float32", *FINDERS)
LARGE = 2**29  # multiplications from which on another way than torch.mm pays


def cosine_max(
    tokens: torch.Tensor,
    prototypes: torch.Tensor,
    mask: torch.Tensor | None = None,
    precision: str = "auto",
    budget_mb: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scores (b j), the largest cosine of each prototype over the tokens of a clip, and those tokens
    (b j).

    tokens      (b n d) any floating type
    prototypes  (j d)   any floating type
    mask        (b n)   bool, True = real token; a masked token never wins, whatever it holds. None: all real.
    precision   "auto": float32 (float64 where an input is), by a way that gives float32's winners. The
                processor decides which (`best_token.preferred`), never a clock. "float32", "float64",
                "bfloat16", "float16": products of that type throughout; with a half type the token may be
                only nearly the best. "fast": a half type if one is quicker here, else as "auto". "mm",
                "onednn", "screened" force a way of float32 (`best_token.FINDERS`), on a CPU.
    budget_mb   megabytes (2^20) for one tile of similarities and its tokens, of which each thread has one;
                16 on a CPU, else 512.

    Scores are float64 where an input is, else float32; the tokens' index n is int64. Sums and gradients are
    in the type of the scores whatever the precision. On one processor the same call gives the same bits in
    every process, with any number of threads. Another processor, torch or tile size changes a float32 score
    by rounding only (2e-6).

    Differentiable once, in the prototypes and, where they ask for it, in the tokens. Both gradients go
    through the winning token alone. Ties: the first token (lowest n) wins, as in `torch.max(dim)`; the
    gradient is then a valid subgradient, where `torch.amax` would split it evenly.
    A token or prototype of norm below 1e-12 has cosine 0, as with `F.normalize`. A clip without a real token
    has score 0, index 0 and no gradient: a mask that hides all says as much as tokens that are all zero.
    NaN in a real token makes all scores of its clip NaN; NaN in a prototype makes its scores NaN.
    Raises ValueError where shapes or types do not fit, or clips have no token at all (n = 0).
    """
    plan = _planned(tokens, prototypes, mask, precision, budget_mb)
    shared = _shared.get()
    if shared is not None and tokens is shared.tokens and not tokens.requires_grad:
        tokens, plan = shared.unit(mask, plan.result), replace(plan, unit=True)
    with torch.autocast(tokens.device.type, enabled=False):  # `precision` alone decides
        return _CosineMax.apply(prototypes, tokens, mask, plan)


def extremes(
    tokens: torch.Tensor,
    prototypes: torch.Tensor,
    mask: torch.Tensor | None = None,
    precision: str = "auto",
    budget_mb: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the largest products p_j . z_n / |p_j| (b j) over the tokens of a clip, their tokens (b j), the
    lowest ones and theirs, from one pass.

    Tokens are taken as they are, for a mixture of vectors of norm 1 has a norm that means something; all else
    is as in `cosine_max`. "auto", "fast" and "screened" are float32 here.
    """
    if precision in ("auto", "fast", "screened"):
        precision = "float64" if torch.float64 in (tokens.dtype, prototypes.dtype) else "float32"
    plan = _planned(tokens, prototypes, mask, precision, budget_mb)
    tokens = tokens.to(plan.result)
    if mask is not None:
        tokens = tokens.masked_fill(~mask[..., None], 0)  # NaN would reach the gradients
    with torch.autocast(tokens.device.type, enabled=False):
        values, index = _CosineMax.apply(prototypes, tokens, mask, replace(plan, unit=True, ends=True))
    (high, low), (top, bottom) = values.chunk(2, 1), index.chunk(2, 1)
    return high, top, low, bottom


def cosine_max_each(
    tokens: torch.Tensor,
    sets: Sequence[torch.Tensor],
    mask: torch.Tensor | None = None,
    precision: str = "auto",
    budget_mb: float | None = None,
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return `cosine_max` of every prototype set (j d) of several probes, from one pass over the tokens.

    Tokens are converted and normalised once, and small sets fill whole tiles together. A float32 score
    differs from that of a call of its own by rounding only (2e-6); each set gets its gradient as if alone.
    """
    sizes = [len(some) for some in sets]
    scores, index = cosine_max(tokens, torch.cat(list(sets)), mask, precision, budget_mb)
    return list(zip(scores.split(sizes, 1), index.split(sizes, 1), strict=True))


_shared: ContextVar[SharedTokens | None] = ContextVar("tokens that calls share", default=None)


class SharedTokens:
    """`with SharedTokens(tokens):` calls of `cosine_max` with this very tensor normalise it once for all.

    Scores and gradients keep their bits, unlike those of `cosine_max_each`. It may be entered again and
    again, with one mask. It holds the normalised tokens in float32 (float64 for float64 prototypes) as long
    as it lives. Tokens that ask for gradients are not shared.
    """

    def __init__(self, tokens: torch.Tensor):
        self.tokens = tokens
        self._unit: dict[torch.dtype, torch.Tensor] = {}
        self._mask: torch.Tensor | None = None

    def unit(self, mask: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor:
        """Return the tokens of norm 1 in that type, masked ones zero."""
        if self._unit and mask is not self._mask:
            raise ValueError("these SharedTokens have another mask: make new ones for each mask")
        self._mask = mask
        if dtype not in self._unit:
            self._unit[dtype] = _unit(self.tokens, mask, dtype)
        return self._unit[dtype]

    def __enter__(self) -> SharedTokens:
        self._before = _shared.set(self)
        return self

    def __exit__(self, *_) -> None:
        _shared.reset(self._before)


@dataclass(frozen=True)
class _Plan:
    way: str  # a float type, or a way of best_token.py
    result: torch.dtype  # of scores and gradients
    budget: int  # bytes
    threads: int  # that make tiles side by side
    unit: bool = False  # tokens are taken as they are: of norm 1, or not to be brought to it
    ends: bool = False  # the lowest products follow the largest ones, as if of prototypes of their own

    def tile(self, clips: int, length: int, width: int, times: int = 1) -> tuple[int, int]:
        """Clips and prototypes of a tile; the same for any number of threads, so that results are too."""
        size, budget = torch.finfo(self.result).bits // 8, self.budget * times
        protos = min(1024, max(64, budget // (2 * size * length)))
        return max(1, min(clips, budget // (size * length * (protos + width)))), protos


def _planned(tokens, prototypes, mask, precision, budget_mb) -> _Plan:
    _check(tokens, prototypes, mask, precision)
    result = torch.float64 if torch.float64 in (tokens.dtype, prototypes.dtype) else torch.float32
    if budget_mb is None:
        budget_mb = 16 if tokens.device.type == "cpu" else 512  # arrays of 32 MB are given back when freed
    on_cpu = tokens.device.type == "cpu"
    if precision in GIVE["auto"] and not (on_cpu and result == torch.float32):
        raise ValueError(
            f"precision {precision!r} is float32 on a CPU, not {result} on {tokens.device}: choose 'auto'"
        )
    large = on_cpu and tokens.numel() * len(prototypes) >= LARGE
    way = _way(precision, result, tokens.shape[2], large)
    return _Plan(way, result, int(budget_mb * 2**20), torch.get_num_threads() if on_cpu else 1)


def _way(precision: str, result: torch.dtype, width: int, large: bool) -> str:
    """How the tiles of this call are made (see `_finder`); chosen only where it matters, and on CPUs only."""
    if precision == "auto" and result == torch.float64:
        return "float64"
    if precision not in GIVE:
        return precision
    return choose(width, precision) if large and result == torch.float32 else "float32"


def _finder(plan, prototypes, norms):
    if plan.way in FINDERS:
        return FINDERS[plan.way](prototypes, norms)
    return Plain(prototypes, norms, getattr(torch, plan.way))


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
            total = _gather(grad, tokens, mask, index, ctx.plan)
            radial = (grad * scores).sum(0)
            if ctx.plan.ends:
                total, radial = (sum(part.chunk(2)) for part in (total, radial))
            to_prototypes = _through_norm(total, prototypes, norms, radial)
        if ctx.needs_input_grad[1]:
            to_tokens = _token_gradient(grad, prototypes, norms, tokens, mask, scores, index, ctx.plan)
        return to_prototypes, to_tokens, None, None


def _search(prototypes, norms, tokens, mask, plan):
    """Scores (b j) and winners (b j), tile by tile."""
    (b, n, d), j = tokens.shape, len(prototypes)
    ends = 2 if plan.ends else 1
    scores = torch.empty(b, ends, j, dtype=plan.result, device=tokens.device)
    index = torch.empty(b, ends, j, dtype=torch.int64, device=tokens.device)
    clips, protos = plan.tile(b, n, d)
    finder = _finder(plan, prototypes.to(plan.result).contiguous(), norms)

    def work(piece):
        first, columns = piece
        part = slice(first, first + clips)
        own = None if mask is None else mask[part]
        unit = tokens[part] if plan.unit else _unit(tokens[part], own, plan.result)
        tiles = finder.load(unit, None if own is None else _hidden(own))
        for k in columns:
            some = slice(k, k + protos)
            best, where = tiles.ends(some) if plan.ends else tiles.best(some)
            scores[part, :, some] = best.reshape(ends, len(unit), -1).transpose(0, 1)
            index[part, :, some] = where.reshape(ends, len(unit), -1).transpose(0, 1)

    rows, columns = range(0, b, clips), range(0, j, protos)
    shares = -(-plan.threads // max(1, len(rows)))  # of the columns, where clips alone leave threads idle
    each(
        work, [(i, columns[k::shares]) for i in rows for k in range(min(shares, len(columns)))], plan.threads
    )
    scores, index = scores.flatten(1), index.flatten(1)
    if mask is not None:
        empty = ~mask.any(1, keepdim=True)
        scores.masked_fill_(empty, 0.0)
        index.masked_fill_(empty, 0)
    return scores, index


def _hidden(mask):
    rows = (~mask).reshape(-1).nonzero().view(-1)
    return rows if len(rows) else None


def _gather(grad, tokens, mask, index, plan):
    """(j d): sum over clips of g_bj z_b,winner. The winners are bags of an embedding: no (b j d) is made."""
    (b, n, d), j = tokens.shape, index.shape[1]
    total = torch.zeros(j, d, dtype=plan.result, device=tokens.device)
    clips, protos = plan.tile(b, n, d, times=2)  # there are tokens only, and one such tile for all threads
    first_rows = n * (torch.arange(b, device=tokens.device) % clips)
    winners, weights = (index + first_rows[:, None]).t().contiguous(), grad.t().contiguous()
    share = max(1, min(protos, -(-j // plan.threads)))
    for i in range(0, b, clips):
        part = slice(i, i + clips)
        own = None if mask is None else mask[part]
        unit = tokens[part] if plan.unit else _unit_by(plan.threads, tokens[part], own, plan.result)
        rows = unit.view(-1, d)

        def work(first, part=part, rows=rows):
            some = slice(first, first + share)
            total[some] += F.embedding_bag(
                winners[some, part], rows, mode="sum", per_sample_weights=weights[some, part]
            )

        each(work, range(0, j, share), plan.threads)
    return total


def _through_norm(total, vectors, norms, radial):
    """Gradient of v from that of v^ = v / |v|: (u - v^ (v^.u)) / |v|; v^.u = sum g s is known already."""
    radial = radial * (norms > EPS)  # a clamped norm is a constant
    total -= vectors.to(total.dtype) * (radial / norms)[..., None]
    total /= norms[..., None]
    return total.to(vectors.dtype)


def _token_gradient(grad, prototypes, norms, tokens, mask, scores, index, plan):
    """(b n d): every token sums the prototypes that it won, by the same bags the other way round."""
    (b, n, d), j = tokens.shape, index.shape[1]
    unit = prototypes.to(norms.dtype) / norms[:, None]
    unit = torch.cat([unit, unit]) if plan.ends else unit
    result = torch.empty_like(tokens)
    clips, _ = plan.tile(b, n, d)
    for i in range(0, b, clips):
        part = slice(i, i + clips)
        winners = index[part] + n * torch.arange(len(index[part]), device=index.device)[:, None]
        winners, weights = winners.flatten(), grad[part].flatten()
        order = winners.argsort(stable=True)
        counts = torch.bincount(winners, minlength=n * len(index[part]))
        total = F.embedding_bag(
            order % j, unit, counts.cumsum(0) - counts, mode="sum", per_sample_weights=weights[order]
        )
        if not plan.unit:
            radial = torch.zeros(len(total), dtype=norms.dtype, device=norms.device)
            radial.index_add_(0, winners, weights * scores[part].flatten())
            own = tokens[part].reshape(-1, d).to(norms.dtype)
            total = _through_norm(total, own, _norm(own), radial)
        result[part] = total.view(-1, n, d)
    return result if mask is None else result.masked_fill_(~mask[..., None], 0.0)


def _norm(x):
    return torch.linalg.vector_norm(x, dim=-1).clamp_min(EPS)


def _unit(tokens, mask, dtype):
    """Tokens of norm 1 in that type, masked ones zero whatever they held."""
    unit = tokens.to(dtype).contiguous()
    unit = unit / _norm(unit)[..., None]
    if mask is not None and (rows := _hidden(mask)) is not None:
        unit.view(-1, unit.shape[-1]).index_fill_(0, rows, 0.0)  # quicker than masked_fill_
    return unit


def _unit_by(threads, tokens, mask, dtype):
    """The same by that many threads."""
    if threads == 1:
        return _unit(tokens, mask, dtype)
    unit, share = torch.empty(tokens.shape, dtype=dtype, device=tokens.device), -(-len(tokens) // threads)

    def work(first):
        some = slice(first, first + share)
        unit[some] = _unit(tokens[some], None if mask is None else mask[some], dtype)

    each(work, range(0, len(tokens), share), threads)
    return unit


def _check(tokens, prototypes, mask, precision):
    if tokens.ndim != 3 or prototypes.ndim != 2 or tokens.shape[2] != prototypes.shape[1]:
        raise ValueError(
            "cosine_max needs tokens (b n d) and prototypes (j d) of one width d, "
            f"not {tuple(tokens.shape)} and {tuple(prototypes.shape)}"
        )
    if not (tokens.is_floating_point() and prototypes.is_floating_point()):
        raise ValueError(
            f"cosine_max needs floating types, not {tokens.dtype} and {prototypes.dtype}: convert first"
        )
    if tokens.shape[1] == 0:
        raise ValueError("cosine_max needs at least one token a clip; these clips have none (n = 0)")
    if mask is not None and (mask.dtype != torch.bool or mask.shape != tokens.shape[:2]):
        raise ValueError(
            f"the mask has to be bool (b n) = {tuple(tokens.shape[:2])}, True = real token; "
            f"it is {mask.dtype} {tuple(mask.shape)}"
        )
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
