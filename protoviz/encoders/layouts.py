"""Published checkpoint files as they are: which layout a file has, and its tensors under our names."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

import torch
from torch import Tensor, nn

from protoviz.encoders.config import OWN, Kind, deep, fitting_config, holds_tensors, is_number
from protoviz.encoders.contents import read_contents, state_of
from protoviz.encoders.weights import WeightsError
from protoviz.tensors import misfits, unsound

# Where files keep their tensors, and what programs of training put before keys; in any nesting.
CONTAINERS = ("model", "state_dict", "model_state_dict", "module", "network", "weights")
WRAPPERS = ("module", "model", "encoder", "backbone", "network", "net")
NETWORKS = {"student": "teacher", "teacher": "student"}
OTHERS = {*NETWORKS, "_ema"}  # what names one of two networks is no name for any
# Put in between by torch.compile, sharding and activation checkpoints.
INNER = re.compile(r"\b_(?:orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module)\.")
MOST_BLOCKS = 256  # the largest published encoders have 48
MOST_NESTED, MOST_CONTAINERS, MOST_WORDS = 3, 64, 16


class UnknownLayout(WeightsError):
    """The keys of a file are in none of the layouts that it was read for."""


@dataclass(frozen=True)
class Layout:
    """One way in which the weights of an encoder were published."""

    title: str  # for people
    mark: str  # a key that tells this layout from the others
    places: tuple[tuple[str, ...], ...] = ((),)  # the keys that lead to the tensors; the first that is there
    renames: tuple[tuple[str, str], ...] = ()  # start of a key in the file -> ours; the first that fits
    skipped: str = r"(?!)"  # whole keys (a regular expression) of which the encoder needs nothing
    head: tuple[str, ...] = ()  # starts of keys: all parts of a fine-tuned head beside the network
    begins: tuple[str, ...] = ("",)  # what may stand before those

    def behind(self, prefix: str) -> "Layout":
        """Return the layout with `prefix` before the keys; the head's keys may begin with a part of it."""
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
            begins=tuple(begins),
            skipped=f"(?:{of_begins})(?:{self.skipped}){foreign}",
        )

    def ours(self, key: str) -> str:
        """Return our name of a key in the file."""
        for theirs, ours in self.renames:
            if key.startswith(theirs):
                return ours + key[len(theirs) :]
        return key

    def root(self, keys: Iterable[str]) -> str:
        """Return what begins every key of the network; "" where other keys cannot be told from its own."""
        blocks = [key for key in keys if self.ours(key).startswith(("blocks.", "layers."))]
        words = zip(*(key.split(".") for key in (self.mark, *blocks)), strict=False)
        same = takewhile(lambda there: len(set(there)) == 1, words)
        return "".join(f"{there[0]}." for there in same) if blocks else ""

    def heads(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Return how the keys of a fine-tuned head beside the network begin, if all its parts are there."""
        there = {
            part
            for key in keys
            for part in self.head
            for begin in self.begins
            if key.startswith(begin + part)
        }
        whole = there and there == set(self.head)
        return tuple(begin + part for begin in self.begins for part in self.head) if whole else ()

    def theirs(self, key: str) -> str:
        """Return what the file calls (or would call) our key."""
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
    beside: tuple[str, ...] = ()  # keys of the file outside the network
    keys: dict[str, str] = field(default_factory=dict)  # our name of a tensor -> the file's

    def size(self, key: str, axis: int, default: int) -> int:
        """Return one length of a tensor; the default, where it is absent (and `fit` will say so)."""
        tensor = self.tensors.get(key)
        return default if tensor is None or tensor.ndim <= axis else tensor.shape[axis]

    def count(self, prefix: str) -> int:
        """Return how many blocks there are under `prefix`: the highest number after it, plus one."""
        found = {
            int(match[1])
            for match in map(re.compile(rf"{re.escape(prefix)}(\d+)\.").match, self.tensors)
            if match
        }
        if found and max(found) >= len(self.tensors):
            raise WeightsError(f"{self.source} has a block {max(found)}, and only {len(found)} blocks in all")
        if len(found) > MOST_BLOCKS:
            raise WeightsError(f"{self.source} has {len(found):,} blocks; at most {MOST_BLOCKS} are read")
        return 1 + max(found, default=-1)

    def setting(self, *names: str, default=None):
        """Return the first of the settings with one of these names, at whatever depth they lie."""
        found = deep(self.settings, *names)
        return default if found is None else found

    def number(self, *names: str, **more) -> int | float | None:
        """Return the first of the settings with one of these names that is a number; None if there is none.

        more: `within` of `deep`.
        """
        return deep(self.settings, *names, accept=is_number, **more)


def read_checkpoint(path: str | Path, layouts: Iterable[Layout], kind: Kind) -> Checkpoint:
    """Return the `Checkpoint` in a file (or in the parts of one), in whichever of `layouts` it is.

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
    """Return the `Checkpoint` in what a file holds; WeightsError if it is in none of the layouts."""
    layouts = tuple(layouts)
    for anywhere in (False, True):
        for seek in (_exact, _wrapped):
            for layout in layouts:
                if found := _found(root, layout, seek, anywhere, source):
                    settings = {key: value for key, value in root.items() if not holds_tensors(value)}
                    return _checkpoint(*found, settings, source)
    some = ", ".join(str(key)[:100] for key in list(root)[:6]) or "nothing"
    if not holds_tensors(root):
        raise WeightsError(f"{source} holds no tensors; it begins with {some}. Give the file of the weights")
    known = "\n  ".join(f"{layout.title} (with the key {layout.mark})" for layout in layouts)
    raise UnknownLayout(f"{source} is in no known layout; it begins with {some}. The known ones:\n  {known}")


def settings_near(path: Path, key: str, alike: dict, wanted: str) -> dict:
    """Return the settings under `key` of another checkpoint in the folder whose values agree with `alike`, or
    {}.

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
    """Return the model, holding the checkpoint's tensors as float32; its own (it may be on "meta") are let
    go.

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


def _found(
    root: Mapping, layout: Layout, seek: Callable, anywhere: bool, source: str
) -> tuple[Mapping, Layout] | None:
    """(tensors by key, their layout) at the first usual place that has them; anywhere: at the only one."""
    found = {}
    for trail, place, held in _places(root, layout, anywhere):
        if there := seek(held, place, layout, anywhere):
            found |= {f"{'.'.join(trail)}:{one.mark}": (held, one) for one in there}
        if found and not anywhere:
            break
    if len(found) > 1:
        names = ", ".join(name.removesuffix(layout.mark).strip(":") or "no name" for name in found)
        raise WeightsError(
            f"{source} holds several networks of this kind: {names}; save one of them as a file of its own"
        )
    return next(iter(found.values()), None)


def _exact(held: Mapping, place: tuple, layout: Layout, anywhere: bool) -> list[Layout]:
    return [layout] if layout.mark in held and place in layout.places else []


def _wrapped(held: Mapping, place: tuple, layout: Layout, anywhere: bool) -> list[Layout]:
    """The layout behind what programs of training put before its keys, or (anywhere) behind any names."""
    own = {word for named in layout.places for word in named if word in NETWORKS}
    found = []
    for key in held:
        if isinstance(key, str) and key.endswith("." + layout.mark):
            prefix = key.removesuffix(layout.mark)
            if prefix.count(".") > MOST_WORDS or len(found) > MOST_WORDS:
                continue  # no program nests so; each costs time
            words = set(prefix.split(".")[:-1])
            usual = not words & (OTHERS - own) if anywhere else words <= {*WRAPPERS, *own}
            if usual and (place in layout.places or words & own):
                found.append(layout.behind(prefix))
    return found


def _places(root: Mapping, layout: Layout, anywhere: bool) -> Iterator[tuple[tuple, tuple, Mapping]]:
    """(way to it, place, what is there): the layout's places and the bare one, in a file or a container."""
    level: list[tuple[tuple, Mapping]] = [((), root)]
    for _ in range(1 + MOST_NESTED):
        for trail, base in level:
            for place in dict.fromkeys((*layout.places, ())):
                held = base
                for key in place:
                    held = state_of(held.get(key)) if isinstance(held, Mapping) else None
                if isinstance(held, Mapping):
                    yield (*trail, *place), place, _without_inner(held)
        inner = [
            ((*trail, key), state_of(base[key]))
            for trail, base in level
            for key in (base if anywhere else CONTAINERS)
            if isinstance(key, str) and key in base and key not in OTHERS
        ]
        level = [(trail, part) for trail, part in inner if isinstance(part, Mapping)][:MOST_CONTAINERS]


def _without_inner(held: Mapping) -> Mapping:
    if not any(isinstance(key, str) and INNER.search(key) for key in held):
        return held
    return {INNER.sub("", key) if isinstance(key, str) else key: value for key, value in held.items()}


def _checkpoint(held: Mapping, layout: Layout, settings: dict, source: str) -> Checkpoint:
    skipped, tensors, keys, left_out, beside = re.compile(layout.skipped), {}, {}, [], []
    named = {key: value for key, value in held.items() if isinstance(key, str)}
    inside = (layout.root(named), *layout.heads(named))
    for key, value in named.items():
        if not isinstance(value, Tensor):
            keys.setdefault(
                layout.ours(key), f"{key} (there it is a {getattr(value, 'name', type(value).__name__)})"
            )
        elif skipped.fullmatch(key):
            left_out.append(key)
        elif not key.startswith(inside):
            beside.append(key)
        elif not value.numel():
            raise WeightsError(f"{source} is damaged: {key} is {tuple(value.shape)}, without a value")
        elif (ours := layout.ours(key)) in tensors:
            raise WeightsError(f"{source} holds {ours} twice, as {keys[ours]} and as {key}")
        else:
            tensors[ours], keys[ours] = value, key
    return Checkpoint(source, layout, tensors, settings, tuple(left_out), tuple(beside), keys)
