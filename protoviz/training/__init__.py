"""Training probes on frozen tokens: `fit` one, `fit_many` in shared passes over the data, `predict`."""

from protoviz.training.config import FitConfig, FitResult, TrainingError, epoch_seed
from protoviz.training.data import TokenData, TokenSource
from protoviz.training.loop import fit, fit_many, predict, predict_many
from protoviz.training.scores import mean_scores

__all__ = [
    "FitConfig",
    "FitResult",
    "TokenData",
    "TokenSource",
    "TrainingError",
    "epoch_seed",
    "fit",
    "fit_many",
    "mean_scores",
    "predict",
    "predict_many",
]
