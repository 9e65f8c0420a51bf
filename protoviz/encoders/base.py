"""What every encoder promises: waveforms in, a token map with its [cls], mask, grid and attention out."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import index
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoviz.audio import AudioError, CellGrid, check_values, to_clips


class EncoderError(ValueError):
    """An encoder cannot do what was asked; the message says what is wrong and the cure."""


def rate_refusal(what: str, allowed: Sequence[int]) -> str:
    """Return the message for a sample rate that an encoder was not trained at."""
    rates = " or ".join(f"{rate}" for rate in allowed)
    return (
        f"{what}, and the encoder was trained at {rates} Hz: every frame and band would mean something else; "
        f"resample first (read_audio(path, sample_rate={allowed[0]}))"
    )


@dataclass(frozen=True)
class Encoding:
    """What an encoder makes of a batch of clips; b clip, n token (n = t * F + f), d width, h head, l layer.

    tokens      (b n d) float32, last layer, after the final norm; zero where the mask is False
    cls         (b d) float32: [cls], or the mean token where there is none (`Encoder.cls_kind` says which)
    grid        (T, F)
    mask        (b n) bool, True where the cell holds sound
    attention   [l] (b h n): the softmax row of [cls] over the patches, or None when it was not asked for;
                where the encoder has no [cls], the attention that each patch receives: the mean over queries
    cls_to_cls  [l] (b h): the share of that row which [cls] keeps to itself, so that row.sum() + this = 1
                (0 where there is no [cls])
    layers      layer -> (b n d), where asked for: 0 is what enters the first block, 1 the output of the first
                block, and so on; the last, `Encoder.depth`, is `tokens`, after the final norm
    layer_cls   layer -> (b d): what `cls` is, of the same layers
    """

    tokens: Tensor
    cls: Tensor
    grid: tuple[int, int]
    mask: Tensor
    attention: list[Tensor] | None = None
    cls_to_cls: list[Tensor] | None = None
    layers: dict[int, Tensor] = field(default_factory=dict)
    layer_cls: dict[int, Tensor] = field(default_factory=dict)

    def inputs(self, layers: Sequence[int] | int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens, cls and mask as a probe of these layers takes them: `Probe.layers`; None: the last.

        Several are (b l n d) and (b l d). They have to be among those that were asked for.
        """
        if layers is None:
            return self.tokens, self.cls, self.mask
        if isinstance(layers, int):
            return self.layers[layers], self.layer_cls[layers], self.mask
        parts = ([part[layer] for layer in layers] for part in (self.layers, self.layer_cls))
        return *(torch.stack(part, 1) for part in parts), self.mask

    def on_grid(self, grid: tuple[int, int]) -> "Encoding":
        """Return the same encoding on a grid of other rows: the cells behind its own are empty.

        Tokens run time-major, so nothing moves. It gives clips of unequal lengths one shape, `Encoder.grid`.
        Rows behind the sound of all clips may be cut off, with the attention that their padding drew. Raises
        EncoderError for a grid that is too small for the sound: never `Encoder.grid` for clips of up to
        `Encoder.seconds`.
        """
        rows, bands = grid
        if bands != self.grid[1] or (rows < self.grid[0] and self.mask[:, rows * bands :].any()):
            filled = int(self.mask.any(0).nonzero()[-1]) // self.grid[1] + 1
            raise EncoderError(
                f"a clip fills {filled} x {self.grid[1]} cells and the grid has {rows} x {bands}; "
                "cut the clip, or load the encoder with a larger seconds="
            )
        more = (rows - self.grid[0]) * bands
        if more == 0:
            return self

        def longer(tokens: Tensor) -> Tensor:
            return F.pad(tokens, (0, 0, 0, more))

        return replace(
            self,
            tokens=longer(self.tokens),
            grid=(rows, bands),
            mask=F.pad(self.mask, (0, more)),
            attention=None if self.attention is None else [F.pad(row, (0, more)) for row in self.attention],
            layers={layer: longer(values) for layer, values in self.layers.items()},
        )


