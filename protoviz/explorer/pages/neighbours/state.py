"""What one sees across clips: a prototype's nearest clips, and maps of prototypes and of tokens."""

import numpy as np
import pandas as pd
import param

from protoviz.analysis.neighbours import PARTS
from protoviz.audio import Box, part_sound
from protoviz.explorer.pages.neighbours.tables import AcrossTables
from protoviz.explorer.session import ExplorerState, PageState

CLOUDS = ("response", "direction", "tokens")  # two maps of prototypes, one of tokens
NO_CELL = -1


class NeighboursState(PageState):
    """The map and the part that are shown, the clip and the token that were chosen, and the tables behind.

    What asks for a table that is absent answers None (see `AcrossTables`).
    """

    in_link = ("cloud", "part", "rank", "cell")

    cloud = param.Selector(default="response", objects=list(CLOUDS), doc="What the map shows, and by what.")
    part = param.Selector(
        default=PARTS[0], objects=list(PARTS), doc="Which of a prototype's clips are shown."
    )
    rank = param.Integer(default=0, bounds=(0, None), doc="Which shown clip was chosen; 0: none.")
    cell = param.Integer(
        default=NO_CELL, bounds=(NO_CELL, None), doc="Cell of the clip that was chosen on the map; -1: none."
    )

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self.workbench = session.workbench
        self.tables = session.workbench.shared(AcrossTables)
        self._last = self.shown
        session.param.watch(self._forget_rank, ["prototype", "left", "right", "class_name", "reading"])
        session.param.watch(lambda _: self.param.update(cell=NO_CELL), "reading")
        self.param.watch(self._forget_number, ["part", "rank"])

    def _forget_rank(self, *_) -> None:
        """The third nearest of one prototype is not that of another."""
        shown = self.shown
        if shown != self._last:
            self._last, self.rank = shown, 0

    def _forget_number(self, *events) -> None:
        """The third clip of the top is not that of the bottom; a link names both at once."""
        if [event.name for event in events] == ["part"]:
            self.rank = 0

    # -- the prototype and its clips

    @property
    def shown(self) -> tuple[str, int] | None:
        """(probe, prototype): the chosen prototype, or the one that argues most for the class.

        None where neither shown probe has prototypes, or none of them argues for the class.
        """
        session, probe = self.session, self.session.placed_probe
        if probe is None:
            return None
        if 0 <= session.prototype < len(session.reading.explained[probe].scores):
            return probe, session.prototype
        strongest = session.strongest().prototype
        return (probe, int(strongest.iloc[0])) if len(strongest) else None

    def nearest(self) -> pd.DataFrame | None:
        """Return the rows of the table "nearest" of the shown prototype and part, by rank, numbered from 1 in
        `number`, each with the clip's title, and whether it is here; None: there is no such table.
        """
        probe, prototype = self.shown or ("", 0)
        found = self.tables.nearest(probe, prototype, self.part)
        if found is None:
            return None
        titles, here = (
            list(map(ask, found["clip"])) for ask in (self.workbench.title_of, self.workbench.has)
        )
        return found.assign(title=titles, here=here)

    def near(self, number: int):
        """Return the row of one of the shown clips (a namedtuple), or None if there is none."""
        table = self.nearest() if number > 0 else None  # no table is read for none
        return None if table is None else next(table[table.number == number].itertuples(index=False), None)

    def keeps_part(self) -> bool:
        """Return whether the study keeps clips of the shown part for the shown probe."""
        return self.shown is not None and self.tables.keeps(self.shown[0], self.part)

    def spread(self) -> pd.DataFrame | None:
        """Return `score_bins` of the shown prototype over the test clips; None: not counted."""
        return None if self.shown is None else self.tables.spread(*self.shown)

    def described(self) -> pd.DataFrame | None:
        """Return the rows of the table "map-prototypes" for the shown probe; None: there is no such table."""
        return self.tables.described(self.session.placed_probe or "")

    @property
    def favourite(self) -> str | None:
        """The class for which the shown prototype weighs most; None if no table tells."""
        table = self.described()
        names = [] if table is None or not self.shown else table.favourite[table.prototype == self.shown[1]]
        return next(iter(names), None)

    def sound_of(self, number: int) -> tuple[np.ndarray, float]:
        """Return the sound (s,) float32 of a shown clip's winning cell, as loud as all, and its start,
        seconds; empty where the study does not keep it. Raises IndexError where there is no such clip.
        """
        row = self.near(number)
        if row is None:
            raise IndexError(f"the shown prototype has no clip {number} here: choose one of the list")
        waveform = self.workbench.waveform(row.clip)
        return self._sound(waveform, Box(row.onset, row.offset, row.low_hz, row.high_hz))

    def is_shown(self, clip: str) -> bool:
        """Return whether a clip is the one that all pages show."""
        return self.session.source == "clip" and clip == self.session.clip

    def open_nearest(self, number: int) -> None:
        """Show one of the shown clips to all pages, with the same prototype."""
        row, shown = self.near(number), self.shown
        if row is None:
            return
        self.session.choose_clip_with(row.clip, shown[1])
        if self.is_shown(row.clip):
            self.rank = number

    def _sound(self, waveform: np.ndarray, box: Box) -> tuple[np.ndarray, float]:
        return part_sound(waveform, self.workbench.sample_rate, box)

    # -- the map

    @property
    def of_tokens(self) -> bool:
        """Whether the map's points are tokens; else they are the shown probe's prototypes."""
        return self.cloud == "tokens"

    def points(self) -> pd.DataFrame | None:
        """Return the rows of the shown map with their places x, y; None: there is no table."""
        if self.of_tokens:
            return self.workbench.table("map-tokens")
        rows = self.described()
        return None if rows is None else rows.assign(x=rows[f"x_{self.cloud}"], y=rows[f"y_{self.cloud}"])

    def listening(self, points: pd.DataFrame) -> np.ndarray:
        """Return (p,) bool: prototypes most of whose nearest cells lie on the class, or tokens that do so."""
        return (points.label == self.session.class_name).fillna(False).to_numpy(dtype=bool)

    def arguing(self, points: pd.DataFrame) -> np.ndarray:
        """Return (p,) bool: prototypes that weigh most for the class; no token does."""
        if self.of_tokens:
            return np.zeros(len(points), dtype=bool)
        return (points.favourite == self.session.class_name).to_numpy(dtype=bool)

    def here(self, points: pd.DataFrame) -> np.ndarray:
        """Return (p,) bool: the tokens of the shown clip; of prototypes none."""
        session = self.session
        if not self.of_tokens or session.source != "clip":
            return np.zeros(len(points), dtype=bool)
        return (points["clip"] == session.clip).to_numpy()

    def numbered(self, points: pd.DataFrame) -> list[tuple[int, str]]:
        """Return (point, ranks) of the prototypes that are numbered in the shown
        clip, or of the cells they won.
        """
        strongest, found = self.session.strongest(), {}
        if self.of_tokens:
            place = dict(zip(points.cell[self.here(points)], np.flatnonzero(self.here(points)), strict=True))
            keys = self.workbench.grid.index(strongest.t.to_numpy(), strongest.f.to_numpy())
        else:
            place, keys = dict(zip(points.prototype, range(len(points)), strict=True)), strongest.prototype
        for key, rank in zip(keys, strongest["rank"], strict=True):
            if key in place:
                found.setdefault(int(place[key]), []).append(str(rank))
        return [(point, " ".join(ranks)) for point, ranks in found.items()]

    def chosen(self, points: pd.DataFrame) -> int | None:
        """Return which point stands for what is chosen: the shown prototype, or the
        token in which it matched.

        A token that was chosen on the map goes before. None where it is not on the map.
        """
        if self.of_tokens:
            cell = self.matched if self.cell == NO_CELL else self.cell
            found = self.here(points) & (points.cell.to_numpy() == cell)
        else:
            found = points.prototype.to_numpy() == (self.shown or ("", -1))[1]
        return int(found.argmax()) if found.any() else None

    @property
    def matched(self) -> int:
        """The cell n of the shown clip in which the shown prototype found its best match; -1: none."""
        if self.shown is None:
            return NO_CELL
        probe, prototype = self.shown
        return int(self.session.reading.explained[probe].locations[prototype])

    def choose(self, point: int) -> None:
        """Take a point of the map: look at that prototype, or show that token's clip and choose its cell."""
        row = self.points().iloc[point]
        if not self.of_tokens:
            self.session.prototype = int(row.prototype)
            return
        self.session.choose_clip_with(row["clip"], self.session.prototype)
        if self.is_shown(row["clip"]):
            self.cell = int(row.cell)

    def sound_of_cell(self) -> tuple[np.ndarray, float]:
        """Return the sound (s,) float32 of the chosen cell of the shown clip,
        and where it starts, seconds.
        """
        return self._sound(self.session.reading.waveform, self.box_of(self.cell))

    def box_of(self, cell: int) -> Box:
        """Return seconds and hertz of a cell n of the encoder's grid."""
        grid = self.workbench.grid
        return grid.box(*grid.place(int(cell)))
