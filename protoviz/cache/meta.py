"""meta.json, its copy and the shards' records: believed only where their own digest and form fit."""

import hashlib
import json
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from protoviz import kept
from protoviz.cache import files
from protoviz.cache.files import CacheError, DamagedCacheError
from protoviz.encoders.devices import PRECISIONS
from protoviz.settings import checked

ONLY_SEALED = {"crc32", "unlisted"}  # what is in no file of an earlier protoviz, which have no digest


class _File(TypedDict):
    bytes: int
    sha256: str


class _Optional(TypedDict, total=False):
    again: list[str]
    crc32: str
    place: str


class _Encoder(TypedDict):
    name: str
    weights: str
    shape: dict
    front_end: dict
    fingerprint: str


class _Clips(TypedDict):
    name: str
    count: int
    fingerprint: str


_Files = TypedDict("_Files", {files.INDEX: _File, files.TARGETS: _File})


class Record(_File, _Optional):
    """What is known of a shard."""

    clips: int
    skipped: list[list[str]]


class _Later(TypedDict, total=False):
    unlisted: list[list[str]]
    recipe: dict
    files: _Files
    shards: list[Record]


class Meta(_Later):
    """What meta.json says."""

    format: int
    encoder: _Encoder
    clips: _Clips
    layout: dict[str, Any]
    grid: list[int]
    dim: int
    classes: list[str]
    complete: bool


def write_meta(folder: Path, meta: dict) -> None:
    """Write meta.json, then its copy, each with its digest."""
    for name in (files.META, files.COPY):
        write_sealed(folder / name, meta)


def write_sealed(path: Path, value: dict) -> None:
    """Write a JSON file that holds its own digest."""
    files.write_bytes(path, kept.json_bytes(value))


def read_sealed(path: Path, form: type = dict) -> dict:
    """Return the values of a JSON file of this form (see `settings.checked`), without its digest.

    Raises DamagedCacheError where the file is not as it was written. A file of an earlier protoviz has no
    digest: only its form is looked at.
    """
    try:
        text, value = path.read_bytes(), kept.read_json(path)
    except FileNotFoundError as error:
        raise DamagedCacheError(f"{path} is missing") from error
    except OSError as error:
        raise CacheError(f"{path} cannot be read ({error}); see to the disk, then try again") from error
    except kept.DamagedFileError as error:
        raise DamagedCacheError(error.said) from error
    checked(value, form, str(path), "it is damaged", DamagedCacheError)
    sealed = kept.MARK.encode() in text or ONLY_SEALED & value.keys()
    if sealed and text != kept.json_bytes(value):
        raise DamagedCacheError(f"{path} is damaged (it is not as it was written)")
    return value


def write_record(folder: Path, meta: dict, number: int, record: dict) -> None:
    """Write the note that a shard is whole, and of which cache and which place in it."""
    write_sealed(folder / files.shard_record(number), {**record, "place": _place(meta, number)})


def read_record(folder: Path, meta: dict, number: int) -> dict:
    """Return the record of a shard by its note. DamagedCacheError if that is damaged, or another shard's.

    Notes of an earlier protoviz do not name their place.
    """
    path = folder / files.shard_record(number)
    record = read_sealed(path, Record)
    place = record.pop("place", None)
    if place not in (None, _place(meta, number)) or not record_fits(meta, number, record):
        raise DamagedCacheError(f"{path} belongs to another shard")
    return record


def _place(meta: dict, number: int) -> str:
    """sha256 (hex) of what decides the content of a shard."""
    made_from = [meta[part]["fingerprint"] for part in ("encoder", "clips")]
    return hashlib.sha256(json.dumps([*made_from, meta["layout"], number]).encode()).hexdigest()


def holds_cache(folder: Path) -> bool:
    """Return whether a cache was begun in a folder, be it damaged."""
    shards = (folder / files.SHARDS).glob("[0-9]" * 5 + ".npy")
    return any((folder / name).exists() for name in (files.META, files.COPY)) or any(shards)


def read_meta(folder: Path, name: str = files.META) -> dict:
    """Return what meta.json (or its copy) says, for a reader; `recover_meta` is for those who mend.

    Raises CacheError where there is no cache or one this version cannot read, DamagedCacheError otherwise.
    """
    if not holds_cache(folder):
        raise CacheError(f"no token cache at {folder} (no {files.META}); TokenCache.create makes one")
    try:
        return _read(folder / name)
    except DamagedCacheError as error:
        raise DamagedCacheError(f"{error}; {files.cure(folder)}") from error


def _read(path: Path) -> dict:
    meta = read_sealed(path)
    if (version := meta.get("format")) != files.FORMAT and isinstance(version, int):
        raise CacheError(
            f"{path.parent} has cache format {version} and this protoviz reads format {files.FORMAT}; "
            "use the protoviz that wrote it, or create the cache again"
        )
    checked(meta, Meta, str(path), "it is damaged", DamagedCacheError)
    if found := _contradiction(meta):
        raise DamagedCacheError(f"{path} is damaged ({found})")
    return meta


