"""The rates of a probe before its final runs: a few fixed ones, or Optuna's search, by one interface.

    find_rates(method, probe, train, validation, FixedRates()).best

Fixed rates are those that the probe's class names (`protoviz.probes.rates.Rates`); Optuna searches within its
ranges (`Space`).
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from protoviz.probes import Method, Probe, Space, untrained
from protoviz.progress import Listener, silent
from protoviz.training import FitConfig, FitResult, TokenSource, TrainingError, fit_many


@dataclass(frozen=True)
class SearchConfig:
    """The budget of a search: the same for every probe that is compared."""

    sobol: int = 25  # paper
    tpe: int = 25  # paper
    epochs: int = 30  # paper: a trial that is never dropped is a whole run
    rungs: tuple[int, ...] = (3, 10)  # epochs after which trials are dropped; not stated in the paper
    reduction: int = 3  # one of so many goes on at a rung; not stated in the paper, usual are 3 and 4
    together: int = 25  # Sobol trials in one pass: more share more, and hold more weights in memory
    tpe_round: int = 5  # TPE trials in one pass; TPE learns between passes, so few are better, many cheaper
    batch_size: int = 128  # paper
    loss: str = "asl"  # paper; "cross_entropy" for one label a clip, and then accuracy decides
    seed: int = 0  # of the samplers, of the first weights and of the order of clips, the same for all trials

    def __post_init__(self):
        object.__setattr__(self, "rungs", tuple(self.rungs))  # nor could a budget with a list
        least = {"sobol": 1, "tpe": 0, "epochs": 1, "together": 1, "tpe_round": 1, "batch_size": 1, "seed": 0}
        if low := [name for name, value in least.items() if getattr(self, name) < value]:
            raise ValueError(f"{low[0]} of a search has to be at least {least[low[0]]}: {self}")
        rising = list(self.rungs) == sorted(set(self.rungs)) and min(self.rungs, default=1) >= 1
        if self.reduction < 2 or not rising:
            raise ValueError(f"rungs have to rise from 1 and reduction to be at least 2: {self}")

    @property
    def halvings(self) -> tuple[int, ...]:
        """The rungs that a whole run comes to."""
        return tuple(rung for rung in self.rungs if rung < self.epochs)

    def decides(self, method: Method) -> tuple[dict, dict]:
        """Return what decides a search of a method, as JSON gives it back: the ranges, and the budget."""
        return self.within(method.space or method.found.space)

    def within(self, space: Space) -> tuple[dict, dict]:
        """Return the same of a space."""
        ranges = {name: list(span) for name, span in space.spans().items()}
        return ranges, {**asdict(self), "rungs": list(self.rungs)}

    def groups(self) -> Iterator[range]:
        """Yield the numbers of the trials that train together, group after group."""
        every = self.sobol + self.tpe
        for first in range(0, self.sobol, self.together):
            yield range(first, min(first + self.together, self.sobol))
        for first in range(self.sobol, every, self.tpe_round):
            yield range(first, min(first + self.tpe_round, every))

    def largest_group(self, method: Method | None = None) -> int:
        """Return how many trials train together at most."""
        return max(map(len, self.groups()))

    def expected_epochs(self, method: Method | None = None, clips: int = 1) -> int:
        """Return epochs that a search trains in all, if every group is halved as the first one is."""
        left, trained, total = float(self.sobol + self.tpe), 0, 0.0
        for rung in (*self.halvings, self.epochs):
            total += left * (rung - trained)
            left, trained = max(1.0, left / self.reduction), rung
        return round(total)


@dataclass(frozen=True)
class FixedRates:
    """The rates that a probe's class names, each tried in a short run, all runs in the same passes."""

    epochs: int = 6  # a fifth of a run ranks the rates; the final runs are whole
    steps: int | None = None  # of the optimiser, in place of epochs
    batch_size: int = 128  # paper
    few: bool = False  # only those around what a search with all of them chose
    loss: str = "asl"  # as in SearchConfig
    seed: int = 0  # of the first weights and of the order of clips, the same for all rates

    def __post_init__(self):
        if min(self.epochs, self.batch_size, self.steps or 1) < 1 or self.steps == 0:
            raise ValueError(f"epochs, steps and batch_size of a search have to be at least 1: {self}")

    def rates_of(self, method: Method) -> list[dict[str, float | None]]:
        """Return what is tried, as fields of FitConfig."""
        own = {"weight_decay": FitConfig.weight_decay}
        return [{"lr": lr, "prototype_lr": rate, **own} for lr, rate in method.settings(self.few)]

    def epochs_of(self, clips: int) -> int:
        """Return the epochs of a run on so many training clips."""
        return epochs_of(self.epochs, self.steps, clips, self.batch_size)

    def expected_epochs(self, method: Method, clips: int = 1) -> int:
        """Return epochs that a search trains in all, on so many training clips."""
        return self.epochs_of(clips) * len(method.settings(self.few))

    def largest_group(self, method: Method) -> int:
        """Return how many runs train together at most."""
        return len(method.settings(self.few))

    def decides(self, method: Method) -> tuple[list, dict]:
        """Return what decides a search, as `SearchConfig.decides`: the rates, and the budget."""
        told = {name: value for name, value in asdict(self).items() if value is not None}
        return self.rates_of(method), {"kind": "fixed", **told}


