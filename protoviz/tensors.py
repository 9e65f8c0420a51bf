"""Files of tensors with a header (safetensors): written with a digest of both, read as written or refused."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.overrides import TorchFunctionMode

from protoviz.kept import UNSEALED, DamagedFileError, refuse_changed, sealed
from protoviz.settings import checked, parsed

SEAL = "sealed"  # the name of the digest in a header; files of before have none, and are read
SMALL = 1 << 20  # values: what is no larger may be made


MAKERS = {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn}
MOST_HEADER = 16 << 20  # bytes of names and shapes; the largest published encoders need a hundredth


def as_bytes(tensors: Mapping[str, Tensor], key: str, header: dict) -> bytes:
    """Return the bytes of a file with tensors, under `key` a header of JSON values, and a digest."""
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # One key: safetensors writes several in no fixed order, and the same input should give the same bytes.
    return sealed(save(stored, {key: json.dumps({**header, SEAL: UNSEALED})}))


@contextmanager
def opened(path: Path, cure: str, error: type[Exception]) -> Iterator[safe_open]:
    """Yield the open file of safetensors; `error` for what is none, or has a header that no such file has."""
    said = f"{path} is damaged or no safetensors file: cannot read it"
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
        if size > MOST_HEADER:
            raise error(f"{said} (a header of {size:,} bytes; the most is {MOST_HEADER:,}); {cure}")
        with safe_open(str(path), framework="pt") as file:
            yield file
    except (SafetensorError, DamagedFileError, OSError) as fault:
        raise error(f"{said} ({fault}); {cure}") from fault


def read_tensors(
    path: Path, key: str, form: Any, cure: str, error: type[Exception]
) -> tuple[dict[str, Tensor], Any]:
    """Return (tensors by name, the header under `key` in its form) of a file, checked against the digest in
    it.

    A file without a header has None for it. The tensors may be views of the file. Raises `error` that names
    the file and the cure where it is damaged, no such file, or holds a header of another form.
    """
    with opened(path, cure, error) as file:
        refuse_changed(path, path.read_bytes())
        text = (file.metadata() or {}).get(key)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    where = f"the header of {path}"
    header = None if text is None else parsed(json.loads, text, Any, where, cure, error)
    if isinstance(header, dict):
        header.pop(SEAL, None)
    return tensors, checked(header, form, where, cure, error)


class NoLarger(TorchFunctionMode):
    """A context in which `error` is raised where a tensor of more values is to be made, before it is made."""

    def __init__(self, most: int, error: type[Exception]):
        super().__init__()
        self.most, self.error = max(most, SMALL), error

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in MAKERS and args:
            first = args[0]
            shape = first if isinstance(first, (tuple, list)) else [one for one in args if type(one) is int]
            if prod(shape) > self.most:
                sizes = " x ".join(map(str, shape))
                raise self.error(f"it asks for a tensor of {sizes}, and the largest has {self.most:,} values")
        return function(*args, **(kwargs or {}))


def misfits(
    wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], called: Callable[[str], str] = str
) -> str:
    """Return the tensors that are missing, not expected or of the wrong shape or kind, in lines; "" where all
    fit.

    called: key -> its name in the file.
    """
    shape = {key: tuple(value.shape) for key, value in given.items()}
    both = [key for key in wanted if key in given]
    faults = {
        "missing": [called(key) for key in wanted if key not in given],
        "not expected": [called(key) for key in given if key not in wanted],
        "wrong shape": [
            f"{called(key)} is {shape[key]}, not {tuple(wanted[key].shape)}"
            for key in both
            if shape[key] != tuple(wanted[key].shape)
        ],
        "wrong kind": [
            f"{called(key)} is {given[key].dtype}, not floating"
            for key in both
            if wanted[key].is_floating_point() and not given[key].is_floating_point()
        ],
    }
    return "\n".join(f"  {fault}: {', '.join(keys)}" for fault, keys in faults.items() if keys)


def unsound(tensors: Mapping[str, Tensor], called: Callable[[str], str] = str) -> str:
    """Return the tensors that hold NaN or infinity, in words; "" where there is none."""
    found = [
        called(key) for key, value in tensors.items() if not value.is_meta and not value.isfinite().all()
    ]
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return f"NaN or infinity in {', '.join(found[:4])}{more}" if found else ""
