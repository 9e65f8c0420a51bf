"""A kind of file that the project reads, and how two readings are compared."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

# From the worst: what a try counts as where its readers end differently.
OUTCOMES = ("heavy", "slow", "raw", "silent", "held", "same")


@dataclass(frozen=True)
class Kind:
    """Files that one thing writes and others read.

    A reader prints what a command would say of what it leaves out; the files are damaged in a copy of the
    folder, so that it may also go on with the work in it.
    """

    name: str
    make: Callable[[Path], object]  # writes good files below a folder; kinds may share it
    files: tuple[str, ...]  # patterns below that folder: what is damaged
    readers: tuple[Callable[[Path], object], ...]  # what a user does with the folder: returns what he gets
    blind: str = ""  # damage that nothing in such a file can show, and why
    tolerance: float = 0.0  # of numbers that are read beside damage
    quick: bool = False  # tried in the ordinary tests too


@dataclass(frozen=True)
class Try:
    """How one try ended."""

    number: int
    outcome: str
    harm: str  # which file, and what was done to it
    detail: str = ""  # the error, or the reader that gave another result
    seconds: float = 0.0


def named(name: str, function: Callable, *given) -> Callable:
    """A function with its first arguments given, under a name of its own."""
    found = partial(function, *given)
    found.__name__ = name
    return found


def kind_named(name: str) -> Kind:
    """A kind of the suite, or `module:NAME` of another one."""
    module, _, own = name.partition(":")
    if own:
        return getattr(import_module(module), own)
    return import_module("benchmarks.damage.kinds").KINDS[name]


def same(one, other, tolerance: float = 0.0) -> bool:
    """Whether two readings are equal in every part, numbers within the tolerance; NaN equals NaN."""
    if isinstance(one, pd.DataFrame):
        return isinstance(other, pd.DataFrame) and same(_columns(one), _columns(other), tolerance)
    if hasattr(one, "detach"):  # a tensor
        return type(one) is type(other) and same(one.detach().numpy(), other.detach().numpy(), tolerance)
    if is_dataclass(one) and not isinstance(one, type):
        return type(one) is type(other) and same(_fields(one), _fields(other), tolerance)
    if isinstance(one, Mapping):
        return (
            isinstance(other, Mapping)
            and one.keys() == other.keys()
            and all(same(one[key], other[key], tolerance) for key in one)
        )
    if isinstance(one, np.ndarray) and one.dtype != object:
        return (
            isinstance(other, np.ndarray)
            and (one.dtype, one.shape) == (other.dtype, other.shape)
            and _close(one, other, tolerance)
        )
    if isinstance(one, np.ndarray) or (isinstance(one, Sequence) and not isinstance(one, str | bytes)):
        return (
            type(one) is type(other)
            and len(one) == len(other)
            and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
        )
    if _missing(one) or _missing(other):
        return _missing(one) and _missing(other)
    return type(one) is type(other) and one == other


def _columns(frame: pd.DataFrame) -> dict:
    return {str(name): frame[name].to_numpy() for name in frame}


def _fields(value) -> dict:
    return {one.name: getattr(value, one.name) for one in fields(value)}


def _close(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    if one.dtype.kind not in "fc":
        return np.array_equal(one, other)
    return np.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True)


def _missing(value) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)
