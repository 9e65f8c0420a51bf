"""Exercises of notebook 03."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
