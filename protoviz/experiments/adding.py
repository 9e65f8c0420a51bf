"""What a study says of its probes beyond their scores: tables for any data set and encoder, added once.

    add(open_study("runs/mine"), "nearest", "places")

A part of a table says which probe it is of; it is made anew where the probe has changed since.
"""

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import chain, product
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz import kept
from protoviz.analysis.hits import HITS, hit_table
from protoviz.analysis.neighbours import score_histograms
from protoviz.audio import CellGrid
from protoviz.cache.view import TokenView
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder
from protoviz.experiments.cosines import cosine_table
from protoviz.experiments.projections import Found, compared_cells, nearest_table, prototype_map, token_map
from protoviz.experiments.scoring import score_rows
from protoviz.experiments.showing import compared, showing_table
from protoviz.files import digest_of
from protoviz.probes import Probe, probe_class
from protoviz.probes.prototype import PrototypeProbe
from protoviz.scenes import Event
from protoviz.study import Study
from protoviz.study.form import ADDED, CELL, SHOWING, TOKENS, probe_file, refuse_own_code, table_part
from protoviz.training import predict, score_batches, score_many

CLIPS = 4  # a batch: contributions of 527 classes and 10,540 prototypes are 22 MB a clip
MEMORY = 2**29  # bytes of one probe's scores; beyond (40,000 clips and 10,540 prototypes are 5 GB) a file
WITHOUT_CLIPS = {"cosines"}  # kinds that are computed from the probe alone


@dataclass(frozen=True)
class AddConfig:
    """How much the added tables hold."""

    nearest: int = 8  # clips of each of PARTS of every prototype's scores
    places: int = 5  # prototypes of each class and clip: what the explorer lists
    looked: int = 200  # clips that those which pages show first are chosen from


@dataclass(frozen=True, eq=False)
class Material:
    """One data set as one encoder sees it: what tables are computed from."""

    clips: ClipSet
    test: TokenView
    encoder: Encoder
    loss: str = "asl"

    @property
    def grid(self) -> CellGrid:
        """Where each token lies in seconds and hertz."""
        return self.encoder.cell_grid()

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {clip: row for row, clip in enumerate(self.clips.table["clip"])}

    @cached_property
    def events(self) -> Callable[[str], tuple[Event, ...]]:
        """What gives the events of a clip by its id. Each is asked once: a scene has to be made for them."""
        return cache(lambda clip: self.clips.events(self._rows[clip]))

    def sound(self, clip: str) -> np.ndarray:
        """Return the sound (s,) of a clip by its id."""
        return self.clips.read(self._rows[clip])

    @lru_cache(maxsize=1)  # noqa: B019 - of one probe, for two tables
    def found(self, probe: PrototypeProbe) -> Found:
        """Return where a probe's prototypes matched in the test clips; large arrays lie in a file."""
        if len(self.test) * probe.count * 12 <= MEMORY:
            return score_many([probe], self.test)[0]
        told = (one for (one,) in score_batches([probe], self.test))
        return _on_disk(told, (len(self.test), probe.count), self.test.cache.folder)


Open = Callable[[str, str], Material]  # (data set, encoder)
Cell = tuple[str, str, str]  # data set, encoder, method


