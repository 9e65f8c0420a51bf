"""The settings that belong to weights: those in a file, and a configuration beside it, where that fits."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from torch import Tensor

from protoviz.encoders.stubs import Stub
from protoviz.encoders.weights import WeightsError
from protoviz.settings import read_json

WIDTH = ("encoder_embed_dim", "embed_dim", "hidden_size", "d_model", "num_features")
DEPTH = ("encoder_layers", "num_hidden_layers", "depth", "num_layers")
HEADS = ("num_heads", "encoder_attention_heads", "num_attention_heads")
OWN = ("cfg", "config", "args", "hyper_parameters", "hparams")  # where files keep settings of their own
PATCH = ("input_patch_size", "patch_size")
MOST = 1e9  # no setting of an encoder is larger
CALLED = ("model_type", "architecture", "architectures")


@dataclass(frozen=True)
class Kind:
    """What a configuration has to say to belong to an architecture."""

    names: tuple[str, ...]  # one of them begins a word of its model type or architecture
    # The length of the position table that it implies, from a function `said(name)`; None: it does not say.
    table: Callable[[Callable], int | None] = lambda said: None


def deep(
    settings,
    *names: str,
    accept: Callable[[object], bool] = lambda value: value is not None,
    within: Callable[[Mapping], bool] = lambda part: True,
):
    """Return the first of the settings with one of these names, the nearest to the surface; None if it is
    not.

    Objects of foreign classes (a command line, omegaconf) are looked into as dicts are. accept: value ->
    whether it is one; others, as a reference of omegaconf that was not resolved, are passed over. within:
    the settings right beside one -> whether it counts.
    """
    for name in names:
        level, seen = [settings], set()
        while level:
            below = []
            for part in level:
                if isinstance(part, Mapping) and id(part) not in seen:
                    seen.add(id(part))
                    if accept(found := plain(part.get(name))) and within(part):
                        return found
                    below += map(plain, part.values())
            level = below
    return None


def is_number(value) -> bool:
    """Return whether a setting is a number as settings have: not a truth, NaN, or beyond all sizes."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(abs(value) < MOST)


def of_width(width: int) -> Callable[[Mapping], bool]:
    """Return whether settings may be of a network of this width; those that name another are not."""

    def fits(part: Mapping) -> bool:
        named = [value for name in WIDTH if is_number(value := plain(part.get(name)))]
        return not named or width in named

    return fits


def plain(value):
    """Return a setting as a plain value: what an object of omegaconf or an enumeration stands for."""
    if not isinstance(value, Stub):
        return value
    for name in ("_content", "_val"):
        if name in value:
            held = value[name]
            return list(map(_leaf, held)) if isinstance(held, list) else _leaf(held)
    if not value and not value.parts and isinstance(value.args, tuple) and len(value.args) == 1:
        return _leaf(value.args[0])
    return value


def _leaf(value):
    return value["_val"] if isinstance(value, Stub) and "_val" in value else value


def holds_tensors(value) -> bool:
    """Return whether there is a tensor in a value, at whatever depth."""
    level, seen = [value], set()
    while level:
        part = level.pop()
        if isinstance(part, Tensor):
            return True
        if isinstance(part, Mapping) and id(part) not in seen:
            seen.add(id(part))
            level += part.values()
    return False


def config_beside(path: Path) -> tuple[Path, dict] | None:
    """Return (file, settings) of the configuration beside a weight file; None if there is none.

    Looked for: the weight file's name with `config` for `model` (model.safetensors -> config.json;
    eat.safetensors -> eat.json), then config.json.
    """
    for name in (f"{path.stem.replace('model', 'config')}.json", "config.json"):
        file = path.with_name(name)
        if file.is_file() and file != path:
            settings = read_json(file, Any, "fetch it again", WeightsError)
            return (file, settings) if isinstance(settings, dict) else None
    return None


def contradictions(settings: dict, kind: Kind, size: Callable, depth: int) -> list[str]:
    """Return what a configuration says otherwise than the tensors, in words; empty if it fits.

    size: (key, axis) -> a length of a tensor under our names, or 0.
    """

    def said(*names):
        return deep(settings, *names)

    def number(*names):
        value = said(*names)
        value = value[-1] if isinstance(value, list) and value else value
        return int(value) if is_number(value) else None

    width = size("patch_embed.proj.weight", 0) or size("layers.0.fc2.weight", 0)
    patch = size("patch_embed.proj.weight", 3) or size("patch_embed.weight", 3)
    table = size("pos_embed", 1) or size("time_pos_embed", 3)
    heads, shown = number(*HEADS), size("relative_bias", 1)
    faults = [
        f"{what} {claimed} (the tensors have {there})"
        for what, claimed, there in (
            ("width", number(*WIDTH), width),
            ("depth", number(*DEPTH), depth),
            ("patches of", number(*PATCH), patch),
            ("heads", heads, shown),
            ("a position table of", _table(kind, said), table),
        )
        if claimed is not None and there and claimed != there
    ]
    if heads is not None and width and (heads < 1 or width % heads):
        faults.append(f"{heads} heads, which do not divide a width of {width}")
    called = [name for key in CALLED for name in _texts(settings.get(key))]
    words = [word for name in called for word in re.split(r"[^a-z0-9]+", name.lower())]
    if called and not any(word.startswith(kind.names) for word in words):
        faults.insert(0, f"the architecture {called[0]}")
    return faults


def _table(kind: Kind, said: Callable) -> int | None:
    try:
        return kind.table(said)
    except (TypeError, ValueError, LookupError, ArithmeticError):  # it says so in another way, or not at all
        return None


def _texts(value) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def fitting_config(path: Path, kind: Kind, size: Callable, depth: int) -> dict:
    """Return the settings in the configuration beside a weight file, or {}. Raise WeightsError if unfit."""
    found = config_beside(path)
    if found is None:
        return {}
    file, settings = found
    if faults := contradictions(settings, kind, size, depth):
        raise WeightsError(
            f"{file} does not belong to {path}: it says {'; '.join(faults)}. Give each encoder's files a "
            f"folder of their own, or put the configuration of {path.name} beside it as {path.stem}.json"
        )
    return settings
