"""Token maps: how fast the cache is written beside the bare forward pass, and read beside a plain copy.

The forms of a comparison take turns, so that a busy machine slows all of them alike; the fastest turn counts.

The bare forward pass is what a user's own loop does: one batch after another, torch's threads inside each,
the log-mel pictures ready. The writer does more (front end, float16, checksums, files) and encodes a batch on
each core, so its share may exceed one. Scenes mixed on the way need the same cores for their sound: no writer
can keep the share there, unless the encoder is large or runs on a GPU.
"""

import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from protoviz.cache import TokenCache, estimate_bytes
from protoviz.datasets import scene_clips
from protoviz.encoders import MiniConfig, load_encoder, random_mini
from protoviz.encoders.devices import has_bfloat16

ENCODER = "mini-random"  # as fast as the trained one, and there before it is
CLIPS, BATCH, ROUNDS = 64, 16, 3  # batches enough that no core is left without one at the end
FORMS = {  # of encoding, whose rates are kept, and their names there
    "front end and forward pass, sound ready": "encode",
    "cache writer, sound ready, one batch at a time": "one_at_a_time",
    "cache writer, sound ready": "written",
    "cache writer in bfloat16, sound ready": "bfloat16",
}
ERROR_CLIPS = 8
PASSES = 4  # a turn: the first batches of a turn still fetch their memory from the system
READ_CLIPS, READ_BATCH, READ_ROUNDS = 512, 128, 5  # 100 MB at width 192: more than a processor's own memory


def _fastest(forms: dict[str, Callable[[int], object]], rounds: int) -> dict[str, float]:
    """Fastest of `rounds` turns of each form, in seconds; a form is given the number of the turn."""
    times = {name: [] for name in forms}
    for turn in range(rounds):
        for name, form in forms.items():
            start = time.perf_counter()
            form(turn)
            times[name].append(time.perf_counter() - start)
    return {name: min(found) for name, found in times.items()}


class _Ready:
    """A reader whose sounds are in memory already; they repeat where there are fewer than clips."""

    def __init__(self, sounds: list[np.ndarray]):
        self.sounds = sounds

    def read(self, row: pd.Series) -> np.ndarray:
        return self.sounds[row.name % len(self.sounds)]

    def fingerprint(self) -> str:
        return "ready"


def writing_rows() -> list[dict]:
    """One row a form of encoding: form, clips/s, share of the bare forward pass."""
    encoder, clips = load_encoder(ENCODER), scene_clips(CLIPS, 0, 0)
    sounds = [clips.read(i) for i in range(CLIPS)]
    spans = [slice(i, i + BATCH) for i in range(0, CLIPS, BATCH)]
    features = [encoder.features(sounds[span]) for span in spans]
    ready = replace(clips, reader=_Ready(sounds))
    with tempfile.TemporaryDirectory() as folder:

        @torch.inference_mode()
        def forward(_):
            for batch in features:
                encoder(batch)

        def encode(_):
            for span in spans:
                encoder.encode(sounds[span])

        def write(name, source, **how):
            layout = {"shard_clips": BATCH, "batch": BATCH, "progress": False, **how}
            return lambda turn: TokenCache.create(Path(folder) / f"{name}{turn}", encoder, source, **layout)

        forms = {
            "forward pass, log-mel ready": forward,
            "front end and forward pass, sound ready": encode,
            "cache writer, sound ready, one batch at a time": write("single", ready, lanes=1),
            "cache writer, sound ready": write("ready", ready),
            "cache writer, scenes mixed on the way": write("mixed", clips),
        }
        if has_bfloat16(encoder.device):
            forms["cache writer in bfloat16, sound ready"] = write("half", ready, precision="bfloat16")
        forward(0)
        seconds = _fastest(forms, ROUNDS)
    bare = seconds["forward pass, log-mel ready"]
    return [{"form": form, "clips/s": CLIPS / s, "share": bare / s} for form, s in seconds.items()]


def error_rows() -> list[dict]:
    """One row a mini encoder and way of keeping tokens: how far they are from float32's, of their size."""
    found = []
    for name in ("mini-mae", "mini-random"):
        encoder, clips = load_encoder(name), scene_clips(ERROR_CLIPS, 0, 0)
        sounds = [clips.read(i) for i in range(ERROR_CLIPS)]
        exact = encoder.encode(sounds).tokens
        with torch.autocast("cpu", torch.bfloat16):
            half = encoder.encode(sounds).tokens.float()
        size = exact.square().mean().sqrt()
        for way, tokens in (("float16, as stored", exact.half().float()), ("bfloat16, then float16", half)):
            off = tokens.half().float() - exact
            rms, worst = off.square().mean().sqrt() / size, off.abs().max() / size
            found.append({"encoder": name, "way": way, "rms": float(rms), "worst": float(worst)})
    return found


