"""The mini encoder: a small pre-norm spectrogram ViT in the geometries of the paper's encoders.

10.24 s at 16 kHz -> 1024 x 128 log-mel -> 16 x 16 patches -> 64 x 8 = 512 cells, with [cls] or without; or
4 x 128 patches -> 256 x 1 cells, as Dasheng. It is a mini: trained by `protoviz.pretraining` on procedural
sound only, so that the whole way runs anywhere in minutes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.audio import FilterBank
from protoviz.audio.reading import MAX_RATE, MIN_RATE
from protoviz.encoders.base import Encoder, EncoderError, Encoding
from protoviz.encoders.published import cls_encoding, kaldi_mels, mean_encoding
from protoviz.encoders.vit import (
    NORM_EPS,
    Block,
    PatchEmbed,
    ReceivedAttention,
    run_blocks,
    sincos_positions,
)
from protoviz.encoders.weights import WeightsError, fill, read_weights
from protoviz.settings import checked

MOST_VALUES = 1 << 26  # of the table of positions; a minute of the widest published encoder has 2 million
MOST_LEVEL, MOST_RATIO = 1e4, 64
Size = Annotated[int, range(1, 1 << 14)]
NEWER = ("patch_mels", "cls")  # fields of MiniConfig that files written before them do not name


@dataclass(frozen=True)
class MiniConfig:
    """The shape and the front end of a mini encoder."""

    width: Size = 192  # 3 heads of 64, the head width of the paper's encoders
    depth: Size = 6  # 2.7 M weights with width 192: trains in half an hour on two cores, ships in 6 MB
    heads: Size = 3
    mlp_ratio: float = 4.0  # as ViT
    patch: Size = 16  # frames and mel rows, as the paper's encoders
    frames: Size = 1024  # 10.24 s in 10 ms frames
    mels: Size = 128
    sample_rate: Annotated[int, range(MIN_RATE, MAX_RATE + 1)] = 16000
    mean: float = -5.1592  # of the log-mel values of procedural scenes, as measured for mini-mae
    std: float = 3.4662  # of the same values
    # What mini-mae is without; files and digests written before these fields were there stay valid.
    patch_mels: Size | None = None  # mel rows of a patch; None: `patch`, a square
    cls: bool = True  # False, as BEATs and Dasheng: the mean token stands for it

    def __post_init__(self):
        if self.width % self.heads:
            raise EncoderError(f"{self.heads} heads do not divide a width of {self.width}: choose others")
        if self.frames % self.patch or self.mels % self.patch_size[1]:
            raise EncoderError(f"patches of {self.patch_size} do not fill {self.frames} x {self.mels} mels")
        if not (0 < self.std < MOST_LEVEL and abs(self.mean) < MOST_LEVEL):
            raise EncoderError(f"mean {self.mean} and std {self.std} are not those of log-mel values")
        if not 0 < self.mlp_ratio <= MOST_RATIO:
            raise EncoderError(f"mlp_ratio {self.mlp_ratio} is not above 0 and up to {MOST_RATIO}")
        if (values := self.grid[0] * self.grid[1] * self.width) > MOST_VALUES:
            raise EncoderError(f"a table of {values:,} positions; the most is {MOST_VALUES:,}")

    @property
    def patch_size(self) -> tuple[int, int]:
        """(frames, mel rows) of a patch."""
        return self.patch, self.patch_mels or self.patch

    @property
    def grid(self) -> tuple[int, int]:
        """(T, F), the number of patches along time and along frequency."""
        return self.frames // self.patch_size[0], self.mels // self.patch_size[1]

    @property
    def bank(self) -> FilterBank:
        """The filter bank that makes the log-mel frames (the settings of EAT, SSLAM and AudioMAE)."""
        return FilterBank(sample_rate=self.sample_rate, mels=self.mels, window="hanning")


class MiniEncoder(Encoder):
    """The mini encoder; see `MiniConfig`. `load_encoder("mini-mae")` gives the trained one."""

    def __init__(self, config: MiniConfig = MiniConfig(), name: str = "mini"):
        super().__init__()
        self.config, self.name, self.depth = config, name, config.depth
        self.dim, self.sample_rate, self.grid = config.width, config.sample_rate, config.grid
        self.seconds = config.frames * config.bank.frame_shift_ms / 1000
        self.cls_kind = "cls" if config.cls else "mean token"
        self.patch_embed = PatchEmbed(config.patch_size, config.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width)) if config.cls else None
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.mlp_ratio) for _ in range(config.depth)
        )
        if not config.cls:
            for block in self.blocks:
                block.attn = ReceivedAttention(config.width, config.heads)
        self.norm = nn.LayerNorm(config.width, eps=NORM_EPS)
        # Fixed, so it is rebuilt rather than stored.
        self.register_buffer("positions", sincos_positions(*config.grid, config.width), persistent=False)

    def front_end(self) -> dict:
        """Return every setting between waveform and features, as plain values."""
        config, bank = self.config, self.config.bank
        scale = {"frames": config.frames, "mean": config.mean, "std": config.std}
        steps = {"remove_mean": True, "pad": "zeros, before scaling"}
        return {**asdict(bank), "high_hz": bank.top_hz, **steps, **scale}

    def shape(self) -> dict:
        """Return the sizes of the transformer, as plain values."""
        config, plain = self.config, MiniConfig()
        sizes = {key: getattr(config, key) for key in ("width", "depth", "heads", "mlp_ratio", "patch")}
        newer = {key: getattr(config, key) for key in NEWER}  # named where they differ: older digests stay
        return sizes | {key: value for key, value in newer.items() if value != getattr(plain, key)}

    def mask(self, samples: Sequence[int]) -> Tensor:
        """Return (b n) bool: True for each cell with at least one frame of sound, of clips `samples` long."""
        frames = torch.tensor([self.config.bank.frames(s) for s in samples], device=self.device)
        starts = torch.arange(self.grid[0], device=self.device) * self.config.patch
        return (starts < frames[:, None]).repeat_interleave(self.grid[1], dim=1)

    def log_mels(self, waveforms) -> Tensor:
        """Return log-mels (b frames mels) float32 of each clip minus its mean, unscaled; zeros behind it."""
        clips = self.clips(waveforms)
        counts = [self.config.bank.frames(len(clip)) for clip in clips]
        if 0 in counts:
            raise EncoderError(f"clip {counts.index(0)} is shorter than one frame (25 ms); drop it")
        return kaldi_mels([clip - clip.mean() for clip in clips], self.config.bank, self.config.frames)

    def features(self, waveforms) -> Tensor:
        """Return log-mels (b frames mels) float32, zeros up to 1024 frames, then (x - mean) / (2 std)."""
        return (self.log_mels(waveforms) - self.config.mean) / (2 * self.config.std)

    @property
    def extra(self) -> int:
        """Tokens in front of the patches: 1 with [cls], else 0."""
        return int(self.config.cls)

    def embed(self, patches: Tensor, positions: Tensor) -> Tensor:
        """Return the first block's input (b extra+n d): [cls], if any, then patches (b n p) + positions."""
        return self._with_cls(self.patch_embed.project(patches) + positions)

    def _with_cls(self, tokens: Tensor) -> Tensor:
        if self.cls_token is None:
            return tokens
        return torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)

    def forward(
        self,
        features: Tensor,
        attention: bool = False,
        mask: Tensor | None = None,
        layers: Sequence[int] = (),
    ) -> Encoding:
        """Return the `Encoding` of features (b frames mels); mask (b n): None is all; rest as in `encode`."""
        features = self._checked(features, self.config.mels)
        if features.shape[1] != self.config.frames:
            raise EncoderError(
                f"{self.name} takes {self.config.frames} frames, as encoder.features(waveforms) makes them, "
                f"not {features.shape[1]}"
            )
        chosen, (rows, bands) = self._chosen(layers), self.grid
        if mask is not None:  # rows that are empty in every clip of the batch are not computed
            held = mask.any(0).nonzero()
            rows = int(held[-1]) // bands + 1 if len(held) else 1
            mask, features = mask[:, : rows * bands], features[:, : rows * self.config.patch]
        tokens = self.patch_embed(features) + self.positions[: rows * bands]
        if mask is None:
            mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        # Without padding the kernel is faster unmasked, and gives the same numbers.
        real = None if bool(mask.all()) else F.pad(mask, (self.extra, 0), value=True)
        run = run_blocks(self.blocks, self._with_cls(tokens), real, attention, set(chosen.values()))
        encoding = mean_encoding if self.cls_token is None else cls_encoding
        return encoding(run, self.norm(run.x), mask, (rows, bands), chosen).on_grid(self.grid)


