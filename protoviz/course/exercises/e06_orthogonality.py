"""Exercises of notebook 06."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
