"""Three studies that a page must show alike: the demo, a published layout with weights, and one's own.

demo   scenes, made from their ids, by a mini that travels with the package
eat    a tiny copy of ESC-50 by a small EAT file: labels alone, [cls] and attention, sound that travelled
own    recordings with Raven tables (time and frequency) by a class of one's own at 32 kHz, `Patches`, without
       [cls] and without attention; its sound stayed behind
"""

from dataclasses import dataclass
from pathlib import Path

import dataset_copies as copies
import numpy as np
import soundfile
import torch
from golden_names import ENCODER_FILES

import protoviz
from protoviz.audio import FilterBank, log_mel
from protoviz.encoders import Encoder, Encoding
from protoviz.paths import shipped_folder

RATE = 32_000
HEAD = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
SPECIES = {"wren": (3000.0, 5000.0), "bat": (11_000.0, 14_000.0), "owl": (300.0, 700.0)}  # Hz
EAT = ENCODER_FILES / "eat" / "model.safetensors"
METHODS = ("linear", "mhca", "protobin")


class Patches(Encoder):
    """Patches of a mel spectrogram at 32 kHz, times a fixed matrix: 20 x 8 cells of two seconds."""

    name, dim, sample_rate, seconds = "patches", 24, RATE, 2.0
    grid, cls_kind = (20, 8), "mean token"

    def __init__(self):
        super().__init__()
        self.bank = FilterBank(sample_rate=RATE, mels=64)
        draw = torch.Generator().manual_seed(5)
        self.projection = torch.nn.Parameter(torch.randn(80, self.dim, generator=draw) / 9)

    def features(self, waveforms):
        clips = self.clips(waveforms)
        out = clips[0].new_zeros(len(clips), 200, 64)
        for row, clip in zip(out, clips, strict=True):
            mels = (log_mel(clip, self.bank) + 5) / 7
            row[: len(mels)] = mels
        return out

    def mask(self, samples):
        frames = torch.tensor([[self.bank.frames(count)] for count in samples], device=self.device)
        return (torch.arange(20, device=self.device) * 10 < frames).repeat_interleave(8, dim=1)

    def front_end(self):
        return {"low_hz": self.bank.low_hz, "high_hz": self.bank.top_hz, "mels": 64, "shift": 5, "scale": 7}

    def shape(self):
        return {"dim": self.dim, "patch": [10, 8]}

    def forward(self, features, attention=False, mask=None, layers=()):
        tokens = features.unfold(1, 10, 10).unfold(2, 8, 8).flatten(3).flatten(1, 2) @ self.projection
        mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask
        tokens = tokens.masked_fill(~mask[..., None], 0)
        return Encoding(tokens, tokens.sum(1) / mask.sum(1, keepdim=True), self.grid, mask)


@dataclass(frozen=True)
class Three:
    """Where the studies lie. data: the folder with the clips of two of them, which may be taken away."""

    demo: Path
    eat: Path
    own: Path
    data: Path

    def __iter__(self):
        return iter((self.demo, self.eat, self.own))


def make_three(root: Path) -> Three:
    """Make the studies below a folder; some seconds."""
    data, quiet = root / "data", {"quick": True, "show": 5, "say": lambda text: None}
    copies.esc50(data / "esc50")
    field_recordings(data / "field")
    for name, asked in (
        ("eat", {"encoder": "eat", "weights": EAT, "data": "esc50", "root": data / "esc50", "sound": True}),
        ("own", {"encoder": f"{__name__}:Patches", "data": "folder", "root": data / "field"}),
    ):
        protoviz.new_study(root / name, methods=METHODS, **asked, **quiet)
        protoviz.run_study(root / name, say=lambda text: None)
    return Three(shipped_folder() / "demo", root / "eat", root / "own", data)


def field_recordings(root: Path) -> Path:
    """Write recordings of two seconds at 32 kHz, each with a Raven table of one or two tones."""
    root.mkdir(parents=True)
    draw = np.random.default_rng(4)
    time = np.arange(2 * RATE) / RATE
    for number in range(24):
        sound, lines = draw.normal(0, 0.003, len(time)), []
        for one, name in enumerate(list(SPECIES)[number % 3 :][: 1 + number % 2]):
            (low, high), start = SPECIES[name], 0.2 + 0.1 * (number % 5) + 0.6 * one
            there = (time >= start) & (time < start + 0.5)
            sound += 0.3 * np.sin(2 * np.pi * (low + high) / 2 * time) * there
            box = f"{start:.3f}\t{start + 0.5:.3f}\t{low}\t{high}"
            lines.append(f"{one + 1}\tSpectrogram 1\t1\t{box}\t{name}\n")
        soundfile.write(root / f"take{number:02d}.wav", sound, RATE, subtype="PCM_16")
        (root / f"take{number:02d}.Table.1.selections.txt").write_text(HEAD + "".join(lines))
    return root