def add_tables(
    study: Study,
    kinds: Collection[str],
    opened: Open,
    *,
    config: AddConfig | None = None,
    methods: Collection[str] = (),
    allow: Collection[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Write the tables of `kinds` (of ADDED) that a study lacks, for its trained probes.

    opened: gives the material of a data set and encoder; it is asked only where something is missing.
    methods: titles; none: all. allow: as in `load_probe`. say: receives lines of progress.
    """
    config, probes = config or AddConfig(), study.probes
    for dataset, encoder in product(study.datasets, study.encoders):
        cells = [(dataset, encoder, one) for one in study.methods if not methods or one in methods]
        todo = {cell: _lacking(study, kinds, cell, allow) for cell in cells if cell in probes}
        tokens = "projections" in kinds and _lacks_tokens(study, dataset, encoder)
        first = _lacks_first(study, dataset, encoder) if SHOWING in kinds else []
        if not tokens and not first and not any(todo.values()):
            say(f"{dataset} by {encoder}: all of it is there")
            continue
        material = None
        if tokens or first or not WITHOUT_CLIPS.issuperset(chain(*todo.values())):
            material = opened(dataset, encoder)
        if tokens:
            say(f"{dataset} by {encoder}: a plane of its tokens")
            clips = study.clips[dataset].table["clip"].tolist()
            frame = token_map(clips, material.test.cache, material.clips, material.grid)
            write_part(study.folder, TOKENS, frame, dataset, encoder)
        if first:
            say(f"{dataset} by {encoder}: the clips that pages show first")
            made, clips = study.datasets[dataset].made, study.clips[dataset].table["clip"].tolist()
            shown = {title: study.probe(title, encoder, dataset, allow) for title in first}
            frame = showing_table(material, shown, None if made else clips, config.looked)
            write_part(study.folder, SHOWING, frame, dataset, encoder, of=first)
        for cell, missing in todo.items():
            if not missing:
                continue
            say(f"{dataset} by {encoder}: {', '.join(missing)} of {cell[2]}")
            probe = study.probe(cell[2], encoder, dataset, allow)
            for kind in missing:
                for name, frame in MAKERS[kind](study, material, probe, cell, config):
                    write_part(study.folder, name, frame, *cell)


def _lacking(study: Study, kinds: Collection[str], cell: Cell, allow: Collection[str]) -> list[str]:
    """The kinds of tables that a probe can have and has not, each after those that it is made of."""
    use = study.methods[cell[2]]
    refuse_own_code([use], allow)
    mapped = issubclass(probe_class(use), PrototypeProbe)
    return [
        kind
        for kind in ADDED
        if kind in kinds
        and (mapped or kind == "polyphony")
        and (kind != "places" or study.datasets[cell[0]].knows != "labels")
        and study.lacks(kind, *cell)
    ]


def _lacks_tokens(study: Study, dataset: str, encoder: str) -> bool:
    return dataset in study.clips and not table_part(study.folder, TOKENS, dataset, encoder).is_file()


def _lacks_first(study: Study, dataset: str, encoder: str) -> list[str]:
    """The two methods whose first clips are not chosen yet, or were when their probes were others."""
    if dataset not in study.clips or not (titles := compared(study, dataset, encoder)):
        return []
    part = table_part(study.folder, SHOWING, dataset, encoder)
    of = [digest_of(probe_file(study.folder, dataset, encoder, title)) for title in titles]
    return [] if part.is_file() and kept.read_frame(part).attrs.get("probes") == of else titles


def write_part(folder: Path, name: str, frame: pd.DataFrame, *cell: str, of: Collection[str] = ()) -> None:
    """Write what a table says of a probe, with its digest, or of an encoder; cell: its names, as CELL.

    of: the methods behind what is said of an encoder, whose probes' digests are kept.
    """
    named = frame.assign(**dict(zip(CELL, cell, strict=False)))[[*CELL[: len(cell)], *frame]]
    if len(cell) == len(CELL):
        named.attrs["probe"] = digest_of(probe_file(folder, *cell))
    elif of:
        named.attrs["probes"] = [digest_of(probe_file(folder, *cell, title)) for title in of]
    kept.write_frame(table_part(folder, name, *cell), named)


def _on_disk(told: Iterable[Found], shape: tuple[int, int], folder: Path) -> Found:
    """Return scores and locations, batch after batch, as arrays (b j) of files that go when the arrays do."""
    found = []
    with tempfile.TemporaryFile(dir=folder) as scores, tempfile.TemporaryFile(dir=folder) as locations:
        kinds = {scores: np.float32, locations: np.int32}
        for batch in told:
            for (file, kind), part in zip(kinds.items(), batch, strict=True):
                file.write(np.ascontiguousarray(part, kind))
        for file, kind in kinds.items():
            file.flush()
            found.append(np.memmap(file, kind, "r", shape=shape))
    return tuple(found)


# -- what each kind of table is made of


Tables = Iterator[tuple[str, pd.DataFrame]]


def _nearest(
    study: Study, material: Material, probe: PrototypeProbe, cell: Cell, config: AddConfig
) -> Tables:
    found = material.found(probe)
    yield "nearest", _nearest_of(material, probe, config)
    yield "scores", score_histograms(*found)


def _nearest_of(material: Material, probe: PrototypeProbe, config: AddConfig) -> pd.DataFrame:
    found, events, grid = material.found(probe), material.events, material.grid
    return nearest_table(probe, found, material.test, events, grid, config.nearest)


def _projections(
    study: Study, material: Material, probe: PrototypeProbe, cell: Cell, config: AddConfig
) -> Tables:
    found = material.found(probe)
    if study.results.current("nearest", *cell):
        nearest = study.results.part("nearest", *cell)
    else:
        nearest = _nearest_of(material, probe, config)
    yield "map-prototypes", prototype_map(probe, found, nearest, material.clips.classes)


def _places(study: Study, material: Material, probe: PrototypeProbe, cell: Cell, config: AddConfig) -> Tables:
    """Yield `hit_table` of the test clips whose events are known, by the clips' ids."""
    ids = material.test.table["clip"]
    classes = set(material.clips.classes)
    events = [[e for e in material.events(clip) if e.label in classes] for clip in ids]
    known = [number for number, held in enumerate(events) if held]
    frames = [pd.DataFrame(columns=HITS)]
    for start in range(0, len(known), CLIPS):
        rows = known[start : start + CLIPS]
        batch = material.test.read(np.array(rows), probe.layers)
        told = probe.explain(batch.tokens, batch.cls, batch.mask, maps=False).numpy()
        frame = hit_table(
            [events[row] for row in rows],
            told.contributions,
            told.locations,
            material.clips.classes,
            compared_cells(probe, material.grid),
            config.places,
        )
        frames.append(frame.assign(clip=ids.iloc[rows].to_numpy()[frame["clip"].to_numpy(int)]))
    yield "places", pd.concat(frames[1:] or frames, ignore_index=True)[HITS]


def _polyphony(study: Study, material: Material, probe: Probe, cell: Cell, config: AddConfig) -> Tables:
    """Yield `score_rows` of the test clips: over all of them, and by their number of labels."""
    logits, targets = predict(probe, material.test), np.asarray(material.test.targets())
    rows = score_rows(logits, targets, material.loss)
    yield "by-polyphony", pd.DataFrame(rows).assign(seed=probe.metadata.get("seed", -1))


def _cosines(
    study: Study, material: Material | None, probe: PrototypeProbe, cell: Cell, config: AddConfig
) -> Tables:
    yield "cosines", cosine_table(probe, start_of(study, probe))


def start_of(study: Study, probe: Probe) -> int | None:
    """Return the seed of a probe's first weights: its own, or the first of the study's; None: not known."""
    seeds = study.results.settings("results").get("compare", {}).get("seeds", [])
    return probe.metadata.get("seed", seeds[0] if seeds else None)


MAKERS = {
    "nearest": _nearest,
    "projections": _projections,
    "places": _places,
    "polyphony": _polyphony,
    "cosines": _cosines,
}
