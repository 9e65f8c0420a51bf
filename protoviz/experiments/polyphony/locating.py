"""Where probes and encoders looked, as places and mass for each pair of a scene and a class."""

import numpy as np

from protoviz.analysis.attention import over_cells
from protoviz.analysis.localisation import strongest_cells, strongest_places
from protoviz.cache.view import TokenView
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder
from protoviz.experiments.polyphony.truth import Truth
from protoviz.probes import Probe, refuse_other
from protoviz.probes.explanation import Explanation
from protoviz.probes.prototype import PrototypeProbe

CLIPS = 32  # a batch: 24 classes' contributions of 512 cells are 1.6 MB of float32 a clip with three copies
Places = dict[str, tuple[np.ndarray, np.ndarray]]  # name of a map -> places (p m) and mass (p)


def probe_places(probe: Probe, test: TokenView, truth: Truth) -> Places:
    """Return the places of every map that a probe has, for the pairs of `truth`; test: the split's token
    maps.

    "prototypes": the max locations of those that argue for the class; "attention": the mean of the heads,
    the same for every class; "cells": what each cell adds to the class's logit, where the logit is a sum over
    cells. A probe that looks at no place has none.
    """
    refuse_other(probe, test)
    parts: dict[str, list] = {}
    for rows in _clips_of(truth):
        # One clip stands in as many rows as events: read and explain it once.
        clips, of = np.unique(truth.clip[rows], return_inverse=True)
        batch = test.read(clips, probe.layers)
        compares = isinstance(probe, PrototypeProbe)
        told = probe.explain(batch.tokens, batch.cls, batch.mask, maps=not compares).numpy()
        for name, found in _places(told, of, truth.column[rows], truth.cells["inside"][rows]).items():
            parts.setdefault(name, []).append(found)
    return {name: _joined(found) for name, found in parts.items()}


def _places(told: Explanation, of: np.ndarray, column: np.ndarray, inside: np.ndarray) -> Places:
    found: Places = {}
    if told.kind == "prototypes":
        if told.grid[0] * told.grid[1] != inside.shape[1]:
            raise ValueError("a probe that doubles its map has other cells than the encoder: leave it out")
        found["prototypes"] = strongest_places(told.contributions[of, column], told.locations[of], inside)
    if told.attention is not None:
        found["attention"] = strongest_cells(told.attention.mean(1).reshape(len(told.logits), -1)[of], inside)
    if told.cells is not None:
        found["cells"] = strongest_cells(told.cells[of, column], inside)
    return found


def encoder_places(encoder: Encoder, clips: ClipSet, truth: Truth) -> Places:
    """Return the places of the encoder's attention and of the sound itself, for the pairs of `truth`.

    "[cls] attention": the last layer's, the mean of its heads; where an encoder has no [cls], what each cell
    receives; absent where it gives no attention. "loudest cell": the energy of the scene, which no model has
    seen. Both are the same for every class.
    """
    attention = []
    for rows in _clips_of(truth):
        numbers, of = np.unique(truth.clip[rows], return_inverse=True)
        encoding = encoder.encode([clips.read(int(truth.number[i])) for i in numbers], attention=True)
        if encoding.attention is None:
            break
        shares = over_cells(encoding.attention[-1].float().cpu().numpy()).mean(axis=1)
        attention.append(strongest_cells(shares[of], truth.cells["inside"][rows]))
    loudest = {"loudest cell": strongest_cells(truth.sound, truth.cells["inside"])}
    return ({"[cls] attention": _joined(attention)} if attention else {}) | loudest


def _clips_of(truth: Truth) -> list[np.ndarray]:
    """The pairs' numbers in groups of CLIPS clips; pairs of a clip stand side by side."""
    starts = np.flatnonzero(np.diff(truth.clip, prepend=-1))
    return [rows for rows in np.split(np.arange(len(truth.clip)), starts[CLIPS::CLIPS]) if len(rows)]


def _joined(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    places, mass = zip(*found, strict=True)
    return np.concatenate(places), np.concatenate(mass)
