"""Encoders side by side: loaded when a page first asks for one, and where each looks in a clip."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage, diffusion
from protoviz.audio import CellGrid, mono, resampled
from protoviz.encoders import ENCODERS, Encoder, EncoderError, load_encoder, present_encoders
from protoviz.explorer.workbench import Workbench

KEPT_MAPS = 64  # 40 kB each with a mini encoder, 0.3 MB with a published one
KEPT_ENCODERS = 3  # 11 MB each a mini encoder, 0.35 GB a published one


@dataclass(frozen=True, eq=False)
class AttentionMaps:
    """Where one encoder looks in one clip. Arrays are read-only: sessions share them.

    rows        (l h n) float32: softmax rows over the cells, without the column of [cls]; not scaled
    cls_to_cls  (l h) float32: what [cls] keeps to itself; 0 where there is no [cls]
    mask        (n) bool: the cells that hold sound
    grid        where the cells lie
    received    True where there is no [cls]: a row is what each cell receives, the mean over queries
    """

    encoder: str
    rows: np.ndarray
    cls_to_cls: np.ndarray
    mask: np.ndarray
    grid: CellGrid
    received: bool


class EncoderShelf:
    """The encoders whose weights are here, the workbench's own (which the probes were trained on) first.

    `clips` are the scenes (seed, polyphony) that `measured` goes over: those of the workbench's list.
    """

    def __init__(self, bench: Workbench):
        self._own, self._made = bench.encoder, bench.made
        self.clips = list(zip(bench.clips.seed.tolist(), bench.clips.polyphony.tolist(), strict=True))
        self._load = lru_cache(maxsize=KEPT_ENCODERS)(load_encoder)
        # Keyed by a name and two whole numbers; what comes back is read-only, so every session may share it.
        self.scene = lru_cache(maxsize=KEPT_MAPS)(self._scene)
        self.measured = lru_cache(maxsize=None)(self._measured)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="attention")

    @cached_property
    def names(self) -> list[str]:
        """The names of the encoders; nothing is loaded for it."""
        return [self._own.name, *(name for name in present_encoders() if name != self._own.name)]

    def load(self, name: str) -> Encoder:
        """Return the encoder of this name. Raise EncoderError (WeightsError) where it cannot be shown."""
        if name == self._own.name:
            return self._own
        return self._load(name)

    def summary(self, name: str) -> str:
        """Return what the registry says about an encoder."""
        return ENCODERS[name].summary if name in ENCODERS else ""

    def attention(self, name: str, waveform: np.ndarray) -> AttentionMaps:
        """Return the `AttentionMaps` of an encoder over a clip (s,) at the workbench's
        rate; what is too long is cut.

        Raises EncoderError for an encoder that cannot be loaded or gives no attention, or a clip too short
        for one of its cells.
        """
        encoder = self.load(name)
        heard = resampled(mono(waveform), self._own.sample_rate, encoder.sample_rate)
        encoding = encoder.encode(heard[: round(encoder.longest * encoder.sample_rate)], attention=True)
        if not encoding.attention:
            raise EncoderError(f"{name} gives no attention (encode(attention=True)): choose another encoder")
        rows = np.stack([row[0].float().cpu().numpy() for row in encoding.attention])
        kept = encoding.cls_to_cls or [row.new_zeros(row.shape[:2]) for row in encoding.attention]
        arrays = {
            "rows": rows,
            "cls_to_cls": np.stack([one[0].float().cpu().numpy() for one in kept]),
            "mask": encoding.mask[0].cpu().numpy().copy(),
        }
        for array in arrays.values():
            array.setflags(write=False)
        received = encoder.cls_kind != "cls"
        return AttentionMaps(name, **arrays, grid=encoder.cell_grid(encoding.grid), received=received)

    def _scene(self, name: str, seed: int, polyphony: int) -> AttentionMaps:
        """The `AttentionMaps` of the procedural scene of this seed and polyphony."""
        return self.attention(name, self._made(seed, polyphony).waveform)

    def _measured(self, name: str) -> Future:
        """To become a frame of `diffusion` of all `clips`, one below the other, with columns seed, polyphony.

        It is measured once for all sessions, beside what they do: some seconds with a mini encoder.
        """
        return self._worker.submit(self._measure, name)

    def _measure(self, name: str) -> pd.DataFrame:
        frames = []
        for seed, polyphony in self.clips:
            scene = self._made(seed, polyphony)
            maps = self.attention(name, scene.waveform)
            inside = coverage(maps.grid, scene.events).ravel()
            frame = diffusion(maps.rows, maps.mask, inside, maps.cls_to_cls)
            frames.append(frame.assign(seed=seed, polyphony=polyphony))
        return pd.concat(frames, ignore_index=True)
