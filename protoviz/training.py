"""The one training loop: a probe on frozen tokens."""

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch

from protoviz.cache import TokenBatch
from protoviz.losses import LOSSES
from protoviz.metrics import accuracy, mean_average_precision
from protoviz.probes.base import Probe, evaluating


class TrainingError(RuntimeError):
    """Training cannot go on or begin; the text names the cure."""


class TokenSource(Protocol):
    """What `fit` and `predict` read: a split of a token cache, or TokenData."""

    def __len__(self) -> int: ...
    def batches(self, size: int = 128, seed: int | None = None) -> Iterator[TokenBatch]: ...
    def targets(self) -> np.ndarray: ...


class TokenData:
    """Token maps in memory, with the face of a cache split; `TokenData(*batch)` holds one TokenBatch."""

    def __init__(
        self,
        tokens: torch.Tensor,  # (n_clips n d)
        cls: torch.Tensor | None,  # (n_clips d); None: the mean of the real tokens
        mask: torch.Tensor | None,  # (n_clips n) bool; None: all tokens are real
        targets: torch.Tensor | np.ndarray,  # (n_clips c), 1 where the clip holds the class
    ):
        self._tokens = tokens
        self._mask = torch.ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask
        self._cls = _mean(tokens, self._mask) if cls is None else cls.float()
        self._targets = torch.as_tensor(targets).float()
        lengths = [len(part) for part in (self._tokens, self._cls, self._mask, self._targets)]
        if len(set(lengths)) > 1:
            raise ValueError(f"tokens, cls, mask and targets hold {lengths} clips: they have to be as many")

    def __len__(self) -> int:
        return len(self._tokens)

    def batches(self, size: int = 128, seed: int | None = None) -> Iterator[TokenBatch]:
        """Batches of `size` clips, the last may be smaller; shuffled from `seed`, in order without one."""
        order = torch.arange(len(self)) if seed is None else _shuffled(len(self), seed)
        for index in order.split(size):
            yield TokenBatch(self._tokens[index], self._cls[index], self._mask[index], self._targets[index])

    def targets(self) -> np.ndarray:
        """The truth of all clips (n c), in order."""
        return self._targets.numpy()


@dataclass(frozen=True)
class FitConfig:
    """How a probe is trained. "Paper" is Rauch et al., section on the protocol."""

    epochs: int = 30  # paper
    batch_size: int = 128  # paper
    lr: float = 2e-3  # within the paper's range 1e-4 .. 7e-3; a search should choose it
    prototype_lr: float | None = 0.04  # Bird-MAE's, in the paper's range 2e-3 .. 8e-2; None: lr, as the paper
    weight_decay: float = 1e-4  # within the paper's range 1e-5 .. 5e-4
    decay_prototypes: bool = False  # the authors' follow-up leaves them out; the paper does not say
    loss: str = "asl"  # paper; "cross_entropy" for clips with exactly one label
    score: str = "auto"  # what picks the best epoch: "map", "accuracy"; auto: the one that suits the loss
    seed: int = 0  # order of the clips; the first weights are the caller's (torch.manual_seed, build_probe)


@dataclass(frozen=True, eq=False)
class FitResult:
    """What came out of `fit`; the probe itself holds `state` afterwards."""

    history: pd.DataFrame  # one row an epoch: epoch (from 1), loss, score (validation), lr (at its end)
    best_epoch: int
    best_score: float
    state: dict[str, torch.Tensor]  # the probe's state after best_epoch


def fit(
    probe: Probe,
    train: TokenSource,
    validation: TokenSource,
    config: FitConfig | None = None,
    progress: Callable[[int, float, float], None] | None = None,
) -> FitResult:
    """The FitResult of training `probe` in place; it ends with the best epoch's state, in evaluation mode.

    AdamW with a cosine to 0 over all steps; a validation score each epoch, the earliest best epoch wins.
    `progress(epoch, loss, score)` is called after each epoch. Works on the device that the probe is on.
    The same probe, data and config give the same result on the same machine and number of threads.
    """
    config = config or FitConfig()
    run = Run(probe, config, len(train))
    for epoch in range(1, config.epochs + 1):
        for batch in train.batches(config.batch_size, seed=epoch_seed(config.seed, epoch)):
            run.step(batch)
        row = run.finish_epoch(validation)
        if progress:
            progress(epoch, row["loss"], row["score"])
    return run.result()


