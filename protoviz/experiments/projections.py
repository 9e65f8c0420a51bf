"""What prototypes and tokens are like across many clips, as tables: from a token cache and its clips."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from protoviz.analysis.neighbours import (
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
from protoviz.datasets import ClipSet
from protoviz.probes.prototype import PrototypeProbe
from protoviz.training import score_many

BOX = ["onset", "offset", "low_hz", "high_hz"]
NEAREST = ["probe", "prototype", "rank", "clip", "seed", "polyphony", "score", "cell", *BOX, "label"]
PROTOTYPES = ["probe", "prototype", "favourite", "weight", "label", "purity", "chance"]
PROTOTYPES += ["x_response", "y_response", "x_direction", "y_direction"]
TOKENS = ["clip", "seed", "polyphony", "cell", "label", "x", "y"]
SMALL = {"prototype": "int32", "rank": "int8", "cell": "int32", "seed": "int64", "polyphony": "int8"}
SMALL |= {"score": "float32", "weight": "float32", "label": "string"}


Probes = Mapping[str, PrototypeProbe]  # by name
Found = Mapping[str, tuple[np.ndarray, np.ndarray]]  # probe -> scores (b j) and locations (b j) of test clips


def found_by(probes: Probes, cache: TokenCache) -> Found:
    """Return where the prototypes matched in the test clips of a cache, for the two functions below."""
    found = score_many(list(probes.values()), cache.split("test"))
    return dict(zip(probes, found, strict=True))


def nearest_table(
    probes: Probes, found: Found, cache: TokenCache, clips: ClipSet, grid: CellGrid, k: int = 8
) -> pd.DataFrame:
    """Return `nearest_clips` of every prototype among the test clips: one row a probe (by name), prototype
    and clip.

    found: of `found_by`; cache: the token maps of `clips`; grid: the encoder's cells. Columns as NEAREST: the
    clip, its score, the winning cell n with its seconds and hertz, and `label`, what sounds there (see
    `cell_labels`), <NA> where the clip's events are not known.
    """
    test, row_of = cache.split("test"), _rows(clips.table)
    frames = [pd.DataFrame(columns=NEAREST)]
    for name, probe in probes.items():
        times, freqs = probe.compared_grid(grid.times * grid.freqs)
        cells = replace(grid, times=times, freqs=freqs)
        frame = nearest_clips(*found[name], k).assign(probe=name)
        frame[["clip", "seed", "polyphony"]] = test.table.loc[frame.row, ["clip", "seed", "polyphony"]].values
        places = [cells.place(n) for n in frame.cell.tolist()]
        frame[BOX] = [cells.box(*place) for place in places]
        maps = {clip: cell_labels(cells, clips.events(row_of[clip])) for clip in frame["clip"].unique()}
        frame["label"] = [
            pd.NA if maps[clip] is None else maps[clip][place]
            for clip, place in zip(frame["clip"], places, strict=True)
        ]
        frames.append(frame[NEAREST])
    return _small(pd.concat(frames[1:] or frames, ignore_index=True))


def prototype_map(
    probes: Probes, found: Found, nearest: pd.DataFrame, classes: tuple[str, ...], seed: int = 0
) -> pd.DataFrame:
    """Return two planes of each probe's prototypes, one row a prototype; columns as PROTOTYPES.

    x_response, y_response: the `plane` of their `responses`, so that those lie together which answer to the
    same test clips; x_direction, y_direction: of the prototypes themselves as they are compared with tokens.
    Beside its places each has its favourite class and that weight, and from `nearest` (a `nearest_table`) its
    `purity`, and the same for all of a probe, `chance` (see `purity_by_chance`). The planes of different
    probes have nothing to do with each other.
    """
    frames = [pd.DataFrame(columns=PROTOTYPES)]
    for name, probe in probes.items():
        frame = favourite_classes(probe.class_weights()[0].detach().cpu().numpy(), classes)
        frame[["x_response", "y_response"]] = plane(responses(found[name][0]), seed)
        frame[["x_direction", "y_direction"]] = plane(probe.prototypes().detach().cpu().numpy(), seed)
        near = nearest[nearest.probe == name]
        frame = frame.assign(probe=name, chance=purity_by_chance(near))
        frame = frame.merge(purity(near), on=["probe", "prototype"], how="left")
        frames.append(frame[PROTOTYPES])
    return _small(pd.concat(frames[1:] or frames, ignore_index=True))


def token_map(
    shown: pd.DataFrame, cache: TokenCache, clips: ClipSet, grid: CellGrid, seed: int = 0
) -> pd.DataFrame:
    """Return the `plane` of the tokens of some clips (a frame with `clip`): one row a real token, as
    TOKENS.
    """
    row_of, cached = _rows(clips.table), _rows(cache.table)
    batch = cache.read([cached[clip] for clip in shown["clip"]])
    frames = []
    for row, real in zip(shown.itertuples(index=False), batch.mask.numpy(), strict=True):
        labels = cell_labels(grid, clips.events(row_of[row.clip]))
        clip = {"clip": row.clip, "seed": row.seed, "polyphony": row.polyphony, "cell": np.arange(len(real))}
        frames.append(pd.DataFrame(clip).assign(label=pd.NA if labels is None else labels.ravel())[real])
    found = pd.concat(frames, ignore_index=True)
    found[["x", "y"]] = plane(batch.tokens[batch.mask].float().numpy(), seed)
    return _small(found[TOKENS])


def _rows(table: pd.DataFrame) -> dict[str, int]:
    return {clip: row for row, clip in enumerate(table["clip"])}


def _small(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: kind for name, kind in SMALL.items() if name in frame})
