"""Bootstrapped latents: see a few blocks, say what a teacher that hears the whole window makes of the rest.

Chen et al. 2024 (EAT; repository cwx-worst-one/EAT) after Baevski et al. 2023 (data2vec 2.0). The teacher is
a moving average of the student and runs once on the whole window. Its target is the mean over its upper
layers of what their feed-forward parts put out, each layer normalised over the window (instance norm), the
mean normalised token by token (layer norm): the settings of EAT's `pretraining_AS2M.yaml`. The student sees
inverse block masks, several ("clones") a clip, so that one run of the teacher serves them all. A small
decoder regresses the targets of hidden cells (EAT: convolutions; here MAE's thin transformer), and [cls]
regresses the mean target of the window (the utterance loss). What is kept is the student.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from protoviz.encoders.mini import MiniConfig, MiniEncoder
from protoviz.pretraining import masks
from protoviz.pretraining.objective import Batch, HiddenConfig, HiddenPredictor, pick, window_starts
from protoviz.pretraining.scene_store import PretrainError


@dataclass(frozen=True)
class LatentsConfig(HiddenConfig):
    """Bootstrapped latents."""

    masked: float = 0.8  # EAT
    clones: int = 4  # masks a clip; EAT: 16
    block: int = 5  # cells along an edge of a kept block, EAT
    top_layers: int = 6  # all, as EAT
    utterance: float = 1.0  # weight of the [cls] loss, EAT
    # Of the teacher at the start, and after `anneal` of the run; EAT: 0.9998 to 0.99999 in 400,000 steps. A
    # faster one (0.99) leads here to targets of five dimensions after 500 steps, of thirty at the start.
    decay: float = 0.999
    last_decay: float = 0.9999
    anneal: float = 0.5

    def check(self, encoder: MiniConfig) -> None:
        """Raise PretrainError if these settings do not fit the encoder."""
        super().check(encoder)
        if not encoder.cls:
            raise PretrainError("the utterance loss trains [cls]; choose an encoder with cls=True")
        if not 0 < self.top_layers <= encoder.depth:
            raise PretrainError(f"top_layers={self.top_layers}: choose 1 to {encoder.depth}")


class BootstrappedLatents(HiddenPredictor):
    """The mini encoder as a student, its moving average as a teacher, and a decoder of hidden targets."""

    def __init__(self, encoder: MiniEncoder, config: LatentsConfig = LatentsConfig()):
        super().__init__(encoder, config, outputs=encoder.dim)
        # Not .eval(): that chooses a kernel of attention which is three times slower here, and nothing else.
        self.teacher = deepcopy(encoder).requires_grad_(False)

    def begin(self) -> None:
        """Start the teacher as the student."""
        self.teacher.load_state_dict(self.encoder.state_dict())

    @torch.no_grad()
    def after_step(self, share: float) -> None:
        """Let the teacher follow the student."""
        config = self.config
        risen = min(1.0, share / config.anneal)
        follow(self.teacher, self.encoder, config.decay + risen * (config.last_decay - config.decay))

    def forward(self, batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
        """Return mean squared error at hidden cells, plus `utterance` times that of [cls]."""
        places = self.window(len(batch.features), rng)
        patches = pick(self.patches(batch.features), places)
        target = self.average(self.latents(patches, places))
        drawn, cls, hidden = self.said(patches, places, self.blocks_seen(len(patches), rng))
        cells = (drawn - pick(self.cloned(target), hidden)).square().mean()
        utterance = (cls - self.cloned(target.mean(1))).square().mean()
        return cells + self.config.utterance * utterance

    def window(self, clips: int, rng: np.random.Generator) -> Tensor:
        """Return the places (b n) of a window of whole columns of each clip, time-major."""
        grid, window = self.encoder.grid, self.config.window
        return self.here(np.arange(window * grid[1]) + window_starts(rng, clips, window, grid))

    def blocks_seen(self, clips: int, rng: np.random.Generator) -> Tensor:
        """Return an order (b * clones, n) of a window's cells; the first `visible` are the student's."""
        grid = self.config.window, self.encoder.grid[1]
        draws = 4 * -(
            -self.visible // self.config.block**2
        )  # overlaps and edges cost less than three in four
        order = masks.blocks_first(rng, clips * self.config.clones, grid, self.config.block, draws)
        return self.here(order)

    @torch.no_grad()
    def latents(self, patches: Tensor, places: Tensor) -> list[Tensor]:
        """Return what the teacher's upper layers make, (b n d) normalised over n, of patches at `places`."""
        teacher = self.teacher
        x, outputs = teacher.embed(patches, teacher.positions[places]), []
        for block in teacher.blocks:
            x = x + block.attn(block.norm1(x))[0]
            fed = block.mlp(block.norm2(x))
            x = x + fed
            outputs.append(fed[:, teacher.extra :].float())
        return [over_window(output) for output in outputs[-self.config.top_layers :]]

    @staticmethod
    def average(layers: list[Tensor]) -> Tensor:
        """Return the target (b n d) of hidden cells: the mean over layers, normalised token by token."""
        return normalised(sum(layers))

    def said(self, patches: Tensor, places: Tensor, order: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the student says of hidden cells (b m d), its [cls] (b d), and which they are (b m)."""
        patches, places = self.cloned(patches), self.cloned(places)
        seen, hidden = order[:, : self.visible], order[:, self.visible :]
        seen_at, hidden_at = places.gather(1, seen), places.gather(1, hidden)
        encoded = self.encode_seen(pick(patches, seen), seen_at)
        return self.redraw_hidden(encoded, seen_at, hidden_at).float(), encoded[:, 0].float(), hidden

    def cloned(self, values: Tensor) -> Tensor:
        """Return each clip's row `clones` times."""
        return values.repeat_interleave(self.config.clones, dim=0)

    def facts(self) -> dict[str, str]:
        """Return the model card's rows: objective, [cls], view."""
        config = self.config
        return {
            "objective": f"bootstrapped latents: hidden cells ({config.masked:.0%}, all but blocks of "
            f"{config.block} x {config.block}) regress the mean of {config.top_layers} layers of a teacher",
            "[cls]": "regresses the mean target of the window",
            "view": f"{self.view()}; {config.clones} masks (passes of the student) a clip",
            "teacher": f"decay {config.decay:g} to {config.last_decay:g} in the first {config.anneal:.0%}",
        }


@torch.no_grad()
def follow(teacher: torch.nn.Module, student: torch.nn.Module, decay: float) -> None:
    """Move every weight of `teacher` to decay * its own + (1 - decay) * the student's."""
    for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
        old.lerp_(new, 1 - decay)


def over_window(output: Tensor) -> Tensor:
    """Return a layer's output (b n d), each channel of each clip with mean 0 and deviation 1 over cells."""
    return F.instance_norm(output.transpose(1, 2)).transpose(1, 2)


def normalised(target: Tensor) -> Tensor:
    """Return a target (b n d), each token with mean 0 and deviation 1."""
    return F.layer_norm(target, target.shape[-1:])
