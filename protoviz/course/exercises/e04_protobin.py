"""Exercises of notebook 04."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
