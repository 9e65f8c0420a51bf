"""Group masking with distillation: redraw what is corrupted, and agree with a teacher that hears it whole.

Ahmed et al. 2024 (ASiT; repository Sara-Ahmed/ASiT). Two views of a clip are corrupted in groups of cells
(GMML: blanked, or overwritten by another clip); the student runs on all tokens of the corrupted views, the
teacher, a moving average of it, on the clean ones. Three losses: mean absolute error of the redrawn corrupted
patches (counted twice), cross-entropy of [cls] against the teacher's [cls] of the other view, and of each
token against the teacher's token at its place, both through a head whose outputs are centred and sharpened
as in DINO. What is kept is the student.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.encoders.mini import MiniConfig, MiniEncoder
from protoviz.encoders.vit import patchify, run_blocks
from protoviz.pretraining import masks
from protoviz.pretraining.latents import follow
from protoviz.pretraining.objective import Batch, Objective, check_window, columns_seen, pick, window_starts
from protoviz.pretraining.scene_store import PretrainError


@dataclass(frozen=True)
class DistilledConfig:
    """Group masking with distillation; what is marked ASiT is its repository's."""

    window: int = 24  # columns (3.8 s) of a view; ASiT: 37 (6 s). All tokens run, so they are dear
    least: float = 0.5  # of the cells blanked at least, ASiT
    most: float = 0.7  # at most, ASiT
    overwritten: float = 0.3  # of the cells, where another clip overwrites them (every other view), ASiT
    largest: float = 0.3  # of the window's sides: of one group, ASiT
    hidden_width: int = 256  # of the heads; ASiT: 2048
    bottleneck: int = 64  # ASiT: 256
    cls_outputs: int = 512  # ASiT: 8192
    token_outputs: int = 256  # ASiT: 1024
    decay: float = 0.99  # of the teacher, by a cosine to 1; ASiT: 0.996 in many more steps
    sharp: float = 0.1  # temperature of the student, ASiT
    sharper: float = 0.04  # of the teacher at the start, ASiT
    sharpest_end: float = 0.07  # after `warm` of the run, ASiT
    warm: float = 0.3
    centre_decay: float = 0.9  # ASiT
    redrawn: float = 2.0  # weight of the reconstruction, ASiT

    def check(self, encoder: MiniConfig) -> None:
        """Raise PretrainError if these settings do not fit the encoder."""
        check_window(self.window, encoder)
        if not encoder.cls:
            raise PretrainError("this objective trains [cls]; choose an encoder with cls=True")
        if not 0 < self.least <= self.most < 1 or not 0 < self.overwritten < 1:
            raise PretrainError(f"shares have to lie between 0 and 1, least up to most: {self}")


