"""The one door for waveforms: what a caller holds in, float32 samples out, or an error that says the cure."""

import os
from array import array
from collections.abc import Iterable, Mapping, Set, Sized
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from protoviz.audio.sources import AudioError

# dtype -> (zero, full scale) of PCM samples of that width. Wider or unsigned ones name no full scale.
PCM = {"uint8": (128, 2**7), "int8": (0, 2**7), "int16": (0, 2**15), "int32": (0, 2**31)}
LOUDEST = 100.0  # full scale is 1: beyond 40 dB above it, a sample is no float but an integer not scaled
CHANNELS = 32  # a table of at most so many columns, and more rows than those, is (samples, channels)
BYTES = (bytes, bytearray, memoryview)  # a file's, not samples
STEREO = 0.5  # correlation from which two rows are taken for left and right: two clips stay far below
MIX = "the mono mix, .mean({}) (of integers: divided by their full scale)"


class Heard(NamedTuple):
    """One clip: its samples, and its sample rate where it came with one."""

    samples: Tensor  # (s,) float32
    sample_rate: float | None = None


def to_samples(value: Any, name: str = "the waveform") -> Tensor:
    """Return the samples of any shape, float32, full scale 1: of a tensor, an array, or numbers in (nested)
    lists.

    Integers are PCM: int8, int16 and int32 are divided by 2^7, 2^15 and 2^31, and uint8 has its zero at 128,
    as WAV files and soundfile have it. Memory, device and gradient are those of `value` where they can be.
    Raises AudioError for what is no sound or leaves its full scale open: other integers, int32 that would
    fit into 16 bits, or into 24 and uses the lowest (soundfile shifts both up), booleans, complex numbers,
    objects, and the name of a file.
    """
    if not isinstance(value, Tensor):
        value = _as_tensor(value, name)
    kind = str(value.dtype).removeprefix("torch.")
    _check_kind(kind, name)
    if kind not in PCM:
        return value.float()
    zero, full = PCM[kind]
    if kind == "int32" and value.numel() and _not_shifted(value):
        raise AudioError(
            f"{name} is int32 but holds values of fewer bits; pass 16-bit values as int16, or divide by the "
            "full scale: 2**15 of 16 bits, 2**23 of 24, 2**31 if the sound is that quiet"
        )
    return (value.float() - zero) / full


def to_waveform(value: Any, name: str = "the waveform") -> Tensor:
    """Return the samples (s,) of one mono sound: see `to_samples`; an axis of one channel may stand beside.

    Raises AudioError for several channels too: how to mix them is the caller's choice.
    """
    samples = to_samples(value, name)
    if samples.ndim and samples.numel() == max(samples.shape):
        return samples.flatten()
    raise _several(name, tuple(samples.shape))


def _several(name: str, shape: tuple[int, ...]) -> AudioError:
    cure = "give mono waveforms: (b s), or a list of (s,)"
    if len(shape) == 2:
        channels = min(shape)
        cure = f"if those are {channels} channels, pass {MIX.format(shape.index(channels))}"
    return AudioError(f"{name} has shape {shape} and is no mono sound (s,); {cure}")


def mono(value: Any, name: str = "the waveform") -> np.ndarray:
    """Return the samples (s,) of `to_waveform` as a float32 array; it may share the caller's memory."""
    return to_waveform(value, name).detach().cpu().numpy()


def to_clips(waveforms: Any) -> list[Heard]:
    """Return the clips in what a caller holds, at least one; what counts as samples: see `to_samples`.

    One clip is (s,), (1 s), (s 1), a list of numbers, or a dict of "array" and "sampling_rate" as Hugging
    Face's audio columns give it. Several are (b s), (b 1 s), (b s 1), or a list, tuple or column of clips.
    Raises AudioError, which names the clip, for stereo: (samples, channels) in any form, an element of a list
    with two axes, (b channels s), and an array (2 s) whose rows correlate by half or more. Two clips so
    alike go in as a list.
    """
    if _is_audio(waveforms):
        return [_clip(waveforms, 0)]
    if isinstance(waveforms, (Tensor, array)) or hasattr(waveforms, "__array__"):
        if not _holds_objects(waveforms):
            return [Heard(samples) for samples in _rows(to_samples(waveforms, "the array of clips"))]
    elif not _is_column(waveforms):
        return [Heard(to_waveform(waveforms, "what was given"))]  # which says what is wrong with it
    clips = list(waveforms)
    if not clips:
        _none()
    numbers = [isinstance(clip, Number) for clip in clips[:2]]
    if len(clips) == 2 and numbers[0] != numbers[1]:
        raise AudioError("a pair of a sound and its sample rate is no clip; pass the sound and sample_rate=")
    if numbers[0]:
        return [Heard(to_waveform(clips, "clip 0"))]
    if _are_frames(clips):
        raise _several("what was given", (len(clips), len(clips[0])))
    return [_clip(clip, i) for i, clip in enumerate(clips)]


def check_values(samples: Tensor, name: str) -> None:
    """Raise AudioError for samples (s,) that are none, NaN, infinite, far beyond full scale, or steps.

    Steps are integers that nobody scaled, or their mean over two channels, however quiet: beyond full scale,
    and all of them multiples of a half.
    """
    if len(samples) == 0:
        raise AudioError(f"{name} is empty, of shape (0,); drop it")
    peak = max(abs(float(end)) for end in samples.detach().aminmax())  # NaN where there is one
    if not np.isfinite(peak):
        raise AudioError(f"{name} holds NaN or infinity; repair or drop it")
    if peak > LOUDEST or (peak > 1 and bool((samples * 2 == (samples * 2).round()).all())):
        raise AudioError(
            f"{name} reaches {peak:.4g} and full scale is 1; divide by the full scale it has (32768 for "
            "16-bit values), or pass the integers as they were read"
        )