def epochs_of(epochs: int, steps: int | None, clips: int, batch_size: int) -> int:
    """Return the epochs of a run: those given, or as many on so many clips as hold about so many steps."""
    return epochs if steps is None else max(1, round(steps / -(-clips // batch_size)))


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a search found, whichever of the two it was.

    best    fields of FitConfig: lr, weight_decay, prototype_lr
    score   the best trial's validation score
    trials  a row a trial: number, sampler (fixed, sobol, tpe), state (complete, pruned, fail), the settings,
            score, epochs
    budget  the config as a dict, with the ranges or the rates
    epochs, seconds   trained in all trials, over all calls; a group that was killed is not counted in seconds
    """

    best: dict[str, float | None]
    score: float
    trials: pd.DataFrame
    budget: dict
    epochs: int
    seconds: float


Rates = SearchConfig | FixedRates
KINDS = {"optuna": SearchConfig, "fixed": FixedRates}  # as a grid's [search] names them


def find_rates(
    method: Method,
    probe: Probe,
    train: TokenSource,
    validation: TokenSource,
    config: Rates,
    name: str = "",
    storage: str | Path = "",
    progress: Listener = silent,
) -> SearchResult:
    """Return the SearchResult of a method; of equal scores the first trial is the best.

    probe: the method's, as in `search`, which has the last three too. Raises TrainingError if no run
    could be finished.
    """
    if isinstance(config, FixedRates):
        return _tried(method, probe, train, validation, config)
    from protoviz.experiments.search import search  # it needs Optuna

    return search(name, storage, probe, train, validation, method.space, config, progress)


def _tried(
    method: Method, probe: Probe, train: TokenSource, validation: TokenSource, config: FixedRates
) -> SearchResult:
    begun, rates, device = time.perf_counter(), config.rates_of(method), next(probe.parameters()).device
    epochs = config.epochs_of(len(train))
    shared = {"loss": config.loss, "seed": config.seed}
    settings = [FitConfig(epochs, config.batch_size, **one, **shared) for one in rates]
    runs = [(untrained(probe, config.seed).to(device), one) for one in settings]
    results = fit_many(runs, train, validation, errors="return")
    done = [isinstance(result, FitResult) for result in results]
    if not any(done):
        raise TrainingError(f"no rate of {method.title} could be trained: {results[0]}")
    trials = []
    for number, (one, result, whole) in enumerate(zip(rates, results, done, strict=True)):
        state, score = ("complete", result.best_score) if whole else ("fail", None)
        row = {"number": number, "sampler": "fixed", "state": state, **one}
        trials.append({**row, "score": score, "epochs": epochs})
    best = max((trial for trial in trials if trial["score"] is not None), key=lambda trial: trial["score"])
    budget = {**config.decides(method)[1], "rates": rates}
    chosen, spent = {name: best[name] for name in rates[0]}, time.perf_counter() - begun
    return SearchResult(chosen, best["score"], pd.DataFrame(trials), budget, epochs * len(rates), spent)
