"""What a token cache was made from, and in what another encoder or data list differs from it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from protoviz.cache import files
from protoviz.cache.files import StaleCacheError
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder
from protoviz.encoders.base import precision_of, weights_digest


def encoder_key(encoder: Encoder) -> dict:
    """Return an encoder's name, weights, shape, front end and fingerprint, as plain values that JSON keeps.

    And the type of its weights, where that is not float32: it computes in it.
    """
    kind = precision_of(encoder)
    return {
        "name": encoder.name,
        "weights": weights_digest(encoder.state_dict()),
        "shape": json.loads(json.dumps(encoder.shape())),
        "front_end": json.loads(json.dumps(encoder.front_end())),
        "fingerprint": encoder.fingerprint(),
        **({"dtype": kind} if kind != "float32" else {}),
    }


def clips_key(clips: ClipSet) -> dict:
    """Return name, number and fingerprint of a clip set."""
    return {"name": clips.name, "count": len(clips), "fingerprint": clips.fingerprint()}


def maps_digest(
    encoder: str,
    clips: str,
    dtype: str,
    precision: str = "float32",
    skipped: Sequence[str] = (),
    layers: Sequence[int] | None = None,
) -> str:
    """Return sha256 (hex) of what decides token maps: fingerprints of encoder and clips, dtype and precision.

    skipped: the clips that are not there; without any, the digest is that of all clips. layers: None is the
    last alone.
    """
    made_from = [encoder, clips, dtype, *([precision] if precision != "float32" else [])]
    made_from += [f"layers {json.dumps(list(layers))}"] if layers else []
    made_from += [f"without {json.dumps(list(skipped))}"] if skipped else []
    return hashlib.sha256("\n".join(made_from).encode()).hexdigest()


def refuse_stale(folder: Path, meta: dict, encoder: Encoder | None, clips: ClipSet | None) -> None:
    """Raise unless the cache was made from this encoder and these clips (None: not asked).

    Raises StaleCacheError that says what differs: encoder, weights, front end or data list.
    """
    found = []
    if encoder is not None:
        found += encoder_differences(meta["encoder"], encoder_key(encoder))
    if clips is not None and meta["clips"]["fingerprint"] != clips.fingerprint():
        found.append(f"data list: {_clips_difference(folder, meta, clips)}")
    if found:
        raise StaleCacheError(
            f"{folder} was made from something else; give another folder, or delete this one:\n  "
            + "\n  ".join(found)
        )


def encoder_differences(stored: dict, given: dict, whose: str = "cached") -> list[str]:
    """Return in what two encoders differ by their `encoder_key`, in words; whose: the first one's name."""
    found = []
    if stored["name"] != given["name"]:
        found.append(f"encoder: {whose} {stored['name']}, given {given['name']}")
    if stored["weights"] != given["weights"]:
        found.append(f"weights: {whose} {stored['weights'][:12]}, given {given['weights'][:12]} (sha256)")
    kinds = [key.get("dtype", "float32") for key in (stored, given)]
    if kinds[0] != kinds[1]:
        found.append(f"type of the weights: {whose} {kinds[0]}, given {kinds[1]}")
    for part in ("shape", "front_end"):
        old, new = stored[part], given[part]
        settings = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        title = part.replace("_", " ")
        found += [f"{title}: {name} {whose} {old.get(name)}, given {new.get(name)}" for name in settings]
    if not found and stored["fingerprint"] != given["fingerprint"]:
        found.append("encoder: its fingerprint differs, though name, weights, shape and front end agree")
    return found


def _clips_difference(folder: Path, meta: dict, clips: ClipSet) -> str:
    stored, given = meta["clips"], clips_key(clips)
    heads = f"cached {stored['name']} with {stored['count']:,} clips, "
    heads += f"given {given['name']} with {given['count']:,}"
    if not meta["complete"] or files.fault(folder, files.INDEX, meta["files"][files.INDEX], verify=True):
        return heads
    table = pd.read_parquet(folder / files.INDEX)
    labels = {clip: None for record in meta["shards"] for clip, _ in record["skipped"]}  # theirs are not kept
    labels |= dict(zip(table["clip"], map(list, table.labels), strict=True))
    asked = dict(zip(clips.table["clip"], map(list, clips.table.labels), strict=True))
    named = {
        "new": [clip for clip in asked if clip not in labels],
        "gone": [clip for clip in labels if clip not in asked],
        "with other labels": [clip for clip in asked if labels.get(clip) not in (None, asked[clip])],
    }
    parts = [f"{len(found):,} {word} (such as {found[0]})" for word, found in named.items() if found]
    if list(clips.classes) != meta["classes"]:
        parts.append("other classes")
    return f"{heads}; {', '.join(parts) or 'the same ids: their sound, order, splits or settings differ'}"
