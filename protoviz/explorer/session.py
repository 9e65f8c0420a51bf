"""What the explorer shows, without a widget: what is chosen, and what follows from it as arrays and frames.

Pages write the parameters and draw what the methods return; a test does the same without a browser. What only
one page chooses is its own `PageState`, in the file `state` of its folder.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import param

from protoviz.analysis.prototypes import (
    class_order,
    class_scores,
    listed_classes,
    logit_parts,
    strongest_prototypes,
    what_was_missed,
)
from protoviz.audio import Box, part_sound
from protoviz.explorer.clip import ClipState
from protoviz.explorer.firsts import Firsts
from protoviz.explorer.pages import PAGES, SECTIONS, declared
from protoviz.explorer.reading import Reading
from protoviz.explorer.workbench import BenchError, Workbench
from protoviz.probes.prototype import ProtobinProbe, PrototypeProbe
from protoviz.scenes import Event

NO_PROTOTYPE = -1
FIRST_SCENE = 0, 3  # seed and events, where no clip is listed


class ExplorerState(ClipState):
    """Everything that is chosen: the page, the clip, two probes, a class, a prototype, and what is drawn.

    Every choice is a plain number, word or switch, so that a page, a link or a lesson can hold it.
    """

    # Name in a link -> parameter (see `link`).
    in_link: ClassVar[dict[str, str]] = {
        "page": "page",
        "clip": "clip",
        "recording": "recording",
        "channel": "channel",
        "normalise": "normalise",
        "left": "left",
        "right": "right",
        "class": "class_name",
        "prototype": "prototype",
        "order": "order",
        "boxes": "show_events",
        "map": "show_similarity",
    }

    page = param.Selector(default="listen", objects=list(PAGES), doc="The page that is shown.")
    left = param.Selector(objects=[""], doc="Probe in the left panel.")
    right = param.Selector(objects=[""], doc="Probe in the right panel.")
    class_name = param.Selector(objects=[""], doc="The class that is explained.")
    prototype = param.Integer(default=NO_PROTOTYPE, doc="The prototype looked at; -1: none.")
    shown = param.Integer(default=5, bounds=(1, 9), constant=True, doc="How many prototypes are numbered.")
    order = param.Selector(
        default="truth", objects=["truth", "probability", "name"], doc="Order of the classes."
    )
    show_events = param.Boolean(default=True, doc="Draw the true event boxes.")
    show_similarity = param.Boolean(default=False, doc="Draw the similarity map of one prototype.")

    _kept = NO_PROTOTYPE  # the prototype that the next clip starts with

    def __init__(self, workbench: Workbench, **choices):
        self._memory: tuple[Reading | None, dict] = (None, {})
        super().__init__(workbench, **{**_defaults(workbench), **choices})
        self._read_clip()
        if self.reading is None:
            raise BenchError(self.message)
        if "class_name" not in choices:
            self.class_name = self._telling_class(self.reading)
        self.own = _States(self)

    def _offer(self) -> None:
        super()._offer()
        bench = self.workbench
        defaults = _defaults(bench)
        for panel in ("left", "right"):
            self.param[panel].objects, self.param[panel].default = list(bench.probes), defaults[panel]
        self.param.class_name.objects = list(bench.classes)

    def _settle(self, reading: Reading) -> dict:
        keep = self.reading is None or (reading.truth and self.class_name in reading.truth)
        chosen = self.class_name if keep else self._telling_class(reading)
        return {"class_name": chosen, "prototype": self._kept}

    def choose_clip_with(self, clip: str, prototype: int) -> None:
        """Show a clip and look at this prototype in it (-1: at none), in one step."""
        self._kept = prototype
        try:
            self.choose_clip(clip)
        finally:
            self._kept = NO_PROTOTYPE
        if self.clip == clip:
            self.prototype = prototype  # where that clip was shown already

    # -- classes

    @property
    def panels(self) -> list[str]:
        """The probes shown, left to right, each once."""
        return list(dict.fromkeys([self.left, self.right]))

    def scores(self) -> pd.DataFrame:
        """Return `class_scores` of the shown probes."""
        logits = {name: self.reading.explained[name].logits for name in self.panels}
        return self.remembered(
            ("scores", *logits),
            lambda: class_scores(self.workbench.classes, logits, self.reading.truth),
        )

    def classes_in_order(self, scores: pd.DataFrame | None = None, search: str = "") -> list[str]:
        """Return the classes of the chart, top first, by the right panel's probe; see `listed_classes`."""
        scores = self.scores() if scores is None else scores
        order = class_order(scores, self.order, self.right)
        return listed_classes(scores, order, search, [self.class_name])

    def missed(self) -> dict[str, list[str]]:
        """Return by probe the present classes not on its first k ranks (k present); {} without truth."""
        return what_was_missed(self.scores())

    def _telling_class(self, reading: Reading) -> str:
        """The class to explain first in a new clip: one that tells the two probes apart.

        That is a class which the left probe missed and the right one found; else the right probe's first
        present one; without truth the right probe's highest.
        """
        logits = {name: reading.explained[name].logits for name in self.panels}
        scores = class_scores(self.workbench.classes, logits, reading.truth)
        right = scores[scores.probe == self.right].sort_values("rank")
        present = right.loc[right.present.fillna(False).astype(bool), "class"]
        if present.empty:  # nothing is known of it, or nothing sounds that these probes know
            return right["class"].iloc[0]
        missed = what_was_missed(scores)
        telling = [name for name in missed[self.left] if name not in missed[self.right]]
        return telling[0] if telling else present.iloc[0]

    # -- prototypes

    @property
    def placed_probe(self) -> str | None:
        """The shown probe whose prototypes are numbered (the right one first); None: neither has places."""
        for name in reversed(self.panels):
            if self.reading.explained[name].locations is not None:
                return name
        return None

    def strongest(self, k: int | None = None) -> pd.DataFrame:
        """Return `strongest_prototypes` of the chosen class, `shown` or k.

        Empty where no shown probe has places, and in a silent clip: there a best match is no place.
        """
        if self.placed_probe is None or self.reading.silent:
            return strongest_prototypes([], [], [], self.workbench.grid)
        k = self.shown if k is None else k
        return self.remembered(
            ("strongest", self.placed_probe, self.class_name, k), lambda: self._strongest(k)
        )

    def _strongest(self, k: int) -> pd.DataFrame:
        explained = self.reading.explained[self.placed_probe]
        row, boxes = explained.contributions[self._class], self.true_boxes()
        return strongest_prototypes(row, explained.scores, explained.locations, self.workbench.grid, k, boxes)

    def remembered(self, key: tuple, make: Callable[[], Any]) -> Any:
        """Return what `make` gives, made once a key for the shown clip; nobody may change it."""
        if self._memory[0] is not self.reading:
            self._memory = self.reading, {}
        known = self._memory[1]
        if key not in known:
            known[key] = make()
        return known[key]

    def true_boxes(self) -> list[Event] | None:
        """Return the true events of the chosen class; None if nobody knows what sounds where.

        That is so even for a recording whose label is known.
        """
        if not self.reading.events:
            return None
        return [event for event in self.reading.events if event.label == self.class_name]

    def parts(self, strongest: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return `logit_parts` of the chosen class; empty if no shown probe has places."""
        if self.placed_probe is None:
            return pd.DataFrame()
        explained = self.reading.explained[self.placed_probe]
        strongest = self.strongest() if strongest is None else strongest
        return logit_parts(
            explained.contributions[self._class], float(explained.bias[self._class]), strongest
        )

    def similarity(self, strongest: pd.DataFrame | None = None) -> tuple[int, np.ndarray] | None:
        """Return (prototype, map (t f)): of the chosen prototype if it is one of the
        strongest, else of the first.

        None where no prototype argues for the class.
        """
        strongest = self.strongest() if strongest is None else strongest
        numbered = strongest.prototype.tolist()
        if not numbered:
            return None
        prototype = self.prototype if self.prototype in numbered else numbered[0]
        return prototype, self.reading.explained[self.placed_probe].similarity[prototype]

    def cell_of(self, prototype: int) -> Box:
        """Return seconds and hertz of the cell in which the prototype found its best match."""
        grid = self.workbench.grid
        return grid.box(*grid.place(int(self.reading.explained[self.placed_probe].locations[prototype])))

    def sound_of(self, prototype: int) -> tuple[np.ndarray, float]:
        """Return the sound (s,) float32 of that cell, and where in the clip it begins, seconds."""
        return part_sound(self.reading.waveform, self.reading.sample_rate, self.cell_of(prototype))

    @property
    def _class(self) -> int:
        return self.workbench.classes.index(self.class_name)


class PageState(param.Parameterized):
    """What one page chooses for itself, over the `session`.

    A page declares it in the file `state` of its folder. It is made when the page is first shown or a link
    names it (`ExplorerState.own`), so it reads the session as it finds it and watches what changes later.
    """

    in_link: ClassVar[tuple[str, ...]] = ()  # the parameters that a link holds, there called PAGE.PARAMETER

    def __init__(self, session: ExplorerState):
        super().__init__()
        self.session = session

    def offer(self, name: str, objects: Sequence, default) -> None:
        """Let a selector of this session choose among `objects`, starting at `default`."""
        selector = self.param[name]
        selector.objects, selector.default = list(objects), default
        self.param.update(**{name: default})


def state_of(page: str) -> type[PageState]:
    """Return the class that a page or section declares."""
    return declared(page, "state", PageState)


class _States(dict[str, PageState]):
    """Page or section -> its state; made when it is first asked for."""

    def __init__(self, session: ExplorerState):
        super().__init__()
        self._session = session
        self._followers: list[Callable] = []

    def __missing__(self, page: str) -> PageState:
        if page not in {*PAGES, *SECTIONS}:
            raise KeyError(page)
        made = self[page] = state_of(page)(self._session)
        for follower in self._followers:
            made.param.watch(follower, list(made.in_link))
        return made

    def follow(self, follower: Callable) -> None:
        """Call `follower(*events)` where a page changes what a link says, also a page still to come."""
        self._followers.append(follower)
        for made in self.values():
            made.param.watch(follower, list(made.in_link))


def _defaults(workbench: Workbench) -> dict:
    """What a study has chosen to show first. Else the first prototype probe right (a binarised one before
    others), the first other one left, a clip a third down the list: of scenes one of middling polyphony.
    """
    probes, first = workbench.probes, workbench.shared(Firsts)
    placed = [name for name, probe in probes.items() if isinstance(probe, PrototypeProbe)]
    placed.sort(key=lambda name: not isinstance(probes[name], ProtobinProbe))
    right = placed[0] if placed else list(probes)[-1]
    left = next((name for name in probes if name != right), right)
    clips = workbench.clips["clip"]
    clip = clips.iloc[len(clips) // 3] if len(clips) else workbench.clip_of(*FIRST_SCENE)
    if first.right:
        left, right, clip = first.left, first.right, first.clip or clip
    return {"left": left, "right": right, "class_name": workbench.classes[0], "clip": clip}
