"""A transformer with [cls] on 16 x 16 patches of a log-mel picture: what EAT, AudioMAE and ASiT share."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.audio import FilterBank
from protoviz.encoders.base import EncoderError, Encoding
from protoviz.encoders.layouts import Checkpoint
from protoviz.encoders.options import LoadOptions, heads_of
from protoviz.encoders.published import PublishedEncoder, cls_encoding, kaldi_mels
from protoviz.encoders.vit import Block, PatchEmbed, run_blocks

ROWS_10S = 64  # to which all of them pad 10 s: 1024 frames, though 63 rows would hold the 998 that there are


@dataclass(frozen=True)
class ViTConfig:
    """The shape and the front end of a spectrogram ViT, read from its file."""

    width: int
    depth: int
    heads: int
    hidden: int  # width inside the feed-forward part
    patch: int  # frames and mel rows
    table: int  # entries of the position table, with that of [cls] where it has one
    rows: int  # of the input: shorter clips are padded to them, and the padding is attended to, as published
    mean: float = 0.0  # of log-mel values: (x - mean) / (2 std); the defaults leave them as they are
    std: float = 0.5
    sample_rate: int = 16000
    mels: int = 128  # all of them
    classes: int = 0  # of the fine-tuned head; 0: none

    @property
    def bands(self) -> int:
        """Patches along frequency."""
        return self.mels // self.patch

    @property
    def bank(self) -> FilterBank:
        """The filter bank: Kaldi's, Hann window, 25 ms every 10 ms, from 20 Hz to half the sample rate."""
        return FilterBank(sample_rate=self.sample_rate, mels=self.mels, window="hanning")


def shape_of(checkpoint: Checkpoint, options: LoadOptions) -> dict:
    """Return the entries of `ViTConfig` that the tensors show, by name."""
    width = checkpoint.size("patch_embed.proj.weight", 0, 768)
    return {
        "width": width,
        "depth": checkpoint.count("blocks."),
        "heads": heads_of(checkpoint, options, width),
        "hidden": checkpoint.size("blocks.0.mlp.fc1.weight", 0, 4 * width),
        "patch": checkpoint.size("patch_embed.proj.weight", 2, 16),
        "table": checkpoint.size("pos_embed", 1, 0),
        "classes": checkpoint.size("head.weight", 0, 0),
    }


