"""How trained probes are scored on test clips: the score of every run, and the scorers that a grid names.

A scorer is one class with a name in SCORERS, or one of your own, module:Class. Its fields are its options.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from protoviz.cache import TokenView
from protoviz.metrics import accuracy, mean_average_precision
from protoviz.named import code_digest, find, is_place
from protoviz.probes import Probe

if TYPE_CHECKING:
    from protoviz.experiments.materials import Pair

HERE, NESTED = "protoviz.experiments.scoring", "protoviz.experiments.polyphony.scorers"
# name -> class, which is imported when it is asked for
SCORERS = {
    "by polyphony": f"{HERE}:ByPolyphony",
    "measures": f"{NESTED}:Measures",
    "by class": f"{NESTED}:ByClass",
    "by level": f"{NESTED}:ByLevel",
    "places": f"{NESTED}:Places",
    "events": "protoviz.experiments.polyphony.strong:EventHits",
    "pruning": "protoviz.experiments.pruning:Pruned",
    "frames": "protoviz.experiments.detecting:Frames",
    "tokens": "protoviz.experiments.tokens:TokenSpread",
    "shares": "protoviz.experiments.layers:Shares",
}


class ScorerError(ValueError):
    """A scorer that is not there, or cannot score these clips; the text names the cure."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The test clips of a data set as an encoder sees them, which scorers are given."""

    pair: "Pair"  # its encoder, clips and loss
    split: Callable[[str], TokenView]  # "train", "validation": for what is fitted or chosen once more
    folder: Path  # of the grid

    @cached_property
    def maps(self) -> TokenView:
        """The token maps of the test clips."""
        return self.split("test")

    @cached_property
    def targets(self) -> np.ndarray:
        """0 and 1 (b c), in the order of `maps`."""
        return np.asarray(self.maps.targets())

    @property
    def polyphony(self) -> np.ndarray:
        """Labels of each clip (b)."""
        return self.maps.table["polyphony"].to_numpy()


@dataclass(frozen=True)
class Scorer(ABC):
    """What is asked of every trained probe, and perhaps of the encoder by itself."""

    of_encoders: ClassVar[bool] = False  # whether `of_encoder` says anything
    of_events: ClassVar[bool] = False  # whether it reads the times of events
    version: ClassVar[Any] = 1  # what else decides its tables: changed when the same options give others

    @abstractmethod
    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        """Return the rows of a trained probe; logits (b c) of test clips, of frames the largest of each."""

    def of_encoder(self, test: HeldOut) -> pd.DataFrame:
        """Return the rows of what no probe is behind: none, unless a scorer says otherwise."""
        return pd.DataFrame()

    def decides(self) -> list:
        """Return what decides its tables beside probe and clips, as plain values."""
        return [self.version, asdict(self)]


@dataclass(frozen=True)
class ByPolyphony(Scorer):
    """The score of a run again, and that of the clips of each number of labels: see `score_rows`."""

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        return pd.DataFrame(score_rows(logits, test.targets, test.pair.loss))


def scorer_class(name: str) -> type[Scorer]:
    """Return a scorer's class: a name in SCORERS, or module:Class. ScorerError for another."""
    if name not in SCORERS and not is_place(name):
        raise ScorerError(f"there is no scorer {name!r}; there are {', '.join(SCORERS)}, or module:Class")
    found = find(SCORERS.get(name, name), Scorer, ScorerError, "MyScorer")
    if not (isinstance(found, type) and issubclass(found, Scorer)):
        raise ScorerError(f"{name} has to be a class derived from {HERE}.Scorer")
    return found


@dataclass(frozen=True)
class ScoreEntry:
    """One scorer of a grid; its tables are called `name`."""

    name: str
    use: str
    options: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def scorer(self) -> Scorer:
        """The scorer with its options."""
        return scorer_class(self.use)(**dict(self.options))

    def decides(self) -> list:
        """Return what decides its tables beside probe and clips; of a class of one's own also the code."""
        code = code_digest(type(self.scorer)) if is_place(self.use) else []
        return [self.use, self.scorer.decides(), *code]


def score_rows(logits: np.ndarray, targets: np.ndarray, loss: str) -> list[dict]:
    """Return one row for all clips (polyphony 0) and one for the clips of each number of labels.

    logits, targets (n c). Columns: polyphony, metric, score, chance, clips. With loss "cross_entropy" every
    clip has one label: then there is one row, and its score is accuracy. Raises ValueError where no
    clip has a label: there is no score, and NaN would be taken for one.
    """
    if not targets.any():
        raise ValueError(f"none of the {len(targets):,} clips has a label: nothing can be scored")
    if loss == "cross_entropy":
        chance = float(targets.mean(axis=0).max())  # of always answering the commonest class
        row = {"polyphony": 0, "metric": "accuracy", "score": accuracy(logits, targets)}
        return [{**row, "chance": chance, "clips": len(targets)}]
    polyphony = targets.sum(axis=1).astype(int)
    rows = []
    for k in (0, *sorted(set(polyphony.tolist()) - {0})):
        chosen = np.full(len(targets), True) if k == 0 else polyphony == k
        prevalence = targets[chosen].mean(axis=0)
        score = mean_average_precision(logits[chosen], targets[chosen]).value
        row = {"polyphony": k, "metric": "mAP", "score": score}
        chance = float(prevalence[prevalence > 0].mean())
        rows.append({**row, "chance": chance, "clips": int(chosen.sum())})
    return rows
