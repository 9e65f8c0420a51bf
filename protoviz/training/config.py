"""How a probe is trained, and what comes out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch


class TrainingError(RuntimeError):
    """Training cannot go on or begin; the text names the cure."""


@dataclass(frozen=True)
class FitConfig:
    """How a probe is trained. "Paper" is Rauch et al., section on the protocol.

    `precision` reaches the similarities of prototype probes in training steps alone; validation keeps the
    probe's own, and other poolings compute in float32. The default finds float32's winners, so no metric
    moves. Half types move it: measured on the demo's token maps (protobin with BatchNorm, 5 epochs, 3 seeds),
    bfloat16 took 0.4 points of test mAP from every seed, where seeds differ by a standard deviation of 0.6
    (`python -m benchmarks.training --cache FOLDER` measures it again).
    """

    epochs: int = 30  # paper
    batch_size: int = 128  # paper
    lr: float = 2e-3  # within the paper's range 1e-4 .. 7e-3; a search should choose it
    prototype_lr: float | None = 0.04  # Bird-MAE's, in the paper's range 2e-3 .. 8e-2; None: lr, as the paper
    weight_decay: float = 1e-4  # within the paper's range 1e-5 .. 5e-4
    decay_prototypes: bool = False  # the authors' follow-up leaves them out; the paper does not say
    loss: str = "asl"  # paper; "cross_entropy" for clips with exactly one label
    score: str = "auto"  # what picks the best epoch: "map", "accuracy"; auto: the one that suits the loss
    seed: int = 0  # order of the clips; the first weights are the caller's (torch.manual_seed, build_probe)
    patience: int | None = None  # epochs without a better score after which a run ends; None: never (paper)
    precision: str | None = None  # of similarities in training steps (cosine_max); None: the probe's, "auto"

    def __post_init__(self):
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                never = ", or None to train all epochs" if name == "patience" else ""
                raise TrainingError(f"{name} {value}: give at least 1{never}")


@dataclass(frozen=True, eq=False)
class FitResult:
    """What came out of `fit`; the probe itself holds `state` afterwards."""

    history: pd.DataFrame  # one row an epoch: epoch (from 1), loss, score (validation), lr (at its end)
    best_epoch: int
    best_score: float
    state: dict[str, torch.Tensor]  # the probe's state after best_epoch


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch's order: every epoch its own, the same in every run with `seed`."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
