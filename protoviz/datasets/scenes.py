"""Data sets of scenes, procedural or mixed from recordings; a clip is made when it is read."""

import hashlib
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.datasets.clips import SPLITS, ClipSet
from protoviz.datasets.groups import torn_recordings
from protoviz.scenes import (
    RECIPE_VERSION,
    SCENE_CLASSES,
    Event,
    JoinedSources,
    ProceduralSources,
    RecordedSources,
    Scene,
    SceneConfig,
    file_sources,
    make_scene,
    recorded_sources,
    scene_labels,
    sound_files,
)
from protoviz.scenes.mixer import Sources

# The seeds of data set n start at (n + 1) x 10,000,000, three million for each split. Below ten million
# lie the seeds of single scenes and of pre-training, so that no clip of a data set has been seen before.
SET_SEEDS, SPLIT_SEEDS = 10_000_000, 3_000_000
SINGLE = "scene"  # what stands for the split in the id of a single scene


def scene_seeds(split: str, count: int, seed: int = 0) -> range:
    """Return the scene seeds of the first `count` clips of a split; splits and data sets never share one."""
    if not 0 <= seed < 2**32 // SET_SEEDS - 1:
        raise ValueError(f"the seed of a data set is 0 to {2**32 // SET_SEEDS - 2}, not {seed}")
    if not 0 <= count <= SPLIT_SEEDS:
        raise ValueError(f"a split has room for {SPLIT_SEEDS:,} scenes, not {count:,}")
    first = (seed + 1) * SET_SEEDS + SPLITS.index(split) * SPLIT_SEEDS
    return range(first, first + count)


def scene_id(seed: int, polyphony: int) -> str:
    """Return the id of a procedural scene that stands in no split: "scene-7-4"."""
    return f"{SINGLE}-{seed}-{polyphony}"


def scene_of(clip: str) -> tuple[int, int]:
    """Return (seed, polyphony) of a procedural scene by its id: "test-16000007", "test-22000000-3", or
    "scene-7-4".

    Of an id that names no polyphony it is the one that its seed draws. Raises ValueError for another id.
    """
    found = re.fullmatch(rf"(?:{'|'.join((*SPLITS, SINGLE))})-([0-9]{{1,10}})(?:-([1-9][0-9]?))?", clip)
    if not found:
        raise ValueError(f"{clip!r} is the id of no scene: one is SPLIT-SEED, such as test-16000007")
    seed, polyphony = int(found[1]), int(found[2] or 0)
    return seed, polyphony or scene_labels(seed)[0]


@dataclass(frozen=True)
class SceneReader:
    """Makes the scene of a row from its seed, its polyphony and its split's sources."""

    sources: Mapping[str, Sources]
    config: SceneConfig

    @property
    def sample_rate(self) -> int:
        """Hertz of every scene."""
        return self.config.sample_rate

    def scene(self, row: pd.Series) -> Scene:
        """Return the scene of a row, with its events."""
        return make_scene(
            int(row.seed), int(row.polyphony), sources=self.sources[row.split], config=self.config
        )

    def read(self, row: pd.Series) -> np.ndarray:
        """Return the waveform (s,) float32 of a row."""
        return self.scene(row).waveform

    def events(self, row: pd.Series) -> tuple[Event, ...]:
        """Return the events of a row, by onset."""
        return self.scene(row).events

    def fingerprint(self) -> str:
        """Return recipes, sources and mixing, as one text; background files by content, not by place."""
        files = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in self.config.background]
        mixing = {**asdict(self.config), "background": files}
        sources = {split: source.fingerprint() for split, source in self.sources.items()}
        return json.dumps([RECIPE_VERSION, mixing, sources], sort_keys=True)


def scene_clips(
    train: int = 2500,
    validation: int = 500,
    test: int = 1500,
    *,
    polyphony: int | None = None,
    sources: Sources | Mapping[str, Sources] | None = None,
    config: SceneConfig | None = None,
    seed: int = 0,
) -> ClipSet:
    """Return a data set of scenes whose labels and polyphony are known at once and whose sound is made when
    read.

    polyphony: events in every scene; None: mixed, as `config.polyphony` says.
    sources: procedural if absent; one for all splits, or one a split (a missing "validation" uses "train").
    seed: another data set, no scene of which is in this one. Scene seeds of the splits are disjoint too.
    """
    config = config or SceneConfig()
    by_split = _by_split(sources)
    rows = []
    for split, count in zip(SPLITS, (train, validation, test), strict=True):
        for scene_seed in scene_seeds(split, count, seed):
            events, labels = scene_labels(scene_seed, polyphony, sources=by_split[split], config=config)
            rows.append((f"{split}-{scene_seed}", split, list(labels), events, scene_seed, None))
    table = pd.DataFrame(rows, columns=["clip", "split", "labels", "polyphony", "seed", "path"])
    mixed = "mixed polyphony" if polyphony is None else f"polyphony {polyphony}"
    name = f"scenes of {mixed}, seed {seed}"
    return ClipSet(name, by_split["train"].classes, table, SceneReader(by_split, config))


def recorded_scene_clips(
    root: str | Path, *, labels: Sequence[str] | None = None, group: str | None = None, **options
) -> ClipSet:
    """Return scenes mixed from a folder of labelled recordings: train and test scenes share no recording.

    root: as for `recorded_sources` (manifest.csv with events.csv, ESC-50's layout, or one folder a label).
    labels: use these only. group: a pattern that finds the recording in a file's name. options: those of
    `scene_clips`; validation scenes use the recordings of train.
    """
    return scene_clips(sources=sources_by_split(root, labels, group), **options)


