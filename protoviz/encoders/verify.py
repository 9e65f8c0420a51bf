"""How far an encoder's tokens are from published features of a clip: an end-to-end check of own weights."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from protoviz.audio import audio_info, read_audio
from protoviz.encoders import load_encoder
from protoviz.encoders.base import Encoder, EncoderError, Encoding
from protoviz.encoders.feature_files import read_features
from protoviz.encoders.published import PublishedEncoder

SAME = 1e-2  # relative: float32 rounding and the clip's resampling stay far below, other weights far above
LOWPASS_WIDTH, ROLLOFF = 6, 0.99  # torchaudio's defaults


@dataclass(frozen=True)
class Agreement:
    """How far apart two token maps are; distances in the tokens' own unit."""

    encoder: str
    clip: str
    tokens: int
    worst: float  # largest absolute difference
    mean: float  # mean absolute difference
    relative: float  # root mean square of the difference over that of the published features
    cosine: float  # mean over tokens of the cosine between the two
    cosine_worst: float
    cls_worst: float | None  # largest absolute difference of [cls]; None: the features have none

    @property
    def same(self) -> bool:
        """Whether only rounding and resampling stand between the two."""
        return self.relative < SAME

    def text(self) -> str:
        """Return the finding, in lines for people."""
        verdict = "the same, up to rounding" if self.same else "not the same"
        lines = [
            f"{self.encoder} on {self.clip}: {self.tokens} tokens, {verdict}",
            f"  difference: {self.worst:.2g} at most, {self.mean:.2g} on average, {self.relative:.2%} in all",
            f"  cosine between tokens: {self.cosine:.4f} on average, {self.cosine_worst:.4f} at least",
        ]
        if self.cls_worst is not None:
            lines.append(f"  [cls]: {self.cls_worst:.2g} at most")
        if not self.same:
            lines.append("  other weights (pre-trained or fine-tuned?), another clip, or another front end")
        return "\n".join(lines)


def verify(name: str, weights: str | Path | None, clip: str | Path, features: str | Path) -> Agreement:
    """Return the `Agreement` of encoder `name` with features of a clip.

    features: a .npy, .npz, .pt or .safetensors file, float (n d), tokens time-major, with or without a row
    of [cls] in front, as the feature extraction of EAT and SSLAM writes them. A published encoder is fed as
    many frames as those tokens need, padding included; of a mini encoder they are those of `encode`, all
    cells or the ones that hold sound. The clip is resampled as torchaudio does, because that is what made
    the features. Raises EncoderError for features of another shape than the encoder's.
    """
    encoder = load_encoder(name, weights)
    published = read_features(Path(features), encoder.dim)
    rate = audio_info(clip).sample_rate
    sound = resample(torch.from_numpy(read_audio(clip, rate)), rate, encoder.sample_rate)
    encode = _as_published if isinstance(encoder, PublishedEncoder) else _as_encoded
    encoding, count = encode(encoder, sound, len(published), f"{features} holds", clip)
    ours = encoding.tokens[0, :count].numpy().astype(np.float64)
    return _agreement(name, Path(clip).name, ours, encoding.cls[0].numpy(), published, len(published) > count)


def _as_published(encoder: PublishedEncoder, sound, rows: int, holds: str, clip) -> tuple[Encoding, int]:
    """(encoding, tokens) of as many frames as so many rows of features, maybe one of [cls], stand for."""
    bands = encoder.grid[1]
    cells, extra = divmod(rows, bands)
    if cells == 0 or extra not in (0, int(encoder.cls_kind == "cls")):
        raise EncoderError(
            f"{holds} {rows} rows, which are no whole rows of {bands} cells; "
            f"{encoder.name} makes time-major maps with {bands} bands"
        )
    frames = encoder.features(sound)[:, : cells * encoder.row_frames]
    if frames.shape[1] < cells * encoder.row_frames:
        raise EncoderError(
            f"{holds} {cells} x {bands} cells and {clip} has sound for "
            f"{frames.shape[1] // encoder.row_frames} x {bands}; they are not of the same sound"
        )
    with torch.inference_mode():
        return encoder(frames), cells * bands


def _as_encoded(encoder: Encoder, sound, rows: int, holds: str, clip) -> tuple[Encoding, int]:
    """(encoding, tokens) of a clip as `encode` gives them: all, or those that hold sound."""
    encoding = encoder.encode(sound)
    counts = {encoding.tokens.shape[1], int(encoding.mask.sum())}
    for count in counts:
        if rows - count in (0, int(encoder.cls_kind == "cls")):
            return encoding, count
    known = " or ".join(map(str, sorted(counts, reverse=True)))
    raise EncoderError(f"{holds} {rows} rows, and {encoder.name} makes {known} tokens of {clip}")


def resample(sound: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """Return a sound (s,) at another rate, as `torchaudio.functional.resample` does with its defaults.

    A windowed sinc of width 6 and roll-off 0.99. Its answer differs from that of `read_audio` by more than
    rounding, which would hide whether two encoders agree.
    """
    if old == new:
        return sound
    common = math.gcd(old, new)
    old, new = old // common, new // common
    edge = min(old, new) * ROLLOFF
    width = math.ceil(LOWPASS_WIDTH * old / edge)
    places = torch.arange(-width, width + old, dtype=torch.float64) / old
    phase = (places - torch.arange(new, dtype=torch.float64)[:, None] / new) * edge
    phase = phase.clamp(-LOWPASS_WIDTH, LOWPASS_WIDTH)
    window = torch.cos(phase * math.pi / LOWPASS_WIDTH / 2).square()
    kernels = (torch.sinc(phase) * window * (edge / old)).float()
    padded = F.pad(sound[None, None], (width, width + old))
    out = F.conv1d(padded, kernels[:, None], stride=old)  # (1 new steps): the phases of each step
    return out[0].T.flatten()[: math.ceil(new * len(sound) / old)]


def _agreement(name, clip, ours, cls, published, with_cls: bool) -> Agreement:
    tokens = published[1:] if with_cls else published
    apart = np.abs(ours - tokens)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(tokens, axis=1)
    cosine = (ours * tokens).sum(1) / np.maximum(norms, 1e-12)
    cosine[~ours.any(axis=1) & ~tokens.any(axis=1)] = 1  # both hold no sound
    return Agreement(
        encoder=name,
        clip=clip,
        tokens=len(tokens),
        worst=float(apart.max()),
        mean=float(apart.mean()),
        relative=float(np.sqrt((apart**2).mean() / max((tokens**2).mean(), 1e-24))),
        cosine=float(cosine.mean()),
        cosine_worst=float(cosine.min()),
        cls_worst=float(np.abs(cls - published[0]).max()) if with_cls else None,
    )
