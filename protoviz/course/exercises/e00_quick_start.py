"""Exercises of notebook 00."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
