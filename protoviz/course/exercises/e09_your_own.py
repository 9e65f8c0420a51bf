"""Exercises of notebook 09."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
