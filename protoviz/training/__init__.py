"""Training probes on frozen tokens: `fit` one, `fit_many` in shared passes over the data, `predict`.

`fine_tune` trains an encoder too, as the reference.
`score_many` tells where prototypes matched in many clips. `nearest_scores` is the floor without training.
"""

from protoviz.training.config import FitConfig, FitResult, TrainingError, epoch_seed
from protoviz.training.data import TokenData, TokenSource, clip_logits, real_frames
from protoviz.training.loop import fit, fit_many, predict, predict_many, score_batches, score_many
from protoviz.training.nearest import nearest_scores
from protoviz.training.tuning import SoundData, TuneConfig, Tuned, fine_tune

__all__ = [
    "FitConfig",
    "FitResult",
    "SoundData",
    "TokenData",
    "TokenSource",
    "TrainingError",
    "TuneConfig",
    "Tuned",
    "clip_logits",
    "epoch_seed",
    "fine_tune",
    "fit",
    "fit_many",
    "nearest_scores",
    "predict",
    "predict_many",
    "real_frames",
    "score_batches",
    "score_many",
]
