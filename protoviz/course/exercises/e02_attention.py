"""Exercises of notebook 02."""

import math
from functools import cache

from protoviz.course.checks import Case, Cases, Exercise, choice, number

SCENE = (7, 4)  # seed, polyphony: as the notebook


def _half_on_one_cell() -> float:
    import numpy as np

    from protoviz.analysis.attention import entropy_of

    return math.exp(float(entropy_of(np.array([0.5] + [0.5 / 511] * 511))))


@cache
def _least_on_events() -> tuple[int, int]:
    from protoviz.analysis.attention import coverage, diffusion
    from protoviz.encoders import load_encoder
    from protoviz.scenes import make_scene

    scene, encoder = make_scene(*SCENE), load_encoder("mini-mae")
    rows = [layer[0] for layer in encoder.encode(scene.waveform, attention=True).attention]
    frame = diffusion(rows, inside=coverage(encoder.cell_grid(), scene.events).ravel())
    least = frame.loc[frame.concentration.idxmin()]
    return int(least.layer), int(least["head"])


def _heads() -> list[Case]:
    layer, head = _least_on_events()
    says = "The layer is right. Heads count from 1; sort the frame by `concentration`."
    return [Case((layer, head)), Case((layer, None), says)]


EXERCISES: dict[str, Exercise] = {
    "02.1": Exercise(
        "One cell of 512 gets half of the attention, the other 511 share the rest equally. "
        "How many effective tokens is that?",
        number(
            _half_on_one_cell, 0.5, "H = −Σ p ln p over all 512 cells, also the 511 small ones; then exp(H)."
        ),
    ),
    "02.2": Exercise(
        "Which (layer, head) of mini-mae looks least at the true events of the demo's scene, for their area?",
        Cases(
            _heads,
            "Sort the frame of `diffusion` by `concentration`; layers and heads count from 1.",
        ),
    ),
    "02.3": Exercise(
        "Which measurement says whether a logit rests on a cell: entropy, mass or occlusion?",
        choice(
            "occlusion",
            {
                "entropy": "Entropy says how far attention spreads, not what would be without a cell.",
                "mass": "Mass says where attention lies; what flows from there may be cancelled later.",
            },
        ),
    ),
}
