"""Experiments: what a finished grid leaves for others to look at, a study."""

from protoviz.experiments.keeping import KeepConfig, bytes_to_keep, keep_study

__all__ = ["KeepConfig", "bytes_to_keep", "keep_study"]
