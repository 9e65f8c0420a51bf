"""The search for a probe's settings: Sobol trials, then TPE trials, halved on validation scores (Optuna).

    search("urban-eat-mhca", "studies.journal", probe, train, validation).best

The trials of a group train together in one pass over the data (`fit_many`), and after a few epochs only the
best of them go on: so fifty trials cost far less than fifty lone runs (`python -m benchmarks search`).
"""

import json
import time
import warnings
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import pandas as pd

from protoviz.arguments import in_order
from protoviz.named import install_hint
from protoviz.probes import Probe, Space, untrained
from protoviz.progress import Listener, Progress, silent
from protoviz.training import FitConfig, FitResult, TokenSource, TrainingError, fit_many
from protoviz.training.data import fingerprint

try:
    import optuna
except ImportError as error:
    raise RuntimeError(f"the search runs on Optuna: {install_hint('benchmark')}") from error

from optuna.distributions import FloatDistribution
from optuna.samplers import PartialFixedSampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.trial import Trial, TrialState

from protoviz.experiments.journal import Journal
from protoviz.experiments.rates import SearchConfig, SearchResult


@in_order
def search(
    name: str,
    storage: str | Path,
    probe: Probe,
    train: TokenSource,
    validation: TokenSource,
    space: Space | None = None,
    config: SearchConfig | None = None,
    progress: Listener = silent,
) -> SearchResult:
    """Return the SearchResult of study `name` in the journal file `storage`; killed and called again, it goes
    on.

    probe: says what is trained and on which device; it is not changed. `progress` hears of trials.
    A stopped search repeats at most one group, with the same settings, and ends as if never stopped. A file
    holds any number of studies, which may run at the same time; one study is run by one process at a time.
    Raises TrainingError where no trial could be finished, or where two processes run the same study, and
    ValueError where the study is one of another budget, probe or data.
    """
    config, space = config or SearchConfig(), space or probe.space
    ranges, budget = config.within(space)
    decides = {"budget": {**budget, "ranges": ranges}}
    study = _opened(name, Path(storage), {**decides, **_trained(probe, train, validation)})
    for group in config.groups():
        begun = time.perf_counter()
        trials = [_asked(study, number, space, config) for number in group]
        states = [study.get_trials(deepcopy=False)[number].state for number in group]
        waiting = [trial for trial, state in zip(trials, states, strict=True) if not state.is_finished()]
        if waiting:
            _train(study, waiting, probe, train, validation, config)
            spent = study.user_attrs.get("seconds", 0.0) + time.perf_counter() - begun
            study.set_user_attr("seconds", spent)
        total = config.sobol + config.tpe
        progress(Progress(len(group), f"{group.stop} of {total} trials", total))
    return _result(study, config)


