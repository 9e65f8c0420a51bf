"""Checks of what an encoder says of itself: attributes, settings, weights, shapes, what it accepts."""

import json
import math
from numbers import Integral, Real

import numpy as np
import torch
from safetensors.torch import load, save

from protoviz.encoders.base import Encoder, EncoderError, Encoding
from protoviz.encoders.check.cells import ENCODE_ALL, unheard
from protoviz.encoders.check.subject import SAME, Fault, Subject, apart, listed

CLS_KINDS = ("cls", "mean token")


def attributes(subject: Subject) -> str:
    """Check that name, sizes and kind are there and make sense."""
    encoder = subject.encoder
    if not isinstance(encoder, Encoder):
        raise Fault(
            f"it is a {type(encoder).__name__}; derive its class from protoviz.encoders.Encoder, which "
            "brings encode() and the cache's key"
        )
    if faults := [cure for holds, cure in _wanted(encoder) if not holds]:
        raise Fault(f"set in __init__: {listed(faults)}")
    if not list(encoder.parameters()) and type(encoder).device is Encoder.device:
        raise Fault("it has no parameter to tell its device by: register one, or write a property `device`")
    times, freqs = encoder.grid
    return (
        f"{encoder.name}: {times} x {freqs} cells of width {encoder.dim} for {encoder.seconds:g} s at "
        f"{encoder.sample_rate} Hz; its cls is {'[cls]' if encoder.cls_kind == 'cls' else 'the mean token'}"
    )


def _wanted(encoder: Encoder) -> list[tuple[bool, str]]:
    """(it holds, what to set) of each attribute."""

    def has(name: str):
        return getattr(encoder, name, None)

    grid, seconds, longest = has("grid"), has("seconds"), None
    good_seconds = isinstance(seconds, Real) and math.isfinite(seconds) and seconds > 0
    if good_seconds:
        longest = encoder.longest
    sizes = isinstance(grid, tuple) and len(grid) == 2 and all(map(_count, grid))
    return [
        (isinstance(has("name"), str) and bool(encoder.name), "name, a text that figures and caches show"),
        (_count(has("dim")), f"dim, the width of a token, a whole number (it is {has('dim')!r})"),
        (_count(has("sample_rate")), f"sample_rate in Hz, a whole number (it is {has('sample_rate')!r})"),
        (good_seconds, f"seconds, the length of the clip that fills the grid (it is {seconds!r})"),
        (longest is None or longest >= seconds, f"longest at least seconds (it is {longest!r})"),
        (sizes, f"grid = (T, F), a tuple of two whole numbers (it is {grid!r})"),
        (has("cls_kind") in CLS_KINDS, f"cls_kind, 'cls' or 'mean token' (it is {has('cls_kind')!r})"),
    ]


