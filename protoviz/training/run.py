"""One probe on its way through training, apart from the loop so that several share one pass."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, TypedDict

import numpy as np
import pandas as pd
import torch

from protoviz.losses import LOSSES
from protoviz.metrics import accuracy, mean_average_precision
from protoviz.probes.base import Probe
from protoviz.probes.cosine_max import PRECISIONS
from protoviz.tensors import misfits, unsound
from protoviz.training.config import FitConfig, FitResult, TrainingError
from protoviz.training.data import FixedBatch, MapBatch


class _Row(TypedDict):
    epoch: int
    loss: float
    score: Any  # NaN where nothing could be scored
    lr: float


class _Schedule(TypedDict):
    last_epoch: int
    _step_count: int
    _last_lr: list[float]


class Record(TypedDict):
    """What a run has noted between two epochs, beside its tensors."""

    rows: list[_Row]
    best: tuple[Any, int]
    lr: list[float]
    schedule: _Schedule


class Run:
    """One training: `step` on a batch, `finish_epoch` with validation logits, at last `result`."""

    def __init__(self, probe: Probe, config: FitConfig, clips: int):
        if clips < 1:
            raise TrainingError("nothing to train on: the training data holds no clips")
        if config.loss not in LOSSES:
            raise TrainingError(f"loss {config.loss!r} is unknown: choose one of {', '.join(LOSSES)}")
        if config.precision not in (None, *PRECISIONS):
            raise TrainingError(
                f"precision {config.precision!r} is unknown: choose None or one of {', '.join(PRECISIONS)}"
            )
        self.probe, self.config, self.clips = probe, config, clips
        self.loss, self.metric = LOSSES[config.loss], _metric(config)
        groups = probe.parameter_groups(
            config.lr, config.prototype_lr, config.weight_decay, config.decay_prototypes
        )
        self.optimiser = torch.optim.AdamW(groups)
        self.steps = config.epochs * math.ceil(clips / config.batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, T_max=self.steps)
        self.rows: list[dict] = []
        self.losses: list[tuple[float, int]] = []
        self.ended = False  # by the caller, before its last epoch
        self.best_score, self.best_epoch, self.best_state = -math.inf, 0, {}

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return len(self.rows)

    @property
    def steps_left(self) -> int:
        """Steps to the end of the last epoch, counted from the end of the last finished one."""
        return self.steps - self.steps // self.config.epochs * self.epoch

    @property
    def done(self) -> bool:
        """All epochs are finished, the score has not risen for `patience` of them, or the caller ended it."""
        patience = self.config.patience
        tired = patience is not None and self.epoch - self.best_epoch >= patience
        return self.epoch >= self.config.epochs or tired or self.ended

    def step(self, batch: MapBatch | FixedBatch) -> None:
        """Take one optimiser step on `batch`."""
        self.probe.train()
        with _computing_in(self.probe, self.config.precision):
            logits = self.probe.classify(batch.pooled(self.probe))
        targets = batch.targets.to(logits.device)
        if targets.shape != logits.shape:
            raise TrainingError(
                f"{self.probe.name} gives logits {tuple(logits.shape)}, the truth is {tuple(targets.shape)}: "
                "a probe of clips takes (clips, classes), one of frames (clips, frames, classes)"
            )
        loss = self.loss(logits, targets) + self.probe.penalty()
        value = loss.item()
        if not math.isfinite(value):
            raise self._diverged(f"the loss of {self.probe.name} became {value}")
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.losses.append((value, len(batch.targets)))

    def _diverged(self, what: str) -> TrainingError:
        return TrainingError(
            f"{what} in epoch {self.epoch + 1}: try a smaller learning rate (now {self.config.lr}, "
            f"prototypes {self.config.prototype_lr})"
        )

    def finish_epoch(self, logits: np.ndarray, targets: np.ndarray) -> dict:
        """Return the epoch's history row by validation logits (n c) or (n t c); keeps the best state."""
        if not np.isfinite(logits).all():
            raise self._diverged(f"scores of {self.probe.name} became NaN or infinite")
        score = self.metric(*(one.reshape(-1, one.shape[-1]) for one in (logits, targets)))
        clips = sum(count for _, count in self.losses)
        row = {
            "epoch": self.epoch + 1,
            "loss": sum(value * count for value, count in self.losses) / clips,
            "score": score,
            "lr": self.schedule.get_last_lr()[0],
        }
        self.rows.append(row)
        self.losses = []
        if score > self.best_score:
            self.best_score, self.best_epoch = score, row["epoch"]
            self.best_state = deepcopy(self.probe.state_dict())
        return row

    def state(self) -> tuple[dict[str, torch.Tensor], Record]:
        """Return what `restore` needs between two epochs: tensors by name, and a record of json values."""
        tensors = {f"best.{name}": value for name, value in self.best_state.items()}
        if not self.done:
            tensors |= {f"probe.{name}": value for name, value in self.probe.state_dict().items()}
            for number, moments in self.optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{number}.{name}": value for name, value in moments.items()}
        record = {
            "rows": self.rows,
            "best": [self.best_score, self.best_epoch],
            "lr": [group["lr"] for group in self.optimiser.param_groups],
            "schedule": self.schedule.state_dict(),
        }
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}, record

    def restore(self, tensors: dict[str, torch.Tensor], record: Record) -> None:
        """Go on as the run went on whose `state` this is; ValueError and others where it is another's."""
        if faults := unsound(tensors):
            raise ValueError(faults)
        parts: dict[str, dict[str, torch.Tensor]] = {"best": {}, "probe": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        device = next(self.probe.parameters()).device
        self.rows, (self.best_score, self.best_epoch) = record["rows"], record["best"]
        self.best_state = {name: value.to(device) for name, value in parts["best"].items()}
        if self.best_state and (faults := misfits(self.probe.state_dict(), self.best_state)):
            raise ValueError(faults)
        if self.done:
            return
        self.probe.load_state_dict(parts["probe"])
        known = self.optimiser.state_dict()
        known["state"] = {}
        weights = [value for group in self.optimiser.param_groups for value in group["params"]]
        for name, value in parts["optimiser"].items():
            number, moment = name.split(".")
            if value.shape not in ((), weights[int(number)].shape):
                raise ValueError(f"optimiser.{name} is {tuple(value.shape)}")
            known["state"].setdefault(int(number), {})[moment] = value
        for group, lr in zip(known["param_groups"], record["lr"], strict=True):
            group["lr"] = lr
        self.optimiser.load_state_dict(known)
        self.schedule.load_state_dict({**self.schedule.state_dict(), **_moved(record["schedule"])})

    def restart(self, weights: dict[str, torch.Tensor]) -> None:
        """Begin anew, with these first weights, what could not be restored."""
        self.probe.load_state_dict(weights)
        self.__init__(self.probe, self.config, self.clips)

    def result(self) -> FitResult:
        """Return the FitResult; loads the best state back into the probe."""
        if not self.best_state:
            raise TrainingError("no epoch could be scored: the validation clips hold none of the classes")
        self.probe.load_state_dict(self.best_state)
        self.probe.eval()
        return FitResult(pd.DataFrame(self.rows), self.best_epoch, self.best_score, self.best_state)


def _moved(schedule: _Schedule) -> _Schedule:
    """What of a schedule moves; the rest is the run's own, as it would take any attribute's place."""
    return {name: schedule[name] for name in _Schedule.__annotations__}


@contextmanager
def _computing_in(probe: Probe, precision: str | None) -> Iterator[None]:
    """The probe with that precision of its similarities, where it has one, for the length of a `with`."""
    own = getattr(probe, "precision", None)
    if precision is None or own is None:
        yield
        return
    probe.precision = precision
    try:
        yield
    finally:
        probe.precision = own


def _metric(config: FitConfig) -> Callable[[np.ndarray, np.ndarray], float]:
    name = (
        {"asl": "map", "cross_entropy": "accuracy"}[config.loss] if config.score == "auto" else config.score
    )
    if name == "map":
        return lambda scores, targets: mean_average_precision(scores, targets).value
    if name == "accuracy":
        return accuracy
    raise TrainingError(f"score {name!r} is unknown: choose auto, map or accuracy")
