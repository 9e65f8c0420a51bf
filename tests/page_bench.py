"""A small demo for tests of the page: the untrained encoder and fresh probes, from seeds, nothing shipped."""

import io
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch

from protoviz.analysis.neighbours import PARTS, cell_labels, favourite_classes, nearest_clips, purity
from protoviz.datasets import scene_id
from protoviz.encoders import load_encoder
from protoviz.encoders.base import weights_digest
from protoviz.experiments.facts import encoder_facts
from protoviz.explorer.workbench import Workbench
from protoviz.kept import write_frame
from protoviz.probes import build_probe, save_probe
from protoviz.scenes import SCENE_CLASSES, make_scene
from protoviz.study.form import (
    CLIP_COLUMNS,
    CLIPS,
    FORM,
    DatasetFacts,
    Facts,
    clips_folder,
    probe_file,
    write_facts,
)

RATE = 16000


@lru_cache(maxsize=1)
def small_bench() -> Workbench:
    """One for the whole run: what a session may change is not in it."""
    torch.manual_seed(3)
    encoder = load_encoder("mini-random")
    probes = {
        name: build_probe(name, encoder.dim, len(SCENE_CLASSES), encoder.grid)
        for name in ("linear", "protobin")
    }
    # As if another seed had started it: its prototypes before and after training differ.
    probes["protobin"].metadata["seed"] = 4
    note = "mini-random: mini encoder, untrained"
    return Workbench(encoder, probes, SCENE_CLASSES, clips(), note, tables=small_table)


def clips() -> pd.DataFrame:
    rows = [
        (scene_id(seed, k), seed, k, make_labels(seed, k)) for k in (1, 3, 6) for seed in (10 * k, 10 * k + 1)
    ]
    frame = pd.DataFrame(rows, columns=["clip", "seed", "polyphony", "labels"])
    return frame.assign(
        title=[f"{k} events, scene {seed}" for k, seed in zip(frame.polyphony, frame.seed, strict=True)]
    )


@cache
def small_table(name: str) -> pd.DataFrame | None:
    """The tables across clips of `small_bench`: the nearest of its six clips, and maps at random places."""
    makers = {"nearest": small_nearest, "map-prototypes": small_prototypes, "map-tokens": small_tokens}
    return makers[name]() if name in makers else None


def small_nearest() -> pd.DataFrame:
    return nearest_of(small_bench())


def scored(bench: Workbench) -> tuple[np.ndarray, np.ndarray]:
    """Scores and locations (b j) of the prototypes in its clips."""
    found = [bench.reading(row.clip).explained["protobin"] for row in clips().itertuples()]
    return np.stack([e.scores for e in found]), np.stack([e.locations for e in found])


def nearest_of(bench: Workbench, k: int = 5, parts: tuple[str, ...] = PARTS[:1]) -> pd.DataFrame:
    shown = clips()
    readings = [bench.reading(row.clip) for row in shown.itertuples()]
    frame = nearest_clips(*scored(bench), k, parts)
    frame["clip"] = shown["clip"].to_numpy()[frame.row]
    places = [bench.grid.place(n) for n in frame.cell]
    frame[["onset", "offset", "low_hz", "high_hz"]] = [bench.grid.box(*place) for place in places]
    labels = [cell_labels(bench.grid, reading.events) for reading in readings]
    heard = [labels[row][place] for row, place in zip(frame.row, places, strict=True)]
    return frame.assign(probe="protobin", label=pd.array(heard, dtype="string"))


def small_prototypes() -> pd.DataFrame:
    bench = small_bench()
    weight = bench.probes["protobin"].classifier.weight.detach().numpy()
    frame = favourite_classes(weight, bench.classes).assign(probe="protobin", chance=0.125)
    frame = frame.merge(purity(small_nearest()), on=["probe", "prototype"])
    places = np.random.default_rng(0).normal(size=(len(frame), 4)).astype(np.float32)
    frame[["x_response", "y_response", "x_direction", "y_direction"]] = places
    return frame


