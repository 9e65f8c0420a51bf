"""What prototypes and tokens are like across many clips, as tables: from a token cache and its clips.

Each table is of one probe, or of one encoder, on one data set.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from protoviz.analysis.neighbours import (
    PARTS,
    cell_labels,
    favourite_classes,
    nearest_clips,
    plane,
    purity,
    purity_by_chance,
    responses,
)
from protoviz.audio import CellGrid
from protoviz.cache import TokenCache
from protoviz.cache.view import TokenView
from protoviz.datasets import ClipSet
from protoviz.probes.prototype import PrototypeProbe
from protoviz.scenes import Event

BOX = ["onset", "offset", "low_hz", "high_hz"]
NEAREST = ["prototype", "part", "rank", "clip", "score", "cell", *BOX, "label"]
PROTOTYPES = ["prototype", "favourite", "weight", "label", "purity", "chance"]
PROTOTYPES += ["x_response", "y_response", "x_direction", "y_direction"]
TOKENS = ["clip", "cell", "label", "x", "y"]
SMALL = {"prototype": "int32", "rank": "int32", "cell": "int32", "score": "float32", "weight": "float32"}
SMALL |= {"label": "string"}
MOST_CLIPS, MOST_TOKENS = 2048, 20_000  # of a plane: as many as it takes minutes for

Events = Callable[[str], Sequence[Event]]
Found = tuple[np.ndarray, np.ndarray]  # scores (b j) and locations (b j) of test clips, as of `score_many`


def nearest_table(
    probe: PrototypeProbe, found: Found, test: TokenView, events: Events, grid: CellGrid, k: int = 8
) -> pd.DataFrame:
    """Return k clips of each of PARTS of every prototype (`nearest_clips`): one row a prototype and clip.

    found: of the test clips, whose token maps are `test`; events: gives those of a clip by its id, () where
    they are not known; grid: the encoder's cells. Columns as NEAREST: the clip, its score, the winning cell n
    with its seconds and hertz, and `label`, what sounds there (see `cell_labels`), <NA> where that is not
    known.
    """
    cells, frame = compared_cells(probe, grid), nearest_clips(*found, k, PARTS)
    frame["clip"] = test.table["clip"].to_numpy()[frame.row.to_numpy(int)]
    places = [cells.place(n) for n in frame.cell.tolist()]
    frame[BOX] = [cells.box(*place) for place in places]
    maps = {clip: cell_labels(cells, events(clip)) for clip in frame["clip"].unique()}
    pairs = zip(frame["clip"], places, strict=True)
    frame["label"] = [pd.NA if maps[clip] is None else maps[clip][place] for clip, place in pairs]
    return small(frame[NEAREST])


def compared_cells(probe: PrototypeProbe, grid: CellGrid) -> CellGrid:
    """Return the cells that a probe compares, of the encoder's."""
    times, freqs = probe.compared_grid(grid.times * grid.freqs)
    return replace(grid, times=times, freqs=freqs)


def prototype_map(
    probe: PrototypeProbe, found: Found, nearest: pd.DataFrame, classes: Sequence[str], seed: int = 0
) -> pd.DataFrame:
    """Return two planes of a probe's prototypes, one row a prototype; columns as PROTOTYPES.

    x_response, y_response: the `plane` of their `responses`, so that those lie together which answer to the
    same test clips (at most MOST_CLIPS of them, evenly taken); x_direction, y_direction: of the prototypes
    themselves as they are compared with tokens. Beside its places each has its favourite class and that
    weight, and from the top of `nearest` (a `nearest_table`) its `purity`, and the same for all of the probe,
    `chance` (see `purity_by_chance`). The planes of different probes have nothing to do with each other.
    """
    scores = found[0][_evenly(len(found[0]), MOST_CLIPS)]
    frame = favourite_classes(probe.class_weights()[0].detach().cpu().numpy(), classes)
    frame[["x_response", "y_response"]] = plane(responses(scores), seed)
    frame[["x_direction", "y_direction"]] = plane(probe.prototypes().detach().cpu().numpy(), seed)
    near = nearest[nearest.part == PARTS[0]]
    frame = frame.assign(chance=purity_by_chance(near))
    return small(frame.merge(purity(near), on="prototype", how="left")[PROTOTYPES])


def token_map(
    shown: Sequence[str], cache: TokenCache, clips: ClipSet, grid: CellGrid, seed: int = 0
) -> pd.DataFrame:
    """Return the `plane` of the tokens of some clips: one row a real token, as TOKENS.

    Of more than MOST_TOKENS as many are taken, evenly.
    """
    batch, frames = cache.read(rows_of(cache, shown)), []
    for clip, row, real in zip(shown, rows_of(clips, shown), batch.mask.numpy(), strict=True):
        labels = cell_labels(grid, clips.events(row))
        frame = pd.DataFrame({"clip": clip, "cell": np.arange(len(real))})
        frames.append(frame.assign(label=pd.NA if labels is None else labels.ravel())[real])
    taken = _evenly(sum(map(len, frames)), MOST_TOKENS)
    found = pd.concat(frames, ignore_index=True).iloc[taken].reset_index(drop=True)
    found[["x", "y"]] = plane(batch.tokens[batch.mask].float().numpy()[taken], seed)
    return small(found[TOKENS])


def _evenly(count: int, most: int) -> np.ndarray:
    """At most so many of the numbers below `count`, evenly taken."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).round().astype(int)


def rows_of(clips: ClipSet | TokenCache, ids: Iterable[str]) -> list[int]:
    """Return the rows of some clips in a table, by their ids."""
    at = {clip: row for row, clip in enumerate(clips.table["clip"])}
    return [at[clip] for clip in ids]


def small(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of these tables with the columns of SMALL in fewer bytes."""
    return frame.astype({name: kind for name, kind in SMALL.items() if name in frame})
