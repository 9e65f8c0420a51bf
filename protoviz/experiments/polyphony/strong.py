"""The same question to real recordings: do max locations fall into the events that people labelled?

A probe learns "bird" from scenes into which recordings of birds are mixed, among procedural sounds; the
labelled recordings are others. People marked onset and offset of every event and no band, so a place is a hit
where its cell shares time with an event, and chance is the share of the recording's cells that do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.analysis.localisation import FIRST, strongest_cells, strongest_places
from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet, find_spec, scene_clips
from protoviz.datasets.files import RATE, content_of
from protoviz.datasets.folder import SUFFIXES, event_tables
from protoviz.encoders import Encoder, load_encoder
from protoviz.experiments import Runs
from protoviz.experiments.materials import fitting
from protoviz.experiments.polyphony.settings import StrongConfig, methods_of
from protoviz.files import slug
from protoviz.kept import write_frame, write_json
from protoviz.probes import Probe, load_probe, refuse_other
from protoviz.probes.prototype import PrototypeProbe
from protoviz.scenes import (
    SCENE_CLASSES,
    JoinedSources,
    ProceduralSources,
    SceneConfig,
    cell_energies,
    file_sources,
)
from protoviz.scenes import sound_files as sounds_below

BIRD = "bird"
IMITATION = "bird_trill"  # of the procedural classes: it would teach the opposite


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


def bird_sources(paths: Iterable[str | Path], apart: Iterable[str] = ()) -> JoinedSources:
    """Return sources of scenes with the class "bird" from recordings, and procedural sounds for all others.

    paths: sound files, or folders of them. apart: files that none of these may be; ValueError where one is,
    whatever its name.
    """
    files = [
        str(file) for path in map(Path, paths) for file in (sounds_below(path) if path.is_dir() else [path])
    ]
    held = {content_of(path) for path in apart}
    if shared := [file for file in files if content_of(file) in held]:
        raise ValueError(f"{shared[0]} is one of the labelled recordings: learn from others")
    others = tuple(name for name in SCENE_CLASSES if name != IMITATION)
    return JoinedSources(file_sources(files, BIRD), ProceduralSources(others))


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
        encoding = encoder.encode(sound, attention=False)
        real = encoding.mask[0].cpu().numpy()
        grid = encoder.cell_grid(encoding.grid)
        touch = np.zeros(real.shape, dtype=bool)
        for event in clips.events(i):
            touch |= grid.overlap((event.onset, event.offset, 0.0, grid.high_hz)).ravel() > 0
        if not (touch & real).any() or (touch | ~real).all():
            continue
        told = probe.explain(encoding.tokens, encoding.cls, encoding.mask).numpy()
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
    return pd.DataFrame(frames, columns=["clip", "map", "measure", "score", "chance"])


def build_strong(
    folder: Path,
    work: Path,
    strong: Path,
    birds: Sequence[Path],
    config: StrongConfig | None = None,
    weights: str | Path | None = None,
) -> None:
    """Write strong.parquet (rows of `event_hits` with method and seed) and strong.json into `folder`.

    strong: a folder for `strong_clips`; birds: files or folders for `bird_sources`. weights: of the encoder
    that `config` names, as in `load_encoder`. Token maps and finished runs stay in `work`.
    """
    config, scenes = config or StrongConfig(), SceneConfig()
    fits = fitting(config.encoder, scenes.seconds, scenes.sample_rate)
    encoder = load_encoder(config.encoder, weights, **fits)
    labelled = strong_clips(strong, encoder.sample_rate)
    sources = bird_sources(birds, apart=sorted(set(labelled.table.path)))
    clips = scene_clips(
        config.train, config.validation, config.validation, sources=sources, seed=config.scene_seed
    )
    work = work if config.encoder == StrongConfig.encoder else work / slug(config.encoder)
    cache = TokenCache.create(work / "tokens", encoder, clips)
    runs = Runs(cache, config.compare, work / "runs")
    frames, learned = [], {}
    for method in methods_of(config.methods):
        best = max(runs.search(method), key=lambda row: row["validation"])
        for seed in config.compare.seeds:
            kept = work / "probes" / f"{method.slug}-{seed}.safetensors"
            one = Runs(cache, replace(config.compare, seeds=(seed,)), work / "runs")
            rows = one.final(method, best["lr"], best["prototype_lr"], kept)
            learned.setdefault(method.title, []).append(rows[0]["score"])
            probe = load_probe(kept, allow=[method.found])
            found = event_hits(probe, encoder, labelled, cache.classes.index(BIRD))
            frames.append(found.assign(method=method.title, seed=seed))
    table = pd.concat(frames, ignore_index=True)
    write_frame(folder / "strong.parquet", table)
    named = "" if config.encoder == StrongConfig.encoder else f" --encoders {config.encoder}"
    command = (
        f"protoviz polyphony --strong FOLDER --birds FOLDER{named}{' --weights PATH' if weights else ''}"
    )
    told = {**asdict(config), "command": command, "learned": learned}
    write_json(folder / "strong.json", {**told, "reduced": config != StrongConfig()})
