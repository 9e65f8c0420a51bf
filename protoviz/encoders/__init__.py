"""Encoders by name: frozen models that turn waveforms into token maps."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from protoviz.arguments import in_order
from protoviz.encoders.base import Encoder, EncoderError, Encoding
from protoviz.encoders.catalogue import PUBLISHED, load_published
from protoviz.encoders.mini import MiniConfig, MiniEncoder, load_mini, random_mini
from protoviz.encoders.own import own_encoder
from protoviz.encoders.sources import present
from protoviz.encoders.weights import WeightsError, find_weights
from protoviz.named import is_place


@dataclass(frozen=True)
class EncoderSpec:
    """One line of the registry: how to make the encoder and what to tell a reader about it."""

    load: Callable[..., Encoder]  # (name, weights, **options) -> a frozen encoder
    summary: str
    trained: bool  # False for a floor that needs no weight file
    grid: tuple[int, int] = (64, 8)  # (T, F) of ten seconds
    cls_kind: str = "cls"  # what `Encoding.cls` is: [cls], or the "mean token" where there is none


MINI = "mini encoder, trained on procedural sound"
WITHOUT_CLS = "mean token"


def _trained_mini(name: str, weights: str | Path | None) -> Encoder:
    return load_mini(find_weights(name, weights), name)


def _untrained_mini(name: str, weights: str | Path | None) -> Encoder:
    if weights is not None:
        raise EncoderError(f"{name} is drawn from a seed and takes no weights; use 'mini-mae' to load a file")
    return random_mini(seed=0, name=name)


ENCODERS: dict[str, EncoderSpec] = {
    "mini-mae": EncoderSpec(_trained_mini, f"{MINI} (masked autoencoding)", True),
    "mini-eat": EncoderSpec(_trained_mini, f"{MINI} (bootstrapped latents, as EAT)", True),
    "mini-sslam": EncoderSpec(_trained_mini, f"{MINI} (bootstrapped latents of mixtures, as SSLAM)", True),
    "mini-beats": EncoderSpec(
        _trained_mini, f"{MINI} (masked codes, as BEATs; without [cls])", True, cls_kind=WITHOUT_CLS
    ),
    "mini-asit": EncoderSpec(_trained_mini, f"{MINI} (group masking and distillation, as ASiT)", True),
    "mini-dasheng": EncoderSpec(
        _trained_mini,
        f"{MINI} (masked autoencoding of 40 ms in one band, as Dasheng; without [cls])",
        True,
        (256, 1),
        WITHOUT_CLS,
    ),
    "mini-eat+": EncoderSpec(_trained_mini, f"{MINI} (mini-eat, fine-tuned on labels)", True),
    "mini-random": EncoderSpec(_untrained_mini, "mini encoder, untrained: the floor", False),
    **{
        name: EncoderSpec(load_published, entry.summary, True, entry.grid, entry.cls_kind)
        for name, entry in PUBLISHED.items()
    },
}


@in_order
def load_encoder(name: str, weights: str | Path | None = None, **options) -> Encoder:
    """Return the frozen encoder `name` (a key of ENCODERS, or module:Name), in evaluation mode on the CPU.

    A module:Name of your own is imported; Name is a class or function that is called without arguments, or a
    ready encoder, and takes no weights and no options.
    weights: a weight file, or a folder that holds NAME.safetensors; None: the folder in PROTOVIZ_WEIGHTS,
    then the shipped data/encoders (minis), or the Hugging Face cache and the hub (published encoders, whose
    files are read as they were published: see `sources.find_published`). options, for published encoders
    only: seconds, sample_rate, mean, std, heads, network, head (see `LoadOptions`). Raises EncoderError for
    an unknown name or option, WeightsError for weights that are absent, damaged, do not fit, or are not what
    the name promises (with a + fine-tuned, else not).
    """
    if is_place(name):
        if weights or options:
            told = ", ".join([*(["weights"] if weights else []), *options])
            raise EncoderError(
                f"{name} is called without arguments and takes no {told}; write a function that gives the "
                "encoder with them, and name that"
            )
        with torch.inference_mode(False):
            return own_encoder(name).eval().requires_grad_(False)
    if name not in ENCODERS:
        swapped = "; the order is load_encoder(name, weights)" if str(weights) in ENCODERS else ""
        raise EncoderError(f"no encoder {name!r}{swapped}; there are {', '.join(ENCODERS)}, or module:Name")
    if options and name not in PUBLISHED:
        raise EncoderError(f"{name} takes no option {', '.join(options)}: its weight file says everything")
    if not isinstance(weights, (str, os.PathLike, type(None))):
        raise EncoderError(f"weights= is a {type(weights).__name__}: give a file or a folder (save it first)")
    with torch.inference_mode(False):  # weights made under it could not pass a gradient to a waveform
        return ENCODERS[name].load(name, weights, **options)


def takes_weights(name: str) -> bool:
    """Return whether `load_encoder` reads weights for this name: not of module:Name, nor of what is drawn
    anew.
    """
    return name in ENCODERS and ENCODERS[name].trained


def present_encoders() -> list[str]:
    """Return the names in ENCODERS that load without fetching anything, in their order there.

    Those are the untrained ones, and those whose weight file is where `load_encoder` looks for it. Whether
    the file is sound shows when it is loaded.
    """
    return [name for name, spec in ENCODERS.items() if not spec.trained or _is_here(name)]


def _is_here(name: str) -> bool:
    if name in PUBLISHED:
        return present(name, PUBLISHED[name].source) is not None
    try:
        find_weights(name)
    except WeightsError:
        return False
    return True


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
    "present_encoders",
    "takes_weights",
]
