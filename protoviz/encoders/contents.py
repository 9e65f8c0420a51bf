"""What a weight file holds: safetensors, what torch saved, weights in several parts. No code ever runs."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from torch import Tensor

from protoviz.encoders.archive import PICKLE, ZIP, read_archive
from protoviz.encoders.stubs import ArchiveError, Stub
from protoviz.encoders.weights import WeightsError
from protoviz.settings import read_json
from protoviz.tensors import opened

INDEX = ".index.json"
PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.\w+)")
PLAIN_NAME = re.compile(r"[\w.-]+")  # of a file beside an index: no way out of the folder
MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head")
POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Contents:
    """What a file holds, by key, and `check`: it raises WeightsError where tensors' bytes are damaged."""

    root: dict
    check: Callable[[Iterable[Tensor]], None] = lambda tensors: None


class _Index(TypedDict):
    weight_map: dict[str, str]


def read_contents(path: Path) -> Contents:
    """Return the `Contents` of a weight file, of any of its parts, or of all that an index (.index.json)
    lists.

    What torch saved is read without running it: objects of foreign classes are each an inert `Stub`. Raises
    WeightsError for what is no weight file, damaged, or incomplete; the message says what it is.
    """
    parts = parts_of(path)
    if parts == [path]:
        return _read(path)
    root: dict = {}
    for part in parts:
        held = _read(part).root
        if twice := root.keys() & held.keys():
            raise WeightsError(f"{part} holds {min(map(str, twice))}, which another part of {path} holds too")
        root |= held
    return Contents(root)


def parts_of(path: Path) -> list[Path]:
    """Return the files that weights are in: those of an index, or all parts (-00001-of-00002) beside one, or
    `path`.

    Raises WeightsError that names the parts that are absent.
    """
    if path.name.endswith(INDEX):
        return _listed(path)
    match = PART.fullmatch(path.name)
    if match is None:
        return [path]
    count, stem, suffix = int(match["count"]), match["stem"], match["suffix"]
    there = {file.name for file in path.parent.iterdir()}
    wanted = [f"{stem}-{number:05}-of-{match['count']}{suffix}" for number in range(1, count + 1)]
    if absent := [name for name in wanted if name not in there]:
        raise WeightsError(f"{path} is one of {count} parts; absent are {_some(absent)}; fetch them too")
    return [path.with_name(name) for name in wanted]


def _listed(index: Path) -> list[Path]:
    listed = read_json(index, _Index, "it lists no parts of weights; fetch it again", WeightsError)
    names = list(dict.fromkeys(listed["weight_map"].values()))
    if foreign := [name for name in names if not PLAIN_NAME.fullmatch(name)]:
        raise WeightsError(f"{index} lists {_some(foreign)}, which are not beside it")
    if absent := [name for name in names if not index.with_name(name).is_file()]:
        raise WeightsError(f"{index} lists {_some(absent)}, absent beside it; fetch what is missing")
    return [index.with_name(name) for name in names]


def _some(names: list) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(str(name)[:100] for name in names[:4]) + more


def _read(path: Path) -> Contents:
    try:
        with path.open("rb") as file:
            head = file.read(64)
        if head[8:9] == b"{":  # safetensors: eight bytes of length, then JSON
            with opened(path, "fetch it again", WeightsError) as file:
                return Contents({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
        if not head.startswith((ZIP, PICKLE)):
            raise ArchiveError(f"is {_said_to_be(head)}")
        archive = read_archive(path)
    except ArchiveError as error:
        raise WeightsError(f"cannot read {path}: it {error}; fetch it again") from error
    except WeightsError:
        raise
    except (OSError, ValueError) as error:
        raise WeightsError(f"cannot read {path}: {error}; fetch it again") from error

    def check(tensors: Iterable[Tensor]) -> None:
        try:
            archive.check(tensors)
        except ArchiveError as error:
            raise WeightsError(f"cannot read {path}: it {error}; fetch it again") from error

    root = state_of(archive.root)
    if not isinstance(root, Mapping):
        raise WeightsError(
            f"{path} holds a {type(root).__name__}, not a dict of tensors; save those, or fetch it again"
        )
    return Contents(dict(root), check)


def _said_to_be(head: bytes) -> str:
    if not head:
        return "empty (0 bytes)"
    if head.startswith(POINTER):
        return "a pointer of Git LFS, and not the file (`git lfs pull` fetches that)"
    if head.lstrip().lower().startswith(MARKUP):
        return "a web page, as a server sends instead of a file that needs a login"
    return "no checkpoint, neither torch's nor safetensors, or cut off at its begin"


def state_of(value):
    """Return the tensors by key of a whole module that was saved (a stub of one); else the value itself."""
    if not isinstance(value, Stub) or "_modules" not in value:
        return value
    state, level, seen = {}, [("", value)], set()
    while level:
        prefix, module = level.pop()
        if not isinstance(module, Stub) or id(module) in seen:
            continue
        seen.add(id(module))
        for kind in ("_parameters", "_buffers"):
            held = module.get(kind)
            named = held.items() if isinstance(held, Mapping) else ()
            passing = module.get("_non_persistent_buffers_set")  # which no state_dict holds
            state |= {
                f"{prefix}{name}": tensor
                for name, tensor in named
                if isinstance(tensor, Tensor) and not (isinstance(passing, set) and name in passing)
            }
        inner = module.get("_modules")
        level += (
            [(f"{prefix}{name}.", part) for name, part in inner.items()] if isinstance(inner, dict) else []
        )
    return state
