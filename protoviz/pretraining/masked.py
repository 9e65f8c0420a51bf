"""Masked autoencoding: see a few of the patches, redraw the others.

He et al. 2022 (MAE; repository facebookresearch/mae) for images, Huang et al. 2022 (AudioMAE) for
spectrograms, Dinkel et al. 2024 (Dasheng) for patches of 4 frames and all bands without [cls]. The encoder
runs on the visible patches only, which is what makes it cheap. [cls] has no objective of its own: it takes
part in attention in the encoder and in the decoder, and learns only what helps the other tokens through that.
A linear probe on it is therefore a fair picture of a token that nobody trained to sum a clip up.
"""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from protoviz.encoders.mini import MiniEncoder
from protoviz.pretraining.objective import Batch, HiddenConfig, HiddenPredictor, pick


@dataclass(frozen=True)
class MaskedConfig(HiddenConfig):
    """Masked autoencoding. Defaults are those of mini-mae; none is the paper's."""

    # MAE takes each target patch's own mean and deviation out: all patches weigh the same. Most patches of
    # a scene are noise, which cannot be foretold: the loss stays near 0.8 of 1, and the tokens are better.
    normalise: bool = True


class MaskedAutoencoder(HiddenPredictor):
    """The mini encoder with a tiny decoder that redraws hidden patches; mean squared error."""

    def __init__(self, encoder: MiniEncoder, config: MaskedConfig = MaskedConfig()):
        long, high = encoder.config.patch_size
        super().__init__(encoder, config, outputs=long * high)

    def forward(self, batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
        """Return the mean squared error over the hidden patches of a window of each clip."""
        seen, hidden = self.shuffled(len(batch.features), rng)
        return self.error(self.patches(batch.features), seen, hidden)

    def error(self, patches: Tensor, seen: Tensor, hidden: Tensor) -> Tensor:
        """Return the mean squared error at the places `hidden` (b m) of patches (b n p),
        redrawn from `seen` (b k).

        `normalise`: each target patch has its own mean and deviation taken out (MAE's `norm_pix_loss`).
        """
        drawn = self.redraw_hidden(self.encode_seen(pick(patches, seen), seen), seen, hidden)
        target = pick(patches, hidden)
        if self.config.normalise:
            target = target - target.mean(-1, keepdim=True)
            target = target / (target.var(-1, keepdim=True) + 1e-6).sqrt()
        return (drawn.float() - target).square().mean()

    def facts(self) -> dict[str, str]:
        """Return the model card's rows: objective, [cls], view."""
        targets = "normalised patch by patch" if self.config.normalise else "not normalised by patch"
        none = "none: the mean token stands for it"
        part = "no objective of its own: it takes part in attention only"
        return {
            "objective": f"masked autoencoding, {self.config.masked:.0%} hidden; "
            f"squared error, targets {targets}",
            "[cls]": part if self.encoder.extra else none,
            "view": self.view(),
        }
