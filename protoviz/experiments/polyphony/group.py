"""One encoder on one kind of sources: its probes trained, tested at every number of events, and located."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

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
from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder, load_encoder
from protoviz.experiments import Runs, epochs_of
from protoviz.experiments.materials import fitting
from protoviz.experiments.polyphony.locating import encoder_places, probe_places
from protoviz.experiments.polyphony.settings import PolyphonyConfig, methods_of
from protoviz.experiments.polyphony.truth import Truth, truth_of
from protoviz.kept import recalled, write_json
from protoviz.probes import Method, Probe
from protoviz.progress import Listener, silent
from protoviz.training import FitResult, TrainingError, predict_many

TABLES = ("scores", "classes", "loudness", "located")
VERSION = 2  # raised when a finished group of runs would be read for something else
RULES = [VERSION, REFERENCE, FALSE_ALARMS, [str(edge) for edge in LOUDNESS_EDGES], FIRST, ONE_CELL]
BY_MAP = ["dataset", "method", "map", "measure", "polyphony"]


@dataclass(frozen=True)
class Group:
    """One encoder (see `load_encoder`) on clips of one kind; files go below `work`."""

    kind: str
    encoder: str
    clips: ClipSet
    config: PolyphonyConfig
    work: Path
    weights: Path | None = None  # of the encoder; None: where `load_encoder` looks for them

    @property
    def epochs(self) -> int:
        """The epochs that it trains in all."""
        return epochs_of(methods_of(self.config.methods), self.config.compare)

    def measured(self, progress: Listener = silent) -> dict[str, pd.DataFrame]:
        """Return the tables "search" and TABLES, with columns dataset and encoder; what is finished is read.

        One thread of torch, so that a result is the same however many groups are measured side by side.
        """
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            scenes = self.clips.reader.config
            options = fitting(self.encoder, scenes.seconds, scenes.sample_rate)
            tables = _measured(self, load_encoder(self.encoder, self.weights, **options), progress)
        finally:
            torch.set_num_threads(before)
        named = {"dataset": self.kind, "encoder": self.encoder}
        return {name: frame.assign(**named) for name, frame in tables.items()}


class PolyphonyRuns(Runs):
    """Runs whose finished probes are tested at every number of events, and asked where they looked."""

    def __init__(
        self, cache: TokenCache, config: PolyphonyConfig, work: Path, progress: Listener, truth: Truth
    ):
        super().__init__(cache, config.compare, work, progress)
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
        # All clips together, under the polyphony 0: what encoders are ranked by.
        mixed = class_rows(logits, targets, np.zeros_like(truth.polyphony), self.cache.classes)
        one = single_label_rows(logits, targets, truth.polyphony)
        found, chance = found_events(logits, targets, truth.polyphony)
        places = probe_places(probe, self.test, truth)
        located = [truth.rows(*place).assign(map=name) for name, place in places.items()]
        empty = pd.DataFrame(columns=["map", "measure", "scene", "polyphony", "score", "chance"])
        return {
            "scores": pd.concat([macro_rows(mixed), macro_rows(classes), one], ignore_index=True),
            "classes": classes,
            "loudness": recall_by_level(found, chance, truth.below, truth.polyphony),
            "located": pd.concat(located, ignore_index=True) if located else empty,
        }

    def path(self, stage: str, method: Method, *setting) -> Path:
        """Return where a finished group lies: the search as elsewhere, the tests under these rules."""
        own = [RULES, self.located] if stage == "final" else []
        return super().path(stage, method, *setting, *own)


def _measured(group: Group, encoder: Encoder, progress: Listener) -> dict[str, pd.DataFrame]:
    clips, config, work = group.clips, group.config, group.work
    cache = TokenCache.create(work / "tokens", encoder, clips, progress=False)
    truth = truth_of(clips, encoder.cell_grid(), config.located)
    runs = PolyphonyRuns(cache, config, work / "runs", progress, truth)
    search, rows = [], []
    for method in methods_of(config.methods):
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


def _encoder_rows(
    encoder: Encoder, clips: ClipSet, truth: Truth, cache: TokenCache, config: PolyphonyConfig, work: Path
) -> list[dict]:
    """Rows of the maps that no probe is behind, kept in a file as finished runs are."""
    path = work / "runs" / f"encoder-{cache.fingerprint[:12]}-{config.located}-{VERSION}.json"
    rows = recalled(path, list[dict])
    if rows is None:
        frames = []
        for name, place in encoder_places(encoder, clips, truth).items():
            frames.append(truth.rows(*place).assign(map=name, method=name, table="located"))
        rows = pd.concat(frames, ignore_index=True).to_dict("records")
        write_json(path, rows)
    return rows


def _over_seeds(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return frame.drop(columns="seed").groupby(keys, sort=False, as_index=False).mean()
