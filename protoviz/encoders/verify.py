"""How far an encoder's tokens are from published features of a clip: an end-to-end check of own weights."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from protoviz.audio import audio_info, read_audio
from protoviz.encoders import load_encoder
from protoviz.encoders.base import EncoderError

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
        """The finding, in lines for people."""
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
    """The `Agreement` of encoder `name` with published features of a clip.

    features: a .npy file, float (n d), tokens time-major, with or without a row of [cls] in front, as the
    feature extraction of EAT and SSLAM writes them. As many frames are fed as those tokens need, padding
    included. The clip is resampled as torchaudio does, because that is what made the features. Raises
    EncoderError for features of another shape than the encoder's.
    """
    encoder = load_encoder(name, weights)
    published = _features(Path(features), encoder.dim)
    rate = audio_info(clip).sample_rate
    sound = resample(torch.from_numpy(read_audio(clip, rate)), rate, encoder.sample_rate)
    bands = encoder.grid[1]
    cells, extra = divmod(len(published), bands)
    with_cls = extra == 1 and encoder.cls_kind == "cls"
    if extra and not with_cls:
        raise EncoderError(
            f"{features} holds {len(published)} rows, which are no whole rows of {bands} cells; "
            f"{name} makes time-major maps with {bands} bands"
        )
    frames = encoder.features(sound)[:, : cells * encoder.row_frames]
    if frames.shape[1] < cells * encoder.row_frames:
        raise EncoderError(
            f"{features} holds {cells} x {bands} cells and {clip} has sound for "
            f"{frames.shape[1] // encoder.row_frames} x {bands}; they are not of the same sound"
        )
    with torch.inference_mode():
        encoding = encoder(frames)
    ours = encoding.tokens[0].numpy().astype(np.float64)
    return _agreement(name, Path(clip).name, ours, encoding.cls[0].numpy(), published, with_cls)


def resample(sound: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """A sound (s,) at another rate, as `torchaudio.functional.resample` does with its defaults.

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


def _features(path: Path, dim: int) -> np.ndarray:
    try:
        published = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise EncoderError(f"cannot read {path}: {error}; give a .npy file of features (n d)") from error
    if not isinstance(published, np.ndarray) or published.ndim != 2 or published.shape[1] != dim:
        shape = getattr(published, "shape", "several arrays")
        raise EncoderError(f"{path} holds {shape}; this encoder's features are (n {dim})")
    return published.astype(np.float64)


def _agreement(name, clip, ours, cls, published, with_cls: bool) -> Agreement:
    tokens = published[1:] if with_cls else published
    apart = np.abs(ours - tokens)
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(tokens, axis=1)
    cosine = (ours * tokens).sum(1) / np.maximum(norms, 1e-12)
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
