"""Scorers of nested scenes: at every number of events, by class, by level, and where a probe looked."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pandas as pd

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
from protoviz.analysis.localisation import FIRST, ONE_CELL
from protoviz.datasets import ClipSet
from protoviz.datasets.scenes import SceneReader
from protoviz.experiments.materials import Pair
from protoviz.experiments.polyphony.locating import encoder_places, probe_places
from protoviz.experiments.polyphony.truth import Truth, levels_of, truth_of
from protoviz.experiments.scoring import HeldOut, Scorer, ScorerError
from protoviz.probes import Probe

LOCATED = ["map", "measure", "scene", "polyphony", "score", "chance"]


@dataclass(frozen=True)
class Measures(Scorer):
    """mAP, AUROC and calibrated mAP at every number of events and (polyphony 0) of all scenes together, and
    accuracy of the scenes of one event.
    """

    version: ClassVar = (1, REFERENCE)

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        polyphony, classes = test.polyphony, test.maps.classes
        mixed = class_rows(logits, test.targets, np.zeros_like(polyphony), classes)
        each = class_rows(logits, test.targets, polyphony, classes)
        one = single_label_rows(logits, test.targets, polyphony)
        return pd.concat([macro_rows(mixed), macro_rows(each), one], ignore_index=True)


@dataclass(frozen=True)
class ByClass(Scorer):
    """Average precision, AUROC and calibrated average precision of each class at every number of events."""

    version: ClassVar = (1, REFERENCE)

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        return class_rows(logits, test.targets, test.polyphony, test.maps.classes)


@dataclass(frozen=True)
class ByLevel(Scorer):
    """Events found, by their level under the loudest other event of the scene."""

    version: ClassVar = (1, FALSE_ALARMS, [str(edge) for edge in LOUDNESS_EDGES])

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        found, chance = found_events(logits, test.targets, test.polyphony)
        return recall_by_level(found, chance, _levels(test.pair, _ids(test)), test.polyphony)


@dataclass(frozen=True)
class Places(Scorer):
    """Where probes and encoders looked in the first test scenes, against where the events are."""

    scenes: int = 40  # of the test split

    of_encoders: ClassVar[bool] = True
    version: ClassVar = (1, FIRST, ONE_CELL)

    def __post_init__(self) -> None:
        if self.scenes < 1:
            raise ScorerError(f"places in {self.scenes} scenes: give at least 1")

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        truth = _truth(test.pair, _ids(test), self.scenes)
        return _rows(truth, probe_places(probe, test.maps, truth))

    def of_encoder(self, test: HeldOut) -> pd.DataFrame:
        truth = _truth(test.pair, _ids(test), self.scenes)
        return _rows(truth, encoder_places(test.pair.encoder, test.pair.clips, truth))


def _rows(truth: Truth, places: dict) -> pd.DataFrame:
    found = [truth.rows(*place).assign(map=name) for name, place in places.items()]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=LOCATED)


def _ids(test: HeldOut) -> tuple[str, ...]:
    return tuple(test.maps.table["clip"])


# Scenes are taken apart once for all probes of an encoder; the cells of 40 scenes are some 50 MB.
@lru_cache(maxsize=2)
def _truth(pair: Pair, ids: tuple[str, ...], scenes: int) -> Truth:
    return truth_of(_scenes(pair), pair.encoder.cell_grid(), scenes, ids)


@lru_cache(maxsize=2)
def _levels(pair: Pair, ids: tuple[str, ...]) -> np.ndarray:
    return levels_of(_scenes(pair), ids)


def _scenes(pair: Pair) -> ClipSet:
    clips = pair.clips
    if not isinstance(clips.reader, SceneReader):
        raise ScorerError(
            f"the events of {clips.name} cannot be taken apart: levels and places need scenes that are mixed "
            "here (use = 'scenes')"
        )
    return clips