def _count(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def frozen(subject: Subject) -> str:
    """Check evaluation mode everywhere, and that no weight takes a gradient."""
    encoder, cure = subject.encoder, "end __init__, or the function that makes it, with"
    training = [name or "the encoder" for name, part in encoder.named_modules() if part.training]
    if training:
        raise Fault(
            f"in training mode: {_some(training)}; dropout and batch norm depend on that; {cure} self.eval()"
        )
    taking = [name for name, value in encoder.named_parameters() if value.requires_grad]
    if taking:
        raise Fault(f"weights take a gradient: {_some(taking)}; {cure} self.requires_grad_(False)")
    return "in evaluation mode, and no weight takes a gradient"


def settings(subject: Subject) -> str:
    """Check that front_end() and shape() are plain values, the same each time: they are the cache's key."""
    encoder, faults = subject.encoder, []
    for name in ("front_end", "shape"):
        values = getattr(encoder, name)()
        if not isinstance(values, dict):
            raise Fault(f"{name}() gives a {type(values).__name__}; return a dict of plain values")
        faults += [
            f"{name}()[{key!r}] is {reason}" for key, value in values.items() if (reason := _odd(value))
        ]
        if not faults and json.dumps(values, sort_keys=True) != json.dumps(
            getattr(encoder, name)(), sort_keys=True
        ):
            faults.append(f"{name}() answers differently the second time")
    if faults:
        raise Fault(
            f"{listed(faults)}; they are the cache's key, written as JSON: give numbers, texts, lists and "
            "dicts (float(x), x.tolist(), str(path)) that do not change"
        )
    front = encoder.front_end()
    low, high = front.get("low_hz"), front.get("high_hz")
    top = encoder.sample_rate / 2
    if not (isinstance(low, Real) and isinstance(high, Real) and 0 <= low < high <= top):
        raise Fault(
            "front_end() has to name low_hz and high_hz, the ends of the frequency axis, within 0 to "
            f"{top:g} "
            f"Hz (they are {low!r} and {high!r}); cells are placed in hertz by them"
        )
    whole, part = encoder.cell_grid(), encoder.cell_grid((max(1, encoder.grid[0] // 2), encoder.grid[1]))
    first = whole.time_edges[: part.times + 1]
    if not (np.allclose(part.time_edges, first) and np.allclose(part.hertz_edges, whole.hertz_edges)):
        raise Fault(
            "cell_grid(grid) of fewer rows has other edges than the first rows of cell_grid(); a shorter "
            "clip fills the same rows"
        )
    return f"front_end() and shape() are plain values; the cache's key begins {encoder.fingerprint()[:12]}"


def _odd(value) -> str | None:
    """Why a setting cannot be written as JSON and read back the same, or None."""
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        return f"a {type(value).__name__} ({error})"
    return None if json.dumps(json.loads(text), sort_keys=True) == text else "a dict whose keys are no texts"


def weights(subject: Subject) -> str:
    """Check that the state dict is tensors only, so that weights travel without pickle, and lacks nothing."""
    encoder = subject.encoder
    state = encoder.state_dict()
    if others := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise Fault(
            f"the state dict holds more than tensors: {_some(others)}; only pickle could store that: move it "
            "to shape(), and write no get_extra_state()"
        )
    plain = [
        f"{name}.{key}".lstrip(".")
        for name, part in encoder.named_modules()
        for key, value in vars(part).items()
        if isinstance(value, torch.Tensor)
    ]
    if plain:
        raise Fault(
            f"plain tensor attributes: {_some(plain)}; .to(device) leaves them behind and the cache's key "
            "does not see them; use self.register_buffer(name, tensor)"
        )
    kept = load(save({name: value.detach().cpu().clone() for name, value in state.items()}))
    if changed := [name for name, value in state.items() if not _same_bits(kept[name], value.detach().cpu())]:
        raise Fault(f"a safetensors file does not keep {_some(changed)}; store real, dense tensors")
    millions = sum(value.numel() for value in state.values()) / 1e6
    return f"{len(state)} tensors, {millions:.3g} M values, which safetensors keeps as they are"


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))


def shapes(subject: Subject) -> str:
    """Check tokens, cls, mask and attention of batches of one and several clips, of all lengths."""
    encoder = subject.encoder
    longest, *others = subject.unequal
    batches = {"a batch of unequal clips": (subject.together, len(subject.unequal))}
    for clip, made in zip(subject.unequal, subject.single, strict=True):
        batches[f"one clip of {subject.seconds(clip)}"] = (made, 1)
    batches["two clips alike"] = (subject.encode([others[-1] if others else longest] * 2, "two clips"), 2)
    for what, (made, count) in batches.items():
        if fault := _shape_fault(encoder, made, count):
            raise Fault(f"{what}: {fault}")
        try:
            made.on_grid(encoder.grid)
        except EncoderError as error:
            raise Fault(f"{what}: {error}; or correct the attributes grid and seconds") from error
    return f"tokens, cls and mask fit the attributes for {len(batches)} batches of {_lengths(subject)}"


def _shape_fault(encoder: Encoder, made: Encoding, count: int) -> str | None:
    """What is wrong with one encoding's shapes, types and device, or None."""
    if not isinstance(made, Encoding):
        return f"encode() gives {type(made).__name__}; return protoviz.encoders.Encoding(tokens=, cls=, ...)"
    if not isinstance(made.grid, tuple):
        return f"grid is {made.grid!r}; give a tuple of two whole numbers, (T, F)"
    for name in ("attention", "cls_to_cls"):
        if not isinstance(value := getattr(made, name), list | tuple | None):
            return f"{name} is a {type(value).__name__}; give a list, one tensor a layer, or None"
    times, freqs = made.grid
    n = times * freqs
    wanted = {"tokens": (count, n, encoder.dim), "cls": (count, encoder.dim), "mask": (count, n)}
    letters = {"tokens": "(b n d)", "cls": "(b d)", "mask": "(b n)"}
    for name, shape in wanted.items():
        value = getattr(made, name)
        if tuple(value.shape) != shape:
            return (
                f"{name} has shape {tuple(value.shape)} and {letters[name]} would be {shape}, as "
                f"Encoding.grid is {made.grid} and dim {encoder.dim}; correct that attribute, or leave [cls] "
                "and other extra tokens out of tokens"
            )
        dtype = torch.bool if name == "mask" else torch.float32
        if value.dtype != dtype:
            return f"{name} is {value.dtype}; give {dtype} (for instance {name}.to({dtype}))"
        if value.requires_grad:
            return f"{name} carry a gradient, and no waveform asked for one; compute under torch.no_grad()"
        if value.is_inference():
            return f"{name} are inference tensors, on which no probe trains; compute under torch.no_grad()"
        if value.device != encoder.device:
            return f"{name} lies on {value.device} and the encoder on {encoder.device}; make it there"
    return None


def inputs(subject: Subject) -> str:
    """Check that arrays, tensors, lists and single waveforms are the same to it; all else is an error."""
    encoder, clip = subject.encoder, subject.unequal[-1]
    wanted, kinds = subject.alone[-1].tokens, {}
    kinds["an array (s,)"], kinds["an array (b s)"] = clip, clip[None]
    kinds["a tensor (b s)"], kinds["float64"] = torch.from_numpy(clip)[None], clip.astype(np.float64)
    for what, waveforms in kinds.items():
        subject.last = what
        before = np.asarray(waveforms).copy()
        made = encoder.encode(waveforms, sample_rate=encoder.sample_rate).on_grid(encoder.grid).tokens
        if not np.array_equal(before, np.asarray(waveforms)):
            raise Fault(f"encode changes the sound it is given ({what}); copy it before writing into it")
        if made.shape != wanted.shape or apart(wanted, made) > SAME:
            raise Fault(
                f"{what} is encoded otherwise than a list of arrays; begin with self.clips(waveforms, "
                "sample_rate)"
            )
    broken = clip.copy()
    broken[len(clip) // 2] = np.nan
    refused = {
        "no clip": [],
        "NaN": [broken],
        "stereo": [np.stack([clip, clip])],
        "an empty clip": [clip[:0]],
    }
    for what, waveforms in refused.items():
        subject.last = what
        _refused(encoder, waveforms, what, "self.clips(waveforms) and Encoder.encode do that")
    other = {"sample_rate": 2 * encoder.sample_rate}
    _refused(encoder, [clip], f"a clip at {other}", "self.clips(waveforms, sample_rate) does that", other)
    for count in (1, encoder.sample_rate // 50):
        _short(subject, clip[:count])
    return f"arrays, tensors and lists are the same to it; refused are {', '.join(refused)}"


def _short(subject: Subject, clip: np.ndarray) -> None:
    """Raise Fault unless a very short clip is refused with EncoderError, or encoded to numbers."""
    try:
        made = subject.encode([clip], f"{len(clip)} samples of noise")
    except EncoderError:
        return
    if not (made.mask.any() and torch.isfinite(made.tokens).all() and torch.isfinite(made.cls).all()):
        raise Fault(
            f"{len(clip)} samples of noise give no cell, or NaN; raise EncoderError for a clip without a "
            "frame: Encoder.encode does that where mask() marks none of its cells"
        )


def length(subject: Subject) -> str:
    """Check that a clip beyond `longest` is refused, and one between `seconds` and it is encoded whole."""
    encoder = subject.encoder
    limit = round(encoder.longest * encoder.sample_rate)
    too_long = np.zeros(limit + max(2, encoder.sample_rate // 10), np.float32)
    subject.last = f"{subject.seconds(too_long)} of silence"
    cure = "a clip is never cut unasked: self.clips(waveforms) refuses it"
    _refused(encoder, [too_long], f"a clip of {subject.seconds(too_long)}, longer than `longest`", cure)
    if limit <= subject.samples:
        return f"longer clips than {encoder.longest:g} s are refused"
    clip = subject.noise(min(limit, round(1.5 * subject.samples)))
    made = subject.encode([clip], f"{subject.seconds(clip)} of noise")
    if fault := _shape_fault(encoder, made, 1):
        raise Fault(f"a clip of {subject.seconds(clip)}: {fault}")
    if int(made.mask.sum()) <= int(subject.alone[0].mask.sum()):
        raise Fault(
            f"a clip of {subject.seconds(clip)} has no more cells than one of {encoder.seconds:g} s: its end "
            "is lost; give it more rows, or leave `longest` at `seconds`"
        )
    if lost := unheard(subject, clip):
        raise Fault(f"{lost}; {ENCODE_ALL}")
    cells = f"{made.grid[0]} x {made.grid[1]} cells"
    return f"{subject.seconds(clip)} fill {cells}; past {encoder.longest:g} s is refused"


def _refused(encoder: Encoder, waveforms, what: str, cure: str, options: dict | None = None) -> None:
    """Raise Fault unless `encode` raises EncoderError."""
    try:
        encoder.encode(waveforms, **(options or {}))
    except EncoderError:
        return
    except Exception as error:
        raise Fault(f"{what} raises {type(error).__name__}; raise EncoderError and a cure: {cure}") from error
    raise Fault(f"{what} is encoded without a word; raise EncoderError: {cure}")


def _lengths(subject: Subject) -> str:
    return ", ".join(subject.seconds(count) for count in reversed(subject.lengths))


def _some(names: list[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
