"""Where a probe looked for a class, against where the class sounds: hits, shares, and what chance would give.

Letters: p pair of a scene and a class that sounds in it, n cell (n = t * F + f), m places in order. A *map*
of a pair is whatever tells places: the max locations of prototypes that argue for the class, a probe's
attention, its contributions cell by cell, the [cls] attention of the encoder, or the energy of the sound.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protoviz.analysis.ranking import intervals

FIRST = 5  # places of a map that are looked at
# measure -> what it tells of a map's places
MEASURES = {
    "first": "the first place touches the event's box",
    "first five": "share of the first five places that touch it",
    "any event": "the first place touches the box of any event of the scene",
    "mass": "share of the map's mass inside the event's box",
    "loudest there": "the event is at least half of the sound in the first place",
    "energy": "share of the event's energy in the first place",
}
ONE_CELL = 0.5  # of a cell's energy: an event with as much is the loudest there


def pair_table(truth: dict, energies: np.ndarray, rest: np.ndarray) -> dict[str, np.ndarray]:
    """Return touch, any (p n) bool, inside, own, share (p n): what each cell has to do with each pair's
    event.

    truth     covered (p n): share of each cell inside the event's box; scene (p): number of its scene
    energies  (p n) of the event by itself; rest (p n) of all that sounds in its scene
    touch: the box covers some of the cell; any: a box of the scene does; inside: how much of it; own: the
    event's share of the sound in the cell (energies are added, interference is left out); share: the cell's
    share of the event's energy.
    """
    covered, scene = np.asarray(truth["covered"], dtype=float), np.asarray(truth["scene"])
    touch = covered > 0
    every = np.zeros_like(touch)
    for number in np.unique(scene):
        rows = scene == number
        every[rows] = touch[rows].any(axis=0)
    own = np.divide(energies, rest, out=np.zeros_like(energies), where=rest > 0)
    total = energies.sum(axis=1, keepdims=True)
    share = np.divide(energies, total, out=np.zeros_like(energies), where=total > 0)
    return {"touch": touch, "any": every, "inside": covered, "own": own, "share": share}


def measured(cells: np.ndarray, mass: np.ndarray, pairs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return each of MEASURES for each pair (p), float; nan if a map has no place.

    cells (p m): places by strength, -1 where there are no more; mass (p): share of the map's mass inside the
    event's box, which the maps themselves know (nan: no place).
    """
    cells, row = np.asarray(cells), np.arange(len(cells))
    first, listed = cells[:, 0], cells >= 0
    known = first >= 0
    place = np.where(known, first, 0)

    def at_first(values: np.ndarray) -> np.ndarray:
        return np.where(known, values[row, place].astype(float), np.nan)

    hits = pairs["touch"][row[:, None], np.where(listed, cells, 0)] & listed
    count = listed.sum(axis=1)
    return {
        "first": at_first(pairs["touch"]),
        "first five": np.divide(hits.sum(1), count, out=np.full(len(cells), np.nan), where=count > 0),
        "any event": at_first(pairs["any"]),
        "mass": np.asarray(mass, dtype=float),
        "loudest there": at_first(pairs["own"] >= ONE_CELL),
        "energy": at_first(pairs["share"]),
    }


def by_chance(pairs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what a place drawn evenly from all cells has on average, for each of MEASURES and pair (p);
    exact.

    It is a share of cells: those that the box touches, those that the event is loudest in, and so on.
    """
    touch = pairs["touch"].mean(axis=1)
    return {
        "first": touch,
        "first five": touch,
        "any event": pairs["any"].mean(axis=1),
        "mass": pairs["inside"].mean(axis=1),
        "loudest there": (pairs["own"] >= ONE_CELL).mean(axis=1),
        "energy": pairs["share"].mean(axis=1),
    }


def strongest_places(
    contributions, locations, inside: np.ndarray, first: int = FIRST
) -> tuple[np.ndarray, np.ndarray]:
    """Return places (p m) of the prototypes that argue most for each pair's class, and their mass in its box
    (p).

    contributions (p j) to the pair's class, locations (p j): cells, -1 for none; inside (p n). Only positive
    contributions argue for a class; equal ones count in the order of prototypes. The mass is the share of all
    positive contributions whose prototype lies inside the box (a cell that is half covered counts half).
    """
    row, locations = np.asarray(contributions, dtype=float), np.asarray(locations)
    weight = np.where(locations >= 0, np.maximum(row, 0.0), 0.0)
    order = np.argsort(-weight, axis=1, kind="stable")[:, :first]
    cells = np.take_along_axis(locations, order, axis=1)
    cells = np.where(np.take_along_axis(weight, order, axis=1) > 0, cells, -1)
    covered = np.take_along_axis(inside, np.maximum(locations, 0), axis=1)
    return _padded(cells, first), _share((weight * covered).sum(axis=1), weight.sum(axis=1))


def strongest_cells(maps, inside: np.ndarray, first: int = FIRST) -> tuple[np.ndarray, np.ndarray]:
    """Return the strongest cells (p m) of each pair's map, and the share of its positive mass inside the box
    (p).

    maps (p n): attention, contributions of cells, energy; only positive values argue. Equal cells count in
    their order.
    """
    weight = np.maximum(np.asarray(maps, dtype=float), 0.0)
    order = np.argsort(-weight, axis=1, kind="stable")[:, :first]
    cells = np.where(np.take_along_axis(weight, order, axis=1) > 0, order, -1)
    return _padded(cells, first), _share((weight * inside).sum(axis=1), weight.sum(axis=1))


def scene_rows(found: dict[str, np.ndarray], chance: dict[str, np.ndarray], scene, polyphony) -> pd.DataFrame:
    """Return a frame: scene, polyphony, measure, score, chance: means over the classes of a scene at each
    polyphony.

    found, chance: of `measured` and `by_chance`; scene, polyphony (p). Pairs without a place are left out, so
    a scene without any place has no row. A scene counts once, however many classes sound in it.
    """
    frames = []
    for name, values in found.items():
        frame = pd.DataFrame(
            {"scene": scene, "polyphony": polyphony, "score": values, "chance": chance[name]}
        )
        means = frame.dropna(subset=["score"]).groupby(["scene", "polyphony"], as_index=False).mean()
        frames.append(means.assign(measure=name))
    return pd.concat(frames, ignore_index=True)[["scene", "polyphony", "measure", "score", "chance"]]


def hit_intervals(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the groups of `by` with score, low, high, chance and scenes: means over scenes.

    rows: of `scene_rows`, perhaps of several maps, with the columns of `by` (among them dataset). The
    interval is a bootstrap over scenes (95 %); one draw of scenes serves all groups, so what maps have in
    common does not blur their difference.
    """
    by = list(by)
    table = intervals(rows, by, unit="scene")
    known = rows.groupby(by).agg(chance=("chance", "mean"), scenes=("scene", "nunique"))
    return table.join(known, on=by)


def _padded(cells: np.ndarray, first: int) -> np.ndarray:
    missing = first - cells.shape[1]
    return np.pad(cells, ((0, 0), (0, max(missing, 0))), constant_values=-1)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