def _clip(clip: Any, i: int) -> Heard:
    name = f"clip {i}"
    if not _is_audio(clip):
        return Heard(to_waveform(clip, name))
    try:
        array, rate = clip["array"], clip["sampling_rate"]
    except KeyError as error:
        raise AudioError(
            f"{name} is a dict without {error}; give {{'array': (s,), 'sampling_rate': hertz}}, or the sound "
            "alone (read_audio takes a path, or io.BytesIO(bytes))"
        ) from error
    return Heard(to_waveform(array, name), rate)


def _is_audio(value: Any) -> bool:
    """Whether this is one entry of a Hugging Face audio column: a dict, or the decoder that acts as one."""
    return isinstance(value, Mapping) or hasattr(value, "get_all_samples")


def _are_frames(clips: list) -> bool:
    """Whether these are the frames of one sound in channels: too many and too short to be clips."""
    ends = (clips[0], clips[-1])
    if len(clips) <= CHANNELS or any(_is_audio(end) or not _is_column(end) for end in ends):
        return False
    return all(getattr(end, "ndim", 1) == 1 and 1 < len(end) <= CHANNELS for end in ends)


def _not_shifted(samples: Tensor) -> bool:
    """Whether int32 samples may be those of fewer bits: none uses the highest, some the lowest."""
    low, high = (int(end) for end in samples.aminmax())
    if low >= -(2**15) and high < 2**15:
        return bool(low or high)
    return low >= -(2**23) and high < 2**23 and bool((samples & 255).any())


def _is_column(value: Any) -> bool:
    return (
        isinstance(value, Sized) and isinstance(value, Iterable) and not isinstance(value, (str, *BYTES, Set))
    )


def _holds_objects(value: Any) -> bool:
    """Whether this is a row of clips, as numpy and pandas hold those of unequal lengths."""
    return not isinstance(value, Tensor) and np.ndim(value) == 1 and np.asarray(value).dtype == object


def _rows(samples: Tensor) -> list[Tensor]:
    """The clips (s,) of an array of one, two or three axes."""
    shape = tuple(samples.shape)
    if samples.ndim < 2:
        return [to_waveform(samples, "clip 0")]
    if samples.ndim == 2:
        if shape[1] == 1:
            return [samples[:, 0]] if shape[0] else _none()
        if 0 < shape[1] < min(shape[0], CHANNELS + 1):
            to_waveform(samples, "the array")
        if shape[0] == 2 and _alike(samples):
            raise AudioError(
                f"the two rows of {shape} are nearly one sound, as left and right are; pass a list of both "
                f"if they are two clips, or {MIX.format(0)}"
            )
    elif samples.ndim == 3 and 1 in shape[1:]:
        samples = samples.squeeze(1) if shape[1] == 1 else samples.squeeze(2)
    else:
        raise AudioError(
            f"the array has shape {shape}; give mono waveforms: (b s), or a list of (s,)"
            + (f"; if it is (b channels s), pass {MIX.format(1)}" if samples.ndim == 3 else "")
        )
    return list(samples) if shape[0] else _none()


def _none() -> list[Tensor]:
    raise AudioError("there is no clip to encode: give at least one")


def _alike(pair: Tensor) -> bool:
    """Whether two rows (2 s) are one sound in two channels, by their correlation."""
    left, right = pair.detach().cpu().double()
    left, right = left - left.mean(), right - right.mean()
    both = left.norm() * right.norm()
    return bool(both > 0 and (left @ right).abs() >= STEREO * both)


def _as_tensor(value: Any, name: str) -> Tensor:
    """The tensor that torch can make of other holders of numbers: in this byte order, forward, writable."""
    if isinstance(value, (str, os.PathLike)):
        raise AudioError(
            f"{name} is a name ({str(value)!r}), no sound; read the file first: read_audio(path, sample_rate)"
        )
    if isinstance(value, BYTES):
        raise AudioError(f"{name} is bytes, no sound; read them first: read_audio(io.BytesIO(...))")
    if np.ma.is_masked(value):
        raise AudioError(f"{name} has masked samples; fill them first: .filled(0)")
    try:
        held = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise AudioError(f"{name} holds no numbers: {error}; give an array or tensor (s,)") from error
    if held.dtype == object or held.dtype.kind in "SU":
        raise AudioError(
            f"{name} is {type(value).__name__} without numbers in it; give an array or tensor (s,)"
        )
    kind = held.dtype.newbyteorder("=")
    _check_kind(kind.name, name)
    with np.errstate(over="ignore"):  # infinity is answered where values are looked at
        wanted = kind if kind.name in PCM else np.float32
        return torch.from_numpy(np.require(held, wanted, ["C", "W", "E"]))


def _check_kind(kind: str, name: str) -> None:
    if kind in PCM or kind.startswith(("float", "bfloat")):
        return
    cure = "pass real samples, full scale 1"
    if "int" in kind:
        cure = "they name no full scale: divide by it (32768 for 16-bit values), or pass int16 as read"
    raise AudioError(f"{name} holds {kind} values; {cure}")