def reading_rows() -> list[dict]:
    """One row a way of reading: way, GB/s, share of the plain copy, milliseconds a batch."""
    with tempfile.TemporaryDirectory() as folder:
        cache = _filled_cache(Path(folder))
        for path in cache.folder.glob("shards/*.npy"):
            os.utime(path, (0, 0))  # rows of files as young as these would be checked each time
        shards = [np.load(path, mmap_mode="r") for path in sorted(cache.folder.glob("shards/*.npy"))]

        def copy(_):
            for shard in shards * PASSES:
                for start in range(0, len(shard), READ_BATCH):
                    batch = np.array(shard[start : start + READ_BATCH])  # lives until the next is made
            del batch

        def read(shuffled):
            def form(turn):
                for passed in range(PASSES):
                    for _ in cache.batches(size=READ_BATCH, seed=passed if shuffled else None):
                        pass

            return form

        def first(turn):
            for passed in range(PASSES):
                for _ in TokenCache.open(cache.folder).batches(size=READ_BATCH, seed=passed):
                    pass

        floor = "plain copy of the mapped files"
        forms = {floor: copy, "batches in order": read(False), "batches, shuffled": read(True)}
        forms["the same, newly opened: every row checked"] = first
        copy(0)
        seconds = _fastest(forms, READ_ROUNDS)
        size = PASSES * cache.nbytes
    batches = PASSES * READ_CLIPS / READ_BATCH
    return [
        {"way": way, "GB/s": size / s / 1e9, "share": seconds[floor] / s, "ms a batch": 1e3 * s / batches}
        for way, s in seconds.items()
    ]


def _filled_cache(folder: Path) -> TokenCache:
    """A cache of the demo's shape, made by a mini encoder without blocks: it is read, never looked at."""
    noise = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    encoder = random_mini(config=MiniConfig(depth=0))
    clips = replace(scene_clips(READ_CLIPS, 0, 0), reader=_Ready([noise]))
    return TokenCache.create(folder, encoder, clips, progress=False)


def main() -> dict:
    """Print the tables; gives the rates of `protoviz.analysis.scaling.SPEED`."""
    encoder, writing, errors, reading = load_encoder(ENCODER), writing_rows(), error_rows(), reading_rows()
    clip = decimal(estimate_bytes(encoder, 1))
    title = f"{ENCODER}, {CLIPS} clips of 10.24 s, {clip} a clip in float16"
    table = Table("encoding", "clips/s", "x bare forward", title=title)
    for row in writing:
        table.add_row(row["form"], f"{row['clips/s']:.1f}", f"{row['share']:.2f}")
    Console().print(table)
    title = f"distance from float32's tokens, as a share of their root mean square, {ERROR_CLIPS} scenes"
    table = Table("encoder", "tokens", "root mean square", "largest", title=title)
    for row in errors:
        table.add_row(row["encoder"], row["way"], f"{row['rms']:.2%}", f"{row['worst']:.1%}")
    Console().print(table)
    title = f"reading {READ_CLIPS} clips, {READ_BATCH} a batch, files in the system's memory"
    table = Table("reading", "GB/s", "x plain copy", "ms a batch", title=title)
    for row in reading:
        table.add_row(row["way"], f"{row['GB/s']:.2f}", f"{row['share']:.2f}", f"{row['ms a batch']:.1f}")
    Console().print(table)
    shape = [1 + math.prod(encoder.grid), encoder.dim, encoder.config.depth]
    return {"shape": shape, **_written_rates(writing, errors), **_read_rates(reading)}


def _written_rates(writing: list[dict], errors: list[dict]) -> dict:
    found = {
        FORMS[row["form"]]: {"clips_per_s": row["clips/s"], "of_forward": row["share"]}
        for row in writing
        if row["form"] in FORMS
    }
    if half := found.get("bfloat16"):
        (off,) = (row["rms"] for row in errors if row["encoder"] == "mini-mae" and "bfloat16" in row["way"])
        half |= {"of_float32": half["clips_per_s"] / found["written"]["clips_per_s"], "rms": off}
    return found


def _read_rates(reading: list[dict]) -> dict:
    later, first = reading[-2:]
    return {
        "read": {"gb_per_s": later["GB/s"], "of_copy": later["share"]},
        "first_read": {"gb_per_s": first["GB/s"], "of_later": first["GB/s"] / later["GB/s"]},
    }
