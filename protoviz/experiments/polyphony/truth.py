"""What is known of test scenes because they were mixed: levels, boxes, every event's energy by cell."""

from dataclasses import dataclass

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

    polyphony (b); below (b c): each event's level under the loudest other, dB, nan where there is none.
    clip, column, scene, k (p): the pair's test clip, class, scene and number of events. cells: of
    `localisation.pair_table`; sound (p n): the energy of all that sounds in it; chance: of `by_chance`.
    """

    polyphony: np.ndarray
    below: np.ndarray
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


def truth_of(clips: ClipSet, grid: CellGrid, located: int) -> Truth:
    """Return the Truth of the test split of `nested_clips`, on an encoder's cells; maps for the first scenes
    only.

    Every scene is taken apart once, at its highest polyphony: those below are its first events.
    """
    table = clips.table[clips.table.split == "test"].reset_index(drop=True)
    column = {name: c for c, name in enumerate(clips.classes)}
    levels = np.full((len(table), len(column)), np.nan)
    pairs: list[tuple] = []
    for scene, (seed, rows) in enumerate(table.groupby("seed", sort=True)):
        reader = clips.reader
        parts = scene_parts(
            int(seed), int(rows.polyphony.max()), sources=reader.sources["test"], config=reader.config
        )
        loud = [loudness(part.sound) for part in parts.events]
        columns = [column[part.event.label] for part in parts.events]
        for clip, k in rows.polyphony.items():
            levels[clip, columns[:k]] = loud[:k]
        if scene < located:
            pairs += _pairs(parts, columns, grid, scene, rows.polyphony)
    clip, classes, scenes, k, covered, energies, sound = (np.array(x) for x in zip(*pairs, strict=True))
    cells = pair_table({"covered": covered, "scene": clip}, energies, sound)
    polyphony = table.polyphony.to_numpy()
    return Truth(
        polyphony, levels_below(levels), clip, classes, scenes, k, cells, sound, by_chance(cells)
    )  # fmt: skip


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
