"""Find, read, check and write weight files: safetensors, fp16 on disk, float32 in memory.

The tensors' digest and the settings that go with them are kept in the file's metadata, under one key:
safetensors writes several keys in no fixed order, and the same weights should give the same bytes.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from protoviz import paths
from protoviz.encoders.base import EncoderError, weights_digest
from protoviz.files import write_whole

METADATA_KEY = "protoviz"


class WeightsError(EncoderError):
    """A weight file is absent, damaged or does not fit; the message names it and the cure."""


def find_weights(name: str, weights: str | Path | None = None) -> Path:
    """The file that holds the weights of encoder `name`.

    Looked for in this order: `weights` (a file, or a folder with NAME.safetensors), the folder in the
    environment variable PROTOVIZ_WEIGHTS, the shipped `data/encoders`. Raises WeightsError that lists where
    it looked.
    """
    if weights is not None:
        path = Path(weights).expanduser()
        places = [path / f"{name}.safetensors" if path.is_dir() else path]
    else:
        folders = [paths.data_folder() / "encoders"]
        if chosen := os.environ.get("PROTOVIZ_WEIGHTS"):
            folders.insert(0, Path(chosen).expanduser())
        places = [folder / f"{name}.safetensors" for folder in folders]
    for place in places:
        if place.is_file():
            return place
    looked = "\n  ".join(map(str, places))
    raise WeightsError(
        f"no weights for {name!r}; looked for\n  {looked}\n"
        "Give weights=FILE, set PROTOVIZ_WEIGHTS to a folder, or train them: "
        f"protoviz pretrain {name} --out data/encoders"
    )


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict]:
    """(tensors name -> float32, metadata) of a weight file, checked against the digest it carries.

    Raises WeightsError for a file that is cut short, is no safetensors file, or whose values were changed.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
            stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise WeightsError(f"cannot read {path}: {error}; fetch or train the weights again") from error
    tensors = {key: value.float() for key, value in stored.items()}
    expected = metadata.get("sha256")
    if expected is not None and weights_digest(tensors) != expected:
        raise WeightsError(
            f"{path} is damaged: its values do not match its digest; fetch or train them again"
        )
    return tensors, metadata


def write_weights(path: Path, tensors: dict[str, Tensor], metadata: dict, dtype=torch.float16) -> Path:
    """The written file: `tensors` as `dtype`, `metadata` and a digest; atomic, same bytes for same input."""
    stored = {key: value.detach().cpu().to(dtype).contiguous() for key, value in tensors.items()}
    metadata = {**metadata, "sha256": weights_digest(stored)}
    # Written here, not by save_file, which lets only the owner read the file.
    data = save(stored, {METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    write_whole(path, lambda beside: beside.write_bytes(data))
    return path


def fill(model: nn.Module, tensors: dict[str, Tensor], source: str | Path) -> None:
    """Nothing; puts `tensors` into `model`, or raises WeightsError: every key that does not fit, NaN."""
    if faults := misfits(model.state_dict(), tensors):
        raise WeightsError(f"{source} does not fit {type(model).__name__}:\n{faults}")
    if faults := unsound(tensors):
        raise WeightsError(f"{source} is damaged, or its training diverged: {faults}")
    model.load_state_dict(tensors)


def misfits(wanted: dict[str, Tensor], given: dict[str, Tensor], called: Callable[[str], str] = str) -> str:
    """The tensors that are missing, not expected or of the wrong shape or kind, in lines; "" where all fit.

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


def unsound(tensors: dict[str, Tensor], called: Callable[[str], str] = str) -> str:
    """The tensors that hold NaN or infinity, in words; "" where there is none."""
    found = [
        called(key) for key, value in tensors.items() if not value.is_meta and not value.isfinite().all()
    ]
    more = f" and {len(found) - 4} more" if len(found) > 4 else ""
    return f"NaN or infinity in {', '.join(found[:4])}{more}" if found else ""
