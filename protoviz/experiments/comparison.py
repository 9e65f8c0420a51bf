"""Poolings compared on token maps at hand: a few rates on validation clips, then seeds on test clips.

    compare(cache, ["linear", "protobin + BatchNorm"], epochs=10) -> search frame, results frame

What goes on where it was stopped, on several data sets and encoders, is a grid (`run_grid`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from protoviz.cache import TokenCache
from protoviz.experiments.rates import FixedRates, find_rates
from protoviz.experiments.scoring import score_rows
from protoviz.files import refuse_alike
from protoviz.probes import Method, seeded_probe, untrained
from protoviz.training import FitConfig, fit_many, predict_many


def compare(
    cache: TokenCache,
    methods: Iterable[Method | str],
    epochs: int = 30,
    search: FixedRates | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    prototypes_per_class: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two tidy frames: the search (a row a setting) and the results (a row a method, seed and
    polyphony).

    cache has splits train, validation and test. methods: their titles will do (see `Method.named`).
    search: also the batch size and the loss of the final runs. The other arguments are those of a `Grid`.
    Results: method, lr, prototype_lr, weight_decay, seed, best_epoch, validation, polyphony (0: all test
    clips), metric ("mAP" or "accuracy"), score, chance, clips.
    """
    methods = [Method.named(one) if isinstance(one, str) else one for one in methods]
    refuse_alike((method.title for method in methods), "methods")
    search = search or FixedRates()
    train, validation, test = (cache.split(name) for name in ("train", "validation", "test"))
    trials, rows = [], []
    for method in methods:
        hyper = method.hyper(prototypes_per_class)
        probe = seeded_probe(0, method.probe, cache.dim, len(cache.classes), cache.grid, **hyper)
        found = find_rates(method, probe, train, validation, search)
        trials.append(found.trials.assign(method=method.title))
        shared = {"loss": search.loss, **found.best}
        config = FitConfig(epochs, search.batch_size, **shared)
        runs = [(untrained(probe, seed), replace(config, seed=seed)) for seed in seeds]
        results = fit_many(runs, train, validation)
        logits = predict_many([run[0] for run in runs], test)
        for seed, result, scores in zip(seeds, results, logits, strict=True):
            run = {"method": method.title, **found.best, "seed": seed}
            run |= {"best_epoch": result.best_epoch, "validation": result.best_score}
            rows += [{**run, **row} for row in score_rows(scores, np.asarray(test.targets()), search.loss)]
    return pd.concat(trials, ignore_index=True), pd.DataFrame(rows)
