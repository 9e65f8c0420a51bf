"""Encoders side by side: loaded when a page first asks for one, and where each looks in a clip."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from threading import Lock

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage, diffusion
from protoviz.audio import CellGrid, mono, resampled
from protoviz.encoders import ENCODERS, Encoder, EncoderError, load_encoder, present_encoders
from protoviz.experiments.opening import encoder_of
from protoviz.explorer.background import Steps
from protoviz.explorer.keeping import Kept
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

    Nothing is encoded before `make`, `attention` or `measure` is called: they take seconds with a published
    encoder, and a session calls them in the background. What they made is there for all sessions. `clips` are
    the clips, by their ids, that `measure` goes over: those of the workbench's list.
    """

    def __init__(self, bench: Workbench):
        self._bench, self._own = bench, bench.encoder
        self.clips = bench.clips["clip"].tolist()
        self._load = lru_cache(maxsize=KEPT_ENCODERS)(self._loaded)
        self._encoding = Lock()  # one at a time: who asks for the same meanwhile finds it made
        self._made: dict[tuple[str, str], AttentionMaps] = {}  # (encoder, clip) -> the last ones
        self._frames: dict[tuple[str, str], pd.DataFrame] = {}  # the same -> a frame of `diffusion`
        self._measured: dict[str, pd.DataFrame] = {}

    @cached_property
    def names(self) -> list[str]:
        """The names of the encoders; nothing is loaded for it."""
        kept = self._bench.kept
        others = [] if kept is None else [name for name in kept.clips.encoders if kept.clips.keeps(name)]
        return list(dict.fromkeys([self._bench.name, *others, *present_encoders()]))

    def load(self, name: str) -> Encoder:
        """Return the encoder of this name. Raise ValueError, with the cure, where it is not at hand."""
        if name == self._bench.name:
            if self._own is None:
                raise EncoderError(self._bench.lacks("encoder"))
            return self._own
        return self._load(name)

    def _loaded(self, name: str) -> Encoder:
        study = self._bench.study
        if study is None or name not in study.encoders:
            return load_encoder(name)
        return encoder_of(study, name, replace(self._bench.kept, name=name).seconds)

    def summary(self, name: str) -> str:
        """Return what the registry says about an encoder."""
        return ENCODERS[name].summary if name in ENCODERS else ""

    def ready(self, name: str, clip: str) -> AttentionMaps | None:
        """Return the `AttentionMaps` of a clip by its id where nothing has to be encoded for it: as the study
        keeps them, or as they were made; else None.
        """
        return self._made.get((name, clip)) or self._kept(name, clip)

    def make(self, name: str, clip: str) -> AttentionMaps:
        """Return the `AttentionMaps` of a clip by its id, encoded now if need be. Raise ValueError, with the
        cure, where encoder or sound is not at hand.
        """
        with self._encoding:
            found = self.ready(name, clip)
            if found is None:
                found = self._made[name, clip] = self._encoded(name, clip)
                while len(self._made) > KEPT_MAPS:
                    del self._made[next(iter(self._made))]
        return found

    def _encoded(self, name: str, clip: str) -> AttentionMaps:
        try:
            encoder = self.load(name)
        except ValueError as error:
            study = self._keeper(name, clip)
            raise error if study is None else EncoderError(study.lacks("attention")) from error
        waveform = self._bench.waveform(clip)
        if not len(waveform):
            raise EncoderError(self._bench.lacks("sound"))
        return self._maps(encoder, name, waveform)

    def attention(self, name: str, waveform: np.ndarray) -> AttentionMaps:
        """Return the `AttentionMaps` of an encoder over a clip (s,) at the workbench's
        rate; what is too long is cut.

        Raises ValueError for an encoder that cannot be loaded or gives no attention, or a clip too short
        for one of its cells.
        """
        return self._maps(self.load(name), name, waveform)

    def _maps(self, encoder: Encoder, name: str, waveform: np.ndarray) -> AttentionMaps:
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

    def _keeper(self, name: str, clip: str) -> Kept | None:
        """The study as this encoder saw it, where it shows the clip; else None."""
        kept = self._bench.kept
        if kept is None or clip not in self.clips or name not in kept.study.encoders:
            return None
        return replace(kept, name=name)

    def _kept(self, name: str, clip: str) -> AttentionMaps | None:
        kept = self._keeper(name, clip)
        if kept is None or not kept.clips.keeps(name) or (found := kept.attention(clip)) is None:
            return None
        rows, cls_to_cls, mask = found
        rows = rows[..., : len(mask)]
        cls_to_cls = np.zeros(rows.shape[:2], np.float32) if cls_to_cls is None else cls_to_cls
        arrays = map(read_only, (rows, cls_to_cls, mask))
        return AttentionMaps(name, *arrays, kept.grid, kept.facts.cls != "cls")

    # -- numbers of all listed clips

    def measured(self, name: str) -> pd.DataFrame | None:
        """Return a frame of `diffusion` of all `clips`, one below the other, with a column clip; None before
        `measure` went through.
        """
        return self._measured.get(name)

    def measure(self, name: str) -> Steps:
        """Yield the share of `clips` that is measured; a clip that was is not measured again, also where
        somebody stopped.
        """
        for place, clip in enumerate(self.clips, 1):
            if (name, clip) not in self._frames:
                maps, events = self.make(name, clip), self._bench.events(clip)
                inside = coverage(maps.grid, events).ravel() if events else None
                frame = diffusion(maps.rows, maps.mask, inside, maps.cls_to_cls)
                self._frames[name, clip] = frame.assign(clip=clip)
            yield place / len(self.clips)
        frames = [self._frames[name, clip] for clip in self.clips]
        self._measured[name] = pd.concat(frames, ignore_index=True)
