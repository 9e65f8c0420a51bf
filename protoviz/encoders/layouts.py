"""Published checkpoint files as they are: which layout a file has, and its tensors under our names."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from protoviz.encoders.config import OWN, Kind, deep, fitting_config, holds_tensors, is_number
from protoviz.encoders.contents import read_contents, state_of
from protoviz.encoders.weights import WeightsError, misfits, unsound

# Where files keep their tensors, and what programs of training put before keys; in any nesting.
CONTAINERS = ("model", "state_dict", "model_state_dict", "module", "network", "weights")
WRAPPERS = ("module", "model", "encoder", "backbone", "network", "net")
NETWORKS = {"student": "teacher", "teacher": "student"}
# Put in between by torch.compile, sharding and activation checkpoints.
INNER = re.compile(r"\b_(?:orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module)\.")
MOST_NESTED = 3


@dataclass(frozen=True)
class Layout:
    """One way in which the weights of an encoder were published."""

    title: str  # for people
    mark: str  # a key that tells this layout from the others
    places: tuple[tuple[str, ...], ...] = ((),)  # the keys that lead to the tensors; the first that is there
    renames: tuple[tuple[str, str], ...] = ()  # start of a key in the file -> ours; the first that fits
    skipped: str = r"(?!)"  # whole keys (a regular expression) of which the encoder needs nothing

    def behind(self, prefix: str) -> "Layout":
        """The same layout with `prefix` before the keys, or (a head beside the wrapped network) its begin."""
        words = prefix.split(".")[:-1]
        begins = ["".join(f"{word}." for word in words[:count]) for count in range(len(words), -1, -1)]
        renames = [(begin + theirs, ours) for begin in begins for theirs, ours in self.renames]
        of_begins = "|".join(map(re.escape, begins))
        other = ".".join(NETWORKS.get(word, word) for word in words) + "."
        foreign = f"|{re.escape(other)}.*" if other != prefix else ""
        return replace(
            self,
            mark=prefix + self.mark,
            renames=(*renames, *((begin, "") for begin in begins[:-1])),
            skipped=f"(?:{of_begins})(?:{self.skipped}){foreign}",
        )

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
    left_out: tuple[str, ...] = ()  # keys of the file that only its training used
    keys: dict[str, str] = field(default_factory=dict)  # our name of a tensor -> the file's

    def size(self, key: str, axis: int, default: int) -> int:
        """One length of a tensor; the default, where it is absent (and `fit` will say so)."""
        tensor = self.tensors.get(key)
        return default if tensor is None or tensor.ndim <= axis else tensor.shape[axis]

    def count(self, prefix: str) -> int:
        """How many blocks there are under `prefix`: the highest number after it, plus one."""
        found = {
            int(match[1])
            for match in map(re.compile(rf"{re.escape(prefix)}(\d+)\.").match, self.tensors)
            if match
        }
        if found and max(found) >= len(self.tensors):
            raise WeightsError(f"{self.source} has a block {max(found)}, and only {len(found)} blocks in all")
        return 1 + max(found, default=-1)

    def setting(self, *names: str, default=None):
        """The first of the settings with one of these names, at whatever depth they lie."""
        found = deep(self.settings, *names)
        return default if found is None else found

    def number(self, *names: str) -> int | float | None:
        """The first of the settings with one of these names that is a number; None where there is none."""
        return deep(self.settings, *names, accept=is_number)


def read_checkpoint(path: str | Path, layouts: Iterable[Layout], kind: Kind) -> Checkpoint:
    """The `Checkpoint` in a file (or in the parts of one), in whichever of `layouts` it is.

    A configuration beside a file that brings no settings of its own counts where it fits the architecture
    and the tensors. Raises WeightsError for a file that is damaged or in none of the layouts (the message
    names those that are known), and for a configuration that does not fit, by its name.
    """
    path = Path(path)
    contents = read_contents(path)
    found = recognised(contents.root, layouts, str(path))
    contents.check(found.tensors.values())
    if any(found.settings.get(name) for name in OWN):
        return found
    depth = max(found.count("blocks."), found.count("layers."))
    beside = fitting_config(path, kind, lambda key, axis: found.size(key, axis, 0), depth)
    return replace(found, settings=found.settings | {"json": beside})


def recognised(root: Mapping, layouts: Iterable[Layout], source: str) -> Checkpoint:
    """The `Checkpoint` in what a file holds; WeightsError where it is in none of the layouts."""
    layouts = tuple(layouts)
    for seek in (_exact, _wrapped):
        for layout in layouts:
            for place, held in _places(root, layout):
                if found := seek(held, place, layout, source):
                    settings = {key: value for key, value in root.items() if not holds_tensors(value)}
                    return _checkpoint(held, found, settings, source)
    known = "\n  ".join(f"{layout.title} (with the key {layout.mark})" for layout in layouts)
    some = ", ".join(str(key)[:100] for key in list(root)[:6]) or "nothing"
    if not holds_tensors(root):
        raise WeightsError(f"{source} holds no tensors; it begins with {some}. Give the file of the weights")
    raise WeightsError(f"{source} is in no known layout; it begins with {some}. The known ones:\n  {known}")


def settings_near(path: Path, key: str, alike: dict, wanted: str) -> dict:
    """The settings under `key` of another checkpoint in the folder whose values agree with `alike`, or {}.

    For tensors that were converted without their settings: the original often lies beside them. Raises
    WeightsError where several are there that differ in what is `wanted`.
    """
    found: dict[int | float, tuple[Path, dict]] = {}
    for other in sorted(file for file in path.parent.glob("*.pt") if file != path):
        try:
            settings = read_contents(other).root.get(key)
        except WeightsError:
            continue
        if not isinstance(settings, Mapping) or any(deep(settings, k) != value for k, value in alike.items()):
            continue
        if (value := deep(settings, wanted, accept=is_number)) is not None:
            found[value] = other, dict(settings)
    if len(found) > 1:
        names = ", ".join(f"{file} ({value})" for value, (file, _) in found.items())
        raise WeightsError(f"{path}: several files beside it differ in their {wanted}: {names}; keep one")
    return next((settings for _, settings in found.values()), {})


def fit(model: nn.Module, checkpoint: Checkpoint) -> nn.Module:
    """The model, holding the checkpoint's tensors as float32; its own (it may be on "meta") are let go.

    Raises WeightsError that lists every key that is missing, not expected, of the wrong shape, or holds
    anything but finite numbers, as the file calls them.
    """
    source = f"{checkpoint.source} ({checkpoint.layout.title})"

    def theirs(key: str) -> str:
        return checkpoint.keys.get(key) or checkpoint.layout.theirs(key)

    if faults := misfits(model.state_dict(), checkpoint.tensors, theirs):
        raise WeightsError(f"{source} does not fit:\n{faults}")
    # A copy: a mapped file may change or go while the encoder lives.
    tensors = {key: value.to(torch.float32, copy=True) for key, value in checkpoint.tensors.items()}
    if faults := unsound(tensors, theirs):
        raise WeightsError(f"{source} is damaged, or its training diverged: {faults}")
    model.load_state_dict(tensors, assign=True)
    return model.eval().requires_grad_(False)


def _exact(held: Mapping, place: tuple, layout: Layout, source: str) -> Layout | None:
    return layout if layout.mark in held and place in layout.places else None


def _wrapped(held: Mapping, place: tuple, layout: Layout, source: str) -> Layout | None:
    """The layout behind what programs of training put before its keys."""
    own = {word for named in layout.places for word in named if word in NETWORKS}
    found = []
    for key in held:
        if isinstance(key, str) and key.endswith("." + layout.mark):
            prefix = key.removesuffix(layout.mark)
            words = set(prefix.split(".")[:-1])
            if words <= {*WRAPPERS, *own} and (place in layout.places or words & own):
                found.append(prefix)
    if len(found) > 1:
        raise WeightsError(
            f"{source} holds several networks of this kind, behind {', '.join(map(repr, found))}; "
            "save one of them as a file of its own"
        )
    return layout.behind(found[0]) if found else None


def _places(root: Mapping, layout: Layout) -> Iterator[tuple[tuple, Mapping]]:
    """(place, what is there): the layout's places and the bare one, in a file or in a container of one."""
    level = [root]
    for _ in range(1 + MOST_NESTED):
        for base in level:
            for place in dict.fromkeys((*layout.places, ())):
                held = base
                for key in place:
                    held = state_of(held.get(key)) if isinstance(held, Mapping) else None
                if isinstance(held, Mapping):
                    yield place, _without_inner(held)
        inner = [state_of(base.get(key)) for base in level for key in CONTAINERS]
        level = [part for part in inner if isinstance(part, Mapping)][: len(CONTAINERS)]


def _without_inner(held: Mapping) -> Mapping:
    if not any(isinstance(key, str) and INNER.search(key) for key in held):
        return held
    return {INNER.sub("", key) if isinstance(key, str) else key: value for key, value in held.items()}


def _checkpoint(held: Mapping, layout: Layout, settings: dict, source: str) -> Checkpoint:
    skipped, tensors, keys, left_out = re.compile(layout.skipped), {}, {}, []
    for key, value in held.items():
        if not isinstance(value, Tensor) or not isinstance(key, str):
            continue
        if skipped.fullmatch(key):
            left_out.append(key)
        elif not value.numel():
            raise WeightsError(f"{source} is damaged: {key} is {tuple(value.shape)}, without a value")
        elif (ours := layout.ours(key)) in tensors:
            raise WeightsError(f"{source} holds {ours} twice, as {keys[ours]} and as {key}")
        else:
            tensors[ours], keys[ours] = value, key
    return Checkpoint(source, layout, tensors, settings, tuple(left_out), keys)