def mixed_clips(
    train: int = 2500,
    validation: int = 500,
    test: int = 1500,
    *,
    polyphony: int | None = None,
    nested: int | None = None,
    recordings: str | Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    group: str | None = None,
    label: str | None = None,
    without: Sequence[str] | None = None,
    seed: int = 0,
) -> ClipSet:
    """Return the scenes that a few plain options say: the data set "scenes".

    polyphony, seed: as in `scene_clips`. nested: `nested_clips` of up to so many events, or as many as leave
    every scene without a class; `test` counts scenes. recordings: a folder of labelled recordings to mix, as
    in `recorded_scene_clips`, which says labels and group. With label: sound files or folders of them, all
    of that one class, mixed among procedural sounds of the other classes but those of `without`.
    """
    sources: Sources | Mapping[str, Sources]
    if label is not None:
        paths = [recordings] if isinstance(recordings, str) else recordings
        sources = labelled_sources(paths or (), label, without or ())
    elif recordings:
        if not isinstance(recordings, str):
            raise ValueError("recordings has to be one folder; for several, give their label= too")
        sources = sources_by_split(recordings, labels, group)
    else:
        sources = ProceduralSources()
    if nested is None:
        return scene_clips(train, validation, test, polyphony=polyphony, sources=sources, seed=seed)
    if polyphony is not None:
        raise ValueError("scenes are nested or have one polyphony: give nested or polyphony")
    most = min(nested, len(_by_split(sources)["test"].classes) - 1)
    return nested_clips(train, validation, test, most, sources=sources, seed=seed)


def labelled_sources(paths: Sequence[str | Path], label: str, without: Sequence[str] = ()) -> JoinedSources:
    """Return sources with one class from recordings, and procedural sounds for all others.

    paths: sound files, or folders of them, all of the class `label`. without: procedural classes left out.
    """
    files = [
        str(file) for path in map(Path, paths) for file in (sound_files(path) if path.is_dir() else [path])
    ]
    others = tuple(name for name in SCENE_CLASSES if name not in without)
    return JoinedSources(file_sources(files, label), ProceduralSources(others))


def sources_by_split(
    root: str | Path, labels: Sequence[str] | None = None, group: str | None = None
) -> dict[str, RecordedSources]:
    """Return `recorded_sources` of train and test; warns where names suggest that they share a recording."""
    chosen = tuple(labels) if labels else None
    sources = {
        split: recorded_sources(root, split, labels=chosen, group=group) for split in ("train", "test")
    }
    if torn := torn_recordings(sources):
        warnings.warn(
            f"{root}: {torn.clips['test']} of {torn.of['test']} test files seem to be cut from "
            f"{torn.groups} recordings that train has too, such as {' and '.join(torn.example[:2])}; "
            f"group={torn.pattern!r} keeps them together",
            stacklevel=3,
        )
    return sources


def nested_clips(
    train: int,
    validation: int,
    scenes: int,
    most: int = 8,
    *,
    sources: Sources | Mapping[str, Sources] | None = None,
    config: SceneConfig | None = None,
    seed: int = 0,
) -> ClipSet:
    """Return the data set of the polyphony experiment: test scenes at every k from 1 to `most`, nested.

    Training and validation scenes have a drawn polyphony of 1 to `most`. The test split has `scenes` x `most`
    clips: a seed's scene of k events is its scene of k - 1 and one more (`make_scene`), so k is all that
    changes. Every event keeps its level above the background; the whole is scaled to the seed's one peak.
    Raises ValueError where k = `most` would put every class into every scene: no scene would lack one.
    """
    config = replace(config or SceneConfig(), polyphony=(1, most))
    by_split = _by_split(sources)
    classes = by_split["test"].classes
    if not 1 <= most < len(classes):
        raise ValueError(f"with {len(classes)} classes polyphony goes to {len(classes) - 1}, not {most}")
    drawn = scene_clips(train, validation, 0, sources=by_split, config=config, seed=seed)
    rows = []
    for scene_seed in scene_seeds("test", scenes, seed):
        for k in range(1, most + 1):
            _, labels = scene_labels(scene_seed, k, sources=by_split["test"], config=config)
            rows.append((f"test-{scene_seed}-{k}", "test", list(labels), k, scene_seed, None))
    nested = pd.DataFrame(rows, columns=drawn.table.columns)
    table = pd.concat([drawn.table, nested], ignore_index=True)
    return ClipSet(f"nested scenes of 1 to {most} events, seed {seed}", classes, table, drawn.reader)


def _by_split(sources: Sources | Mapping[str, Sources] | None) -> dict[str, Sources]:
    if sources is None:
        sources = ProceduralSources()
    if not isinstance(sources, Mapping):
        return dict.fromkeys(SPLITS, sources)
    missing = {"train", "test"} - set(sources)
    if missing:
        raise ValueError(f"sources for {sorted(missing)} are missing; give one a split")
    chosen = {"validation": sources["train"], **sources}
    if any(chosen[split].classes != chosen["train"].classes for split in SPLITS):
        raise ValueError("the splits' sources have different classes; choose the same labels for each")
    return chosen
