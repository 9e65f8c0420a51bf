"""The dial itself: the same probes on scenes of 1 to 8 events, for several encoders and kinds of sources."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from protoviz.analysis.by_polyphony import (
    FALSE_ALARMS,
    LOUDNESS_EDGES,
    REFERENCE,
    class_rows,
    found_events,
    macro_rows,
    recall_by_level,
    single_label_rows,
)
from protoviz.analysis.localisation import FIRST, ONE_CELL, hit_intervals
from protoviz.benchmark import Method, Runs, epochs_of, write_frame, write_json
from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet, nested_clips
from protoviz.dial.locating import encoder_places, probe_places
from protoviz.dial.settings import DialConfig, methods_of, mini_encoders
from protoviz.dial.truth import Truth, truth_of
from protoviz.encoders import Encoder, load_encoder
from protoviz.probes import Probe
from protoviz.scenes import ProceduralSources, Sources, recorded_sources
from protoviz.training import FitResult, TrainingError, predict_many

TABLES = ("scores", "classes", "loudness", "located")
FILES = {"scores": "dial", "classes": "dial-classes", "loudness": "dial-loudness", "located": "localisation"}
VERSION = 1  # raised when a finished group of runs would be read for something else
RULES = [VERSION, REFERENCE, FALSE_ALARMS, [str(edge) for edge in LOUDNESS_EDGES], FIRST, ONE_CELL]


def build_dial(
    folder: Path,
    work: Path,
    config: DialConfig | None = None,
    encoders: Sequence[str] = (),
    recordings: Path | None = None,
    labels: Sequence[str] = (),
) -> None:
    """Write dial.parquet, dial-classes.parquet, dial-loudness.parquet, localisation.parquet, dial.json, and
    dial-search.parquet into `folder`.

    encoders: names in ENCODERS; none: every mini that is there. recordings: a folder of labelled recordings
    (see `recorded_sources`), a second kind of sources beside the procedural ones; labels: only these of them.
    Training and test scenes share no recording. Token maps and finished runs stay in `work`: stopped, it goes
    on; an encoder more costs only its own runs.
    """
    config, encoders = config or DialConfig(), list(encoders) or mini_encoders()
    kinds: dict[str, Mapping[str, Sources]] = {
        "procedural": dict.fromkeys(("train", "test"), ProceduralSources())
    }
    if recordings is not None:
        chosen = tuple(labels) or None
        kinds["recordings"] = {
            split: recorded_sources(recordings, split, labels=chosen) for split in ("train", "test")
        }
    frames: dict[str, list[pd.DataFrame]] = {name: [] for name in ("search", *TABLES)}
    for kind, sources in kinds.items():
        clips = dial_clips(config, sources)
        for name in encoders:
            for table, frame in _measured(clips, load_encoder(name), config, work / kind / name).items():
                frames[table].append(frame.assign(dataset=kind, encoder=name))
    _write(folder, frames)
    told = {**asdict(config), "encoder": list(encoders), "command": _command(encoders, recordings)}
    told |= {"reference": REFERENCE, "false_alarms": FALSE_ALARMS, "reduced": config != DialConfig()}
    told["sources"] = {kind: len(sources["test"].classes) for kind, sources in kinds.items()}
    write_json(folder / "dial.json", told)


def dial_clips(config: DialConfig, sources: Mapping[str, Sources]) -> ClipSet:
    """The nested scenes of the dial; with few classes it goes only as far as every scene lacks one."""
    most = min(config.most, len(sources["test"].classes) - 1)
    sizes = (config.train, config.validation, config.scenes)
    return nested_clips(*sizes, most, sources=sources, seed=config.scene_seed)


class DialRuns(Runs):
    """Runs whose finished probes are tested at every number of events, and asked where they looked."""

    def __init__(self, cache: TokenCache, config: DialConfig, work: Path, told: Callable, truth: Truth):
        super().__init__(cache, config.compare, work, told)
        self.truth, self.located = truth, config.located

    def tested(self, found: list[tuple[Probe, FitResult]], rates: dict) -> list[dict]:
        """Rows of every table, named by their key "table"; classes and places are means over the seeds."""
        for _, result in found:
            if isinstance(result, TrainingError):
                raise result
        probes = [probe for probe, _ in found]
        logits = predict_many(probes, self.test)
        frames = {name: [] for name in TABLES}
        for probe, seed, scores in zip(probes, self.config.seeds, logits, strict=True):
            for name, frame in self._tables(probe, scores).items():
                frames[name].append(frame.assign(seed=seed))
        whole = {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items() if parts}
        whole["classes"] = _over_seeds(whole["classes"], ["class", "polyphony"])
        whole["located"] = _over_seeds(whole["located"], ["map", "measure", "scene", "polyphony"])
        rows = [frame.assign(table=name, **rates) for name, frame in whole.items()]
        return [row for frame in rows for row in frame.to_dict("records")]

    def _tables(self, probe: Probe, logits: np.ndarray) -> dict[str, pd.DataFrame]:
        truth, targets = self.truth, np.asarray(self.test.targets())
        classes = class_rows(logits, targets, truth.polyphony, self.cache.classes)
        one = single_label_rows(logits, targets, truth.polyphony)
        found, chance = found_events(logits, targets, truth.polyphony)
        places = probe_places(probe, self.test, truth)
        located = [truth.rows(*place).assign(map=name) for name, place in places.items()]
        empty = pd.DataFrame(columns=["map", "measure", "scene", "polyphony", "score", "chance"])
        return {
            "scores": pd.concat([macro_rows(classes), one], ignore_index=True),
            "classes": classes,
            "loudness": recall_by_level(found, chance, truth.below, truth.polyphony),
            "located": pd.concat(located, ignore_index=True) if located else empty,
        }

    def path(self, stage: str, method: Method, *setting) -> Path:
        """Where a finished group lies: the search as elsewhere, the tests under the rules of the dial."""
        own = [RULES, self.located] if stage == "final" else []
        return super().path(stage, method, *setting, *own)


def _measured(clips: ClipSet, encoder: Encoder, config: DialConfig, work: Path) -> dict[str, pd.DataFrame]:
    """The tables of one encoder on one kind of sources."""
    cache = TokenCache.create(work / "tokens", encoder, clips)
    truth = truth_of(clips, encoder.cell_grid(), config.located)
    methods = methods_of(config.methods)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), TextColumn("left")) as bar:
        task = bar.add_task("", total=epochs_of(methods, config.compare))
        runs = DialRuns(cache, config, work / "runs", partial(bar.update, task), truth)
        search, rows = [], []
        for method in methods:
            tried = runs.search(method)
            best = max(tried, key=lambda row: row["validation"])
            search += tried
            rows += runs.final(method, best["lr"], best["prototype_lr"], None)
    rows += _encoder_rows(encoder, clips, truth, cache, config, work)
    frame = pd.DataFrame(rows)
    split = {name: frame[frame.table == name] for name in TABLES}
    tables = {name: part.drop(columns="table").dropna(axis=1, how="all") for name, part in split.items()}
    tables["located"] = hit_intervals(tables["located"].assign(dataset=""), BY_MAP).drop(columns="dataset")
    return {"search": pd.DataFrame(search), **tables}


BY_MAP = ["dataset", "method", "map", "measure", "polyphony"]


def _encoder_rows(
    encoder: Encoder, clips: ClipSet, truth: Truth, cache: TokenCache, config: DialConfig, work: Path
) -> list[dict]:
    """Rows of the maps that no probe is behind, kept in a file as finished runs are."""
    path = work / "runs" / f"encoder-{cache.fingerprint[:12]}-{config.located}-{VERSION}.json"
    if not path.exists():
        frames = []
        for name, place in encoder_places(encoder, clips, truth).items():
            frames.append(truth.rows(*place).assign(map=name, method=name, table="located"))
        write_json(path, pd.concat(frames, ignore_index=True).to_dict("records"))
    return json.loads(path.read_text())


def _over_seeds(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return frame.drop(columns="seed").groupby(keys, sort=False, as_index=False).mean()


def _write(folder: Path, frames: Mapping[str, list[pd.DataFrame]]) -> None:
    for name, parts in frames.items():
        frame = pd.concat(parts, ignore_index=True)
        wide = frame.select_dtypes("float64").columns.difference(["score", "chance", "low_db", "high_db"])
        if name == "classes":  # thousands of rows: seven digits are more than they can say
            frame = frame.astype(dict.fromkeys(wide, "float32"))
        write_frame(folder / f"{FILES.get(name, 'dial-search')}.parquet", frame)


def _command(encoders: Sequence[str], recordings: Path | None) -> str:
    """The command that made the tables; where recordings lie is no one's business."""
    told = f"protoviz dial --encoders {','.join(encoders)}"
    return told if recordings is None else f"{told} --recordings FOLDER"