class Encoder(nn.Module, ABC):
    """A frozen encoder. A subclass sets the attributes below and writes the abstract methods."""

    name: str
    dim: int
    sample_rate: int
    seconds: float  # the longest clip it takes
    grid: tuple[int, int]
    cls_kind: str = "cls"  # or "mean token"
    depth: int | None = None  # blocks, which is the number of the last layer; None: it gives no single layers

    @abstractmethod
    def features(self, waveforms) -> Tensor:
        """Return what the blocks are fed, (b frames mels) float32, normalised, of waveforms (see `encode`).

        A gradient passes through, as through `forward`, which takes these.
        """

    @abstractmethod
    def mask(self, samples: Sequence[int]) -> Tensor:
        """Return (b n) bool: True for each cell that holds sound, of clips that are `samples` long."""

    @abstractmethod
    def front_end(self) -> dict:
        """Return every setting between waveform and features, plain values; among them low_hz and high_hz."""

    @abstractmethod
    def shape(self) -> dict:
        """Return what else decides an encoding beside weights and front end (heads, ...), as plain values."""

    @abstractmethod
    def forward(
        self,
        features: Tensor,
        attention: bool = False,
        mask: Tensor | None = None,
        layers: Sequence[int] = (),
    ) -> Encoding:
        """Return the `Encoding` of features (b frames mels); mask (b n): None is all; rest as in `encode`."""

    def encode(
        self,
        waveforms: Any,
        attention: bool = False,
        layers: Sequence[int] | None = None,
        sample_rate: float | None = None,
    ) -> Encoding:
        """Return the `Encoding` of waveforms: (b s) array or tensor, one (s,), or a list of (s,).

        What else counts as a clip, and that integers are scaled, says `to_clips`. A clip shorter than
        `seconds` is padded, and what is padded is left out of attention, so that its tokens do not depend on
        the other clips of the batch. attention: also the softmax rows of [cls]. layers: also these layers
        (0 is what enters the first block; -1 the last). sample_rate: of the waveforms; another than the
        encoder's is refused. The tokens are ordinary tensors that a probe can be trained on; a gradient
        reaches waveforms that ask for one (`requires_grad`), and for others no graph is built. Raises
        EncoderError naming the clip for one that is too long, too short for one frame, no mono sound, or
        holds NaN, infinity or samples far beyond full scale.
        """
        clips = self.clips(waveforms, sample_rate)
        with graph_for(clips):
            mask = self.mask([len(clip) for clip in clips])
            if empty := (~mask.any(dim=1)).nonzero().flatten().tolist():
                raise EncoderError(
                    f"clip {empty[0]} is shorter than one frame of {self.name}; drop or pad it"
                )
            return self(self.features(clips), attention=attention, mask=mask, layers=asked_layers(layers))

    @property
    def longest(self) -> float:
        """Seconds of the longest clip that `encode` takes: what the grid holds, unless it can be exceeded."""
        return self.seconds

    def clips(self, waveforms, sample_rate: float | None = None) -> list[Tensor]:
        """Return the checked clips, each (s,) float32 on the encoder's device; may share the input's memory.

        See `encode`; sample_rate: of those clips that come without their own.
        """
        try:
            heard = to_clips(waveforms)
            return [self._clip(i, *clip, sample_rate) for i, clip in enumerate(heard)]
        except AudioError as error:
            raise EncoderError(str(error)) from error

    def _clip(self, i: int, clip: Tensor, own: float | None, given: float | None) -> Tensor:
        for rate in (own, given):
            if rate is not None and set(_hertz(rate, i)) != {self.sample_rate}:
                raise EncoderError(rate_refusal(f"clip {i} is at {rate} Hz", [self.sample_rate]))
        if len(clip) > round(self.longest * self.sample_rate):
            raise EncoderError(
                f"clip {i} is {len(clip) / self.sample_rate:.2f} s and {self.name} takes {self.longest:g} s; "
                "cut it into windows of that length (read_audio(..., offset=, duration=)) and encode those"
            )
        check_values(clip, f"clip {i}")
        return clip.to(self.device)

    def _chosen(self, layers: Sequence[int] | None) -> dict[int, int]:
        """Asked-for layer -> its number from 0."""
        layers, count = asked_layers(layers), self.depth + 1
        if wrong := [layer for layer in layers if not -count <= layer < count]:
            raise EncoderError(f"{self.name} has layers 0 to {self.depth}, not {wrong}")
        return {layer: layer % count for layer in layers}

    def _checked(self, features: Tensor, mels: int) -> Tensor:
        """Features (b frames mels) as the weights want them; (b 1 frames mels), as references take, too."""
        features = torch.as_tensor(features).to(next(self.parameters()))
        if features.ndim == 4 and features.shape[1] == 1:
            features = features[:, 0]
        if features.ndim != 3 or features.shape[2] != mels:
            raise EncoderError(
                f"{self.name} takes features (b frames {mels}), as encoder.features(waveforms) makes them, "
                f"not {tuple(features.shape)}"
            )
        return features

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    def cell_grid(self, grid: tuple[int, int] | None = None) -> CellGrid:
        """Return where each token lies in seconds and hertz; grid: an `Encoding`'s, None: `Encoder.grid`."""
        times, freqs = grid or self.grid
        front = self.front_end()
        return CellGrid(
            times,
            freqs,
            seconds=self.seconds * times / self.grid[0],
            sample_rate=self.sample_rate,
            low_hz=front["low_hz"],
            high_hz=front["high_hz"],
        )

    def fingerprint(self) -> str:
        """Return sha256 (hex) over weights, their type, shape and front end: the same where encodings are."""
        digest = hashlib.sha256(weights_digest(self.state_dict()).encode())
        kind = precision_of(self)
        told = [self.shape(), self.front_end(), *([kind] if kind != "float32" else [])]
        digest.update(json.dumps(told, sort_keys=True).encode())
        return digest.hexdigest()


