"""Exercises of notebook 00."""

from protoviz.course.checks import Exercise, number
from protoviz.paths import DATA


def _prototypes() -> float:
    from protoviz.study import open_study

    return open_study(DATA / "demo").probe("protobin").count


EXERCISES: dict[str, Exercise] = {
    "00.1": Exercise(
        "How many prototypes does `protobin` compare with every token of the clip?",
        number(_prototypes, 0, "Each prototype has one score: look at the shape of `one.scores`."),
    )
}
