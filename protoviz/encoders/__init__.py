"""Encoders by name: frozen models that turn waveforms into token maps."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from protoviz.arguments import in_order
from protoviz.encoders.base import Encoder, EncoderError, Encoding
from protoviz.encoders.catalogue import PUBLISHED, load_published
from protoviz.encoders.mini import MiniConfig, MiniEncoder, load_mini, random_mini
from protoviz.encoders.own import own_encoder
from protoviz.encoders.sources import Source, present
from protoviz.encoders.weights import WeightsError, find_weights
from protoviz.named import is_on_hub, is_place

SHIPPED = Source("MIT", "shipped with protoviz, in data/encoders")


@dataclass(frozen=True)
class EncoderSpec:
    """One line of the registry: how to make the encoder and what to tell a reader about it."""

    load: Callable[..., Encoder]  # (name, weights, **options) -> a frozen encoder
    summary: str
    trained: bool  # False for a floor that needs no weight file
    grid: tuple[int, int] = (64, 8)  # (T, F) of ten seconds
    cls_kind: str = "cls"  # what `Encoding.cls` is: [cls], or the "mean token" where there is none
    sample_rate: int = 16000
    source: Source = SHIPPED
    tried: bool = True  # whether anybody here has loaded its real weights


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
    "mini-random": EncoderSpec(_untrained_mini, "mini encoder, untrained (the floor)", False),
    **{
        name: EncoderSpec(
            load_published,
            entry.summary,
            True,
            entry.architecture.grid,
            entry.architecture.cls_kind,
            entry.architecture.sample_rate,
            entry.source,
            tried=False,  # no machine that this was written on reaches the hub
        )
        for name, entry in PUBLISHED.items()
    },
}


@in_order
def load_encoder(name: str, weights: str | Path | None = None, **options: Any) -> Encoder:
    """Return the frozen encoder `name` (a key of ENCODERS, hf:owner/name, or module:Name), in evaluation mode
    on the CPU.

    A module:Name of your own is imported; Name is a class or function that is called without arguments, or a
    ready encoder, and takes no weights and no options. hf:owner/name (or hf:owner/name/FILE) is a repository
    on the Hugging Face Hub with weights in any layout of the published encoders: stderr says what will be
    fetched, how large, under which licence; nothing in it is run.
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
    if not is_registered(name):
        swapped = "; the order is load_encoder(name, weights)" if str(weights) in ENCODERS else ""
        raise EncoderError(
            f"no encoder {name!r}{swapped}; there are {', '.join(ENCODERS)}, hf:owner/name, or module:Name"
        )
    if options and not is_published(name):
        raise EncoderError(f"{name} takes no option {', '.join(options)}: its weight file says everything")
    if not isinstance(weights, (str, os.PathLike, type(None))):
        raise EncoderError(f"weights= is a {type(weights).__name__}: give a file or a folder (save it first)")
    with torch.inference_mode(False):  # weights made under it could not pass a gradient to a waveform
        load = load_published if is_published(name) else ENCODERS[name].load
        return load(name, weights, **options)


def is_published(name: str) -> bool:
    """Return whether a name is that of a published encoder, which takes `LoadOptions`; or hf:owner/name."""
    return name in PUBLISHED or is_on_hub(name)


def is_registered(name: str) -> bool:
    """Return whether a name stands in ENCODERS, or is hf:owner/name."""
    return name in ENCODERS or is_on_hub(name)


def takes_weights(name: str) -> bool:
    """Return whether `load_encoder` reads weights for this name: none of module:Name or drawn anew."""
    return is_published(name) or (name in ENCODERS and ENCODERS[name].trained)


def present_encoders() -> list[str]:
    """Return the names in ENCODERS that load without fetching anything, in their order there.

    Those are the untrained ones, and those whose weight file is where `load_encoder` looks for it. Whether
    the file is sound shows when it is loaded.
    """
    return [name for name, spec in ENCODERS.items() if not spec.trained or _where(name)]


def _where(name: str) -> Path | None:
    """The weights of an encoder in ENCODERS, if they are on this machine."""
    if is_published(name):
        return present(name, PUBLISHED[name].source)
    try:
        return find_weights(name)
    except WeightsError:
        return None


def rows() -> list[dict]:
    """Return what there is to say on each encoder without loading it, for a table.

    cells: (T, F) of ten seconds; cls: what stands for [cls]; weights: its file, if that is here; tried:
    whether anybody here has loaded its real weights.
    """
    found = []
    for name, spec in ENCODERS.items():
        weights = _where(name) if spec.trained else None
        size = spec.source.megabytes or (round(weights.stat().st_size / 1e6) if weights else 0)
        found.append(
            {
                "name": name,
                "summary": spec.summary,
                "source": spec.source.page,
                "licence": spec.source.licence,
                "megabytes": size or None,
                "sample_rate": spec.sample_rate,
                "cells": spec.grid,
                "cls": spec.cls_kind,
                "weights": weights,
                "tried": spec.tried,
            }
        )
    return found


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
    "is_published",
    "is_registered",
    "load_encoder",
    "present_encoders",
    "rows",
    "takes_weights",
]