def asked_layers(layers: Sequence[int] | None) -> tuple[int, ...]:
    """Return the layers that a caller asks for; None: none. Raise EncoderError for no whole number."""
    try:
        return () if layers is None else tuple(index(layer) for layer in layers)
    except TypeError as error:
        raise EncoderError(f"layers={layers!r} are no layers; give whole numbers in a list: [-1]") from error


def _hertz(rate: Any, i: int) -> list[float]:
    """The sample rates in a number, or in the numbers that a data loader has put together."""
    try:
        return np.ravel(rate).astype(float).tolist()
    except (TypeError, ValueError) as error:
        raise EncoderError(f"clip {i} has a sample rate of {rate!r}; give hertz, as a number") from error


def precision_of(encoder: Encoder) -> str:
    """Return the type of an encoder's weights, in which it computes: float32, unless it was changed."""
    kinds = {value.dtype for value in encoder.parameters() if value.is_floating_point()}
    return ", ".join(sorted(str(kind).removeprefix("torch.") for kind in kinds)) or "float32"


def graph_for(clips: Sequence[Tensor]) -> torch.set_grad_enabled:
    """Return a context that builds a graph where the caller builds one and a clip asks for its gradient."""
    return torch.set_grad_enabled(torch.is_grad_enabled() and any(clip.requires_grad for clip in clips))


def weights_digest(tensors: dict[str, Tensor]) -> str:
    """Return sha256 (hex) of names, shapes and float32 values of `tensors`, in any order or precision."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().float().contiguous().numpy()
        digest.update(f"{name}{values.shape}".encode())
        digest.update(values.astype("<f4", copy=False).tobytes())
    return digest.hexdigest()
