"""Poolings compared on the same token maps: rates by a search on validation clips, then seeds on test clips.

    compare(cache, ["linear", "protobin + BatchNorm"], config, work) -> search frame, results frame

Every finished group of runs is kept in a file, so a stopped comparison goes on where it was.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import pandas as pd
import torch

from protoviz.cache import TokenCache
from protoviz.files import refuse_alike, write_bytes
from protoviz.kept import recalled, set_aside, write_json
from protoviz.metrics import accuracy, mean_average_precision
from protoviz.probes import Method, Probe, build_probe, load_probe, save_probe
from protoviz.probes.methods import own_code
from protoviz.progress import Listener, Progress, silent
from protoviz.training import FitConfig, FitResult, TrainingError, fit_many, predict_many


@dataclass(frozen=True)
class CompareConfig:
    """How long, how often and against which loss the methods are compared."""

    epochs: int = 30  # the paper's
    search_epochs: int = 6  # a fifth of a run ranks the rates; the final runs are whole
    batch_size: int = 128  # the paper's
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # the paper retrains its best setting with five
    prototypes_per_class: int = 20  # the paper's J
    loss: str = "asl"  # "cross_entropy" where every clip has one label; then the score is accuracy


def compare(
    cache: TokenCache,
    methods: Iterable[Method | str],
    config: CompareConfig,
    work: Path,
    progress: Listener = silent,
    keep: Mapping[str, Path] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two tidy frames: the search (a row a setting) and the results (a row a method, seed and
    polyphony).

    cache has splits train, validation and test. methods: their titles will do (see `Method.named`). work: a
    folder for what is finished. `progress` hears of epochs. keep: title -> file for the probe of a method's
    first seed.
    Results: method, lr, prototype_lr, seed, best_epoch, validation, polyphony (0: all test clips), metric
    ("mAP" or "accuracy"), score, chance, clips.
    """
    methods = [Method.named(one) if isinstance(one, str) else one for one in methods]
    refuse_alike((method.title for method in methods), "methods")
    runs = Runs(cache, config, work, progress)
    search, results = [], []
    for method in methods:
        rows = runs.search(method)
        best = max(rows, key=lambda row: row["validation"])
        search += rows
        results += runs.final(method, best["lr"], best["prototype_lr"], (keep or {}).get(method.title))
    return pd.DataFrame(search), pd.DataFrame(results)


def epochs_of(methods: Iterable[Method], config: CompareConfig) -> int:
    """Return the epochs that `compare` trains in all, which a progress bar counts."""
    final = len(config.seeds) * config.epochs
    return sum(len(method.settings()) * config.search_epochs + final for method in methods)


class Tested(TypedDict):
    """What each row of a finished group has; a subclass of `Runs` has other columns beside."""

    method: str
    lr: float
    prototype_lr: float | None


class Tried(Tested):
    """A row of a finished search."""

    epochs: int
    validation: float


