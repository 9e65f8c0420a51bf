"""Find, read, check and write weight files: safetensors, fp16 on disk, float32 in memory."""

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from protoviz import paths
from protoviz.encoders.base import EncoderError, weights_digest
from protoviz.files import write_bytes
from protoviz.tensors import as_bytes, misfits, read_tensors, unsound

METADATA_KEY = "protoviz"


class WeightsError(EncoderError):
    """A weight file is absent, damaged or does not fit; the message names it and the cure."""


def find_weights(name: str, weights: str | Path | None = None) -> Path:
    """Return the file that holds the weights of encoder `name`.

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
    """Return a map: (tensors name -> float32, metadata) of a weight file, checked against the digest it
    carries.

    Raises WeightsError for a file that is cut short, is no safetensors file, or whose values were changed.
    """
    cure = "fetch or train the weights again"
    stored, metadata = read_tensors(path, METADATA_KEY, dict[str, Any] | None, cure, WeightsError)
    metadata, tensors = metadata or {}, {key: value.float() for key, value in stored.items()}
    if "sha256" in metadata and weights_digest(tensors) != metadata["sha256"]:  # of files of before
        raise WeightsError(f"{path} is damaged: its values do not match its digest; {cure}")
    return tensors, metadata


def write_weights(path: Path, tensors: dict[str, Tensor], metadata: dict, dtype=torch.float16) -> Path:
    """Return the written file: `tensors` as `dtype`, `metadata` and a digest; atomic, same bytes for same
    input.
    """
    stored = {key: value.detach().cpu().to(dtype) for key, value in tensors.items()}
    data = as_bytes(stored, METADATA_KEY, metadata)
    write_bytes(path, data)
    return path


def fill(model: nn.Module, tensors: dict[str, Tensor], source: str | Path) -> None:
    """Put `tensors` into `model`, or raise WeightsError that lists every key that does not fit, or NaN.

    The model's own tensors, which may be on "meta", are let go.
    """
    if faults := misfits(model.state_dict(), tensors):
        raise WeightsError(f"{source} does not fit {type(model).__name__}:\n{faults}")
    if faults := unsound(tensors):
        raise WeightsError(f"{source} is damaged, or its training diverged: {faults}")
    copies = {key: value.to(torch.float32, copy=True) for key, value in tensors.items()}  # of a mapped file
    model.load_state_dict(copies, assign=True)
