"""What stands for the objects in a pickle: names, inert stubs, and NumPy's values from their bytes."""

import re

import numpy as np
import torch

SCALARS = (str, bytes, int, float, complex, type(None), np.generic, torch.dtype)
DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}
RENAMED = (("__builtin__", "builtins"), ("copy_reg", "copyreg"), ("numpy.core.", "numpy._core."))
NUMPY_KIND = re.compile(r"[<>|=]?([?bhilqefdgBHILQFDG]|[biufcSU]\d{1,6})")


class ArchiveError(ValueError):
    """A file that torch wrote, or a pickle in it, is damaged, cut short, or made to do harm."""


class Name(str):
    """A class or function that a pickle names. Nothing is imported."""


class Stub(dict):
    """What an object of a foreign class held: attributes or entries, by name. Its class is never there."""

    def __init__(self, name: str, args=()):
        super().__init__()
        self.name = name  # of its class
        self.args = args  # what it was to be made from
        self.parts: list = []  # what was to be appended to it

    def __repr__(self) -> str:
        return f"<{self.name}>"

    # By identity: to compare contents could take for ever.
    __hash__, __eq__, __ne__ = object.__hash__, object.__eq__, object.__ne__


def key_of(value):
    """Return the value, where it may be a key; else a stub: to hash a nested tuple doubles with every
    level.
    """
    if isinstance(value, (*SCALARS, Stub)):
        return value
    if isinstance(value, tuple) and all(isinstance(part, SCALARS) for part in value):
        return value
    return Stub(type(value).__name__, (value,))


def named(module: str, name: str):
    """Return the `Name` of a class or function, by what it is called today; a dtype of torch is itself."""
    for old, new in RENAMED:
        if module == old or (old.endswith(".") and module.startswith(old)):
            module = new + module[len(old) :]
    full = f"{module}.{name}"
    return DTYPES.get(full) or Name(full)


def dtype_of(code, *_) -> np.dtype | Stub:
    """Return the kind of NumPy numbers or texts that a code stands for; a stub for any other (objects)."""
    known = isinstance(code, str) and NUMPY_KIND.fullmatch(code)
    return np.dtype(code) if known else Stub("numpy.dtype", (code,))


def scalar_of(dtype, raw=b""):
    """Return the number (Python's) or text in the bytes of a NumPy scalar; a stub for another kind."""
    if not isinstance(dtype, np.dtype) or not isinstance(raw, bytes) or len(raw) != dtype.itemsize:
        return Stub("numpy scalar", (raw,))
    return np.frombuffer(raw, dtype)[0].item()


def array_of(raw, dtype, shape, order: str) -> np.ndarray | Stub:
    """Return the NumPy array that these bytes are; a stub where they hold objects."""
    if not isinstance(dtype, np.dtype) or not isinstance(raw, (bytes, bytearray)):
        return Stub("numpy.ndarray")
    count = 1
    for length in shape:
        count *= length if isinstance(length, int) and length >= 0 else -1
    if count < 0 or count * dtype.itemsize != len(raw):
        raise ArchiveError(f"is damaged: a NumPy array of {shape} does not fit its {len(raw)} bytes")
    return np.frombuffer(raw, dtype).reshape(shape, order=order)
