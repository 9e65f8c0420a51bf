"""The parts of a spectrogram vision transformer, with the key names of timm and the published checkpoints.

Keys: `patch_embed.proj`, `cls_token`, `blocks.{i}.norm1`, `.attn.qkv`, `.attn.proj`, `.norm2`, `.mlp.fc1`,
`.mlp.fc2`, `norm`. Layer norm eps is 1e-6 and GELU is exact, as in timm's VisionTransformer (which agrees
with the published pre-norm audio encoders). Tokens run time-major: n = t * F + f.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-6


def patchify(features: Tensor, patch: int | tuple[int, int]) -> Tensor:
    """Return patches (b n p), time-major, of features (b frames mels); patch: (frames, mels), or a square's
    edge.

    Inside a patch the order is (frame, mel), the order of a convolution's weight, so that a patch times the
    flattened weight is the convolution. `frames` and `mels` must be multiples of the patch's.
    """
    long, high = (patch, patch) if isinstance(patch, int) else patch
    b, frames, mels = features.shape
    if frames % long or mels % high:
        raise ValueError(
            f"features of {frames} x {mels} do not split into {long} x {high} patches; pad them first"
        )
    cut = features.reshape(b, frames // long, long, mels // high, high)
    return cut.transpose(2, 3).reshape(b, -1, long * high)


def sincos_positions(times: int, freqs: int, dim: int) -> Tensor:
    """Return fixed positions (n d) float32 of a times x freqs grid, time-major.

    The first half of d encodes f, the second half t; in each half sines, then cosines, with rates
    10000^(-2i/(d/2)) (the 2-D table of the MAE repository's `get_2d_sincos_pos_embed`). Raises ValueError
    unless d is a multiple of 4.
    """
    if dim % 4:
        raise ValueError(f"a width of {dim} cannot hold sine-cosine positions; use a multiple of 4")
    rates = 10000.0 ** (-np.arange(dim // 4) / (dim / 4))

    def encode(places: np.ndarray) -> np.ndarray:
        angles = places[:, None] * rates
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)

    t, f = np.divmod(np.arange(times * freqs), freqs)
    return torch.from_numpy(np.concatenate([encode(f), encode(t)], axis=1).astype(np.float32))


class PatchEmbed(nn.Module):
    """Tokens (b n d) of features (b frames mels): a convolution with stride = size, done as one product.

    The product is several times faster on a CPU than the convolution, and gives the same numbers to rounding.
    """

    def __init__(self, patch: int | tuple[int, int], dim: int):
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(1, dim, patch, patch)

    def project(self, patches: Tensor) -> Tensor:
        """Return tokens (b n d) of patches (b n p); any subset of patches will do."""
        return F.linear(patches, self.proj.weight.flatten(1), self.proj.bias)

    def forward(self, features: Tensor) -> Tensor:
        return self.project(patchify(features, self.patch))


class Attention(nn.Module):
    """Multi-head self-attention on (b n d), with the softmax row of token 0 on request."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        if dim % heads:
            raise ValueError(f"{heads} heads do not divide a width of {dim}: choose heads that do")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(
        self, x: Tensor, real: Tensor | None = None, row: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return attended tokens (b n d), and with `row` the softmax row (b h n) of token 0 over all tokens.

        `real` (b n) bool: tokens that may be looked at; None: all. The fused kernel never builds the n x n
        matrix; one row of it is one more product of a single query, so that asking for it costs next to
        nothing.
        """
        b, n, d = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        allowed = None if real is None else real[:, None, None, :]
        if self.training and allowed is None:
            # Three plain products: the fused kernel's backward pass is 4 times slower on a CPU in bfloat16.
            out = ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(dim=-1) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        out = self.merged(out.transpose(1, 2).reshape(b, n, d), x)
        return out, self.row(q, k, allowed) if row else None

    def merged(self, heads: Tensor, x: Tensor) -> Tensor:
        """Return the output (b n d) of what the heads gathered, side by side, for tokens x (b n d)."""
        return self.proj(heads)

    @staticmethod
    def row(q: Tensor, k: Tensor, allowed: Tensor | None) -> Tensor:
        """Return the softmax row (b h n) of token 0; q and k (b h n d/h), allowed (b 1 1 n)."""
        scores = (q[:, :, :1] @ k.transpose(-2, -1)).float() * q.shape[-1] ** -0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        return scores.softmax(dim=-1).squeeze(2)


class ReceivedAttention(Attention):
    """Self-attention without a [cls]: its row is what each token receives, the mean over the real queries."""

    @staticmethod
    def row(q: Tensor, k: Tensor, allowed: Tensor | None) -> Tensor:
        """Return the softmax (b h n), mean over real queries; q and k (b h n d/h), allowed (b 1 1 n)."""
        scores = (q @ k.transpose(-2, -1)).float() * q.shape[-1] ** -0.5
        if allowed is None:
            return scores.softmax(dim=-1).mean(dim=2)
        rows = scores.masked_fill(~allowed, float("-inf")).softmax(dim=-1)
        asked = allowed.transpose(-2, -1).to(rows.dtype)  # (b 1 n 1): padded queries do not count
        return (rows * asked).sum(dim=2) / asked.sum(dim=2).clamp_min(1)


class GatedAttention(Attention):
    """Self-attention whose gathered heads are gated by each token, before they are projected (BAT)."""

    def __init__(self, dim: int, heads: int):
        super().__init__(dim, heads)
        self.gate = nn.Linear(dim, dim)

    def merged(self, heads: Tensor, x: Tensor) -> Tensor:
        """Return the output (b n d) of what the heads gathered, each channel times sigmoid(gate(x))."""
        return self.proj(heads * self.gate(x).sigmoid())


class Mlp(nn.Module):
    """Two linear layers with exact GELU between."""

    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """One pre-norm transformer block: x + attn(norm1(x)), then x + mlp(norm2(x))."""

    attention = Attention

    def __init__(self, dim: int, heads: int, mlp_ratio: float = 4.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = self.attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, int(dim * mlp_ratio))

    def forward(
        self, x: Tensor, real: Tensor | None = None, row: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return the block's output (b n d), and with `row` the softmax row (b h n) of token 0."""
        attended, first = self.attn(self.norm1(x), real, row)
        x = x + attended
        return x + self.mlp(self.norm2(x)), first


@dataclass
class BlockRun:
    """What a walk through the blocks leaves: last state, rows of token 0 [l] (b h n), asked-for states."""

    x: Tensor
    depth: int
    rows: list[Tensor] = field(default_factory=list)
    states: dict[int, Tensor] = field(default_factory=dict)


def run_blocks(blocks, x: Tensor, real: Tensor | None = None, row: bool = False, layers=()) -> BlockRun:
    """Return the run of x (b n d) through `blocks`, rows of token 0 (`row`), states of `layers`: 0 is x."""
    run = BlockRun(x, len(blocks), states={0: x} if 0 in layers else {})
    for layer, block in enumerate(blocks, 1):
        run.x, first = block(run.x, real, row)
        if first is not None:
            run.rows.append(first)
        if layer in layers:
            run.states[layer] = run.x
    return run
