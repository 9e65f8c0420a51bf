"""What the page Prototypes chooses for itself: who keeps silent, which region is missing, what follows."""

import numpy as np
import pandas as pd
import param

from protoviz.analysis.prototypes import class_order, class_scores, listed_classes, logit_parts
from protoviz.analysis.what_if import (
    chance_of_hit,
    class_changes,
    linear_logits,
    logits_without,
    muted_logits,
    muted_row,
    region_cells,
    region_effects,
    region_of_box,
    silent_prototypes,
)
from protoviz.audio import Box, background_noise, part_sound, silence_box
from protoviz.explorer.heads import Head
from protoviz.explorer.reading import Explained, Reading
from protoviz.explorer.session import ExplorerState, PageState

LISTED = 9  # prototypes on the page, one for each number key


class Region(param.List):
    """Four whole numbers: first cell and end (exclusive) in time, then in frequency; empty: no region."""

    def _validate(self, val) -> None:
        super()._validate(val)
        whole = val is not None and all(isinstance(edge, int) for edge in val)
        if not whole or (val and not (len(val) == 4 and 0 <= val[0] < val[1] and 0 <= val[2] < val[3])):
            raise ValueError(f"a region is four whole numbers t0 < t1, f0 < f1 from 0 on, not {val}")


class PrototypesState(PageState):
    """Muted and solo prototypes of the placed probe, and a region that is left out or taken out of the clip.

    Another probe has other prototypes, so it starts with none muted.
    """

    in_link = ("what", "muted", "solo", "baseline", "region", "stand_in")

    what = param.Selector(
        default="mute", objects=["mute", "region"], doc="Prototypes keep silent, or a region is missing."
    )
    muted = param.List(default=[], item_type=int, doc="Prototypes whose score is not used.")
    solo = param.List(default=[], item_type=int, doc="Where there are some, all others are muted as well.")
    baseline = param.Selector(
        default="mean",
        objects=["mean", "zero"],
        # A largest cosine over hundreds of cells has a level of its own, which the bias has learnt with it.
        # The mean takes away only what a prototype says of this clip; 0 also takes away that level.
        doc="What a muted prototype scores: its mean over the training clips, where known, or 0.",
    )
    region = Region(default=[], doc="The region in cells: t0, t1, f0, f1.")
    clicks = param.Selector(
        default="hear", objects=["hear", "mute"], doc="What a click on a cell or a bar does."
    )
    stand_in = param.Selector(
        default="background",
        objects=["background", "silence"],
        # An encoder never hears a hole with sharp edges in training, and takes it for a sound: classes that
        # are not in the clip then move more than with noise like the clip's background.
        doc="What is heard in the place of a region that was taken out.",
    )
    taken_out = param.Array(default=None, allow_None=True, doc="Logits (c) of the clip without the region.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self._probe = session.placed_probe
        self._noise: tuple[Reading | None, np.ndarray] = (None, np.zeros(0, np.float32))
        session.param.watch(self._follow, ["reading", "left", "right"])

    def _follow(self, *_) -> None:
        if self.session.placed_probe != self._probe:
            self._probe = self.session.placed_probe
            self.clear()
        self.taken_out = None

    @param.depends("region", "stand_in", watch=True)
    def _another_region(self) -> None:
        self.taken_out = None

    # -- prototypes

    @property
    def explained(self) -> Explained | None:
        """What the placed probe makes of the clip; None: no shown probe has places."""
        name = self.session.placed_probe
        return None if name is None else self.session.reading.explained[name]

    @property
    def head(self) -> Head:
        """How the placed probe makes logits of scores."""
        return self.session.workbench.heads[self.session.placed_probe]

    @property
    def means_known(self) -> bool:
        """The study holds the mean scores of the placed probe."""
        return self.explained is not None and self.head.means is not None

    @property
    def used_baseline(self) -> str:
        """ "mean" or "zero": what is used; zero where the means are not known."""
        return self.baseline if self.means_known else "zero"

    def silent(self) -> np.ndarray:
        """Return the prototypes that keep silent, rising."""
        count = 0 if self.explained is None else len(self.explained.scores)
        return silent_prototypes(count, self.muted, self.solo)

    def strongest(self) -> pd.DataFrame:
        """Return `strongest_prototypes` of the chosen class, as they are without any muting."""
        return self.session.strongest(LISTED)

    def parts(self, strongest: pd.DataFrame) -> pd.DataFrame:
        """Return `logit_parts` of the chosen class with the muted prototypes' rows as they have become."""
        if self.explained is None:
            return pd.DataFrame()
        explained, head, number = self.explained, self.head, self.class_number
        row = muted_row(
            explained.contributions[number],
            head.weight[number],
            explained.scores,
            self.silent(),
            self._muted_score,
        )
        rows = strongest.assign(contribution=row[strongest.prototype.to_numpy(dtype=int)])
        return logit_parts(row, float(explained.bias[number]), rows)

    def largest_part(self, strongest: pd.DataFrame) -> float | None:
        """Return the largest summand of the logit without any muting, by size; None
        without a probe with places.
        """
        if self.explained is None:
            return None
        key = ("largest part", self.session.placed_probe, self.session.class_name, len(strongest))
        return self.session.remembered(key, lambda: float(self.session.parts(strongest).value.abs().max()))

    def changes(self) -> pd.DataFrame:
        """Return `class_changes` of all classes between no muting and the muting chosen."""
        explained, head = self.explained, self.head
        before = linear_logits(head.weight, head.bias, explained.scores)
        after = muted_logits(head.weight, head.bias, explained.scores, self.silent(), self._muted_score)
        return class_changes(self.session.workbench.classes, before, after)

    def new_scores(self, changes: pd.DataFrame) -> pd.DataFrame:
        """Return `class_scores` of the placed probe at the new logits of `changes`."""
        logits = {self.session.placed_probe: changes.new_logit.to_numpy()}
        return class_scores(self.session.workbench.classes, logits, self.session.reading.truth)

    def classes_in_order(self) -> list[str]:
        """Return the classes that the charts list, by what the probe says without any what-if."""
        session, name = self.session, self.session.placed_probe

        def listed() -> list[str]:
            logits = {name: self.explained.logits}
            scores = class_scores(session.workbench.classes, logits, session.reading.truth)
            order = class_order(scores, session.order, name)
            return listed_classes(scores, order, keep=[session.class_name])

        return session.remembered(("order", name, session.order, session.class_name), listed)

    def chance(self) -> float | None:
        """Return how often a cell drawn at random would hit a true event of the class; None without truth."""
        boxes = self.session.true_boxes()
        return None if boxes is None else chance_of_hit(self.session.workbench.grid, boxes)

    def toggle(self, prototype: int, alone: bool = False) -> None:
        """Mute a prototype or let it speak again; alone: put it among the solo ones or take it out."""
        name = "solo" if alone else "muted"
        chosen = set(getattr(self, name)) ^ {prototype}
        self.param.update(**{name: sorted(chosen)})

    def toggle_cell(self, prototype: int) -> None:
        """Mute all listed prototypes whose best match lies where this one's does, or let them speak again."""
        rows = self.strongest()
        place = self.explained.locations[prototype]
        here = {int(j) for j in rows.prototype if self.explained.locations[j] == place} | {prototype}
        muted = set(self.muted)
        self.muted = sorted(muted - here if here <= muted else muted | here)

    def mute_listed(self) -> None:
        """Mute all listed prototypes, beside those that are muted already."""
        self.muted = sorted({*self.muted, *map(int, self.strongest().prototype)})

    def clear(self) -> None:
        """Let all prototypes speak."""
        self.param.update(muted=[], solo=[])

    @property
    def _muted_score(self) -> np.ndarray | float:
        return self.head.means if self.used_baseline == "mean" else 0.0

    @property
    def class_number(self) -> int:
        """The chosen class's row of W."""
        return self.session.workbench.classes.index(self.session.class_name)

    # -- a region

    @property
    def cells(self) -> tuple[int, int, int, int] | None:
        """The region within the grid; None: none is chosen."""
        grid = self.session.workbench.grid
        if not self.region or self.region[0] >= grid.times or self.region[2] >= grid.freqs:
            return None
        t0, t1, f0, f1 = self.region
        return t0, min(t1, grid.times), f0, min(f1, grid.freqs)

    @property
    def box(self) -> Box | None:
        """Seconds and hertz of the region; None: none is chosen."""
        if self.cells is None:
            return None
        (t0, t1, f0, f1), grid = self.cells, self.session.workbench.grid
        low, high = grid.box(t0, f0), grid.box(t1 - 1, f1 - 1)
        return Box(low.onset, high.offset, low.low_hz, high.high_hz)

    def take_box(self, box) -> None:
        """Choose all cells that a box (onset, offset, low_hz, high_hz) touches, if there is one."""
        self.region = list(region_of_box(self.session.workbench.grid, box) or self.region)

    def event_regions(self) -> list[tuple[int, int, int, int] | None]:
        """Return the region of each event of the clip, in their order."""
        return [region_of_box(self.session.workbench.grid, event) for event in self.session.reading.events]

    def effects(self) -> pd.DataFrame:
        """Return `region_effects` of all classes; without a region nothing is
        left out. No muting acts here.
        """
        explained, head = self.explained, self.head
        original = linear_logits(head.weight, head.bias, explained.scores)
        if self.cells is None:
            return region_effects(self.session.workbench.classes, original, original)
        cells = region_cells(self.session.workbench.grid, self.cells)
        left_out = logits_without(head.weight, head.bias, explained.similarity, cells)
        return region_effects(self.session.workbench.classes, original, left_out, self.taken_out)

    def take_out(self) -> None:
        """Encode the clip without the region's sound: `taken_out` gets its logits."""
        wanted = self.cells is not None and self.explained is not None and self.taken_out is None
        if wanted and not self.lacking:
            probe = self.session.placed_probe
            self.taken_out = self.session.workbench.logits(self.left_sound(), [probe])[probe]

    @property
    def lacking(self) -> str:
        """Why the clip cannot be encoded without a region's sound; "": it can."""
        bench = self.session.workbench
        return bench.lacks("encoder") or ("" if self.session.reading.audible else bench.lacks("sound"))

    def left_sound(self) -> np.ndarray:
        """Return the clip (s,) without the region's sound, with silence or background noise in its place."""
        reading = self.session.reading
        if self.stand_in == "silence":
            return silence_box(reading.waveform, reading.sample_rate, self.box)
        if self._noise[0] is not reading:
            self._noise = reading, background_noise(reading.waveform, reading.sample_rate)
        noise = self._noise[1]
        return noise + silence_box(reading.waveform - noise, reading.sample_rate, self.box)

    def region_sound(self) -> tuple[np.ndarray, float]:
        """Return the sound (s,) of the region alone, as loud as a cell's, and its start, seconds."""
        return part_sound(self.session.reading.waveform, self.session.reading.sample_rate, self.box)
