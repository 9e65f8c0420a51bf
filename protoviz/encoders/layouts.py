"""Published checkpoint files as they are: which layout a file has, and its tensors under our names.

Read with safetensors or `torch.load(weights_only=True)`, so no code from a file ever runs.
"""

import argparse
import json
import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from protoviz.encoders.weights import WeightsError

# Classes without code of their own that published files hold beside tensors: the command line (ASiT,
# AudioMAE), and NumPy numbers (fairseq's training records) also under the name they had before NumPy 2.
_SCALAR = np._core.multiarray.scalar
PLAIN = [
    argparse.Namespace,
    np.dtype,
    _SCALAR,
    (_SCALAR, "numpy.core.multiarray.scalar"),
    *(type(np.dtype(kind)) for kind in ("float64", "float32", "int64")),
]
REFUSED = re.compile(r"GLOBAL ([\w.]+)")  # in torch's message: the class that it did not make
REWRITE = (
    "python -c \"import torch; f = torch.load('IN', map_location='cpu', weights_only=False); "
    "torch.save({'cfg': f.get('cfg'), 'model': f['model']}, 'OUT')\""
)


@dataclass(frozen=True)
class Layout:
    """One way in which the weights of an encoder were published."""

    title: str  # for people
    mark: str  # a key that tells this layout from the others
    places: tuple[tuple[str, ...], ...] = ((),)  # the keys that lead to the tensors; the first that is there
    renames: tuple[tuple[str, str], ...] = ()  # start of a key in the file -> ours; the first that fits
    skipped: str = r"(?!)"  # whole keys (a regular expression) of which the encoder needs nothing

    def ours(self, key: str) -> str:
        """Our name of a key in the file."""
        for theirs, ours in self.renames:
            if key.startswith(theirs):
                return ours + key[len(theirs) :]
        return key

    def theirs(self, key: str) -> str:
        """What the file calls (or would call) our key."""
        for theirs, ours in self.renames:
            if key.startswith(ours):
                return theirs + key[len(ours) :]
        return key


@dataclass(frozen=True)
class Checkpoint:
    """A published file that was read: tensors under our names, and the settings that it brought along."""

    source: str
    layout: Layout
    tensors: dict[str, Tensor]
    settings: dict = field(default_factory=dict)  # `cfg`, `config`, `args`; `json`: config.json beside it

    def size(self, key: str, axis: int, default: int) -> int:
        """One length of a tensor; the default, where it is absent (and `fit` will say so)."""
        tensor = self.tensors.get(key)
        return default if tensor is None or tensor.ndim <= axis else tensor.shape[axis]

    def count(self, prefix: str) -> int:
        """How many blocks there are under `prefix`: the highest number after it, plus one."""
        found = (re.match(rf"{re.escape(prefix)}(\d+)\.", key) for key in self.tensors)
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    def setting(self, *names: str, default=None):
        """The first of the settings with one of these names, at whatever depth they lie."""
        for name in names:
            found = _deep(self.settings, name)
            if found is not None:
                return found
        return default


def read_checkpoint(path: str | Path, layouts: Iterable[Layout]) -> Checkpoint:
    """The `Checkpoint` in a file, in whichever of `layouts` it is.

    Raises WeightsError for a file that is damaged, holds more than tensors and plain values, or is in none of
    the layouts; the message names those that are known.
    """
    path = Path(path)
    return recognised({**read_tensors(path), "json": config_beside(path)}, layouts, str(path))


def recognised(root: Mapping, layouts: Iterable[Layout], source: str) -> Checkpoint:
    """The `Checkpoint` in what a file holds; WeightsError where it is in none of the layouts."""
    layouts = tuple(layouts)
    for layout in layouts:
        for place in layout.places:
            held = _at(root, place)
            if isinstance(held, Mapping) and layout.mark in held:
                settings = {key: _plain(value) for key, value in root.items() if not _is_weights(value)}
                return Checkpoint(source, layout, _renamed(held, layout), settings)
    known = "\n  ".join(f"{layout.title} (with the key {layout.mark})" for layout in layouts)
    some = ", ".join(key for key in list(root)[:6] if key != "json")
    raise WeightsError(f"{source} is in no known layout; it begins with {some}. The known ones:\n  {known}")


