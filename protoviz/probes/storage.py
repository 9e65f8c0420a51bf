"""Probes on disk: weights as safetensors, settings and metadata as json in the header. No pickle anywhere."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from protoviz.arguments import in_order
from protoviz.files import write_whole
from protoviz.kept import UNSEALED, DamagedFileError, refuse_changed, sealed
from protoviz.paths import DATA
from protoviz.probes.base import Probe, ProbeError
from protoviz.probes.prototype import pack, unpack

KEY = "protoviz.probe"  # the one entry of the safetensors header
LATENT, BITS = "latent", "latent.bits"  # binary prototypes as trained, and packed


@in_order
def save_probe(probe: Probe, path: str | Path, *, packed: bool = False, **metadata: Any) -> Path:
    """Writes weights, settings and `metadata` (json values, e.g. `classes=[...]` names) and returns the path.

    A probe that was trained on a token cache keeps there which encoder made it, with all its options.

    `packed=True` stores binary prototypes as 1 bit a weight, 32 times less: the loaded probe scores
    identically but its latent values are gone (they come back as -1 and +1).
    The file is written beside its place and moved there, so an interrupted run leaves the old file.
    """
    path = Path(path)
    header = {"settings": probe.settings, "metadata": {**probe.metadata, **metadata}, "sealed": UNSEALED}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in probe.state_dict().items()}
    if packed:
        if LATENT not in tensors:
            raise ProbeError(f"{probe.name} has no binary prototypes to pack: save it with packed=False")
        tensors[BITS] = pack(tensors.pop(LATENT))
    data = sealed(save(tensors, {KEY: json.dumps(header)}))
    write_whole(path, lambda beside: beside.write_bytes(data))
    return path


def stored(path: str | Path) -> pd.DataFrame:
    """What a file of `save_probe` consists of: part, type, shape, values, bytes; the bytes sum to its size.

    One row a tensor, and one for the header: names, shapes, settings and metadata as text.
    """
    data = Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")  # safetensors: the header's length, the header, the tensors
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    rows = [("header", "text", (), 0, 8 + length)]
    for name, told in header.items():
        first, last = told["data_offsets"]
        shape = tuple(told["shape"])
        rows.append((name, told["dtype"], shape, math.prod(shape), last - first))
    return pd.DataFrame(rows, columns=["part", "type", "shape", "values", "bytes"])


def load_probe(path: str | Path, build: Callable[..., Probe]) -> Probe:
    """The probe in `path`, made by `build(**settings)`. ProbeError where the file holds no probe.

    Raises FileNotFoundError, which says where it looked, where there is no file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.absolute()} is {'a folder' if path.is_dir() else 'no file'}: name one of save_probe; "
            f"shipped ones are in {DATA / 'demo' / 'probes'}"
        )
    try:
        refuse_changed(path, path.read_bytes())
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, DamagedFileError) as error:
        raise ProbeError(
            f"{path} is damaged or no safetensors file ({error}): save the probe again"
        ) from error
    if header is None:
        raise ProbeError(f"{path} holds tensors but no probe: it was not written by save_probe")
    header = json.loads(header)
    settings = header["settings"]
    settings["grid"] = None if settings["grid"] is None else tuple(settings["grid"])
    probe = build(**settings)
    floats = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    probe = probe.to(floats.pop()) if len(floats) == 1 else probe
    if BITS in tensors:
        tensors[LATENT] = unpack(tensors.pop(BITS), probe.dim)
    try:
        probe.load_state_dict(tensors)
    except RuntimeError as error:
        raise ProbeError(f"{path}: weights and settings do not belong together ({error})") from error
    probe.metadata = header["metadata"]
    return probe.eval()
