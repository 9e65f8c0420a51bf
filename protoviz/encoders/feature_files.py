"""Features of a clip in a file of arrays (.npy, .npz, .pt, .safetensors), read without running anything."""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from torch import Tensor

from protoviz.encoders.archive import PICKLE, ZIP, read_archive
from protoviz.encoders.base import EncoderError
from protoviz.tensors import opened

NUMPY = b"\x93NUMPY"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
MOST_BYTES = 1 << 30  # of the features of one clip; an hour of the widest encoder needs less
UNSOUND = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RuntimeError, MemoryError, EOFError)
DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, struct.error)


def read_features(path: Path, dim: int) -> np.ndarray:
    """Return (n d) float64: the only array of floats of that width in a file; an axis of 1 before it is
    dropped.

    A vector of one row beside it, as a model's pooled output, does not count.
    Raises EncoderError that names the file for one that is empty, damaged, claims more than it holds, or
    holds objects, NaN, no such array or several.
    """
    cure = "give a .npy, .npz, .pt or .safetensors file of features (n d)"
    try:
        with path.open("rb") as file:
            size, head = path.stat().st_size, file.read(16)
            file.seek(0)
            held = dict(_arrays(path, file, size, head, dim))
    except EncoderError:
        raise
    except (*DAMAGED, *UNSOUND) as error:
        raise EncoderError(f"cannot read {path}: {str(error)[:200]}; {cure}") from error
    fitting = {name: array for name, array in held.items() if isinstance(array, np.ndarray)}
    maps = {name: array for name, array in fitting.items() if len(array) > 1}
    fitting = maps if len(maps) == 1 else fitting  # beside a map, a single row is a pooled vector
    if len(fitting) != 1:
        shown = ", ".join(f"{name} {array.shape}".strip() for name, array in fitting.items())
        others = ", ".join(str(what) for what in list(held.values())[:6])
        found = f"several such: {shown}" if fitting else others or "no array"
        raise EncoderError(f"{path} holds {found}; this encoder's features are (n {dim}); {cure}")
    (array,) = fitting.values()
    if not np.isfinite(array).all():
        raise EncoderError(f"{path} holds NaN or infinity; make the features again")
    return array


def _arrays(path: Path, file: IO[bytes], size: int, head: bytes, dim: int) -> Iterator[tuple[str, object]]:
    """(name, array (n d)) of those that fit, and (name, what it is, in words) of the others."""
    if not head:
        raise EncoderError(f"{path} is empty (0 bytes); make the features again")
    if head.startswith(NUMPY):
        yield "", _of_numpy(file, size, dim)
    elif head.startswith(ZIP) and (members := _members(path)):
        left = MOST_BYTES
        with zipfile.ZipFile(path) as packed:
            for member in members:
                with packed.open(member) as part:
                    found = _of_numpy(part, member.file_size, dim)
                left -= getattr(found, "nbytes", 0)
                if left < 0:
                    raise ValueError(f"its arrays unpack to more than {MOST_BYTES:,} bytes")
                yield member.filename.removesuffix(".npy"), found
    elif head[8:9] == b"{":
        with opened(path, "make the features again", EncoderError) as held:
            for name in held.keys():  # noqa: SIM118 (not a dict)
                shape = tuple(held.get_slice(name).get_shape())
                yield name, _of_values(held.get_tensor(name), dim) if _fits(shape, dim) else str(shape)
    elif head.startswith((ZIP, PICKLE)):
        archive = read_archive(path)
        held = archive.root
        named = (
            held.items()
            if isinstance(held, dict)
            else enumerate(held if isinstance(held, (list, tuple)) else [held])
        )
        for name, value in named:
            if isinstance(value, Tensor):
                archive.check([value])
            yield str(name), _of_values(value, dim)
    else:
        raise ValueError("it is not a file of arrays")


def _members(path: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as packed:
        return [member for member in packed.infolist() if member.filename.endswith(".npy")]


def _of_numpy(file: IO[bytes], size: int, dim: int):
    """The array that NumPy wrote, read only where its header fits both the encoder and the file."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"its format {version} is not that of plain arrays")
    shape, fortran, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never loaded")
    if not _fits(shape, dim) or dtype.kind != "f":
        return str(shape) if dtype.kind == "f" else f"{shape} of {dtype}"
    count = prod(shape) * dtype.itemsize
    if count > min(size, MOST_BYTES):
        raise ValueError(f"it should hold {shape}, {count} bytes, and has {size}")
    raw = file.read(count)
    if len(raw) < count:
        raise ValueError(f"it is cut short: {len(raw)} bytes of {count}")
    array = np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")
    return array.reshape(-1, dim).astype(np.float64)


def _of_values(value, dim: int):
    if not isinstance(value, (Tensor, np.ndarray)):
        return f"a {type(value).__name__}"
    floating = value.is_floating_point() if isinstance(value, Tensor) else value.dtype.kind == "f"
    if not _fits(tuple(value.shape), dim) or not floating or prod(value.shape) * 8 > MOST_BYTES:
        return str(tuple(value.shape)) if floating else f"{tuple(value.shape)} of {value.dtype}"
    array = value.detach().double().numpy() if isinstance(value, Tensor) else value.astype(np.float64)
    return array.reshape(-1, dim)


def _fits(shape: tuple, dim: int) -> bool:
    return len(shape) >= 2 and shape[-1] == dim and shape[-2] > 0 and set(shape[:-2]) <= {1}
