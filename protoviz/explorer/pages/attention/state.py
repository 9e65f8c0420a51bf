"""What the page Attention shows: two encoders, a layer, a head, and how far their attention spreads."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import param

from protoviz.analysis.attention import (
    by_layer,
    coverage,
    diffusion,
    entropy_of,
    mean_map,
    over_cells,
    over_clips,
)
from protoviz.encoders import EncoderError
from protoviz.explorer.pages.attention.encoders import AttentionMaps, EncoderShelf
from protoviz.explorer.reading import Reading
from protoviz.explorer.session import ExplorerState, PageState

LAST, MEAN = 0, 0  # layers and heads are counted from 1
SIDES = ("left", "right")
KEPT = 6  # of this session, each of one encoder and clip: both sides, and back and forth


@dataclass(frozen=True, eq=False)
class Attended:
    """One encoder's attention over the shown clip, as shares. Letters: l layer, h head, n cell.

    shares (l h n) sum to 1 over the real cells; means (l n) over the heads. inside (n): share of each cell in
    true events; None where they are not known. heads: a frame of `diffusion`, layers: of `by_layer`.
    """

    maps: AttentionMaps
    shares: np.ndarray
    means: np.ndarray
    inside: np.ndarray | None
    heads: pd.DataFrame
    layers: pd.DataFrame

    @property
    def depth(self) -> int:
        """Layers of the encoder."""
        return self.shares.shape[0]

    @property
    def width(self) -> int:
        """Heads of a layer."""
        return self.shares.shape[1]

    def times_uniform(self, layer: int, head: int) -> np.ndarray:
        """Return the map (t f) of a head (MEAN: of the mean of the heads): 1 where a
        cell gets its equal share.

        NaN where there is no sound.
        """
        row = self.means[layer - 1] if head == MEAN else self.shares[layer - 1, head - 1]
        real = self.maps.mask
        grid = self.maps.grid
        return np.where(real, row * real.sum(), np.nan).reshape(grid.times, grid.freqs)

    def numbers(self, layer: int, head: int) -> pd.Series:
        """Return the row of `diffusion` of this map; with MEAN that of the mean map of the heads."""
        if head != MEAN:
            return self.heads.iloc[(layer - 1) * self.width + head - 1]  # in this order; a search is slow
        means = self.layers.iloc[layer - 1].copy()
        means["entropy"] = float(entropy_of(self.means[layer - 1]))
        means["effective"] = float(np.exp(means.entropy))
        return means


class AttentionState(PageState):
    """Two encoders, and which layer and head of both is shown large.

    An encoder with fewer layers or heads than chosen shows its last.
    """

    in_link = ("left", "right", "layer", "head", "stretch", "over")

    left = param.Selector(objects=[""], doc="Encoder on the left.")
    right = param.Selector(objects=[""], doc="Encoder on the right.")
    layer = param.Integer(default=LAST, bounds=(0, 99), doc="Layer from 1; 0: the last one.")
    head = param.Integer(default=MEAN, bounds=(0, 99), doc="Head from 1; 0: the mean of the heads.")
    stretch = param.Boolean(
        default=False, doc="Colour each map from its own smallest to its own largest value."
    )

    over = param.Selector(
        default="clip", objects=["clip", "listed"], doc="The charts: the shown clip, or the mean of the list."
    )
    measured = param.Integer(default=0, doc="Raised when numbers that were asked for are there.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self.shelf = session.workbench.shared(EncoderShelf)
        self._attended = lru_cache(maxsize=KEPT)(self._attend)
        names = self.shelf.names
        defaults = dict(zip(SIDES, (names[0], names[min(1, len(names) - 1)]), strict=True))
        for side, name in defaults.items():
            self.offer(side, names, name)

    def attended(self, side: str) -> Attended | str:
        """Return what the encoder of a side makes of the shown clip; or, in words, why it cannot be shown."""
        try:
            return self._attended(getattr(self, side), self.session.reading)
        except EncoderError as error:
            return str(error)

    def chosen(self, attended: Attended) -> tuple[int, int]:
        """Return (layer, head) that is shown of an encoder: what is chosen, or
        its last where it has fewer.
        """
        layer = attended.depth if self.layer == LAST else min(self.layer, attended.depth)
        return layer, min(self.head, attended.width)

    def numbers(self, side: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """Return (a frame of `diffusion`, one of `by_layer`) for the charts; None while it is being measured.

        With over = "listed" the first is that of `over_clips`. Only for a side whose encoder can be shown.
        """
        if self.over == "clip":
            found = self.attended(side)
            return found.heads, found.layers
        future = self.shelf.measured(getattr(self, side))
        if not future.done():
            return None
        frame = future.result()
        return over_clips(frame), by_layer(frame)

    def when_measured(self, side: str, call) -> None:
        """Call `call()` in the measuring thread once the numbers that `numbers` misses are there."""
        waiting = [call]  # what is measured is kept, with its callbacks: it must not keep the session
        self.shelf.measured(getattr(self, side)).add_done_callback(lambda _: waiting.pop()())

    def _attend(self, name: str, reading: Reading) -> Attended:
        session = self.session
        # What all sessions may see they share; own sound stays here.
        shared = session.source == "clip" and reading is session.workbench.reading(session.clip)
        found = self.shelf.clip(name, session.clip) if shared else None
        maps = found or self.shelf.attention(name, reading.waveform)
        inside = None
        if reading.events:  # a recording may have a label without a place
            inside = coverage(maps.grid, reading.events).ravel()
        heads = diffusion(maps.rows, maps.mask, inside, maps.cls_to_cls)
        shares = over_cells(maps.rows, maps.mask)
        return Attended(maps, shares, mean_map(shares), inside, heads, by_layer(heads))
