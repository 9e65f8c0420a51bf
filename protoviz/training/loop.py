"""The one training loop: probes on frozen tokens, one or many in a pass."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from protoviz.arguments import in_order
from protoviz.probes.base import Probe, evaluating
from protoviz.probes.origin import note_origin, refuse_other
from protoviz.probes.prototype import PrototypeProbe
from protoviz.training.at_hand import Data, sources
from protoviz.training.checkpoint import Checkpoints
from protoviz.training.config import FitConfig, FitResult, TrainingError, epoch_seed
from protoviz.training.data import (
    FixedBatch,
    FixedVectors,
    MapBatch,
    TokenSource,
    find_common,
    map_batches,
)
from protoviz.training.progress import OnEpoch, Steps, steps_of
from protoviz.training.run import Run

Keep = Callable[[int, dict[int, float]], Collection[int]]  # epoch, {run: best score so far} -> runs to go on
Scores = tuple[np.ndarray, np.ndarray]  # of clips: scores (b j) float32, and locations (b j), cells


@in_order
def fit(
    probe: Probe,
    train: Data,
    validation: Data,
    config: FitConfig | None = None,
    progress: bool | Callable[[int, float, float], None] | None = None,
    *,
    folder: str | Path | None = None,
) -> FitResult:
    """Return the FitResult of training `probe` in place; it ends with the best epoch's state, in evaluation
    mode.

    train, validation: splits of a TokenCache, TokenData, (tokens, labels) as arrays or tensors, or a
    DataLoader of such batches; labels are class numbers, names, or 0 and 1 for each class.
    AdamW with a cosine to 0 over all steps; a validation score each epoch, the earliest best epoch wins.
    `progress(epoch, loss, score)` is called after each epoch; True shows a bar with the time left. Works on
    the device that the probe is on. The same probe, data and config give the same result on the same machine
    and number of threads. A pooling without weights (`Probe.fixed`) reads the token maps once and trains on
    its vectors. `folder` keeps the state, so that a killed call goes on where it was: see `fit_many`.
    """
    heard = (lambda _, *row: progress(*row)) if callable(progress) else progress
    return fit_many([(probe, config or FitConfig())], train, validation, heard, folder=folder)[0]


@in_order
def fit_many(
    runs: Iterable[tuple[Probe, FitConfig]],
    train: Data,
    validation: Data,
    progress: bool | OnEpoch | None = None,
    *,
    folder: str | Path | None = None,
    errors: Literal["raise", "return"] = "raise",
    keep: Keep | None = None,
) -> list[FitResult]:
    """Return what `fit` gives for each (probe, config), bit for bit, from passes over the data that they
    share.

    Runs with the same `seed` and `batch_size` see the same batches, so each batch is read and prepared once
    for all of them; runs with another order need a training pass of their own. Validation is one pass for
    all. Methods, rates, decays, numbers of epochs and first weights may differ. So for quick repeats give
    probes with different first weights one seed: their spread then shows the first weights without the
    order of clips; with different seeds it shows both. Probes keep in their metadata which encoder made the
    tokens.
    progress  a function called as progress(run, epoch, loss, score) after each epoch of a run, `run` counting
              from 0; True: a bar with the time left
    folder    keeps the state of every run, at the end of each epoch but not oftener than every two seconds.
              Called again with the same probes (settings and first weights), configs and data, it goes on
              there and ends as if never interrupted; finished runs are only read. The calls need not hold
              the same runs. A new process may choose another exact way to find maxima (see cosine_max), which
              changes scores by float32's rounding.
    errors    "raise": a run whose loss leaves the numbers raises TrainingError. "return": the others go on,
              and the error stands in its place in the list.
    keep      keep(epoch, {run: best score so far}) is asked after every epoch that runs have just finished,
              for all of them at once, and returns the runs that go on; the others end there, as patience
              ends a run. So a search drops its bad settings. Not together with `folder`.

    Memory beyond one run's: weights, two moments and the best state of every probe, and two copies of one
    batch in float32, as it is and normalised (128 clips of 512 tokens of width 768: 200 MB each).
    """
    runs = list(runs)
    if runs:
        train, validation = sources(train, validation, runs[0][0])
    group = [Run(probe, config, len(train)) for probe, config in runs]
    if not len(validation):
        raise TrainingError("nothing to validate on: the validation data holds no clips")
    if len({id(run.probe) for run in group}) < len(group):
        raise TrainingError("two runs have the same probe: build one for each")
    if folder is not None and keep is not None:
        raise TrainingError("give folder or keep, not both: a run ended by keep would go on from its file")
    for run in group:
        note_origin(run.probe, train, validation)
        if run.probe.centre == "train":
            run.probe.common.zero_()  # of an earlier training, whose file is another's
    checkpoints = None
    if folder is not None:
        checkpoints = Checkpoints(folder, train, validation)
        for run in group:
            checkpoints.restore(run)
    find_common([run.probe for run in group if not run.epoch], train)
    with steps_of(group, progress) as steps:
        return _Group(group, train, validation, errors == "return", keep).train(steps, checkpoints)


class _Group:
    """Runs that share their passes over the data."""

    def __init__(
        self,
        runs: list[Run],
        train: TokenSource,
        validation: TokenSource,
        forgiving: bool,
        keep: Keep | None,
    ):
        self.keep = keep
        self.runs, self.train_maps, self.validation_maps = runs, train, validation
        self.targets = validation.targets()
        self.failed: dict[int, TrainingError] = {}
        self.forgiving = forgiving
        fixed = [run.probe for run in runs if run.probe.fixed and not run.done]
        self.train_vectors = FixedVectors(train, fixed) if fixed else None
        self.validation_vectors = FixedVectors(validation, fixed) if fixed else None

    def train(self, steps: Steps, checkpoints: Checkpoints | None) -> list[FitResult]:
        """Return the results of all runs. Runs that stand at different epochs are brought level first."""
        while active := [run for run in self.runs if not run.done and id(run) not in self.failed]:
            epoch = min(run.epoch for run in active) + 1
            active = [run for run in active if run.epoch == epoch - 1]
            for _, sharing in groupby(sorted(active, key=_batches_of), key=_batches_of):
                self._train_pass(list(sharing), epoch, steps)
            active = [run for run in active if id(run) not in self.failed]
            for run, logits in zip(active, self._validation_pass(active), strict=True):
                self._attempt(run, lambda run=run, logits=logits: run.finish_epoch(logits, self.targets))
            active = [run for run in active if id(run) not in self.failed]
            if checkpoints:
                checkpoints.save(active)
            if self.keep and active:
                self._thin_out(active, epoch)
            for run in active:
                steps.epoch(self.runs.index(run), run)
        return [self._attempt(run, run.result) for run in self.runs]

    def _thin_out(self, active: list[Run], epoch: int) -> None:
        numbers = {self.runs.index(run): run for run in active}
        kept = self.keep(epoch, {number: run.best_score for number, run in numbers.items()})
        for number in numbers.keys() - set(kept):
            numbers[number].ended = True

    def _train_pass(self, runs: list[Run], epoch: int, steps: Steps) -> None:
        config, order = runs[0].config, epoch_seed(runs[0].config.seed, epoch)
        if runs[0].probe.fixed:
            batches = self.train_vectors.batches(config.batch_size, order)
        else:
            batches = map_batches(self.train_maps, [run.probe for run in runs], config.batch_size, order)
        for batch in batches:
            for run in runs:
                if id(run) not in self.failed:
                    self._attempt(run, lambda run=run, batch=batch: run.step(batch))
                    steps.step()
            del batch  # before the next is read

    def _validation_pass(self, runs: list[Run]) -> list[np.ndarray]:
        """Logits of each run, in their order."""
        fixed = [run.probe for run in runs if run.probe.fixed]
        maps = [run.probe for run in runs if not run.probe.fixed]
        logits = dict(zip(maps, predict_many(maps, self.validation_maps), strict=True))
        if fixed:
            logits |= zip(fixed, _logits(fixed, self.validation_vectors.batches(128)), strict=True)
        return [logits[run.probe] for run in runs]

    def _attempt(self, run: Run, action: Callable):
        if id(run) in self.failed:
            return self.failed[id(run)]
        try:
            return action()
        except TrainingError as error:
            if not self.forgiving:
                raise
            self.failed[id(run)] = error
            return error


def _batches_of(run: Run) -> tuple:
    """What decides the batches of a run."""
    return run.probe.fixed, run.config.seed, run.config.batch_size


@in_order
def predict(probe: Probe, data: TokenSource, batch_size: int = 128) -> np.ndarray:
    """Return logits (n c) of all clips in order, in evaluation mode, as float32.

    Raises ProbeError where the data are tokens of another encoder than the probe was trained on.
    """
    return predict_many([probe], data, batch_size)[0]


def predict_many(probes: Sequence[Probe], data: TokenSource, batch_size: int = 128) -> list[np.ndarray]:
    """Return what `predict` gives for each probe, from one pass over the data."""
    for probe in probes:
        refuse_other(probe, data)
    return _logits(probes, map_batches(data, probes, batch_size)) if probes else []


def score_many(probes: Sequence[PrototypeProbe], data: TokenSource, batch_size: int = 128) -> list[Scores]:
    """Return scores (n_clips j) float32 and locations (n_clips j) of each probe, from one pass over the data.

    A location is the number of the cell in the grid that the probe compares (`compared_grid`). Raises
    ProbeError where the data are tokens of another encoder than a probe was trained on.
    """
    empty = [(np.zeros((0, one.count), np.float32), np.zeros((0, one.count), np.int64)) for one in probes]
    told = list(score_batches(probes, data, batch_size)) or [empty]
    return [tuple(map(np.concatenate, zip(*parts, strict=True))) for parts in zip(*told, strict=True)]


def score_batches(
    probes: Sequence[PrototypeProbe], data: TokenSource, batch_size: int = 128
) -> Iterator[list[Scores]]:
    """Yield what `score_many` returns, a batch of clips after the other: memory need not hold all."""
    for probe in probes:
        refuse_other(probe, data)
    for batch in map_batches(data, probes, batch_size):
        told = []
        with torch.no_grad():
            for probe in probes:
                with evaluating(probe):
                    scores, locations = batch.scored(probe)
                told.append((scores.float().cpu().numpy(), locations.cpu().numpy()))
        del batch  # before the next is read
        yield told


def _logits(probes: Sequence[Probe], batches: Iterable[MapBatch | FixedBatch]) -> list[np.ndarray]:
    found: list[list[torch.Tensor]] = [[] for _ in probes]
    with torch.no_grad():
        for batch in batches:
            for probe, parts in zip(probes, found, strict=True):
                with evaluating(probe):
                    parts.append(probe.classify(batch.pooled(probe)).float().cpu())
            del batch  # before the next is read
    return [
        torch.cat(parts).numpy() if parts else np.zeros((0, probe.classes), np.float32)
        for probe, parts in zip(probes, found, strict=True)
    ]
