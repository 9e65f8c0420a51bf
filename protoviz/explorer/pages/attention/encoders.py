"""Encoders side by side: loaded when a page first asks for one, and where each looks in a clip."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage, diffusion
from protoviz.audio import CellGrid, mono, resampled
from protoviz.encoders import ENCODERS, Encoder, EncoderError, load_encoder, present_encoders
from protoviz.explorer.reading import read_only
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
    """The workbench's own encoder (which the probes were trained on) first, then those whose attention its
    study keeps, then those whose weights are here.

    `clips` are the clips, by their ids, that `measured` goes over: those of the workbench's list.
    """

    def __init__(self, bench: Workbench):
        self._bench, self._own = bench, bench.encoder
        self.clips = bench.clips["clip"].tolist()
        self._load = lru_cache(maxsize=KEPT_ENCODERS)(load_encoder)
        # Keyed by two names; what comes back is read-only, so every session may share it.
        self.clip = lru_cache(maxsize=KEPT_MAPS)(self._clip)
        self.measured = lru_cache(maxsize=None)(self._measured)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="attention")

    @cached_property
    def names(self) -> list[str]:
        """The names of the encoders; nothing is loaded for it."""
        kept = self._bench.kept
        others = [] if kept is None else [name for name in kept.clips.encoders if kept.clips.keeps(name)]
        return list(dict.fromkeys([self._bench.name, *others, *present_encoders()]))

    def load(self, name: str) -> Encoder:
        """Return the encoder of this name. Raise EncoderError (WeightsError) where it cannot be shown."""
        if name == self._bench.name:
            if self._own is None:
                raise EncoderError(self._bench.lacks("encoder"))
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
        heard = resampled(mono(waveform), self._bench.sample_rate, encoder.sample_rate)
        encoding = encoder.encode(heard[: round(encoder.longest * encoder.sample_rate)], attention=True)
        if not encoding.attention:
            raise EncoderError(f"{name} gives no attention (encode(attention=True)): choose another encoder")
        rows = np.stack([row[0].float().cpu().numpy() for row in encoding.attention])
        kept = encoding.cls_to_cls or [row.new_zeros(row.shape[:2]) for row in encoding.attention]
        arrays = {
            "rows": rows,
            "cls_to_cls": np.stack([one[0].float().cpu().numpy() for one in kept]),
            "mask": encoding.mask[0].cpu().numpy(),
        }
        arrays = {key: read_only(array) for key, array in arrays.items()}
        received = encoder.cls_kind != "cls"
        return AttentionMaps(name, **arrays, grid=encoder.cell_grid(encoding.grid), received=received)

    def _clip(self, name: str, clip: str) -> AttentionMaps:
        """The `AttentionMaps` of a clip by its id: as the study keeps them, or made now."""
        if found := self._kept(name, clip):
            return found
        waveform = self._bench.waveform(clip)
        own = name == self._bench.name
        if not len(waveform) or (own and self._own is None):
            raise EncoderError(self._bench.lacks("attention" if own else "sound"))
        return self.attention(name, waveform)

    def _kept(self, name: str, clip: str) -> AttentionMaps | None:
        own = self._bench.kept
        if own is None or name not in own.clips.encoders or not own.clips.keeps(name):
            return None
        kept = replace(own, name=name)
        if (found := kept.attention(clip)) is None:
            return None
        rows, cls_to_cls, mask = found
        rows = rows[..., : len(mask)]
        cls_to_cls = np.zeros(rows.shape[:2], np.float32) if cls_to_cls is None else cls_to_cls
        arrays = map(read_only, (rows, cls_to_cls, mask))
        return AttentionMaps(name, *arrays, kept.grid, kept.facts.cls != "cls")

    def _measured(self, name: str) -> Future:
        """To become a frame of `diffusion` of all `clips`, one below the other, with a column clip.

        It is measured once for all sessions, beside what they do: some seconds with a mini encoder.
        """
        return self._worker.submit(self._measure, name)

    def _measure(self, name: str) -> pd.DataFrame:
        frames = []
        for clip in self.clips:
            maps, events = self.clip(name, clip), self._bench.events(clip)
            inside = coverage(maps.grid, events).ravel() if events else None
            frames.append(diffusion(maps.rows, maps.mask, inside, maps.cls_to_cls).assign(clip=clip))
        return pd.concat(frames, ignore_index=True)