class Run:
    """One probe on its way through training: `step` a batch, `finish_epoch`, at last `result`.

    Apart from the loop so that several runs can share one pass over the data.
    """

    def __init__(self, probe: Probe, config: FitConfig, clips: int):
        if clips < 1 or config.epochs < 1:
            raise TrainingError(f"nothing to train on: {clips} clips, {config.epochs} epochs")
        if config.loss not in LOSSES:
            raise TrainingError(f"loss {config.loss!r} is unknown: choose one of {', '.join(LOSSES)}")
        self.probe, self.config = probe, config
        self.loss, self.metric = LOSSES[config.loss], _metric(config)
        groups = probe.parameter_groups(
            config.lr, config.prototype_lr, config.weight_decay, config.decay_prototypes
        )
        self.optimiser = torch.optim.AdamW(groups)
        steps = config.epochs * math.ceil(clips / config.batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, T_max=steps)
        self.rows: list[dict] = []
        self.losses: list[tuple[float, int]] = []
        self.best_score, self.best_epoch, self.best_state = -math.inf, 0, {}

    def step(self, batch: TokenBatch) -> None:
        """One optimiser step on `batch`."""
        self.probe.train()
        batch = _to_device(batch, self.probe)
        logits = self.probe(batch.tokens, batch.cls, batch.mask)
        loss = self.loss(logits, batch.targets) + self.probe.penalty()
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in epoch {len(self.rows) + 1}: try a smaller learning rate "
                f"(now {self.config.lr}, prototypes {self.config.prototype_lr})"
            )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        self.losses.append((value, len(batch.targets)))

    def finish_epoch(self, validation: TokenSource) -> dict:
        """Scores the epoch, keeps its state if it is the best so far, and returns its history row."""
        score = self.metric(predict(self.probe, validation), validation.targets())
        clips = sum(count for _, count in self.losses)
        row = {
            "epoch": len(self.rows) + 1,
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

    def result(self) -> FitResult:
        """The FitResult; loads the best state back into the probe."""
        if not self.best_state:
            raise TrainingError("no epoch could be scored: the validation clips hold none of the classes")
        self.probe.load_state_dict(self.best_state)
        self.probe.eval()
        return FitResult(pd.DataFrame(self.rows), self.best_epoch, self.best_score, self.best_state)


def predict(probe: Probe, data: TokenSource, batch_size: int = 128) -> np.ndarray:
    """Logits (n c) of all clips in order, in evaluation mode, as float32."""
    with torch.no_grad(), evaluating(probe):
        batches = (_to_device(batch, probe) for batch in data.batches(batch_size, seed=None))
        logits = [probe(batch.tokens, batch.cls, batch.mask).float().cpu() for batch in batches]
    return torch.cat(logits).numpy() if logits else np.zeros((0, probe.classes), np.float32)


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of one epoch's order: every epoch its own, the same in every run with `seed`."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


def _metric(config: FitConfig) -> Callable[[np.ndarray, np.ndarray], float]:
    name = (
        {"asl": "map", "cross_entropy": "accuracy"}[config.loss] if config.score == "auto" else config.score
    )
    if name == "map":
        return lambda scores, targets: mean_average_precision(scores, targets).value
    if name == "accuracy":
        return accuracy
    raise TrainingError(f"score {name!r} is unknown: choose auto, map or accuracy")


def _to_device(batch: TokenBatch, probe: Probe) -> TokenBatch:
    device = next(probe.parameters()).device
    return TokenBatch(*(part.to(device, non_blocking=True) for part in batch))


def _shuffled(count: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).permutation(count))


def _mean(tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    real = tokens.float().masked_fill(~mask[..., None], 0)
    return real.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
