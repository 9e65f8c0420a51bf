"""What is known of test scenes because they were mixed: levels, boxes, every event's energy by cell."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd

from protoviz.analysis.by_polyphony import levels_below
from protoviz.analysis.localisation import by_chance, measured, pair_table, scene_rows
from protoviz.audio import CellGrid
from protoviz.datasets import ClipSet
from protoviz.scenes import Parts, cell_energies, loudness, scene_parts


@dataclass(frozen=True, eq=False)
class Truth:
    """The test scenes. Letters: b test clip, c class, p pair of a located clip and its class.

    number (b): its row in the clip set's table.
    clip, column, scene, k (p): the pair's test clip, class, scene and number of events. cells: of
    `localisation.pair_table`; sound (p n): the energy of all that sounds in it; chance: of `by_chance`.
    """

    number: np.ndarray
    clip: np.ndarray
    column: np.ndarray
    scene: np.ndarray
    k: np.ndarray
    cells: dict[str, np.ndarray]
    sound: np.ndarray
    chance: dict[str, np.ndarray]

    def rows(self, places: np.ndarray, mass: np.ndarray) -> pd.DataFrame:
        """Return `scene_rows` of a map's places (p m) and mass (p)."""
        return scene_rows(measured(places, mass, self.cells), self.chance, self.scene, self.k)


def truth_of(clips: ClipSet, grid: CellGrid, located: int, only: Collection[str] | None = None) -> Truth:
    """Return the Truth of the test split of `nested_clips`, on an encoder's cells; pairs of the first
    `located` scenes.

    only: ids of the clips that there are token maps of; all if absent.
    """
    table, pairs = _test(clips, only), []
    for scene, (rows, parts, columns) in enumerate(_apart(clips, table, located)):
        pairs += _pairs(parts, columns, grid, scene, rows.polyphony)
    clip, classes, scenes, k, covered, energies, sound = (np.array(x) for x in zip(*pairs, strict=True))
    cells = pair_table({"covered": covered, "scene": clip}, energies, sound)
    return Truth(table.number.to_numpy(), clip, classes, scenes, k, cells, sound, by_chance(cells))


def levels_of(clips: ClipSet, only: Collection[str] | None = None) -> np.ndarray:
    """Return each event's level under the loudest other of its test clip (b c), dB; else nan."""
    table = _test(clips, only)
    levels = np.full((len(table), len(clips.classes)), np.nan)
    for rows, parts, columns in _apart(clips, table):
        loud = [loudness(part.sound) for part in parts.events]
        for clip, k in rows.polyphony.items():
            levels[clip, columns[:k]] = loud[:k]
    return levels_below(levels)


def _test(clips: ClipSet, only: Collection[str] | None) -> pd.DataFrame:
    """The test clips, with their `number` in the clip set's table."""
    table = clips.table.assign(number=np.arange(len(clips)))
    chosen = table.split == "test" if only is None else table["clip"].isin(only)
    return table[chosen & (table.split == "test")].reset_index(drop=True)


def _apart(clips: ClipSet, table: pd.DataFrame, first: int | None = None) -> Iterator[tuple]:
    """(rows, parts, columns of the events' classes) of each scene, taken apart once, at its highest
    polyphony: those below are its first events.
    """
    column, reader = {name: c for c, name in enumerate(clips.classes)}, clips.reader
    for seed, rows in islice(table.groupby("seed", sort=True), first):
        most = int(rows.polyphony.max())
        parts = scene_parts(int(seed), most, sources=reader.sources["test"], config=reader.config)
        yield rows, parts, [column[part.event.label] for part in parts.events]


def _pairs(parts: Parts, columns: list[int], grid: CellGrid, scene: int, polyphony: pd.Series) -> list[tuple]:
    """One tuple a clip and event: clip, class, scene, k, covered (n), energy (n), energy of the scene (n)."""
    covered = [
        grid.overlap((e.onset, e.offset, e.low_hz, e.high_hz)).ravel()
        for e in (part.event for part in parts.events)
    ]
    energies = [cell_energies(part.sound, grid, part.start).ravel() for part in parts.events]
    ground = cell_energies(parts.background, grid).ravel()
    found = []
    for clip, k in polyphony.items():
        sound = ground + np.sum(energies[:k], axis=0)
        found += [(clip, columns[i], scene, k, covered[i], energies[i], sound) for i in range(k)]
    return found
