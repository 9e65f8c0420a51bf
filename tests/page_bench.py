"""A small demo for tests of the page: the untrained encoder and fresh probes, from seeds, nothing shipped."""

import io
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch

from protoviz.encoders import load_encoder
from protoviz.explorer.workbench import Workbench
from protoviz.probes import build_probe, save_probe
from protoviz.scenes import SCENE_CLASSES, make_scene


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
    return Workbench(encoder, probes, SCENE_CLASSES, clips(), "mini-random: mini encoder, untrained")


def clips() -> pd.DataFrame:
    rows = [(f"t{seed}", seed, k, make_labels(seed, k)) for k in (1, 3, 6) for seed in (10 * k, 10 * k + 1)]
    frame = pd.DataFrame(rows, columns=["clip", "seed", "polyphony", "labels"])
    return frame.assign(
        title=[f"{k} events, scene {seed}" for k, seed in zip(frame.polyphony, frame.seed, strict=True)]
    )


def make_labels(seed: int, polyphony: int) -> list[str]:
    return list(make_scene(seed, polyphony).labels)


def write_demo(folder: Path) -> Path:
    """The same as files, as `protoviz demo` lays them out."""
    bench = small_bench()
    for name, probe in bench.probes.items():
        save_probe(probe, folder / "probes" / f"{name}.safetensors", classes=list(bench.classes), title=name)
    bench.clips.to_parquet(folder / "clips.parquet")
    (folder / "demo.json").write_text(json.dumps({"encoder": "mini-random"}))
    return folder


def wav(waveform: np.ndarray, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def strongest_by_hand(waveform: np.ndarray, class_name: str, k: int = 5) -> list[tuple[int, int]]:
    """[(prototype, cell n)] of protobin's k largest contributions, from tokens and weights alone."""
    bench = small_bench()
    probe, tokens = bench.probes["protobin"], bench.encoder.encode(waveform).tokens[0]
    with torch.inference_mode():
        signs = torch.where(probe.latent >= 0, 1.0, -1.0)
        signs = signs / signs.norm(dim=1, keepdim=True)
        scores, cells = ((tokens / tokens.norm(dim=1, keepdim=True)) @ signs.T).max(dim=0)
        contributions = probe.classifier.weight[bench.classes.index(class_name)] * scores
        order = contributions.argsort(descending=True)[:k]
    return [(int(j), int(cells[j])) for j in order]
