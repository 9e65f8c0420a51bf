"""Masked autoencoding: see a few of the patches, redraw the others.

He et al. 2022 (MAE; repository facebookresearch/mae) for images, Huang et al. 2022 (AudioMAE) for
spectrograms. The encoder runs on the visible patches only, which is what makes it cheap. [cls] has no
objective of its own: it takes part in attention in the encoder and in the decoder, and learns only what helps
the other tokens through that. A linear probe on it is therefore a fair picture of a token that nobody trained
to sum a clip up.
"""

import torch
from torch import Tensor, nn

from protoviz.encoders.mini import MiniEncoder
from protoviz.encoders.vit import NORM_EPS, Block, patchify, run_blocks, sincos_positions


class MaskedAutoencoder(nn.Module):
    """The mini encoder with a tiny decoder (dropped after training) that redraws hidden patches."""

    def __init__(self, encoder: MiniEncoder, width: int = 96, depth: int = 2, heads: int = 3):
        super().__init__()
        self.encoder = encoder
        patch = encoder.config.patch
        self.bridge = nn.Linear(encoder.dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.redraw = nn.Linear(width, patch * patch)
        self.register_buffer("positions", sincos_positions(*encoder.grid, width), persistent=False)

    def forward(self, features: Tensor, order: Tensor, visible: int, normalise: bool = True) -> Tensor:
        """The mean squared error over hidden patches (a number) of features (b frames mels).

        order (b n): the patches of each clip that take part, in random order; the first `visible` are seen.
        normalise: each target patch has its own mean and deviation taken out (MAE's `norm_pix_loss`).
        """
        patches = patchify(features, self.encoder.config.patch)
        seen, hidden = order[:, :visible], order[:, visible:]
        drawn = self.redraw_hidden(self.encode_seen(_pick(patches, seen), seen), seen, hidden)
        target = _pick(patches, hidden)
        if normalise:
            target = target - target.mean(-1, keepdim=True)
            target = target / (target.var(-1, keepdim=True) + 1e-6).sqrt()
        return (drawn.float() - target).square().mean()

    def encode_seen(self, patches: Tensor, seen: Tensor) -> Tensor:
        """Encoder output (b 1+k d), [cls] first, of visible patches (b k p) at the places `seen` (b k)."""
        encoder = self.encoder
        run = run_blocks(encoder.blocks, encoder.embed(patches, encoder.positions[seen]))
        return encoder.norm(run.x)

    def redraw_hidden(self, encoded: Tensor, seen: Tensor, hidden: Tensor) -> Tensor:
        """The redrawn patches (b m p) at the places `hidden` (b m).

        Tokens stay in their shuffled order: attention does not mind, and positions travel with them.
        """
        x = self.bridge(encoded)
        blank = self.mask_token + self.positions[hidden]
        x = torch.cat([x[:, :1], x[:, 1:] + self.positions[seen], blank], dim=1)
        x = run_blocks(self.blocks, x).x[:, 1 + seen.shape[1] :]
        return self.redraw(self.norm(x))


def _pick(patches: Tensor, places: Tensor) -> Tensor:
    """The patches (b k p) at `places` (b k)."""
    return patches.gather(1, places[..., None].expand(-1, -1, patches.shape[-1]))
