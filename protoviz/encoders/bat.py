"""BAT: EAT's post-norm ViT with gated attention, fed with decibels that each clip scales to [0, 1].

Source: houtan-ghaffari/BAT_ICML2026 `models/vit.py`, `models/builder.py`, `data/bat_audio_datasets.py`. More
than 64 rows are cut into chunks, each with its own [cls] and the first positions; their [cls] are averaged.
Inferred: that the Hugging Face file, whose keys could not be read, has the names of its authors' code.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from protoviz.audio import MelConfig, decibel_frames
from protoviz.encoders.base import Encoding
from protoviz.encoders.config import Kind
from protoviz.encoders.eat import EatEncoder, PostNormBlock
from protoviz.encoders.layouts import Checkpoint, Layout
from protoviz.encoders.options import LoadOptions
from protoviz.encoders.published import Architecture, assembled
from protoviz.encoders.spectrogram_vit import ViTConfig, input_rows, shape_of
from protoviz.encoders.vit import GatedAttention
from protoviz.encoders.windows import joined

CHUNK = 64  # rows; the table of a file may be longer
RATES = (16000, 32000)  # Hz: of its training; its authors hear birds at 32 kHz, in frames of as many seconds
LEAST_RANGE = 1e-8  # dB, added to a clip's range: silence becomes 0

LAYOUTS = (
    Layout(
        "BAT, student and teacher of pre-training",
        "student.encoder.pre_norm.weight",
        (("state_dict",), ()),
        (("student.encoder.", ""),),
        r"(student\.decoder|teacher)\..*",
    ),
    Layout("BAT, the encoder alone", "pre_norm.weight", ((), ("encoder",))),
)
KIND = Kind(("bat", "vit"))


class GatedBlock(PostNormBlock):
    """A post-norm block with gated attention."""

    attention = GatedAttention


class BatEncoder(EatEncoder):
    """BAT; `load_encoder("bat")`."""

    block = GatedBlock

    def __init__(self, config: ViTConfig, name: str):
        super().__init__(config, name)
        self.window = min(CHUNK, self.window)
        rate = config.sample_rate
        self.mel = MelConfig(rate, config.mels, rate * 64 // 1000, rate // 100, 0.0, rate / 2, range_db=80.0)

    def front_end(self) -> dict:
        """Return every setting between waveform and features, as plain values."""
        steps = {"frame_shift_ms": 10.0, "scale": "a clip's range to 0..1", "pad": "zeros, after scaling"}
        return asdict(self.mel) | steps | {"frames": self.config.rows * self.config.patch}

    def shape(self) -> dict:
        """Return the sizes of the transformer and its kind, as plain values."""
        return super().shape() | {"windows": "chunks"}

    def rows(self, samples: int) -> tuple[int, int]:
        """Return (rows encoded, rows with sound): no shorter than the input, and as long as the sound."""
        hop = self.config.patch * self.mel.shift_samples
        sound = -(-samples // hop) if self.mel.frames(samples) else 0
        return max(sound, self.config.rows), sound

    def features(self, waveforms) -> Tensor:
        """Return decibels (b frames mels) of each clip, scaled to 0..1, with zeros behind a shorter one."""
        clips = self.clips(waveforms)
        frames = max(self.rows(len(clip))[0] for clip in clips) * self.config.patch
        return decibel_frames(clips, self.mel, unit_range, frames)

    def windows(self, clips: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield whole clips, which `forward` cuts: see `PublishedEncoder.windows`."""
        rows = torch.tensor([self.rows(len(clip))[0] for clip in clips])
        yield rows > 0, self.features(clips), rows

    def forward(
        self,
        features: Tensor,
        attention: bool = False,
        mask: Tensor | None = None,
        layers: Sequence[int] = (),
    ) -> Encoding:
        """Return the `Encoding` of features (b frames mels), frames a multiple of 16; mask (b n), None: all.

        More than 64 rows are cut into chunks; cls and attention are means over those that a clip reaches.
        """
        features = self._checked(features, self.config.mels)
        if mask is None:
            rows = -(-features.shape[1] // self.config.patch)
            mask = torch.ones(len(features), rows * self.config.bands, dtype=torch.bool, device=self.device)
        chunk, parts = super().forward, []
        masks = mask.split(self.window * self.config.bands, dim=1)
        frames = features.split(self.window * self.config.patch, dim=1)
        for part, real in zip(frames, masks, strict=True):
            parts.append(chunk(part, attention, real, layers))
        reached = torch.stack([real.any(dim=1) for real in masks]).to(parts[0].cls)
        return joined(parts, reached / reached.sum(0), mask)


def unit_range(decibels: Tensor) -> Tensor:
    """Return decibels (b frames mels) with the least of each clip at 0 and the most at 1; silence is 0."""
    least, most = (end(decibels, dim=(1, 2), keepdim=True) for end in (torch.amin, torch.amax))
    return (decibels - least) / (most - least + LEAST_RANGE)


def build_bat(checkpoint: Checkpoint, name: str, options: LoadOptions) -> BatEncoder:
    """Return the encoder that a checkpoint holds."""
    options.without_statistics(name, "the range of each clip is its own")
    shape = shape_of(checkpoint, options)
    config = ViTConfig(
        **shape,
        rows=input_rows(options.seconds, min(CHUNK, shape["table"] * shape["patch"] // 128), shape["patch"]),
        sample_rate=options.rate(*RATES),
    )
    return assembled(lambda: BatEncoder(config, name), checkpoint)


ARCHITECTURE = Architecture({"student": LAYOUTS}, KIND, build_bat, sample_rate=RATES[0])
