"""Encoders by name: frozen models that turn waveforms into token maps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from protoviz.encoders.base import Encoder, EncoderError, Encoding
from protoviz.encoders.mini import MiniConfig, MiniEncoder, load_mini, random_mini
from protoviz.encoders.weights import WeightsError, find_weights


@dataclass(frozen=True)
class EncoderSpec:
    """One line of the registry: how to make the encoder and what to tell a reader about it."""

    load: Callable[[str, str | Path | None], Encoder]  # (name, weights) -> a frozen encoder
    summary: str
    trained: bool  # False for a floor that needs no weight file


def _trained_mini(name: str, weights: str | Path | None) -> Encoder:
    return load_mini(find_weights(name, weights), name)


def _untrained_mini(name: str, weights: str | Path | None) -> Encoder:
    if weights is not None:
        raise EncoderError(f"{name} is drawn from a seed and takes no weights; use 'mini-mae' to load a file")
    return random_mini(seed=0, name=name)


ENCODERS: dict[str, EncoderSpec] = {
    "mini-mae": EncoderSpec(
        _trained_mini, "mini encoder, trained on procedural sound (masked autoencoding)", True
    ),
    "mini-random": EncoderSpec(_untrained_mini, "mini encoder, untrained: the floor", False),
}


def load_encoder(name: str, weights: str | Path | None = None) -> Encoder:
    """The frozen encoder `name` (a key of ENCODERS), in evaluation mode on the CPU.

    weights: a weight file, or a folder that holds NAME.safetensors; None: the folder in PROTOVIZ_WEIGHTS,
    then the shipped data/encoders. Raises EncoderError for an unknown name, WeightsError for weights that are
    absent, damaged or do not fit.
    """
    if name not in ENCODERS:
        raise EncoderError(f"no encoder {name!r}; there are {', '.join(ENCODERS)}")
    return ENCODERS[name].load(name, weights)


__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderError",
    "EncoderSpec",
    "Encoding",
    "MiniConfig",
    "MiniEncoder",
    "WeightsError",
    "find_weights",
    "load_encoder",
]