def _contradiction(meta: dict) -> str | None:
    """Which values of a meta.json of the right form cannot stand side by side; None where all can."""
    layout = {"precision": "float32"} | meta["layout"]  # older caches do not name it
    numbers = type(layout.get("shard_clips")) is type(layout.get("batch")) is int
    known = layout.get("dtype") in files.DTYPES and layout["precision"] in PRECISIONS
    several = layout.pop("layers", [0])
    whole = isinstance(several, list) and all(type(layer) is int and layer >= 0 for layer in several)
    if not (numbers and known and len(layout) == 4 and whole and several and several == sorted(set(several))):
        return f"its layout is {meta['layout']}"
    count, size = meta["clips"]["count"], layout["shard_clips"]
    if len(meta["grid"]) != 2 or min(*meta["grid"], meta["dim"], count, size, layout["batch"]) < 1:
        return f"grid {meta['grid']}, dim {meta['dim']}, {count} clips, {size} a shard"
    if meta["complete"] and not {"files", "shards"} <= meta.keys():
        return "it lists no files"
    if any(len(skip) != 3 for skip in meta.get("unlisted", ())):
        return "a skipped clip has not clip, kind and reason"
    if "shards" not in meta:
        return None
    if len(meta["shards"]) != shard_count(meta):
        return f"{len(meta['shards'])} shards for {count} clips"
    wrong = (n for n, record in enumerate(meta["shards"]) if not record_fits(meta, n, record))
    return next((f"the numbers of shard {n} do not fit" for n in wrong), None)


def is_early(meta: dict) -> bool:
    """Return whether an earlier protoviz wrote it: without copy, checksum of its own and sums of the rows."""
    return "unlisted" not in meta


def layers_of(meta: dict) -> tuple:
    """Return the numbers of the layers that the cache holds; "last" where that of the last is not known."""
    last = meta["encoder"]["shape"].get("depth", "last")
    return tuple(meta["layout"].get("layers", [last]))


def shard_size(meta: dict) -> int:
    """Return how many clips a whole shard has: fewer of several layers, so that it needs no more memory."""
    return max(1, meta["layout"]["shard_clips"] // len(layers_of(meta)))


def shard_rows(meta: dict, record: dict) -> int:
    """Return how many rows a shard's file has: one for each layer of each clip."""
    return record["clips"] * len(layers_of(meta))


def shard_count(meta: dict) -> int:
    """Return how many shards the whole cache has."""
    return -(-meta["clips"]["count"] // shard_size(meta))


def meta_row(meta: dict) -> np.dtype:
    """Return the `row_dtype` of the cache's shards."""
    return files.row_dtype(meta["grid"][0] * meta["grid"][1], meta["dim"], meta["layout"]["dtype"])


def record_fits(meta: dict, number: int, record: dict) -> bool:
    """Return whether a shard's record, of the right form, can be that of this shard."""
    size, held = shard_size(meta), shard_rows(meta, record)
    rows = min(size, meta["clips"]["count"] - number * size)
    header = record["bytes"] - held * meta_row(meta).itemsize
    return (
        record["clips"] >= 0
        and record["clips"] + len(record["skipped"]) == rows
        and all(len(skip) == 2 for skip in record["skipped"])
        and header > 0
        and header % 64 == 0  # as numpy pads it
        and len(record.get("crc32", "")) in (0, 8 + 8 * held)
    )


def recover_meta(folder: Path) -> tuple[dict, dict[str, str]]:
    """Return meta.json, or its copy where it is damaged; and file -> what is wrong with it.

    Raises DamagedCacheError where both are past use, CacheError where there is no cache.
    """
    found, faults = {}, {}
    for name in (files.META, files.COPY):
        if name == files.COPY and files.META in found and is_early(found[files.META]):
            break
        try:
            found[name] = read_meta(folder, name)
        except DamagedCacheError as error:
            faults[name] = str(error.__cause__)
    if not found:
        raise DamagedCacheError(
            f"{' and '.join(faults.values())}: what made the shards is not known any more. `protoviz cache "
            f"repair {folder}` sets them aside, and TokenCache.create then makes the cache anew"
        )
    if len(found) == 2 and found[files.META] != found[files.COPY]:
        strange = _place(found[files.META], 0) != _place(found[files.COPY], 0)
        if strange and _held(folder, found[files.COPY]) > _held(folder, found[files.META]):
            return found[files.COPY], {files.META: f"{folder / files.META} is that of another cache"}
        faults[files.COPY] = f"{folder / files.COPY} is older than {files.META}, or that of another cache"
    return found.get(files.META) or found[files.COPY], faults


def _held(folder: Path, meta: dict) -> int:
    """How many of the files that a meta.json lists are there as they were written."""
    listed = dict(meta.get("files", {}))
    listed |= {files.shard_file(number): record for number, record in enumerate(meta.get("shards", ()))}
    return sum(not files.fault(folder, name, record, verify=True) for name, record in listed.items())
