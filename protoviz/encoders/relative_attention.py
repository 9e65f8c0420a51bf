"""Self-attention with the gated relative position bias of BEATs (and WavLM), in blocks of queries."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

QUERIES = 256  # treated at once, so that a minute's bias (h n n) never lies in memory as a whole


def distance_buckets(n: int, buckets: int, max_distance: int) -> Tensor:
    """Return bucket (2n-1,) of each distance key - query from -(n-1) to n-1, as T5 counts them, both ways
    apart.

    The nearest quarter of the buckets hold one distance each; further ones grow with the logarithm up to
    `max_distance`. The distance is that of token numbers, across rows. In float32, as the source rounds.
    """
    half = buckets // 2
    exact = half // 2
    distance = torch.arange(-(n - 1), n)
    size = distance.abs()
    grown = torch.log(size.clamp_min(1).float() / exact) / math.log(max_distance / exact) * (half - exact)
    far = (exact + grown.long()).clamp_max(half - 1)
    return torch.where(size < exact, size, far) + (distance > 0).long() * half


def bias_rows(values: Tensor, first: int, last: int) -> Tensor:
    """Return the bias (h q n) of queries first..last-1 on all keys; values (h 2n-1): of key - query."""
    n = (values.shape[1] + 1) // 2
    return values.unfold(1, n, 1)[:, n - last : n - first].flip(1)


class RelativeAttention(nn.Module):
    """Multi-head self-attention on (b n d); the bias is shared by all layers and gated by each query."""

    def __init__(self, dim: int, heads: int, gated: bool):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)
        self.gated = gated
        if gated:
            self.grep_linear = nn.Linear(dim // heads, 8)
            self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))

    def forward(
        self, x: Tensor, bias: Tensor | None, real: Tensor | None = None, row: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return attended tokens (b n d), and with `row` what each receives (b h n), mean over real queries.

        bias (h 2n-1): of key - query; real (b n): tokens that may be looked at; None: all.
        """
        b, n, d = x.shape
        q, k, v = (
            proj(x).view(b, n, self.heads, d // self.heads).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        gate = self._gate(q) if self.gated and bias is not None else None
        blocked = None
        if real is not None:
            blocked = torch.zeros_like(real, dtype=q.dtype).masked_fill(~real, float("-inf"))[:, None, None]
        out, received = [], 0.0
        for first in range(0, n, QUERIES):
            last = min(first + QUERIES, n)
            asked, added = q[:, :, first:last], blocked
            if bias is not None:
                added = bias_rows(bias, first, last)
                added = (added if gate is None else gate[:, :, first:last] * added).to(q.dtype)
                added = added if blocked is None else added + blocked
            if added is not None:
                added = added.expand(b, -1, -1, -1)
            out.append(F.scaled_dot_product_attention(asked, k, v, attn_mask=added))
            if row:
                received = received + _given(asked, k, added, None if real is None else real[:, first:last])
        attended = self.out_proj(torch.cat(out, dim=2).transpose(1, 2).reshape(b, n, d))
        if not row:
            return attended, None
        return attended, received / (n if real is None else real.sum(1).clamp_min(1)[:, None, None])

    def _gate(self, q: Tensor) -> Tensor:
        """(b h n 1): how much of the bias each query wants, from q (b h n d/h) before it is scaled."""
        a, b = self.grep_linear(q).unflatten(-1, (2, 4)).sum(-1).sigmoid().chunk(2, dim=-1)
        return a * (b * self.grep_a - 1.0) + 2.0


def _given(q: Tensor, k: Tensor, added: Tensor | None, real: Tensor | None) -> Tensor:
    """(b h n): the attention that queries q (b h q d/h) give to each key, summed over the real ones (b q)."""
    scores = (q @ k.transpose(-2, -1)).float() * q.shape[-1] ** -0.5
    rows = (scores if added is None else scores + added).softmax(dim=-1)
    return (rows if real is None else rows * real[:, None, :, None]).sum(dim=2)
