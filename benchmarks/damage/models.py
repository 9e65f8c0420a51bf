"""Weights, features and probes: loaded and run on a sound or on tokens."""

import json
import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from benchmarks.damage.kind import Kind
from protoviz.encoders import load_encoder
from protoviz.encoders.feature_files import read_features
from protoviz.encoders.weights import find_weights
from protoviz.probes import build_probe, load_probe, save_probe
from protoviz.scenes import make_scene

WIDTH, DEPTH, CELLS = 32, 2, 80  # of a small EAT
CONFIG = {"model_type": "eat", "embed_dim": WIDTH, "depth": DEPTH, "num_heads": 4, "patch_size": 16}
CLASSES, GRID = 5, (8, 2)


def _sound() -> np.ndarray:
    return make_scene(1, 2).waveform[:9600]


def _encoded(name: str, weights: Path) -> dict:
    encoder = load_encoder(name, weights=weights)
    with torch.inference_mode():
        found = encoder.encode(_sound())
    return {
        "tokens": found.tokens,
        "cls": found.cls,
        "mask": found.mask,
        "fingerprint": encoder.fingerprint(),
    }


def mini(folder: Path) -> None:
    """Shipped weights."""
    shutil.copy(find_weights("mini-eat"), folder / "mini-eat.safetensors")


def encoded_by_mini(folder: Path) -> dict:
    return _encoded("mini-eat", folder)


def published(folder: Path) -> None:
    """The weights of a small EAT as publishers give them: four forms."""
    tensors = _small_eat()
    for form in ("plain", "parts", "zip", "older"):
        (folder / form).mkdir()
        (folder / form / "config.json").write_text(json.dumps(CONFIG, indent=1))
    save_file(tensors, folder / "plain" / "model.safetensors")
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    places = {key: names[place % 2] for place, key in enumerate(tensors)}
    for name in names:
        save_file({key: tensors[key] for key in tensors if places[key] == name}, folder / "parts" / name)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "parts" / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))
    torch.save({"model": tensors}, folder / "zip" / "model.pt")
    torch.save({"model": tensors}, folder / "older" / "model.pt", _use_new_zipfile_serialization=False)


def _small_eat() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    shapes = {
        "extra_tokens": (1, 1, WIDTH),
        "fixed_positional_encoder.positions": (1, CELLS, WIDTH),
        "local_encoder.proj.bias": (WIDTH,),
        "local_encoder.proj.weight": (WIDTH, 1, 16, 16),
        "pre_norm.bias": (WIDTH,),
        "pre_norm.weight": (WIDTH,),
    }
    for block in range(DEPTH):
        for name, rows, columns in (
            ("attn.qkv", 3 * WIDTH, WIDTH),
            ("attn.proj", WIDTH, WIDTH),
            ("mlp.fc1", 4 * WIDTH, WIDTH),
            ("mlp.fc2", WIDTH, 4 * WIDTH),
        ):
            shapes[f"blocks.{block}.{name}.weight"] = (rows, columns)
            shapes[f"blocks.{block}.{name}.bias"] = (rows,)
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{block}.{norm}.{part}": (WIDTH,) for part in ("weight", "bias")}
    return {f"model.{name}": 0.1 * torch.randn(shape) for name, shape in shapes.items()}


def encoded_plain(folder: Path) -> dict:
    return _encoded("eat", folder / "plain")


def encoded_parts(folder: Path) -> dict:
    return _encoded("eat", folder / "parts" / "model.safetensors.index.json")


def encoded_zip(folder: Path) -> dict:
    return _encoded("eat", folder / "zip" / "model.pt")


def encoded_older(folder: Path) -> dict:
    return _encoded("eat", folder / "older" / "model.pt")


def features(folder: Path) -> None:
    """Features of a clip in each form that is read."""
    values = np.random.default_rng(0).standard_normal((40, 16)).astype(np.float32)
    np.save(folder / "plain.npy", values)
    np.savez(folder / "stored.npz", features=values, rate=np.array(16000))
    np.savez_compressed(folder / "packed.npz", features=values)
    torch.save({"features": torch.from_numpy(values)}, folder / "torch.pt")
    save_file({"features": torch.from_numpy(values)}, folder / "tensors.safetensors")


def features_plain(folder: Path) -> np.ndarray:
    return read_features(folder / "plain.npy", 16)


def features_tensors(folder: Path) -> np.ndarray:
    return read_features(folder / "tensors.safetensors", 16)


def features_npz(folder: Path) -> list[np.ndarray]:
    return [read_features(folder / name, 16) for name in ("stored.npz", "packed.npz")]


def features_torch(folder: Path) -> np.ndarray:
    return read_features(folder / "torch.pt", 16)


def probes(folder: Path) -> None:
    """A probe of each family, and binary prototypes packed."""
    torch.manual_seed(0)
    names = [f"class {number}" for number in range(CLASSES)]
    for name, options in (("linear", {}), ("mhca", {}), ("protobin", {"prototypes_per_class": 3})):
        probe = build_probe(name, 24, CLASSES, GRID, **options)
        save_probe(probe, folder / f"{name}.safetensors", classes=names, seed=0)
    save_probe(probe, folder / "packed.safetensors", packed=True, classes=names, mean_scores=[0.5] * 15)


def scored(folder: Path) -> list:
    """What each probe says of some tokens, and its classes and settings."""
    tokens = torch.randn(3, 16, 24, generator=torch.Generator().manual_seed(1))
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        probe = load_probe(path)
        with torch.inference_mode():
            logits = probe(tokens, cls=tokens.mean(1), mask=torch.ones(3, 16, dtype=torch.bool))
        found.append([path.stem, logits, probe.metadata, probe.settings])
    return found


UNSUMMED = "safetensors and npy of others carry no sum"
KINDS = [
    Kind("mini weights", mini, ("*.safetensors",), (encoded_by_mini,)),
    Kind("published safetensors", published, ("plain/*",), (encoded_plain,), UNSUMMED),
    Kind("published parts", published, ("parts/*",), (encoded_parts,), UNSUMMED),
    Kind("published zip", published, ("zip/*.pt",), (encoded_zip,), quick=True),
    Kind("published before 1.6", published, ("older/*.pt",), (encoded_older,), "no sum of anything"),
    Kind("features npy", features, ("*.npy",), (features_plain,), UNSUMMED),
    Kind("features safetensors", features, ("*.safetensors",), (features_tensors,), UNSUMMED),
    Kind("features npz", features, ("*.npz",), (features_npz,), quick=True),
    Kind("features pt", features, ("*.pt",), (features_torch,), quick=True),
    Kind("probes", probes, ("*.safetensors",), (scored,), quick=True),
]
