"""What the page Attention shows: two encoders, a layer, a head, and how far their attention spreads."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

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
from protoviz.explorer.background import Steps
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

    def table(self, layers: Iterable[int], heads: Iterable[int]) -> pd.DataFrame:
        """Return these maps as rows: layer, head, the cell's seconds and hertz, times its equal share."""
        grid, frames = self.maps.grid, []
        cells = pd.DataFrame([grid.box(*grid.place(n)) for n in range(grid.times * grid.freqs)])
        for layer, head in product(layers, heads):
            times = self.times_uniform(layer, head).ravel()
            frames.append(cells.assign(layer=layer, head=head, times=times))
        return pd.concat(frames, ignore_index=True)

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
    made = param.Integer(default=0, doc="Raised when what `seek` began is there.")
    stopped = param.Boolean(default=False, doc="What `seek` began last was stopped before it was there.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self.shelf, self.work = session.workbench.shared(EncoderShelf), session.works["attention"]
        self._found: dict[tuple[str, Reading], Attended | str] = {}
        names = self.shelf.names
        defaults = dict(zip(SIDES, (names[0], names[min(1, len(names) - 1)]), strict=True))
        for side, name in defaults.items():
            self.offer(side, names, name)

    def attended(self, side: str) -> Attended | str | None:
        """Return what the encoder of a side makes of the shown clip; or, in words, why it cannot be shown;
        None: it has to be encoded, which `seek` begins.
        """
        return self._known(getattr(self, side))

    def _known(self, name: str) -> Attended | str | None:
        reading = self.session.reading
        unknown = (name, reading) not in self._found and self._shared(reading)
        if unknown and (maps := self.shelf.ready(name, self.session.clip)):
            self._keep(reading, {name: _attended(maps, reading)})
        return self._found.get((name, reading))

    def seek(self) -> None:
        """Begin what is missing of what is shown, in the background: attention over the clip; where that is
        there, the numbers of the list. Whatever else was under way is left.

        What was stopped is begun anew when this is called again; a list that was not gone through gives way
        to the clip.
        """
        self.stopped = False
        encoders = list(dict.fromkeys(getattr(self, side) for side in SIDES))
        found = {name: self._known(name) for name in encoders}
        missing = [name for name, one in found.items() if one is None]
        unmeasured = [
            name
            for name, one in found.items()
            if isinstance(one, Attended) and self.over == "listed" and self.shelf.measured(name) is None
        ]
        if missing:
            reading = self.session.reading
            clip = self.session.clip if self._shared(reading) else None
            self._run(missing, "this clip", self._attend(missing, reading, clip))
        elif unmeasured:
            self._run(unmeasured, f"{len(self.shelf.clips)} clips", self._measure(unmeasured))
        else:
            self.work.forget()

    def _run(self, encoders: list[str], clips: str, steps: Steps) -> None:
        def done(_) -> None:
            self.made += 1

        def stopped(error: Exception | None) -> None:
            if error is not None:
                self.session.message = str(error)
            self.param.update(over="clip", stopped=True)

        self.work.run(f"Attention of {' and '.join(encoders)} over {clips}", steps, done, stopped)

    def _attend(self, names: list[str], reading: Reading, clip: str | None) -> Steps:
        """clip: its id, where all sessions share what is made of it."""
        found = {}
        for place, name in enumerate(names):
            yield (place + 0.1) / len(names)  # begun
            try:
                made = self.shelf.make(name, clip) if clip else self.shelf.attention(name, reading.waveform)
                found[name] = _attended(made, reading)
            except ValueError as error:
                found[name] = str(error)
        self._keep(reading, found)

    def _measure(self, names: list[str]) -> Steps:
        for place, name in enumerate(names):
            for share in self.shelf.measure(name):
                yield (place + share) / len(names)

    def _shared(self, reading: Reading) -> bool:
        """Whether a reading is one that all sessions may see; own sound stays here."""
        session = self.session
        return session.source == "clip" and reading is session.workbench.reading(session.clip)

    def _keep(self, reading: Reading, found: dict[str, Attended | str]) -> None:
        kept = {**self._found, **{(name, reading): one for name, one in found.items()}}
        self._found = dict(list(kept.items())[-KEPT:])  # at once: a thread may keep some too

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
        frame = self.shelf.measured(getattr(self, side))
        return None if frame is None else (over_clips(frame), by_layer(frame))


def _attended(maps: AttentionMaps, reading: Reading) -> Attended:
    inside = None
    if reading.events:  # a recording may have a label without a place
        inside = coverage(maps.grid, reading.events).ravel()
    heads = diffusion(maps.rows, maps.mask, inside, maps.cls_to_cls)
    shares = over_cells(maps.rows, maps.mask)
    return Attended(maps, shares, mean_map(shares), inside, heads, by_layer(heads))
