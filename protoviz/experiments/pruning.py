"""The scorer of how many prototypes a class needs: a trained probe is pruned on validation clips."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from protoviz.analysis.neighbours import favourite_class
from protoviz.analysis.pruning import ALL, REFITTED, REMOVED, logits_of, prune
from protoviz.experiments.scoring import HeldOut, Scorer, ScorerError
from protoviz.metrics import average_precision
from protoviz.probes import Probe, build_probe
from protoviz.probes.prototype import PrototypeProbe
from protoviz.training import FitConfig, TokenData, fit, predict, score_many

SPLITS = ("train", "validation", "test")
RATES = ("lr", "weight_decay")  # of the run, which a kept probe says


@dataclass(frozen=True)
class Pruned(Scorer):
    """Average precision over prototypes kept: as they are removed, and with the classifier trained anew.

    A row a number of prototypes, stage ("removed", "refitted") and class ("": their mean). Columns: stage,
    kept, chosen (the fewest with the best validation score of its removal), class, validation, score,
    prototypes (of those kept, how many argue for the class most). Only probes with `start` prototypes a class
    and a dense classifier on their scores have rows.
    """

    start: int = 20  # prototypes a class at the start: the paper's
    counts: tuple[int, ...] = (1, 2, 5, 10)  # a class, at which the classifier is trained anew
    share: float = 0.0  # of the prototypes, how many a round removes; 0: one

    version: ClassVar = 1

    def __post_init__(self) -> None:
        if min(self.counts, default=1) < 1 or not 0 <= self.share < 1:
            raise ScorerError(
                f"pruning to {self.counts} a class, a share of {self.share} a round: give counts from 1, and "
                "a share from 0 to less than 1"
            )

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        last = getattr(probe, "classifier", None)
        dense = isinstance(probe, PrototypeProbe) and isinstance(last, nn.Linear)
        if not dense or probe.count != self.start * probe.classes:
            return pd.DataFrame()
        views = [test.split(name) for name in SPLITS]
        found = _Scored(
            [score_many([probe], view)[0][0] for view in views],
            [np.asarray(view.targets()) for view in views],
        )
        weight, bias = (part.detach().cpu().double().numpy() for part in probe.folded_classifier())
        pruning = prune(found.scores[1], weight, bias, found.targets[1], share=self.share)
        wanted = {min(count * probe.classes, probe.count) for count in self.counts} | {pruning.best}
        parts = []
        for count in pruning.counts.tolist():
            kept = pruning.kept(count)
            told = [logits_of(part, weight, bias, kept).astype(np.float32) for part in found.scores[1:]]
            parts.append(self._rows(REMOVED, kept, weight, found.precisions(*told), test))
        for count in sorted(wanted):
            kept = pruning.kept(count)
            parts.append(self._rows(REFITTED, kept, weight, found.refitted(probe, kept, test), test))
        return pd.concat(parts, ignore_index=True).assign(chosen=lambda table: table.kept == pruning.best)

    @staticmethod
    def _rows(stage: str, kept: np.ndarray, weight: np.ndarray, told: tuple, test: HeldOut) -> pd.DataFrame:
        """The rows of one number of prototypes; told: average precision (c) on validation and test clips."""
        validation, score = told
        serve = np.bincount(favourite_class(weight[:, kept]), minlength=len(weight))
        table = {"class": [ALL, *test.maps.classes], "prototypes": [len(kept), *serve]}
        table |= {"validation": [np.nanmean(validation), *validation], "score": [np.nanmean(score), *score]}
        return pd.DataFrame(table).assign(stage=stage, kept=len(kept))


@dataclass(frozen=True, eq=False)
class _Scored:
    """Prototype scores (b j) and truths (b c) of training, validation and test clips."""

    scores: list[np.ndarray]
    targets: list[np.ndarray]

    def precisions(self, *logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Average precision (c) of validation and test clips, of logits (b c) of each."""
        return tuple(average_precision(*pair) for pair in zip(logits, self.targets[1:], strict=True))

    def refitted(self, probe: Probe, kept: np.ndarray, test: HeldOut) -> tuple[np.ndarray, np.ndarray]:
        """The same, with the classifier of the kept prototypes trained anew from where it was."""
        told, grid = probe.metadata, test.pair.grid
        size = {"batch_size": grid.search.batch_size, "loss": test.pair.loss, "seed": told.get("seed", 0)}
        rates = {name: told[name] for name in RATES if told.get(name) is not None}
        smaller = build_probe(
            "linear", len(kept), probe.classes, batch_norm=probe.hyper.get("batch_norm", False)
        )
        weight, bias = probe.class_weights()
        with torch.no_grad():
            smaller.classifier.weight.copy_(weight[:, torch.as_tensor(kept)])
            smaller.classifier.bias.copy_(torch.zeros(probe.classes) if bias is None else bias)
        parts = []
        for scores, targets in zip(self.scores, self.targets, strict=True):
            vectors = torch.as_tensor(scores[:, kept])
            parts.append(TokenData(vectors[:, None], vectors, None, targets))
        fit(smaller, parts[0], parts[1], FitConfig(grid.epochs, **size, **rates))
        return self.precisions(*(predict(smaller, part) for part in parts[1:]))
