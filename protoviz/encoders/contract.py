"""What an encoder of one's own has to keep to, so that cache, probes and pictures can rely on it."""

import json

import numpy as np
import torch

from protoviz.encoders.base import Encoder, Encoding

ATTRIBUTES = ("name", "dim", "sample_rate", "seconds", "grid")
CLS_KINDS = ("cls", "mean token")
CLOSE = 1e-3  # of a token's usual size: batches may sum in another order, not more
SHORT = 0.4  # of the longest clip: leaves cells empty


def faults(encoder: object) -> list[str]:
    """What keeps an encoder from serving here, a sentence each; [] where nothing was found.

    It encodes noise: one clip of full length, and a short one alone and beside it. What an encoding has to
    look like stands in `Encoding`. What the tokens are worth is not asked.
    """
    if not isinstance(encoder, Encoder):
        return [f"{type(encoder).__name__} is no Encoder: write class Mine(protoviz.encoders.Encoder)"]
    found = _settings(encoder)
    if found:
        return found
    whole = round(encoder.seconds * encoder.sample_rate)
    sound = np.random.default_rng(0).normal(0, 0.1, whole).astype(np.float32)
    short = sound[: round(SHORT * whole)]
    try:
        both, again, alone = (encoder.encode(clips) for clips in ([sound, short], [sound, short], [short]))
    except Exception as error:  # whatever the code of a beginner raises is the finding
        return [f"encode raises {type(error).__name__}: {error}"]
    return _shapes(encoder, both) or _tokens(encoder, both, again, alone)


def _settings(encoder: Encoder) -> list[str]:
    """Faults that show before a sound is heard."""
    missing = [name for name in ATTRIBUTES if getattr(encoder, name, None) is None]
    if missing:
        return [f"its class does not set {', '.join(missing)}"]
    found = []
    if encoder.cls_kind not in CLS_KINDS:
        found.append(f"cls_kind is {encoder.cls_kind!r}: it is one of {' or '.join(map(repr, CLS_KINDS))}")
    if encoder.training:
        found.append("it is in training mode: call encoder.eval()")
    if any(weight.requires_grad for weight in encoder.parameters()):
        found.append("it is not frozen: call encoder.requires_grad_(False)")
    if next(encoder.parameters(), None) is None:
        found.append("it has no parameters, which say where it lies: make one weight an nn.Parameter")
    try:
        front = encoder.front_end()
        json.dumps([front, encoder.shape()])
    except TypeError:
        return [*found, "front_end() and shape() are dictionaries of plain values: numbers, texts, lists"]
    if not isinstance(front, dict) or not {"low_hz", "high_hz"} <= set(front):
        found.append("front_end() has no low_hz and high_hz, so no cell has a place in hertz")
    return found


def _shapes(encoder: Encoder, both: Encoding) -> list[str]:
    times, freqs = both.grid
    n, d = times * freqs, encoder.dim
    if freqs != encoder.grid[1] or times > encoder.grid[0]:
        return [f"an encoding has grid {both.grid}, which does not fit into {encoder.grid}"]
    wanted = {"tokens": (2, n, d), "cls": (2, d), "mask": (2, n)}
    found = []
    for name, shape in wanted.items():
        value, kind = getattr(both, name), torch.bool if name == "mask" else torch.float32
        if tuple(value.shape) != shape or value.dtype != kind:
            found.append(f"{name} is {tuple(value.shape)} {value.dtype}, not {shape} {kind}")
    return found


def _tokens(encoder: Encoder, both: Encoding, again: Encoding, alone: Encoding) -> list[str]:
    found = []
    if not (torch.isfinite(both.tokens).all() and torch.isfinite(both.cls).all()):
        return ["tokens or cls hold NaN or infinity"]
    if not bool(both.mask[0].all()) or bool(both.mask[1].all()) or not bool(both.mask[1].any()):
        return [f"the mask is wrong: a whole clip fills every cell, one of {SHORT:.0%} only the first ones"]
    if bool(both.tokens[~both.mask].any()):
        found.append("tokens are not zero where the mask is False: masked_fill(~mask[..., None], 0)")
    size = float(both.tokens.abs().mean()) or 1.0
    if not torch.equal(both.tokens, again.tokens):
        found.append("the same clips give other tokens each time")
    real = int(alone.mask[0].sum())
    beside, lone = both.tokens[1][both.mask[1]], alone.tokens[0][alone.mask[0]]
    if len(beside) != real or float((beside - lone).abs().max()) > CLOSE * size:
        found.append("a clip's tokens depend on the clips beside it: mind the padding")
    if encoder.cls_kind == "mean token":
        counts = both.mask.sum(1, keepdim=True)
        mean = both.tokens.masked_fill(~both.mask[..., None], 0).sum(1) / counts
        if float((mean - both.cls).abs().max()) > CLOSE * size:
            found.append('cls is not the mean of the real tokens, which cls_kind = "mean token" promises')
    return found
