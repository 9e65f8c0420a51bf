"""What the polyphony experiment will take."""

import math

from protoviz.analysis import scaling
from protoviz.experiments.grid import Grid

TOKENS, WIDTH, CLASSES = 512, 192, 24  # of the minis and the procedural scenes


def predicted_minutes(grid: Grid, workers: int) -> float:
    """Return minutes of the recipe "polyphony" with mini encoders, each worker on a core of its own.

    Another width, or a machine that does something else, takes longer; fewer classes take less.
    """
    sizes, rates = grid.datasets[0].options, scaling.Rates.measured()
    paper = scaling.Grid(methods=(), width=WIDTH, per_class=grid.prototypes_per_class or 20)
    test = sizes["test"] * sizes["nested"]
    located = sizes["nested"] * next(one.scorer.scenes for one in grid.scores if one.use == "places")
    encoded = sizes["train"] + sizes["validation"] + test + located
    seconds = encoded * rates.cores / rates.encode_clips
    for method in grid.probes:
        a_clip = rates.one_core * scaling.clip_pass_seconds(method.probe, TOKENS, CLASSES, paper, rates)
        epochs = grid.search.expected_epochs(method) + len(grid.seeds) * grid.epochs
        seconds += a_clip * epochs * (sizes["train"] + scaling.FORWARD * sizes["validation"])
        # Tested once, and looked into: the maps take about as long as a training step.
        seconds += a_clip * len(grid.seeds) * (scaling.FORWARD * test + located)
    pairs = len(grid.encoders) * len(grid.datasets)
    return math.ceil(pairs / workers) * seconds / 60