def _kept(study: optuna.Study, epoch: int, reduction: int) -> set[int]:
    """The numbers of the trials that go on at a rung: the best one in `reduction` of all that were there.

    Of equals the earlier one goes on. Optuna's SuccessiveHalvingPruner would judge each trial as it comes,
    before the others of its pass have been heard.
    """
    known = study.get_trials(deepcopy=False)
    at_rung = [one for one in known if epoch in one.intermediate_values]
    values = [(-one.intermediate_values[epoch], one.number) for one in at_rung]
    return {number for _, number in sorted(values)[: max(1, len(values) // reduction)]}


def _distributions(space: Space) -> dict[str, FloatDistribution]:
    return {name: FloatDistribution(*map(float, span), log=True) for name, span in space.spans().items()}


class _Sobol(QMCSampler):
    """Optuna's, told the space: it would infer it from finished trials, of which a first group has none."""

    def __init__(self, space: dict[str, FloatDistribution], seed: int):
        super().__init__(qmc_type="sobol", scramble=True, seed=seed)
        self.space = space

    def infer_relative_search_space(self, study, trial) -> dict[str, FloatDistribution]:
        return self.space


def _trained(probe: Probe, train: TokenSource, validation: TokenSource) -> dict:
    """What a study is of, beside its budget, as JSON gives it back."""
    settings, precision = json.loads(json.dumps(probe.settings)), getattr(probe, "precision", None)
    return {
        "probe": {"settings": settings, "type": str(probe.dtype), "precision": precision},
        "training set": fingerprint(train),
        "validation set": fingerprint(validation),
    }


def _opened(name: str, storage: Path, decides: dict) -> optuna.Study:
    """The study, new or one of which all that decides its trials is the same."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with _quiet():
        study = optuna.create_study(
            storage=JournalStorage(Journal(storage)),
            study_name=name,
            direction="maximize",
            load_if_exists=True,
        )
    known = study.user_attrs
    for what, value in decides.items():
        if what not in known:  # of a new study; or one that a kill, or an older version, left without
            study.set_user_attr(what, value)
        elif known[what] != value:
            raise ValueError(
                f"{storage} holds a study {name!r} with another {what}: give this one another name"
            )
    return study


def _quiet() -> warnings.catch_warnings:
    return warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning)


@lru_cache(maxsize=4)
def _sobol_points(space: Space, config: SearchConfig) -> list[dict[str, float]]:
    """The settings of all Sobol trials, always the same."""
    distributions = _distributions(space)
    with _quiet():
        study = optuna.create_study(sampler=_Sobol(distributions, config.seed))
        return [study.ask(distributions).params for _ in range(config.sobol)]


def _point(study: optuna.Study, number: int, space: Space, config: SearchConfig) -> dict[str, float]:
    """The settings of a trial: a Sobol point, or what TPE draws from the trials before it.

    Each has a sampler of its own, seeded by its number, and all its settings are drawn at once: they depend
    on the trials before it alone, not on how often the process was started, nor where in a trial it ended.
    """
    if number < config.sobol:
        return _sobol_points(space, config)[number]
    sampler = TPESampler(seed=config.seed * 100_003 + number, multivariate=True, constant_liar=True)
    drawn = optuna.create_study(sampler=sampler, direction="maximize")
    drawn.add_trials(study.get_trials(deepcopy=False)[:number])
    return drawn.ask(_distributions(space)).params


def _asked(study: optuna.Study, number: int, space: Space, config: SearchConfig) -> Trial:
    """Trial `number` with its settings, asked for now or by a call that was killed."""
    distributions, known = _distributions(space), study.get_trials(deepcopy=False)
    with _quiet():
        if number < len(known) and known[number].state.is_finished():
            return Trial(study, known[number]._trial_id)
        study.sampler = PartialFixedSampler(_point(study, number, space, config), RandomSampler(config.seed))
        if number >= len(known):
            trial = study.ask(distributions)
        else:
            trial = Trial(study, known[number]._trial_id)  # Optuna has no public way back to a running trial
            for name, span in distributions.items():  # what was set stays; what was not is set now
                trial.suggest_float(name, span.low, span.high, log=True)
    if trial.number != number:
        raise TrainingError(f"another process runs the study {study.study_name}: wait for it, or stop it")
    return trial


def _train(
    study: optuna.Study,
    trials: list[Trial],
    probe: Probe,
    train: TokenSource,
    validation: TokenSource,
    config: SearchConfig,
) -> None:
    """Trains a group in shared passes and tells the study how each trial ended."""
    device = next(probe.parameters()).device
    runs = [(untrained(probe, config.seed).to(device), _fit_config(trial, config)) for trial in trials]
    dropped = set()

    def keep(epoch: int, scores: dict[int, float]) -> set[int]:
        if epoch not in config.halvings:
            return set(scores)
        known = study.get_trials(deepcopy=False)
        for run, score in scores.items():
            if epoch not in known[trials[run].number].intermediate_values:  # by a call that was killed
                trials[run].report(score, epoch)
        kept = _kept(study, epoch, config.reduction)
        worse = {run for run in scores if trials[run].number not in kept}
        for run in worse:
            trials[run].set_user_attr("epochs", epoch)
            study.tell(trials[run], state=TrialState.PRUNED)
        dropped.update(worse)
        return set(scores) - worse

    results = fit_many(runs, train, validation, errors="return", keep=keep)
    for run, (trial, result) in enumerate(zip(trials, results, strict=True)):
        if run in dropped:
            continue
        if isinstance(result, FitResult):
            trial.set_user_attr("epochs", len(result.history))
            study.tell(trial, result.best_score)
        else:
            trial.set_user_attr("error", str(result))
            study.tell(trial, state=TrialState.FAIL)


def _fit_config(trial: Trial, config: SearchConfig) -> FitConfig:
    rates = {"prototype_lr": None, **trial.params}
    return FitConfig(config.epochs, config.batch_size, **rates, loss=config.loss, seed=config.seed)


def _result(study: optuna.Study, config: SearchConfig) -> SearchResult:
    trials = study.get_trials(deepcopy=False)
    searched, rows = dict.fromkeys(sorted(field.name for field in fields(Space))), []
    for trial in trials:
        sampler = "sobol" if trial.number < config.sobol else "tpe"
        row = {"number": trial.number, "sampler": sampler, "state": trial.state.name.lower()}
        row |= {**searched, **trial.params}
        rows.append({**row, "score": trial.value, "epochs": trial.user_attrs.get("epochs", 0)})
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        said = next((t.user_attrs["error"] for t in trials if "error" in t.user_attrs), "no trial ended")
        raise TrainingError(f"no trial of {study.study_name} could be finished: {said}")
    best, attrs, frame = study.best_trial, study.user_attrs, pd.DataFrame(rows)
    settings, spent = {"prototype_lr": None, **best.params}, attrs.get("seconds", 0.0)
    return SearchResult(settings, best.value, frame, attrs["budget"], int(frame.epochs.sum()), spent)
