"""Scenes rendered once to log-mel frames on disk, so that training reads instead of mixing.

A store is a folder: `store.json` (what it holds) and shards `mels-00000.npy` of (clip frames mels) float16,
each with a digest behind its array. A shard is written whole or not at all, so a store that was interrupted
goes on where it stopped, and several runs may fill one at a time: the same scenes give the same bytes.
"""

import hashlib
import json
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from protoviz.arguments import in_order
from protoviz.audio import FilterBank, log_mel
from protoviz.encoders.devices import torch_threads
from protoviz.files import write_bytes, write_text
from protoviz.kept import UNSEALED, refuse_changed, sealed
from protoviz.processes import cores, spawned
from protoviz.progress import Listener, Progress, silent
from protoviz.scenes import (
    JoinedSources,
    ProceduralSources,
    SceneConfig,
    Sources,
    UnnamedSources,
    make_scene,
    scene_labels,
)
from protoviz.settings import read_json


class PretrainError(ValueError):
    """Pre-training cannot start or go on; the message says why and the cure."""


@dataclass(frozen=True)
class StoreConfig:
    """Which scenes a store holds, and how they became frames."""

    count: int
    first_seed: int = 1_000_000  # far above the seeds of any data set here: these scenes are in none
    shard: int = 64  # 17 MB a file: a kill loses a second or two of work
    scene: SceneConfig = field(default_factory=SceneConfig)
    unnamed: int = 0  # so many of the sounds to draw from are of no class; the classes are 24
    bank: FilterBank = field(default_factory=FilterBank)

    def shards(self) -> list[range]:
        """Return the clip numbers of each shard."""
        return [range(i, min(i + self.shard, self.count)) for i in range(0, self.count, self.shard)]

    @property
    def sources(self) -> Sources:
        """The classes' sounds, and those of no class beside them."""
        named = ProceduralSources()
        return JoinedSources(named, UnnamedSources(self.unnamed)) if self.unnamed else named

    def waveform(self, seed: int) -> np.ndarray:
        """Return the sound (s,) of a scene."""
        return make_scene(seed, sources=self.sources, config=self.scene).waveform

    def labels(self, seeds: np.ndarray) -> list[tuple[str, ...]]:
        """Return what sounds in each scene of these seeds, sounds of no class included."""
        return [scene_labels(int(seed), sources=self.sources, config=self.scene)[1] for seed in seeds]

    def describe(self) -> dict:
        """Return all that decides the frames, as plain values; a scene's digest stands for the recipes."""
        first = self.waveform(self.first_seed)
        digest = hashlib.sha256(np.ascontiguousarray(first, dtype="<f4").tobytes()).hexdigest()
        told = json.loads(json.dumps({**asdict(self), "first_scene_sha256": digest}))
        if not self.unnamed:  # as stores of before it was there
            del told["unnamed"]
        return told


class SceneStore:
    """The rendered scenes of `render_scenes`: `len()`, `read(indices)`, `statistics()`."""

    def __init__(self, folder: Path, config: StoreConfig):
        self.folder, self.config = folder, config
        self._shards: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self.config.count

    def read(self, indices) -> Tensor:
        """Return log-mel frames (b frames mels) float32 of the clips `indices`, in their order."""
        return torch.from_numpy(np.stack([self._clip(int(i)) for i in indices])).float()

    def _clip(self, i: int) -> np.ndarray:
        shard, row = divmod(i, self.config.shard)
        if shard not in self._shards:
            rows = len(self.config.shards()[shard])
            self._shards[shard] = _opened(shard_path(self.folder, shard), (rows, self.config.bank.mels))
        return self._shards[shard][row]

    def statistics(self, clips: int = 512) -> tuple[float, float]:
        """Return (mean, standard deviation) of the log-mel values of the first clips, to four decimals.

        Rounded, because the last bits of a sum differ between machines and these numbers are part of an
        encoder.
        """
        values = np.concatenate([self._clip(i).ravel() for i in range(min(clips, len(self)))]).astype(
            np.float64
        )
        return round(float(values.mean()), 4), round(float(values.std()), 4)


def _opened(path: Path, wanted: tuple[int, int]) -> np.ndarray:
    """The frames (clip frames mels) of a shard, mapped; PretrainError where they are not those written."""
    try:
        refuse_changed(path, path.read_bytes())
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if found.ndim != 3 or found.shape[::2] != wanted or found.dtype != np.float16:
            raise ValueError(f"it holds {found.dtype} {found.shape}")
        if not np.isfinite(found).all():
            raise ValueError("it holds NaN or infinity")
    except (OSError, EOFError, ValueError) as error:
        raise PretrainError(f"{path} is damaged ({error}); delete it, and call the same again") from error
    return found


def shard_path(folder: Path, shard: int) -> Path:
    """Return the file of a shard."""
    return folder / f"mels-{shard:05d}.npy"


@in_order
def render_scenes(
    folder: Path, config: StoreConfig, workers: int | None = None, progress: Listener = silent
) -> SceneStore:
    """Return the store in `folder`, rendered where it is not yet; `progress` hears of clips.

    workers: processes, None for one a core; the result does not depend on it. Raises PretrainError when the
    folder holds other scenes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, config.describe())
    shards = config.shards()
    missing = [i for i in range(len(shards)) if not shard_path(folder, i).exists()]
    progress(Progress(sum(len(clips) for i, clips in enumerate(shards) if i not in set(missing))))
    workers = min(workers or cores(), len(missing))
    if workers > 1:
        with spawned(workers, torch.set_num_threads, 1) as pool:
            for work in as_completed([pool.submit(_render_shard, folder, config, i) for i in missing]):
                progress(Progress(work.result()))
    else:
        with torch_threads(1):  # as in a worker: sums over several threads round differently
            for i in missing:
                progress(Progress(_render_shard(folder, config, i)))
    return SceneStore(folder, config)


def _claim(folder: Path, wanted: dict) -> None:
    """Write what the store will hold, or check that it holds just that."""
    note = folder / "store.json"
    if note.exists():
        cure = "delete that folder, or choose another one"
        found = read_json(note, dict[str, Any], cure, PretrainError)
        if differs := [key for key in wanted if found.get(key) != wanted[key]]:
            raise PretrainError(
                f"{folder} holds scenes rendered with other settings ({', '.join(differs)}); "
                "delete that folder, or choose another one"
            )
        return
    write_text(note, json.dumps(wanted, indent=1))


def _render_shard(folder: Path, config: StoreConfig, shard: int) -> int:
    """The number of clips in the shard, which now exists."""
    clips = [_frames(config.first_seed + i, config) for i in config.shards()[shard]]
    data = BytesIO()
    np.save(data, np.stack(clips))
    data.write(UNSEALED.encode())  # what follows an array nobody reads as one
    write_bytes(shard_path(folder, shard), sealed(data.getvalue()))
    return len(clips)


def _frames(seed: int, config: StoreConfig) -> np.ndarray:
    """(frames mels) float16 of one scene: minus its mean, as the mini encoder's front end does."""
    waveform = torch.from_numpy(config.waveform(seed))
    return log_mel(waveform - waveform.mean(), config.bank).half().numpy()
