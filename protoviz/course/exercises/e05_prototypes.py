"""Exercises of notebook 05."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
