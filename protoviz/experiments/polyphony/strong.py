"""The same question to real recordings: do max locations fall into the events that people labelled?

A probe learns "bird" from scenes into which recordings of birds are mixed, among procedural sounds; the
labelled recordings are others. People marked onset and offset of every event and no band, so a place is a hit
where its cell shares time with an event, and chance is the share of the recording's cells that do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.analysis.localisation import FIRST, strongest_cells, strongest_places
from protoviz.datasets import ClipSet, find_spec
from protoviz.datasets.files import RATE, content_of
from protoviz.datasets.folder import SUFFIXES, event_tables
from protoviz.encoders import Encoder
from protoviz.experiments.cells import Cells
from protoviz.experiments.finishing import Recipe
from protoviz.experiments.grid import Grid
from protoviz.experiments.recipe import is_reduced, read_recipe, settings_of
from protoviz.experiments.scoring import HeldOut, Scorer
from protoviz.kept import write_frame, write_json
from protoviz.probes import Probe, refuse_other
from protoviz.probes.layers import asked_of
from protoviz.probes.prototype import PrototypeProbe
from protoviz.scenes import cell_energies
from protoviz.scenes import sound_files as sounds_below

BIRD = "bird"
HITS = ["clip", "map", "measure", "score", "chance"]


def strong_clips(folder: str | Path, sample_rate: int = RATE) -> ClipSet:
    """Return the recordings below a folder whose events people labelled, as clips of 10.24 s with those
    events.

    Event tables (Audacity, Raven, CSV) lie in the folder, or in one of the two above it beside other
    recordings. Raises ValueError where no table tells of a recording in the folder, with what stopped each.
    """
    folder = Path(folder).resolve()
    above = [root for root in folder.parents[:2] if any(p.suffix.lower() in SUFFIXES for p in root.iterdir())]
    faults = []
    for root in (folder, *above):
        try:
            clips = find_spec("folder").load(root, tables=event_tables(root), sample_rate=sample_rate)
        except ValueError as error:  # another layout, none, or a table that is not understood
            faults.append(str(error))
            continue
        below = np.array([folder in Path(path).resolve().parents for path in clips.table.path])
        marked = below & (clips.table.polyphony > 0).to_numpy()
        if marked.any():
            return ClipSet(
                folder.name, clips.classes, clips.table[marked].reset_index(drop=True), clips.reader
            )
    told = "".join(f"\n  {fault}" for fault in faults)
    raise ValueError(f"{folder}: no event table in it or above it tells of a recording in it{told}")


@lru_cache(maxsize=2)
def _labelled(folder: str, sample_rate: int) -> ClipSet:
    return strong_clips(folder, sample_rate)


@dataclass(frozen=True)
class EventHits(Scorer):
    """Where probes looked for one class in labelled recordings: see `event_hits`."""

    labelled: str  # a folder for `strong_clips`
    label: str = BIRD

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        encoder = test.pair.encoder
        clips = _labelled(self.labelled, encoder.sample_rate)
        return event_hits(probe, encoder, clips, test.maps.classes.index(self.label))

    def decides(self) -> list:
        return [self.version, self.label, _labelled(self.labelled, RATE).fingerprint()]


def event_hits(
    probe: Probe, encoder: Encoder, clips: ClipSet, label: int, first: int = FIRST
) -> pd.DataFrame:
    """Return a frame: clip, map, measure, score, chance: where a probe looked for a class in recordings with
    known times.

    label: number of the probe's class. map: "prototypes" or "attention" of the probe, and "loudest cell",
    which no model is behind; measure: "first" (the first place shares time with an event) or "first five"
    (the share of the first five). chance: the share of the clip's real cells that do. A clip without events
    in it, or with nothing else, has no row: every place, or none, would be a hit.
    """
    refuse_other(probe, encoder)
    frames = []
    for i in range(len(clips)):
        sound = clips.read(i)
        encoding = encoder.encode(sound, attention=False, **asked_of([probe]))
        real = encoding.mask[0].cpu().numpy()
        grid = encoder.cell_grid(encoding.grid)
        touch = np.zeros(real.shape, dtype=bool)
        for event in clips.events(i):
            touch |= grid.overlap((event.onset, event.offset, 0.0, grid.high_hz)).ravel() > 0
        if not (touch & real).any() or (touch | ~real).all():
            continue
        told = probe.explain(*encoding.inputs(probe.layers)).numpy()
        inside = np.where(real, touch, False)[None].astype(float)
        maps = {"loudest cell": strongest_cells(cell_energies(sound, grid).ravel()[None], inside, first)}
        if isinstance(probe, PrototypeProbe):
            row = told.contributions[0, label]
            maps["prototypes"] = strongest_places(row[None], told.locations, inside, first)
        elif told.attention is not None:
            maps["attention"] = strongest_cells(told.attention.mean(1).reshape(1, -1), inside, first)
        chance = float(touch[real].mean())
        for name, (places, _) in maps.items():
            listed = places[0][places[0] >= 0]
            if len(listed):
                scores = {"first": float(touch[listed[0]]), "first five": float(touch[listed].mean())}
                frames += [
                    (clips.table["clip"][i], name, key, value, chance) for key, value in scores.items()
                ]
    return pd.DataFrame(frames, columns=HITS)


@dataclass(frozen=True)
class Strong(Recipe):
    """strong.parquet (rows of `event_hits` with method and seed) and strong.json."""

    name = "strong"

    def begin(self, grid: Grid) -> None:
        entry = grid.datasets[0]
        birds = list(map(Path, entry.options["recordings"]))
        refuse_shared(birds, sorted(set(_labelled(self._scorer(grid).labelled, RATE).table.path)))

    def _scorer(self, grid: Grid) -> EventHits:
        return next(one.scorer for one in grid.scores if isinstance(one.scorer, EventHits))

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        grid = cells.grid
        found = frames["events"].drop(columns=["dataset", "encoder"])
        write_frame(folder / "strong.parquet", found[[*HITS, "method", "seed"]])
        told = settings_of(grid, grid.datasets[0], "")
        del told["test"]
        encoder, learned = grid.encoders[0], frames["results"].groupby("method", sort=False).score.agg(list)
        usual = read_recipe(self.name).encoders[0].name
        told |= {"learned": learned.to_dict()}
        told["reduced"] = is_reduced(grid, grid.datasets[0].name) or encoder.name != usual
        named = "" if encoder.name == usual else f" --encoders {encoder.name}"
        weights = " --weights PATH" if encoder.weights else ""
        told["command"] = f"protoviz polyphony --strong FOLDER --birds FOLDER{named}{weights}"
        write_json(folder / "strong.json", told)


def refuse_shared(paths: Iterable[Path], apart: Iterable[str]) -> None:
    """Raise ValueError if a sound file, or one below a folder, is one of `apart`, whatever its name."""
    held = {content_of(path) for path in apart}
    for path in paths:
        for file in sounds_below(path) if path.is_dir() else [path]:
            if content_of(file) in held:
                raise ValueError(f"{file} is one of the labelled recordings: learn from others")
