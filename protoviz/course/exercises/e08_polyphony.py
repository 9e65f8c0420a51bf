"""Exercises of notebook 08."""

import numpy as np

from protoviz.analysis.published import published
from protoviz.course.checks import Case, Cases, Exercise
from protoviz.metrics import auroc, average_precision
from protoviz.scenes import SCENE_CLASSES


def _chances() -> list[Case]:
    right = 100 * 6 / len(SCENE_CLASSES)
    return [Case((right,), within=0.1), Case((right / 100,), "The right share; give it in percent.", 0.001)]


def _copies() -> list[Case]:
    holds = np.repeat([1, 0, 1, 0], [1, 4, 1, 4])[:, None]
    scores = np.repeat([0.9, 0.8, 0.7, 0.6], [1, 4, 1, 4])[:, None]
    precision, area = (float(measure(scores, holds)[0]) for measure in (average_precision, auroc))
    other = "That is the area under the ROC curve, which does not move."
    return [Case((precision,), within=0.005), Case((area,), other, 0.005)]


def _ahead() -> tuple[int, int]:
    """How many published pairs with one label a clip have mhca ahead of protobin, and how many have not."""
    single = published("labels").query("metric == 'accuracy'")
    wide = single.pivot(index=["dataset", "encoder"], columns="method", values="score")
    ahead = int((wide.mhca > wide.protobin).sum())
    return ahead, len(wide) - ahead


def _leads() -> list[Case]:
    ahead, behind = _ahead()
    return [Case((ahead,)), Case((ahead + behind,), "Not in all of them: look at every encoder.")]


EXERCISES: dict[str, Exercise] = {
    "08.1": Exercise(
        "What is chance at k = 6, in percent?",
        Cases(
            _chances,
            "What share of the scenes holds a class, with 6 different events of all classes of the scenes?",
        ),
    ),
    "08.2": Exercise(
        "What is the AP of + − + − with four copies in the place of every −?",
        Cases(_copies, "The first + has rank 1. Which rank does the second + have now, behind how many −?"),
    ),
    "08.3": Exercise(
        "In how many of the five pairs with one label is mhca ahead?",
        Cases(_leads, "Count the rows of sc2 and esc50 whose lead of protobin over mhca is negative."),
    ),
}