def input_rows(seconds: float | None, published: int, patch: int = 16) -> int:
    """Return rows of patches that hold `seconds`; None: the published input. 10 s takes 64, as published."""
    if seconds is None:
        return published
    if seconds == 10 and patch == 16:
        return ROWS_10S
    return max(1, -(-round(seconds * 100) // patch))


class SpectrogramViT(PublishedEncoder):
    """The common part; a subclass says how positions are given out, which norms there are, and the head.

    A clip is padded to the published input, and the padding is attended to, as it was in training; so is the
    last window of a long one. `encode` leaves the padding's own tokens out (mask, zeros); `forward` without a
    mask gives them all.
    """

    cls_kind = "cls"
    block = Block
    cls_places = 1  # entries of the position table that belong to [cls]
    crop = 0  # samples that a shorter clip is filled up to with silence, before there are frames
    least = False  # whether frames behind the sound hold the clip's least value, and not 0

    def __init__(self, config: ViTConfig, name: str):
        super().__init__()
        self.config, self.name, self.depth = config, name, config.depth
        self.dim, self.sample_rate = config.width, config.sample_rate
        self.grid, self.row_frames = (config.rows, config.bands), config.patch
        self.seconds = config.rows * config.patch * config.bank.frame_shift_ms / 1000
        self.window = (config.table - self.cls_places) // config.bands
        self.patch_embed = PatchEmbed(config.patch, config.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, config.table, config.width))
        ratio = config.hidden / config.width
        self.blocks = nn.ModuleList(
            self.block(config.width, config.heads, ratio) for _ in range(config.depth)
        )
        self.norm = nn.Identity()

    def front_end(self) -> dict:
        """Return every setting between waveform and features, as plain values."""
        config, bank = self.config, self.config.bank
        scale = {"frames": config.rows * config.patch, "mean": config.mean, "std": config.std}
        steps = {"remove_mean": True, "pad": "zeros, before scaling"}
        return {**asdict(bank), "high_hz": bank.top_hz, **steps, **scale}

    def shape(self) -> dict:
        """Return the sizes of the transformer and its kind, as plain values."""
        names = ("width", "depth", "heads", "hidden", "patch", "table", "rows")
        sizes = {"kind": type(self).__name__} | {name: getattr(self.config, name) for name in names}
        # Named where it matters: other digests are those of before windows were clips of their own.
        return sizes | ({"windows": "clips"} if self.config.rows > self.window else {})

    def rows(self, samples: int) -> tuple[int, int]:
        """Return (rows encoded, rows with sound): every frame in a row, the last window filled up."""
        sound = -(-self.config.bank.frames(samples) // self.config.patch)
        before = max(0, -(-sound // self.window) - 1) * self.window  # rows of the windows before the last
        return before + max(sound - before, min(self.config.rows, self.window)), sound

    def samples(self, rows: int) -> int:
        """Return samples that so many rows hear: frames reach beyond the next one's start."""
        bank = self.config.bank
        return (rows * self.config.patch - 1) * bank.shift_samples + bank.frame_samples

    def windows(self, clips: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield one window after the other, each cut from the sound: see `PublishedEncoder.windows`."""
        sound = [self.rows(len(clip))[1] for clip in clips]
        step = self.window * self.config.patch * self.config.bank.shift_samples
        for number, first in enumerate(range(0, max(sound), self.window)):
            cut = [
                clip[number * step :][: self.samples(self.window) if rows > first + self.window else None]
                for clip, rows in zip(clips, sound, strict=True)
                if rows > first
            ]
            held = torch.tensor(sound) > first
            yield held, self.features(cut), torch.tensor([self.rows(len(clip))[0] for clip in cut])

    def features(self, waveforms) -> Tensor:
        """Return (log-mel - mean) / (2 std) (b frames mels) of each clip less its own mean, filled up."""
        clips = self.clips(waveforms)
        frames = max(self.rows(len(clip))[0] for clip in clips) * self.config.patch
        clips = [F.pad(clip, (0, max(0, self.crop - len(clip)))) for clip in clips]
        mels = kaldi_mels([clip - clip.mean() for clip in clips], self.config.bank, frames, self.least)
        return (mels - self.config.mean) / (2 * self.config.std)

    def positions(self, rows: int) -> tuple[Tensor | float, Tensor]:
        """Return the positions of [cls] and of patches (1 n d) in so many rows, the first of the table."""
        table = self.pos_embed[:, self.cls_places :]
        first = self.pos_embed[:, :1] if self.cls_places else 0.0
        return first, table[:, : rows * self.config.bands]

    def embed(self, features: Tensor) -> Tensor:
        """Return what enters the first block, (b 1+n d): [cls], then the patches."""
        first, rest = self.positions(features.shape[1] // self.config.patch)
        tokens = self.patch_embed(features) + rest
        return torch.cat([(self.cls_token + first).expand(len(tokens), -1, -1), tokens], dim=1)

    def forward(
        self,
        features: Tensor,
        attention: bool = False,
        mask: Tensor | None = None,
        layers: Sequence[int] = (),
    ) -> Encoding:
        """Return the `Encoding` of features (b frames mels), frames a multiple of 16; mask (b n), None: all.

        Raises EncoderError for more rows than there are positions: `encode` cuts those into windows.
        """
        features = self._checked(features, self.config.mels)
        chosen = self._chosen(layers)
        rows, over = divmod(features.shape[1], self.config.patch)
        if over or not 0 < rows <= self.window:
            raise EncoderError(
                f"{self.name} takes a multiple of {self.config.patch} frames, up to "
                f"{self.window * self.config.patch} at once, not {features.shape[1]}; encode() pads and cuts"
            )
        x = self.embed(features)
        if mask is None:
            mask = torch.ones(x.shape[0], x.shape[1] - 1, dtype=torch.bool, device=x.device)
        # Without anything to leave out the kernel is faster unmasked, and gives the same numbers.
        real = None if bool(mask.all()) else torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1)
        run = run_blocks(self.blocks, x, real, attention, set(chosen.values()))
        return cls_encoding(run, self.norm(run.x), mask, (rows, self.config.bands), chosen)
