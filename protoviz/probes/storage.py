"""Probes on disk: weights as safetensors, settings and metadata as json in the header. No pickle anywhere."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd
import torch

from protoviz.arguments import in_order
from protoviz.files import write_bytes
from protoviz.kept import refuse_changed
from protoviz.named import allowed, is_place
from protoviz.paths import DATA
from protoviz.probes.base import Grid, Probe, ProbeError
from protoviz.probes.methods import built, probe_class
from protoviz.probes.origin import refuse_other
from protoviz.probes.prototype import pack, unpack
from protoviz.settings import checked
from protoviz.tensors import NoLarger, as_bytes, misfits, opened, read_tensors, unsound

KEY = "protoviz.probe"  # the one entry of the safetensors header
LATENT, BITS = "latent", "latent.bits"  # binary prototypes as trained, and packed
KINDS = {torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8}
CURE = "save the probe again"


class _Settings(TypedDict):
    name: str
    dim: int
    classes: int
    grid: Grid


class _Header(TypedDict):
    settings: _Settings
    metadata: dict[str, Any]


@in_order
def save_probe(probe: Probe, path: str | Path, *, packed: bool = False, **metadata: Any) -> Path:
    """Write weights, settings and `metadata` (json values, e.g. `classes=[...]` names) and returns the path.

    A probe that was trained on a token cache keeps there which encoder made it, with all its options. A
    digest of it all goes with it, so that a changed bit shows when it is loaded.

    `packed=True` stores binary prototypes as 1 bit a weight, 32 times less: the loaded probe scores
    identically but its latent values are gone (they come back as -1 and +1).
    The file is written beside its place and moved there, so an interrupted run leaves the old file.
    """
    path = Path(path)
    header = {"settings": probe.settings, "metadata": {**probe.metadata, **metadata}}
    tensors = probe.state_dict()
    if packed:
        if LATENT not in tensors:
            raise ProbeError(f"{probe.name} has no binary prototypes to pack: save it with packed=False")
        tensors[BITS] = pack(tensors.pop(LATENT))
    data = as_bytes(tensors, KEY, header)
    write_bytes(path, data)
    return path


def stored(path: str | Path) -> pd.DataFrame:
    """Return what a file of `save_probe` consists of: part, type, shape, values, bytes; the bytes sum to its
    size.

    One row a tensor, and one for the header: names, shapes, settings and metadata as text. ProbeError where
    it is no such file.
    """
    path, rows = Path(path), []
    with opened(path, CURE, ProbeError) as file:
        refuse_changed(path, path.read_bytes())
        for name in file.keys():  # noqa: SIM118 - not a dict
            part, tensor = file.get_slice(name), file.get_tensor(name)
            shape = tuple(part.get_shape())
            rows.append((name, part.get_dtype(), shape, math.prod(shape), tensor.nbytes))
    header = path.stat().st_size - sum(row[-1] for row in rows)
    rows.insert(0, ("header", "text", (), 0, header))
    return pd.DataFrame(rows, columns=["part", "type", "shape", "values", "bytes"])


class OwnCodeError(ProbeError):
    """A file holds a whole probe of a class that is not protoviz's, and nobody has allowed its module."""


def load_probe(path: str | Path, encoder: Any = None, *, allow: Sequence[str | type[Probe]] = ()) -> Probe:
    """Return the probe that `save_probe` wrote, in evaluation mode; `probe.metadata` is what was saved with
    it.

    encoder: the `Encoder` whose tokens it will read, or a token cache; ProbeError says in what another one
    differs from that it was trained on (see `refuse_other`). allow: modules whose code may run to load a
    probe of a class of your own, or that class; a file imports nothing by itself, and OwnCodeError names the
    module. Raises ProbeError where the file holds no probe, FileNotFoundError where there is none.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.absolute()} is {'a folder' if path.is_dir() else 'no file'}: name one of save_probe; "
            f"shipped ones are in {DATA / 'demo' / 'probes'}"
        )
    tensors, header = read_tensors(path, KEY, _Header | None, CURE, ProbeError)
    if header is None:
        raise ProbeError(f"{path} holds tensors but no probe: it was not written by save_probe")
    settings = header["settings"]
    found = _allowed(settings["name"], allow, path)
    most = max((value.numel() * (8 if name == BITS else 1) for name, value in tensors.items()), default=0)
    try:
        with NoLarger(most, ProbeError):  # what a header claims is held against the tensors first
            probe = _built(found, **settings)
    except ProbeError as error:
        raise ProbeError(f"the header of {path}: {error}; {CURE}") from error
    wanted = dict(probe.state_dict())
    if BITS in tensors and LATENT in wanted:
        wanted[BITS] = pack(wanted.pop(LATENT))
    odd = "".join(f"  {name} is {one.dtype}" for name, one in tensors.items() if one.dtype not in KINDS)
    if faults := misfits(wanted, tensors) or odd:
        raise ProbeError(f"{path}: weights and settings do not belong together; {CURE}:\n{faults}")
    if faults := unsound(tensors):
        raise ProbeError(f"{path} is damaged, or its training diverged: {faults}; {CURE}, or train it anew")
    probe = _filled(probe, tensors, header["metadata"])
    if encoder is not None:
        refuse_other(probe, encoder, str(path))
    return probe


def _built(probe: type[Probe], name: str, **settings: Any) -> Probe:
    """A probe of settings in a file, each of which has to be of its type."""
    hints = probe.options()
    for option, value in settings.items():
        checked(value, hints.get(option, Any), f"settings.{option}", error=ProbeError)
    return built(probe, name, **settings)


def _filled(probe: Probe, tensors: dict[str, torch.Tensor], metadata: dict) -> Probe:
    floats = {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()}
    probe = probe.to(floats.pop()) if len(floats) == 1 else probe
    if BITS in tensors:
        tensors[LATENT] = unpack(tensors.pop(BITS), probe.dim)
    probe.load_state_dict(tensors)
    probe.metadata = metadata
    return probe.eval()


def _allowed(name: str, allow: Sequence[str | type[Probe]], path: Path) -> type[Probe]:
    """The class of a probe's name in a file; OwnCodeError for module:Class of no module that is allowed."""
    if not is_place(name):
        try:
            return probe_class(name)
        except ProbeError as error:
            raise ProbeError(f"the header of {path}: {error}; {CURE}") from error
    if found := allowed(name, allow):
        return found if isinstance(found, type) else probe_class(name)
    module = name.partition(":")[0]
    raise OwnCodeError(
        f"{path} holds a probe of {name}, and loading it runs the code of {module}: if you trust that, "
        f"load_probe(path, allow=[{module!r}]), or --allow {module} of a command"
    )