class Heads(nn.Module):
    """Cosines of [cls] (b k) and of tokens (b n k), after a shared MLP, with the outputs' directions."""

    def __init__(self, dim: int, config: DistilledConfig):
        super().__init__()
        self.fc1 = nn.Linear(dim, config.hidden_width)
        self.fc2 = nn.Linear(config.hidden_width, config.hidden_width)
        self.fc3 = nn.Linear(config.hidden_width, config.bottleneck)
        self.of_cls = nn.Linear(config.bottleneck, config.cls_outputs, bias=False)
        self.of_tokens = nn.Linear(config.bottleneck, config.token_outputs, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.fc3(F.gelu(self.fc2(F.gelu(self.fc1(x)))))
        x = F.normalize(x.float(), dim=-1).to(x.dtype)
        cosines = [F.linear(part, F.normalize(layer.weight, dim=-1)) for part, layer in self._parts(x)]
        return cosines[0].float(), cosines[1].float()

    def _parts(self, x: Tensor):
        return (x[:, 0], self.of_cls), (x[:, 1:], self.of_tokens)


class GroupMaskedDistillation(Objective):
    """The mini encoder as a student with heads, and its moving average as a teacher."""

    def __init__(self, encoder: MiniEncoder, config: DistilledConfig = DistilledConfig()):
        super().__init__(encoder)
        self.config = config
        long, high = encoder.config.patch_size
        self.heads = Heads(encoder.dim, config)
        self.draw1 = nn.Linear(encoder.dim, config.hidden_width)
        self.draw2 = nn.Linear(config.hidden_width, long * high)
        # Not .eval(): that chooses a kernel of attention which is three times slower here, and nothing else.
        self.teacher = deepcopy(encoder).requires_grad_(False)
        self.teacher_heads = deepcopy(self.heads).requires_grad_(False)
        self.register_buffer("cls_centre", torch.zeros(config.cls_outputs))
        self.register_buffer("token_centre", torch.zeros(config.token_outputs))
        self._means: tuple[Tensor, Tensor] | None = None  # of the teacher's outputs in the last forward

    def begin(self) -> None:
        """Start the teacher as the student."""
        self.teacher.load_state_dict(self.encoder.state_dict())
        self.teacher_heads.load_state_dict(self.heads.state_dict())

    @torch.no_grad()
    def after_step(self, share: float) -> None:
        """Let the teacher follow the student, and the centres the teacher's outputs."""
        decay = 1 - (1 - self.config.decay) * 0.5 * (1 + np.cos(np.pi * share))
        follow(self.teacher, self.encoder, decay)
        follow(self.teacher_heads, self.heads, decay)
        for centre, mean in zip((self.cls_centre, self.token_centre), self._means, strict=True):
            centre.lerp_(mean, 1 - self.config.centre_decay)

    def forward(self, batch: Batch, rng: np.random.Generator, share: float) -> Tensor:
        """Return `redrawn` times the reconstruction's error, plus cross-entropies of [cls] and of tokens."""
        error, agreed, locally = self.parts(batch, rng, share)
        return self.config.redrawn * error + agreed + locally

    def parts(self, batch: Batch, rng: np.random.Generator, share: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three losses: of the reconstruction, of [cls], of tokens."""
        clips = len(batch.features)
        places = self.views(clips, rng)
        patches = patchify(batch.features, self.encoder.config.patch_size)
        patches = pick(patches.repeat(2, 1, 1), places)  # first views, then second ones
        hidden, corrupted = self.corrupted(patches, rng)
        x = self.encoded(self.encoder, corrupted, places)
        drawn = self.draw2(F.gelu(self.draw1(x[:, 1:]))).float()
        error = (drawn[hidden] - patches[hidden]).abs().mean()
        with torch.no_grad():
            wanted = self.teacher_heads(self.encoded(self.teacher, patches, places))
            self._means = wanted[0].mean(0), wanted[1].mean((0, 1))
        cls, tokens = self.heads(x)
        agreed = self.cross_entropy(cls, wanted[0].roll(clips, dims=0), self.cls_centre, share)
        locally = self.cross_entropy(tokens, wanted[1], self.token_centre, share)
        return error, agreed, locally

    def views(self, clips: int, rng: np.random.Generator) -> Tensor:
        """Return the places (2b n) of two windows of each clip that share at least half of their columns."""
        (times, freqs), window = self.encoder.grid, self.config.window
        first = window_starts(rng, clips, window, (times, freqs)) // freqs
        shift = rng.integers(-(window // 2), window // 2 + 1, size=(clips, 1))
        starts = np.concatenate([first, (first + shift).clip(0, times - window)]) * freqs
        return self.here(np.arange(window * freqs) + starts)

    def corrupted(self, patches: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return which cells are corrupted (b n) bool, and the patches (b n p) with
        these blanked or overwritten.
        """
        config, count = self.config, len(patches)
        grid = config.window, self.encoder.grid[1]
        blanked = masks.groups_hidden(rng, count, grid, config.least, config.most, config.largest)
        over = masks.groups_hidden(rng, count, grid, config.overwritten, config.overwritten, config.largest)
        blank = rng.random((count, 1)) < 0.5
        other = patches[self.here((np.arange(count) + rng.integers(1, count, size=count)) % count)]
        filler = torch.where(self.here(blank)[..., None], 0.0, other)
        hidden = self.here(np.where(blank, blanked, over))
        return hidden, torch.where(hidden[..., None], filler, patches)

    @staticmethod
    def encoded(encoder: MiniEncoder, patches: Tensor, places: Tensor) -> Tensor:
        """Return encoder output (b 1+n d) of patches (b n p) at `places` (b n), all of them."""
        run = run_blocks(encoder.blocks, encoder.embed(patches, encoder.positions[places]))
        return encoder.norm(run.x)

    def cross_entropy(self, said: Tensor, wanted: Tensor, centre: Tensor, share: float) -> Tensor:
        """Return the mean cross-entropy of logits `said` against the teacher's, centred and sharpened."""
        config = self.config
        risen = min(1.0, share / config.warm)
        sharp = config.sharper + risen * (config.sharpest_end - config.sharper)
        target = ((wanted - centre) / sharp).softmax(-1)
        return -(target * (said / config.sharp).log_softmax(-1)).sum(-1).mean()

    def facts(self) -> dict[str, str]:
        """Return the model card's rows: objective, [cls], view."""
        config = self.config
        return {
            "objective": f"group masking, {config.least:.0%} to {config.most:.0%} of cells blanked or "
            f"{config.overwritten:.0%} overwritten by another clip; absolute error of redrawn patches, "
            "and each token agrees with a moving average's",
            "[cls]": f"agrees with the moving average's [cls] of another view ({config.cls_outputs} outputs, "
            "centred and sharpened)",
            "view": f"two of {columns_seen(config.window, self.encoder)}, at least half of them in common",
            "teacher": f"decay {config.decay:g}, by a cosine to 1",
        }