def random_mini(seed: int = 0, config: MiniConfig = MiniConfig(), name: str = "mini-random") -> MiniEncoder:
    """Return an untrained mini encoder, frozen: the floor that pre-training has to beat."""
    return frozen(start_weights(MiniEncoder(config, name), seed))


def start_weights(model: nn.Module, seed: int) -> nn.Module:
    """Return `model`, its weights drawn from the seed: Xavier uniform as in MAE, biases 0, norms 1.

    NumPy draws them, and only uniform ones, so that they are the same bits on every platform.
    """
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim == 1:
                value.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
                continue
            flat = value.flatten(1) if name.endswith("weight") else None
            bound = 0.02 * 3**0.5 if flat is None else (6 / sum(flat.shape)) ** 0.5
            value.copy_(torch.from_numpy(rng.uniform(-bound, bound, value.shape).astype(np.float32)))
    return model


def load_mini(path, name: str = "mini-mae") -> MiniEncoder:
    """Return the mini encoder of the weight file `path`, frozen; its metadata give shape and front end."""
    tensors, metadata = read_weights(path)
    known = {field.name for field in fields(MiniConfig)}
    settings = metadata.get("config")
    if not isinstance(settings, dict) or not known - set(NEWER) <= set(settings) <= known:
        raise WeightsError(f"{path} does not hold a mini encoder: its metadata names no MiniConfig")
    where, cure = f"the header of {path}: config", "fetch or train the weights again"
    config = checked(settings, MiniConfig, where, cure, WeightsError)
    if config.depth > len(tensors):
        raise WeightsError(f"{where}.depth is {config.depth}, and there are {len(tensors)} tensors; {cure}")
    with torch.device("meta"):  # shapes alone, until the file's tensors are known to be of them
        model = MiniEncoder(config, name)
    fill(model, tensors, path)
    return frozen(model)


def frozen(model: MiniEncoder) -> MiniEncoder:
    """Return the same encoder in evaluation mode; no weight takes a gradient."""
    return model.eval().requires_grad_(False)
