"""Every exercise of the course by its key, "NN.m": notebook and number. One module a notebook."""

from protoviz.course.checks import Exercise
from protoviz.course.exercises import (
    e00_quick_start,
    e01_sounds,
    e02_attention,
    e03_bottleneck,
    e04_protobin,
    e05_prototypes,
    e06_orthogonality,
    e07_ranks,
    e08_polyphony,
    e09_your_own,
)

EXERCISES: dict[str, Exercise] = {
    **e00_quick_start.EXERCISES,
    **e01_sounds.EXERCISES,
    **e02_attention.EXERCISES,
    **e03_bottleneck.EXERCISES,
    **e04_protobin.EXERCISES,
    **e05_prototypes.EXERCISES,
    **e06_orthogonality.EXERCISES,
    **e07_ranks.EXERCISES,
    **e08_polyphony.EXERCISES,
    **e09_your_own.EXERCISES,
}
