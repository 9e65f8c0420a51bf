"""Bootstrapped latents of mixtures: hear two clips at once, and keep what the teacher makes of each.

Alex et al. 2025 (SSLAM; repository ta012/SSLAM, `Pre-Training/SSLAM_Stage2`). A clip is mixed with another
by the maximum of their log-mel values, save in two stretches where it stays alone. Clips and mixtures run
through the losses of EAT (here `latents`), with [cls] regressing the mean of the last layer's target alone;
and for mixtures the source retention loss asks the student's hidden cells for the average of the teacher's
targets of the two clips heard one at a time. SSLAM starts this from an encoder trained without mixtures;
here both kinds are in every step from the beginning.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from protoviz.encoders.mini import MiniConfig
from protoviz.pretraining import masks
from protoviz.pretraining.latents import BootstrappedLatents, LatentsConfig, normalised
from protoviz.pretraining.objective import Batch, pick
from protoviz.pretraining.scene_store import PretrainError


@dataclass(frozen=True)
class MixturesConfig(LatentsConfig):
    """Bootstrapped latents of mixtures."""

    alone: int = 7  # columns of each of the two stretches without the other clip; SSLAM: 15 of 64
    retention: float = 1.0  # weight of the source retention loss, SSLAM

    def check(self, encoder: MiniConfig) -> None:
        """Raise PretrainError if these settings do not fit the encoder."""
        super().check(encoder)
        if not 0 <= 2 * self.alone < self.window:
            raise PretrainError(f"two stretches of alone={self.alone} columns fill the window: choose fewer")


class MixedLatents(BootstrappedLatents):
    """`BootstrappedLatents` on clips and on mixtures of them, with source retention."""

    def forward(self, batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
        """Return the losses of EAT on clips and mixtures, plus `retention` times the
        error of the sources' mean.
        """
        clips, columns = len(batch.features), self.config.window
        places = self.window(clips, rng)
        patches = pick(self.patches(batch.features), places)
        mixed = ~masks.stretches(rng, columns, 2, self.config.alone).repeat(self.encoder.grid[1])
        mixed = self.here(mixed)
        order = self.blocks_seen(clips, rng).repeat(2, 1)  # a mixture has the masks of its clip, as SSLAM
        both = torch.cat([patches, mixtures(patches, mixed)])
        places = places.repeat(2, 1)
        layers = self.latents(both, places)
        drawn, cls, hidden = self.said(both, places, order)
        target = self.average(layers)
        cells = (drawn - pick(self.cloned(target), hidden)).square().mean()
        utterance = self.cloned(normalised(layers[-1]).mean(1))
        kept = self.sources(patches, places[:clips], mixed, target[:clips])
        half = len(order) // 2
        retained = (drawn[half:] - pick(self.cloned(kept), hidden[half:])).square().mean()
        error = (cls - utterance).square().mean()
        return cells + self.config.utterance * error + self.config.retention * retained

    def sources(self, patches: Tensor, places: Tensor, mixed: Tensor, own: Tensor) -> Tensor:
        """Return the mean (b n d) of the targets of a mixture's two clips; `own` where the clip is alone.

        The other clip runs through the teacher by itself and without the cells that are not in the mixture.
        """
        other = patches.roll(1, dims=0)[:, mixed]
        target = own.clone()
        target[:, mixed] = (own[:, mixed] + self.average(self.latents(other, places[:, mixed]))) / 2
        return target

    def facts(self) -> dict[str, str]:
        """Return the model card's rows: objective, [cls], view."""
        facts, config = super().facts(), self.config
        return facts | {
            "mixtures": "each clip also with another (maximum of log-mel values) but for two stretches of "
            f"{config.alone} columns; hidden cells of mixtures also regress the mean of both clips' targets",
            "[cls]": "regresses the mean target of the window, of the last layer",
        }


def mixtures(patches: Tensor, mixed: Tensor) -> Tensor:
    """Return patches (b n p), in the cells `mixed` (n) the maximum with those of the clip before."""
    return torch.where(mixed[:, None], torch.maximum(patches, patches.roll(1, dims=0)), patches)
