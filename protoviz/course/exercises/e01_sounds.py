"""Exercises of notebook 01."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