def small_tokens() -> pd.DataFrame:
    frames = []
    for row in clips().itertuples():
        labels = cell_labels(small_bench().grid, make_scene(row.seed, row.polyphony).events)
        clip = {"clip": row.clip, "cell": range(labels.size)}
        frames.append(pd.DataFrame(clip).assign(label=pd.array(labels.ravel(), dtype="string")))
    frame = pd.concat(frames, ignore_index=True)
    places = np.random.default_rng(1).normal(size=(2, len(frame))).astype(np.float32)
    return frame.assign(x=places[0], y=places[1])


def make_labels(seed: int, polyphony: int) -> list[str]:
    return list(make_scene(seed, polyphony).labels)


def write_demo(folder: Path, bench: Workbench | None = None, use: str = "mini-random") -> Path:
    """The same as a study, as `protoviz demo` lays it out; use: the name of another bench's encoder."""
    bench = bench or small_bench()
    for name, probe in bench.probes.items():
        path = probe_file(folder, "mixed", use, name)
        save_probe(probe, path, classes=list(bench.classes), title=name)
    known = {
        "split": "test",
        "events": [
            [asdict(event) for event in make_scene(clip.seed, clip.polyphony).events]
            for clip in bench.clips.itertuples()
        ],
        "licence": "",
        "sound": False,
        "duration": 10.0,
    }
    write_frame(clips_folder(folder, "mixed") / CLIPS, bench.clips.assign(**known)[list(CLIP_COLUMNS)])
    encoders = {use: encoder_facts(use, bench.encoder, weights_digest(bench.encoder.state_dict()))}
    datasets = {"mixed": DatasetFacts("scenes", bench.classes, len(bench.clips), "boxes")}
    methods = {name: probe.name for name, probe in bench.probes.items()}
    write_facts(folder, Facts(FORM, "demo", "protoviz demo", encoders, datasets, methods))
    return folder


def noise(seconds: float = 10.24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)


def wav(waveform: np.ndarray, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def strongest_by_hand(
    waveform: np.ndarray, class_name: str, k: int = 5, bench: Workbench | None = None
) -> list[tuple[int, int]]:
    """[(prototype, cell n)] of protobin's k largest contributions, from tokens and weights alone."""
    bench = bench or small_bench()
    probe, encoding = bench.probes["protobin"], bench.encoder.encode(waveform)
    with torch.inference_mode():
        tokens = encoding.tokens[0][encoding.mask[0]]  # in front of the padding
        signs = torch.where(probe.latent >= 0, 1.0, -1.0)
        signs = signs / signs.norm(dim=1, keepdim=True)
        scores, cells = ((tokens / tokens.norm(dim=1, keepdim=True)) @ signs.T).max(dim=0)
        contributions = probe.classifier.weight[bench.classes.index(class_name)] * scores
        order = contributions.argsort(descending=True)[:k]
    return [(int(j), int(cells[j])) for j in order]


def logits_by_hand(waveform: np.ndarray, without: Sequence[int] = (), hidden: Sequence[int] = ()):
    """protobin's logits (c), its score columns `without` dropped and the cells `hidden` not looked at."""
    bench = small_bench()
    probe, tokens = bench.probes["protobin"], bench.encoder.encode(waveform).tokens[0]
    with torch.inference_mode():
        tokens = tokens[np.setdiff1d(np.arange(len(tokens)), hidden)]
        signs = torch.where(probe.latent >= 0, 1.0, -1.0) / probe.dim**0.5
        scores = ((tokens / tokens.norm(dim=1, keepdim=True)) @ signs.T).amax(0)
        kept = np.setdiff1d(np.arange(probe.count), without)
        return (probe.classifier.weight[:, kept] @ scores[kept] + probe.classifier.bias).numpy()
