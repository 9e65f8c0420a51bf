"""Exercises of notebook 04."""

from typing import Any

import torch

from protoviz.course.checks import Exercise, choice, number
from protoviz.probes import build_probe
from protoviz.probes.cosine_max import cosine_max

URBAN = {"dim": 768, "classes": 10, "prototypes_per_class": 20}  # the paper's setting on urban with EAT


def _parameters() -> float:
    return sum(parameter.numel() for parameter in build_probe("protobin", **URBAN).parameters())


def _scores_hint(answer: Any) -> str | None:
    """Compares an answer, scores(tokens, latent, mask), with the library on tokens made up here."""
    if not callable(answer):
        return "Give the function itself: answer = scores, without calling it."
    draw = torch.Generator().manual_seed(4)
    tokens = torch.randn(3, 12, 8, generator=draw, dtype=torch.float64)
    latent = torch.randn(5, 8, generator=draw, dtype=torch.float64)
    latent[0, 0] = 0.0
    mask = torch.rand(3, 12, generator=draw) < 0.6
    tokens[~mask] = 100 * latent[1]  # what a masked token holds would win
    right = cosine_max(tokens, torch.where(latent >= 0, 1.0, -1.0).double(), mask)[0]
    try:
        found = torch.as_tensor(answer(tokens, latent, mask)).double()
    except Exception as error:  # an answer is a student's code and may fail in any way
        return f"Called with tokens (b n d), latent (j d) and mask (b n) it stops: {error}"
    if found.shape != right.shape:
        return f"Scores are (b j), here {tuple(right.shape)}; yours are {tuple(found.shape)}."
    if torch.allclose(found, right, atol=1e-6):
        return None
    if torch.isnan(found).any():
        return "There are NaN among your scores."
    if torch.allclose(found, cosine_max(tokens, latent, mask)[0], atol=1e-6):
        return "These are the cosines with the latent vectors. What does protobin compare with tokens?"
    if found.max() > right.max() + 1e-6:
        return "Some scores are too high. Which tokens may win, and are both sides of length 1?"
    return "The scores differ from the library's. Is zero a plus, and is it the maximum over tokens?"


EXERCISES: dict[str, Exercise] = {
    "04.1": Exercise(
        "How many numbers does protobin learn for 10 classes, 20 prototypes a class and tokens of width 768?",
        number(
            _parameters,
            0.5,
            "Count three things: the latent prototypes, one weight for every pair of a class and a "
            "prototype of any class, one bias a class.",
        ),
    ),
    "04.2": Exercise(
        "Write a function scores(tokens, latent, mask) for clips of different length: a token where the mask "
        "is False never wins.",
        _scores_hint,
    ),
    "04.3": Exercise(
        "To which vector is the gradient of a score in its latent prototype orthogonal, whatever the clip: "
        "'token', 'prototype' or 'latent'?",
        choice(
            "prototype",
            {
                "token": "Take the dot product of the formula with the token: s / √D is not the only term.",
                "latent": "The latent vector does not stand in the formula at all: only its signs do.",
            },
        ),
    ),
}
