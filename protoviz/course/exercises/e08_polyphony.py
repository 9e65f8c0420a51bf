"""Exercises of notebook 08."""

import numpy as np

from protoviz.analysis.published import published
from protoviz.course.checks import Exercise
from protoviz.metrics import auroc, average_precision
from protoviz.scenes import SCENE_CLASSES


def _chance_hint(answer) -> str | None:
    value, right = float(answer), 100 * 6 / len(SCENE_CLASSES)
    if abs(value - right) <= 0.1:
        return None
    if abs(value - right / 100) <= 0.001:
        return "The right share; give it in percent."
    return "What share of the scenes holds a class, with 6 different events of all classes of the scenes?"


def _copies_hint(answer) -> str | None:
    holds = np.repeat([1, 0, 1, 0], [1, 4, 1, 4])[:, None]
    scores = np.repeat([0.9, 0.8, 0.7, 0.6], [1, 4, 1, 4])[:, None]
    value = float(answer)
    if abs(value - average_precision(scores, holds)[0]) <= 0.005:
        return None
    if abs(value - auroc(scores, holds)[0]) <= 0.005:
        return "That is the area under the ROC curve, which does not move."
    return "The first + has rank 1. Which rank does the second + have now, behind how many −?"


def _ahead() -> tuple[int, int]:
    """How many published pairs with one label a clip have mhca ahead of protobin, and how many have not."""
    single = published("labels").query("metric == 'accuracy'")
    wide = single.pivot(index=["dataset", "encoder"], columns="method", values="score")
    ahead = int((wide.mhca > wide.protobin).sum())
    return ahead, len(wide) - ahead


def _ahead_hint(answer) -> str | None:
    ahead, behind = _ahead()
    count = float(answer)
    if count == ahead:
        return None
    if count == ahead + behind:
        return "Not in all of them: look at every encoder."
    return "Count the rows of sc2 and esc50 whose lead of protobin over mhca is negative."


EXERCISES: dict[str, Exercise] = {
    "08.1": Exercise("What is chance at k = 6, in percent?", _chance_hint),
    "08.2": Exercise("What is the AP of + − + − with four copies in the place of every −?", _copies_hint),
    "08.3": Exercise("In how many of the five pairs with one label is mhca ahead?", _ahead_hint),
}