class Runs:
    """Groups of runs on one cache; what is finished is read from files, keyed by all that decides it.

    A subclass may test finished probes otherwise (`tested`), and then names what decides that in `path`.
    """

    def __init__(self, cache: TokenCache, config: CompareConfig, work: Path, progress: Listener = silent):
        self.cache, self.config, self.work, self.progress = cache, config, work, progress
        self.train, self.validation = cache.split("train"), cache.split("validation")
        self.test = cache.split("test")

    def search(self, method: Method) -> list[dict]:
        """Return one row a setting: the best validation score of a short run at these rates, seed 0."""
        settings, epochs = method.settings(), self.config.search_epochs
        path = self.path("search", method, settings, epochs)
        known = recalled(path, list[Tried])
        if known and len(known) == len(settings):
            self.progress(Progress(epochs * len(settings)))
            return known
        self.progress(Progress(text=f"{method.title}: {len(settings)} settings"))
        found = self._fit([self._run(method, *setting, 0, epochs) for setting in settings])
        rows = [
            {
                "method": method.title,
                "lr": lr,
                "prototype_lr": prototype_lr,
                "epochs": epochs,
                "validation": -1.0 if isinstance(result, TrainingError) else result.best_score,
            }
            for (lr, prototype_lr), (_, result) in zip(settings, found, strict=True)
        ]
        write_json(path, rows)
        return rows

    def final(self, method: Method, lr: float, prototype_lr: float | None, keep: Path | None) -> list[dict]:
        """Return the rows of whole runs at one setting, one a seed; the first seed's probe goes to `keep`."""
        config = self.config
        path = self.path("final", method, [(lr, prototype_lr), config.seeds], config.epochs)
        kept = path.with_suffix(".safetensors")
        rows = recalled(path, list[Tested])
        if not rows or not _sound_probe(kept, method):
            self.progress(Progress(text=f"{method.title}: {len(config.seeds)} seeds"))
            runs = [self._run(method, lr, prototype_lr, seed, config.epochs) for seed in config.seeds]
            found = self._fit(runs)
            rates = {"method": method.title, "lr": lr, "prototype_lr": prototype_lr}
            # With its seed a reader gets the start of the run back (`protoviz.probes.untrained`).
            names = {"classes": list(self.cache.classes), "title": method.title, "seed": config.seeds[0]}
            save_probe(found[0][0], kept, **names, **rates)
            rows = self.tested(found, rates)
            write_json(path, rows)
        else:
            self.progress(Progress(config.epochs * len(config.seeds)))
        if keep:
            write_bytes(keep, kept.read_bytes())
        return rows

    def _run(
        self, method: Method, lr: float, prototype_lr: float | None, seed: int, epochs: int
    ) -> tuple[Probe, FitConfig]:
        torch.manual_seed(seed)  # decides the probe's first weights; FitConfig.seed the order of clips
        hyper = dict(method.options)
        if "prototypes_per_class" in method.found.options():
            hyper.setdefault("prototypes_per_class", self.config.prototypes_per_class)
        probe = build_probe(method.probe, self.cache.dim, len(self.cache.classes), self.cache.grid, **hyper)
        rates = {"lr": lr, "prototype_lr": prototype_lr}
        config = self.config
        return probe, FitConfig(epochs, config.batch_size, **rates, loss=config.loss, seed=seed)

    def _fit(self, runs: list[tuple[Probe, FitConfig]]) -> list[tuple[Probe, FitResult]]:
        def on_epoch(*_) -> None:
            self.progress(Progress(1))

        results = fit_many(runs, self.train, self.validation, on_epoch, errors="return")
        return [(probe, result) for (probe, _), result in zip(runs, results, strict=True)]

    def tested(self, found: list[tuple[Probe, FitResult]], rates: dict) -> list[dict]:
        """The rows of trained probes, one for each of the config's seeds; raises what a run failed with."""
        for _, result in found:
            if isinstance(result, TrainingError):
                raise result
        targets = np.asarray(self.test.targets())
        rows = []
        logits = predict_many([probe for probe, _ in found], self.test)
        for seed, (_, result), scores in zip(self.config.seeds, found, logits, strict=True):
            run = {**rates, "seed": seed, "best_epoch": result.best_epoch, "validation": result.best_score}
            rows += [{**run, **row} for row in score_rows(scores, targets, self.config.loss)]
        return rows

    def path(self, stage: str, method: Method, *setting) -> Path:
        """Return where a finished group lies; the name changes with everything that decides its result."""
        sizes = [self.config.batch_size, self.config.prototypes_per_class, self.config.loss]
        known = [*setting, *sizes, self.cache.fingerprint, *own_code(method.found)]
        decides = json.dumps([stage, method.probe, method.options, *known])
        digest = hashlib.sha256(decides.encode()).hexdigest()[:12]
        return self.work / f"{stage}-{method.slug}-{digest}.json"


def _sound_probe(path: Path, method: Method) -> bool:
    """Whether the file of a probe is there and whole; a damaged one is set aside."""
    try:
        load_probe(path, allow=[method.found])
    except FileNotFoundError:
        return False
    except (ValueError, LookupError, TypeError) as error:
        set_aside(path, error)
        return False
    return True


def score_rows(logits: np.ndarray, targets: np.ndarray, loss: str) -> list[dict]:
    """Return one row for all clips (polyphony 0) and one for the clips of each number of labels.

    logits, targets (n c). Columns: polyphony, metric, score, chance, clips. With loss "cross_entropy" every
    every clip has one label: then there is one row, and its score is accuracy. Raises ValueError where no
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
