"""What every objective has in common: batch and random numbers in, a loss out; and the thin predictor."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from protoviz.encoders.mini import MiniConfig, MiniEncoder
from protoviz.encoders.vit import NORM_EPS, Block, patchify, run_blocks, sincos_positions
from protoviz.pretraining import masks
from protoviz.pretraining.scene_store import PretrainError


@dataclass(frozen=True)
class Batch:
    """The clips of a step: features (b frames mels), already scaled, and what sounds in each, if asked."""

    features: Tensor
    labels: Callable[[], list[tuple[str, ...]]]


class Objective(nn.Module, ABC):
    """An encoder with what trains it. Weights that take no gradient and buffers are part of a checkpoint."""

    def __init__(self, encoder: MiniEncoder):
        super().__init__()
        self.encoder = encoder

    def here(self, values: np.ndarray) -> Tensor:
        """Return the values as a tensor where the weights are."""
        return torch.from_numpy(values).to(self.encoder.device)

    def begin(self) -> None:
        """Begin: called once, when all weights have been drawn from the seed."""

    @abstractmethod
    def forward(self, batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
        """Return the loss (a number) of a batch; every random choice comes from `rng`.

        share: how much of the run is done, 0 to 1. It leaves no trace that a later one could see.
        """

    def after_step(self, share: float) -> None:
        """Follow: called after every step of the optimiser, where a teacher follows."""

    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Return the model card's rows on it: objective, [cls], view, and what else there is to say."""


@dataclass(frozen=True)
class HiddenConfig:
    """A window of a clip is seen in part; a thin decoder says what the rest is. No default is the paper's."""

    window: int = 32  # columns (5.1 s) of a clip that a step sees: attention's cost is quadratic in them
    masked: float = 0.75  # of the window's patches; AudioMAE hides 0.8 of ten seconds
    decoder_width: int = 96  # the decoder runs on every place of the window: it has to be thin
    decoder_depth: int = 2
    decoder_heads: int = 1  # one head of 96 costs a quarter of three heads of 32

    def visible(self, encoder: MiniConfig) -> int:
        """Return patches of a clip that the encoder sees."""
        return round(self.window * encoder.grid[1] * (1 - self.masked))

    def check(self, encoder: MiniConfig) -> None:
        """Raise PretrainError if these settings do not fit the encoder."""
        check_window(self.window, encoder)
        visible = self.visible(encoder)
        if not 0 < visible < self.window * encoder.grid[1]:
            raise PretrainError(f"masked={self.masked} leaves {visible} patches to see; choose 0.05 to 0.95")


class HiddenPredictor(Objective):
    """An objective whose encoder runs on seen patches only, and a thin decoder on all places of a window.

    The decoder (MAE's: blocks on seen tokens and mask tokens with positions) is dropped after training.
    """

    def __init__(self, encoder: MiniEncoder, config: HiddenConfig, outputs: int):
        super().__init__(encoder)
        self.config = config
        width = config.decoder_width
        self.bridge = nn.Linear(encoder.dim, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList(Block(width, config.decoder_heads) for _ in range(config.decoder_depth))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.redraw = nn.Linear(width, outputs)
        self.register_buffer("positions", sincos_positions(*encoder.grid, width), persistent=False)

    @property
    def visible(self) -> int:
        """Patches of a clip that the encoder sees."""
        return self.config.visible(self.encoder.config)

    def patches(self, features: Tensor) -> Tensor:
        """Return all patches (b n p) of features (b frames mels)."""
        return patchify(features, self.encoder.config.patch_size)

    def shuffled(self, clips: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return the places (b k) seen and (b m) hidden in a window of each clip, hidden uniformly."""
        grid = self.encoder.grid
        order = masks.shuffled(rng, clips, self.config.window * grid[1])
        places = self.here(order + window_starts(rng, clips, self.config.window, grid))
        return places[:, : self.visible], places[:, self.visible :]

    def encode_seen(self, patches: Tensor, seen: Tensor) -> Tensor:
        """Return the encoder's output (b extra+k d), [cls] first, of patches (b k p) at places `seen`."""
        encoder = self.encoder
        run = run_blocks(encoder.blocks, encoder.embed(patches, encoder.positions[seen]))
        return encoder.norm(run.x)

    def redraw_hidden(self, encoded: Tensor, seen: Tensor, hidden: Tensor) -> Tensor:
        """Return what the decoder says (b m outputs) of the places `hidden` (b m).

        Tokens stay in their shuffled order: attention does not mind, and positions travel with them.
        """
        x, extra = self.bridge(encoded), self.encoder.extra
        blank = self.mask_token + self.positions[hidden]
        x = torch.cat([x[:, :extra], x[:, extra:] + self.positions[seen], blank], dim=1)
        x = run_blocks(self.blocks, x).x[:, extra + seen.shape[1] :]
        return self.redraw(self.norm(x))

    def view(self) -> str:
        """Return the model card's row on what a step sees of a clip."""
        return columns_seen(self.config.window, self.encoder)


def check_window(window: int, encoder: MiniConfig) -> None:
    """Raise PretrainError if a window of so many columns does not fit the encoder."""
    if not 0 < window <= encoder.grid[0]:
        raise PretrainError(f"window={window}: choose 1 to {encoder.grid[0]} columns")


def window_starts(rng: np.random.Generator, clips: int, window: int, grid: tuple[int, int]) -> np.ndarray:
    """Return (b 1): the first cell of a window of whole columns, anywhere in a clip; time-major."""
    return rng.integers(grid[0] - window + 1, size=(clips, 1)) * grid[1]


def columns_seen(window: int, encoder: MiniEncoder) -> str:
    """Return "32 of 64 columns of cells a step, at their places"."""
    return f"{window} of {encoder.grid[0]} columns of cells a step, at their places"


def pick(values: Tensor, places: Tensor) -> Tensor:
    """Return the rows (b k d) of values (b n d) at `places` (b k)."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[-1]))
