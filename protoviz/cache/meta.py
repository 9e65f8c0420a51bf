"""meta.json, its copy and the shards' records: believed only where their own checksum and form fit."""

import hashlib
import json
from pathlib import Path

import numpy as np

from protoviz.cache import files
from protoviz.cache.files import CacheError, DamagedCacheError
from protoviz.encoders.devices import PRECISIONS

SEAL = "checksum"  # sha256 of all else in the file
SEALED = {"crc32", "unlisted"}  # what is only in files that have the seal

_FILE = {"bytes": int, "sha256": str}
RECORD = {"clips": int, "skipped": [[str]], **_FILE, "again?": [str], "crc32?": str}
FORM = {
    "format": int,
    "encoder": {"name": str, "weights": str, "shape": dict, "front_end": dict, "fingerprint": str},
    "clips": {"name": str, "count": int, "fingerprint": str},
    "layout": {"dtype": str, "shard_clips": int, "batch": int, "precision?": str},
    "grid": [int],
    "dim": int,
    "classes": [str],
    "complete": bool,
    "unlisted?": [[str]],
    "recipe?": dict,
    "files?": {files.INDEX: _FILE, files.TARGETS: _FILE},
    "shards?": [RECORD],
}


def write_meta(folder: Path, meta: dict) -> None:
    """Write meta.json, then its copy, each with its checksum."""
    for name in (files.META, files.COPY):
        write_sealed(folder / name, meta)


def write_sealed(path: Path, value: dict) -> None:
    """Write a JSON file that carries its own checksum."""
    files.write_json(path, _sealed(value))


def _sealed(value: dict) -> dict:
    bare = {name: part for name, part in value.items() if name != SEAL}
    return {**bare, SEAL: hashlib.sha256(files.json_bytes(bare)).hexdigest()}


def read_sealed(path: Path, form: dict) -> dict:
    """The values of a JSON file of this form, without its checksum.

    Raises DamagedCacheError where the file, or its checksum, is not as it was written. A file of an earlier
    protoviz has no checksum: only its form is looked at.
    """
    try:
        text = path.read_bytes()
        value = json.loads(text)
    except FileNotFoundError as error:
        raise DamagedCacheError(f"{path} is missing") from error
    except OSError as error:
        raise CacheError(f"{path} cannot be read ({error}); see to the disk, then try again") from error
    except (ValueError, RecursionError) as error:
        raise DamagedCacheError(f"{path} is damaged (it is no JSON: {error})") from error
    if not isinstance(value, dict):
        raise DamagedCacheError(f"{path} is damaged (it holds {value!r:.40} and no names)")
    known = value.pop(SEAL, None)
    whole = not SEALED & value.keys() if known is None else text == files.json_bytes(_sealed(value))
    if not whole:
        raise DamagedCacheError(f"{path} is damaged (it does not match its checksum)")
    if found := unlike(value, form):
        raise DamagedCacheError(f"{path} is damaged ({found})")
    return value


def unlike(value, form, name: str = "it") -> str | None:
    """Where a value has not this form, in words; None where it has.

    form: a type; [form] for a list; a dict of name -> form, where "name?" may be absent.
    """
    kind = form if isinstance(form, type) else type(form)
    if type(value) is not kind:  # True is no number here
        return f"{name} is {value!r:.40} and no {kind.__name__}"
    parts = ()
    if isinstance(form, list):
        parts = [(part, form[0], name) for part in value]
    elif isinstance(form, dict):
        if gone := [key for key in form if key[-1] != "?" and key not in value]:
            return f"{name} lacks {gone[0]!r}"
        inner = {key.removesuffix("?"): part for key, part in form.items()}
        parts = [(value[key], part, key) for key, part in inner.items() if key in value]
    return next((found for part in parts if (found := unlike(*part))), None)


def holds_cache(folder: Path) -> bool:
    """Whether a cache was begun in a folder, be it damaged."""
    shards = (folder / files.SHARDS).glob("[0-9]" * 5 + ".npy")
    return any((folder / name).exists() for name in (files.META, files.COPY)) or any(shards)


def read_meta(folder: Path, name: str = files.META) -> dict:
    """What meta.json (or its copy) says, for a reader; `recover_meta` is for those who mend.

    Raises CacheError where there is no cache or one this version cannot read, DamagedCacheError otherwise.
    """
    if not holds_cache(folder):
        raise CacheError(
            f"no token cache at {folder} ({files.META} is not there); TokenCache.create makes one"
        )
    try:
        return _read(folder / name)
    except DamagedCacheError as error:
        raise DamagedCacheError(f"{error}; {files.cure(folder)}") from error


def _read(path: Path) -> dict:
    meta = read_sealed(path, {"format": int})
    if meta["format"] != files.FORMAT:
        raise CacheError(
            f"{path.parent} has cache format {meta['format']} and this protoviz reads format {files.FORMAT}; "
            "use the protoviz that wrote it, or create the cache again"
        )
    if found := unlike(meta, FORM) or _contradiction(meta):
        raise DamagedCacheError(f"{path} is damaged ({found})")
    return meta


def _contradiction(meta: dict) -> str | None:
    """Which values of a meta.json of the right form cannot stand side by side; None where all can."""
    layout = {"precision": "float32"} | meta["layout"]  # older caches do not name it
    if layout["dtype"] not in files.DTYPES or layout["precision"] not in PRECISIONS or len(layout) != 4:
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
    """Whether an earlier protoviz wrote it: without copy, checksum of its own and sums of the rows."""
    return "unlisted" not in meta


def shard_count(meta: dict) -> int:
    """How many shards the whole cache has."""
    return -(-meta["clips"]["count"] // meta["layout"]["shard_clips"])


def meta_row(meta: dict) -> np.dtype:
    """The `row_dtype` of the cache's shards."""
    return files.row_dtype(meta["grid"][0] * meta["grid"][1], meta["dim"], meta["layout"]["dtype"])


def record_fits(meta: dict, number: int, record: dict) -> bool:
    """Whether a shard's record, of the right form, can be that of this shard."""
    size = meta["layout"]["shard_clips"]
    rows = min(size, meta["clips"]["count"] - number * size)
    header = record["bytes"] - record["clips"] * meta_row(meta).itemsize
    return (
        record["clips"] >= 0
        and record["clips"] + len(record["skipped"]) == rows
        and all(len(skip) == 2 for skip in record["skipped"])
        and header > 0
        and header % 64 == 0  # as numpy pads it
        and len(record.get("crc32", "")) in (0, 8 + 8 * record["clips"])
    )


def recover_meta(folder: Path) -> tuple[dict, dict[str, str]]:
    """meta.json, or its copy where it is damaged; and file -> what is wrong with it.

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
        faults[files.COPY] = f"{folder / files.COPY} is older than {files.META}"
    return found.get(files.META) or found[files.COPY], faults
