"""Shapes and types at the public interface, as the docstrings write them in einops letters."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from small_encoders import ARCHITECTURES, MINIS, small
from training_data import GRID, QUICK, C, built, clips, of_frames

from protoviz.losses import LOSSES, REDUCTIONS
from protoviz.metrics import auroc, average_precision, calibrated_average_precision, mean_average_precision
from protoviz.probes import PROBES
from protoviz.training import fit, fit_many, predict, predict_many

EXPLAINED = {
    "logits": "b c",  # b t c and so on of a probe that answers frame by frame
    "bias": "c",
    "inputs": "b p",
    "weight": "c p",
    "cells": "b c n",
    "rest": "b c",
    "scores": "b j",
    "locations": "b j",
    "similarity": "b j t f",
    "attention": "b h t f",
    "layer_weights": "l",
    "lowest": "b j",
    "lowest_locations": "b j",
}


class Letters:
    """One size for each letter, over all arrays that are looked at."""

    def __init__(self, **sizes: int):
        self.sizes = sizes

    def of(self, array, letters: str, dtype) -> None:
        """Fail where an array has another type or number of axes, or a letter another size than before."""
        assert array.dtype == dtype, letters
        assert len(array.shape) == len(letters.split()), (letters, array.shape)
        found = {letter: self.sizes.setdefault(letter, size) for letter, size in self.named(array, letters)}
        assert found == dict(self.named(array, letters)), letters

    @staticmethod
    def named(array, letters: str):
        return zip(letters.split(), array.shape, strict=True)


def test_a_letter_has_one_size():
    letters = Letters(b=2)
    letters.of(np.zeros((2, 3)), "b c", np.float64)
    for array, said, dtype in (
        (np.zeros((3, 3)), "b c", np.float64),
        (np.zeros((2, 4)), "b c", np.float64),
        (np.zeros(2), "b c", np.float64),
        (np.zeros((2, 3)), "b c", np.float32),
    ):
        with pytest.raises(AssertionError):
            letters.of(array, said, dtype)


@pytest.mark.parametrize("samples", [16_000, (5_000, 16_000)], ids=["alike", "unlike"])
@pytest.mark.parametrize("name", [*ARCHITECTURES, *MINIS])
def test_encode(name, samples):
    encoder = small(name)
    many = (samples,) * 2 if isinstance(samples, int) else samples
    sound = [np.random.default_rng(i).normal(0, 0.1, size).astype(np.float32) for i, size in enumerate(many)]
    made = encoder.encode(sound, attention=True, layers=(0, -1))
    t, f = made.grid
    letters = Letters(b=2, n=t * f, d=encoder.dim)
    letters.of(made.tokens, "b n d", torch.float32)
    letters.of(made.cls, "b d", torch.float32)
    letters.of(made.mask, "b n", torch.bool)
    assert len(made.attention) == len(made.cls_to_cls) > 0
    for row, own in zip(made.attention, made.cls_to_cls, strict=True):
        letters.of(row, "b h n", torch.float32)
        letters.of(own, "b h", torch.float32)
    assert set(made.layers) == set(made.layer_cls) == {0, -1}
    for values in made.layer_cls.values():
        letters.of(values, "b d", torch.float32)
    for values in made.layers.values():
        letters.of(values, "b n d", torch.float32)
    features = encoder.features(sound)
    Letters(b=2).of(features, "b t f", torch.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", PROBES)
def test_probe_and_explain(name, dtype):
    probe = built(name).to(torch.float64 if dtype == torch.float64 else torch.float32).eval()
    tokens, cls, mask, _ = next(clips(4, seed=0, padded=True).batches())
    tokens, given = tokens.to(dtype), {"cls": cls.to(probe.dtype), "mask": mask}
    letters = Letters(b=4, n=20, c=C)
    answers = {"b c": "b t c", "b p": "b t p"} if probe.frame_wise else {}
    with torch.no_grad():
        letters.of(probe(tokens, **given), answers.get("b c", "b c"), probe.dtype)
        found = probe.explain(tokens, **given)
    letters.sizes |= dict(zip("tf", found.grid, strict=True))
    for part in fields(found):
        values = getattr(found, part.name)
        if isinstance(values, torch.Tensor):
            axes, kind = EXPLAINED[part.name], torch.int64 if "locations" in part.name else probe.dtype
            letters.of(values, answers.get(axes, axes), kind)
    assert found.grid == GRID
    letters.of(found.contributions, f"{answers.get('b c', 'b c')} q", probe.dtype)


@pytest.mark.parametrize("name", PROBES)
def test_fit_and_predict(name):
    data, other = clips(12, seed=0, padded=True), clips(6, seed=1)
    one, two = built(name), built(name, seed=1)
    if one.frame_wise:
        data, other = of_frames(data), of_frames(other)
    results = [fit(one, data, other, QUICK), *fit_many([(two, QUICK)], data, other)]
    for probe, result in zip((one, two), results, strict=True):
        assert list(result.history) == ["epoch", "loss", "score", "lr"]
        assert len(result.history) == QUICK.epochs
        assert {key: value.shape for key, value in result.state.items()} == {
            key: value.shape for key, value in probe.state_dict().items()
        }
    letters = Letters(n=6, c=C)
    for logits in (predict(one, other), *predict_many([one, two], other)):
        letters.of(logits, "n t c" if one.frame_wise else "n c", np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_metrics(dtype):
    draw = np.random.default_rng(0)
    scores, targets = draw.normal(size=(9, C)).astype(dtype), (draw.random((9, C)) < 0.5).astype(dtype)
    letters = Letters(c=C)
    for values in (
        average_precision(scores, targets),
        calibrated_average_precision(scores, targets, 0.1),
        auroc(scores, targets),
        mean_average_precision(scores, targets).per_class,
    ):
        letters.of(values, "c", np.float64)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, dtype):
    logits, targets = torch.randn(9, C, dtype=torch.float64).to(dtype), torch.eye(C)[torch.arange(9) % C]
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    for reduction in REDUCTIONS:
        whole = {"asl": "b c", "cross_entropy": "b"}[name] if reduction == "none" else ""
        Letters(b=9, c=C).of(LOSSES[name](logits, targets, reduction=reduction), whole, wide)