def read_tensors(path: Path) -> dict:
    """What a file holds: a flat dict of tensors (safetensors), or the dict that torch saved, without code."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if head[8:9] == b"{":  # safetensors: eight bytes of length, then JSON
            with safe_open(str(path), framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        with torch.serialization.safe_globals(PLAIN):
            root = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        refused = REFUSED.search(str(error))
        if refused is None:
            raise WeightsError(
                f"cannot read {path}: it is no checkpoint, or damaged; fetch it again"
            ) from error
        raise WeightsError(
            f"{path} holds more than tensors and plain values ({refused[1]}), and nothing from a checkpoint "
            f"is ever run here. If you trust its source, rewrite it once:\n  {REWRITE}"
        ) from error
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(f"cannot read {path}: {error}; fetch it again") from error
    if not isinstance(root, Mapping):
        raise WeightsError(f"{path} holds a {type(root).__name__}, not a dict of tensors; fetch it again")
    return dict(root)


def config_beside(path: Path) -> dict:
    """The settings in a config file that lies beside a weight file; empty where there is none.

    Looked for: the weight file's name with `config` for `model` (model.safetensors -> config.json), then
    config.json.
    """
    for name in (f"{path.stem.replace('model', 'config')}.json", "config.json"):
        file = path.with_name(name)
        if file.is_file():
            try:
                settings = json.loads(file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise WeightsError(f"cannot read {file}: {error}; fetch it again") from error
            return settings if isinstance(settings, dict) else {}
    return {}


def settings_near(path: Path, key: str, alike: dict) -> dict:
    """The settings under `key` of another checkpoint in the folder whose values agree with `alike`, or {}.

    For tensors that were converted without their settings: the original often lies beside them.
    """
    for other in sorted(path.parent.glob("*.pt")):
        try:
            settings = read_tensors(other).get(key) if other != path else None
        except WeightsError:
            continue
        if isinstance(settings, Mapping) and all(
            settings.get(name) == value for name, value in alike.items()
        ):
            return dict(settings)
    return {}


def fit(model: nn.Module, checkpoint: Checkpoint) -> nn.Module:
    """The model, holding the checkpoint's tensors as float32; its own (it may be on "meta") are let go.

    Raises WeightsError that lists every key that is missing, not expected or of the wrong shape, as the file
    calls them.
    """
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in checkpoint.tensors.items()}
    theirs = checkpoint.layout.theirs
    faults = {
        "missing": [theirs(key) for key in wanted if key not in given],
        "not expected": [theirs(key) for key in given if key not in wanted],
        "wrong shape": [
            f"{theirs(key)} is {given[key]}, not {shape}"
            for key, shape in wanted.items()
            if key in given and given[key] != shape
        ],
    }
    if any(faults.values()):
        lines = [f"  {fault}: {', '.join(keys)}" for fault, keys in faults.items() if keys]
        raise WeightsError(
            f"{checkpoint.source} ({checkpoint.layout.title}) does not fit:\n" + "\n".join(lines)
        )
    # A copy: a mapped file may change or go while the encoder lives.
    tensors = {key: value.to(torch.float32, copy=True) for key, value in checkpoint.tensors.items()}
    model.load_state_dict(tensors, assign=True)
    return model.eval().requires_grad_(False)


def _renamed(held: Mapping, layout: Layout) -> dict[str, Tensor]:
    skipped = re.compile(layout.skipped)
    return {
        layout.ours(key): value
        for key, value in held.items()
        if isinstance(value, Tensor) and not skipped.fullmatch(key)
    }


def _at(root: Mapping, place: tuple[str, ...]):
    for key in place:
        root = root.get(key) if isinstance(root, Mapping) else None
    return root


def _is_weights(value) -> bool:
    if isinstance(value, Mapping):
        return any(_is_weights(part) for part in value.values())
    return isinstance(value, Tensor)


def _plain(value):
    return vars(value) if isinstance(value, argparse.Namespace) else value


def _deep(settings: Mapping, name: str):
    """The value of the first key `name`, nearest to the surface."""
    level = [settings]
    while level:
        for part in level:
            if part.get(name) is not None:
                return part[name]
        level = [value for part in level for value in part.values() if isinstance(value, Mapping)]
    return None
