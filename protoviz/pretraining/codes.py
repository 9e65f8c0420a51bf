"""Masked prediction of codes: see a few of the patches, say which code each of the others has.

Chen et al. 2023 (BEATs; microsoft/unilm, `beats`), first iteration: the tokenizer is a fixed random
projection of a patch and the nearest of a fixed random codebook; the encoder sees the visible patches only,
and a predictor that runs on all places says the codes of the hidden ones (cross-entropy). Later iterations
learn the tokenizer from the model before; there are none here. There is no [cls].
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.encoders.mini import MiniEncoder
from protoviz.pretraining.objective import Batch, HiddenConfig, HiddenPredictor, pick


@dataclass(frozen=True)
class CodesConfig(HiddenConfig):
    """Masked prediction of codes."""

    codes: int = 512  # BEATs: 1024
    code_width: int = 64  # BEATs: 256. Of 32 to 256, that with the most codes in use
    tokenizer_seed: int = 0


class Tokenizer(nn.Module):
    """Codes (b n) of patches (b n p): a random projection, then the codeword with the largest cosine.

    It is drawn from its seed and never trained, so it is rebuilt rather than stored.
    """

    def __init__(self, patch: int, config: CodesConfig):
        super().__init__()
        rng = np.random.default_rng(config.tokenizer_seed)
        bound = (6 / (patch + config.code_width)) ** 0.5  # Xavier, as in BEST-RQ, from which BEATs has it
        projection = rng.uniform(-bound, bound, (patch, config.code_width)).astype(np.float32)
        book = rng.standard_normal((config.codes, config.code_width)).astype(np.float32)
        self.register_buffer("projection", torch.from_numpy(projection), persistent=False)
        self.register_buffer("book", F.normalize(torch.from_numpy(book), dim=-1), persistent=False)

    @torch.no_grad()
    def forward(self, patches: Tensor) -> Tensor:
        kind = patches.device.type
        with torch.autocast(kind, enabled=False):  # the code of a patch must not hang on the precision
            return (patches.float() @ self.projection @ self.book.T).argmax(-1)


class MaskedCodes(HiddenPredictor):
    """The mini encoder with a predictor of the codes of hidden patches; mean cross-entropy."""

    def __init__(self, encoder: MiniEncoder, config: CodesConfig = CodesConfig()):
        super().__init__(encoder, config, outputs=config.codes)
        long, high = encoder.config.patch_size
        self.tokenizer = Tokenizer(long * high, config)

    def forward(self, batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
        """Return the mean cross-entropy (nats) over the hidden patches of a window of each clip."""
        seen, hidden = self.shuffled(len(batch.features), rng)
        patches = self.patches(batch.features)
        logits = self.redraw_hidden(self.encode_seen(pick(patches, seen), seen), seen, hidden)
        return F.cross_entropy(logits.float().flatten(0, 1), self.tokenizer(pick(patches, hidden)).flatten())

    def facts(self) -> dict[str, str]:
        """Return the model card's rows: objective, [cls], view."""
        config = self.config
        chance = f"chance: {math.log(config.codes):.2f} nats"
        return {
            "objective": f"masked prediction of codes, {config.masked:.0%} hidden; cross-entropy, "
            f"{config.codes} codes of a random projection to {config.code_width} ({chance})",
            "[cls]": "none: the mean token stands for it",
            "view": self.view(),
        }
