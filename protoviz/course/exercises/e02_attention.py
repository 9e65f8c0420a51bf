"""Exercises of notebook 02."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
