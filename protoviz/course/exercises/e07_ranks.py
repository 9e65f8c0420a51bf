"""Exercises of notebook 07."""

from protoviz.course.checks import Exercise

EXERCISES: dict[str, Exercise] = {}
