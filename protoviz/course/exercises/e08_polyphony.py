"""Exercises of notebook 08."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
