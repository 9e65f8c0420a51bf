"""Fine-tuning as the reference: an encoder and a linear layer on its [cls], trained together by the one loop.

    tuned = fine_tune(encoder, clips, folder="runs/tuned")     # killed and called again, it goes on
    predict(tuned.probe, SoundData(clips, clips.indices("test")), tuned.config.batch_size)

The encoder reads sounds and not token maps, so a step costs three forward passes where a probe's costs none.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch

from protoviz.arguments import in_order
from protoviz.cache import TokenBatch
from protoviz.cache.ahead import read_ahead
from protoviz.datasets import ClipSet
from protoviz.encoders import Encoder
from protoviz.probes.base import Family, Probe
from protoviz.training.config import FitConfig, FitResult, TrainingError
from protoviz.training.loop import fit_many

Say = Callable[[str], object]


@dataclass(frozen=True)
class TuneConfig:
    """How an encoder is fine-tuned. Nothing of it is stated in the paper, which cites others' numbers."""

    epochs: int = 20  # of at most `clips` clips each
    search_epochs: int = 2  # of each rate, of which the best on validation clips is taken
    rates: tuple[float, ...] = (3e-5, 1e-4, 3e-4, 1e-3)  # of the encoder's weights
    head_lr: float = 1e-3  # of the linear layer, which starts from nothing
    weight_decay: float = 0.05  # usual where vision transformers are fine-tuned
    batch_size: int = 16  # activations of every block are held: 128 clips would take gigabytes
    clips: int = 2048  # an epoch: its end is what a killed run goes on from
    seed: int = 0
    loss: str = "asl"  # as the probes'

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", tuple(self.rates))
        least = min(self.epochs, self.search_epochs, self.batch_size, self.clips)
        if least < 1 or not self.rates or min(*self.rates, self.head_lr, 1.0) <= 0:
            raise ValueError(f"fine-tuning takes at least 1 of everything, and rates above 0: {self}")

    def fit(self, lr: float, epochs: int) -> FitConfig:
        """Return how one run is trained."""
        shared = {"weight_decay": self.weight_decay, "loss": self.loss, "seed": self.seed}
        return FitConfig(epochs, self.batch_size, lr=lr, prototype_lr=self.head_lr, **shared)


class SoundData:
    """The sounds of some clips, with the face of a token source: batches (b s) padded, and their lengths.

    most: clips that a shuffled pass reads, drawn anew by its seed; None: all.
    """

    def __init__(self, clips: ClipSet, rows: np.ndarray, most: int | None = None):
        self.clips, self.rows, self.most = clips, np.asarray(rows), most
        self._targets = clips.targets()[self.rows]

    def __len__(self) -> int:
        return min(len(self.rows), self.most or len(self.rows))

    def batches(self, size: int = 128, seed: int | None = None) -> Iterator[TokenBatch]:
        """Yield batches, read ahead: sounds in place of tokens, lengths (b) in place of [cls], no mask."""
        order = np.arange(len(self.rows))
        if seed is not None:
            order = np.random.default_rng(seed).permutation(order)[: len(self)]
        parts = [order[start : start + size] for start in range(0, len(order), size)]
        with read_ahead(self.clips, [self.rows[part].tolist() for part in parts]) as sounds:
            for part, heard in zip(parts, sounds, strict=True):
                for place, sound in zip(part, heard, strict=True):
                    if isinstance(sound, str):
                        clip = self.clips.table["clip"].iloc[self.rows[place]]
                        raise TrainingError(f"{clip} cannot be read ({sound}): leave it out of the clips")
                lengths = torch.tensor([len(sound) for sound in heard])
                held = torch.nn.utils.rnn.pad_sequence(list(map(torch.from_numpy, heard)), batch_first=True)
                mask = torch.ones(len(part), 1, dtype=torch.bool)
                yield TokenBatch(held, lengths, mask, torch.from_numpy(self._targets[part]))

    def targets(self) -> np.ndarray:
        """Return the truth of all clips (n c), in order."""
        return self._targets

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) of what decides the sounds, and how many a pass reads."""
        told = f"{self.clips.fingerprint()} {self.most}".encode() + self.rows.astype(np.int64).tobytes()
        return hashlib.sha256(told).hexdigest()


class TunedProbe(Probe):
    """An encoder whose weights are trained, and one dense layer on its [cls]: logits = W s + b.

    It reads sounds (b s) and their lengths (b), as SoundData gives them. The encoder stays in evaluation
    mode: no dropout, and statistics as they were, so that a run that was killed goes on to the same end.
    """

    name: ClassVar[str] = "fine-tuned"  # as `analysis.tables.TUNED`
    family: ClassVar[Family] = "cls"
    source = "paper"

    def __init__(self, encoder: Encoder, classes: int):
        super().__init__(encoder.dim, classes, tuple(encoder.grid))
        self.start = encoder.fingerprint()
        self.encoder = deepcopy(encoder).requires_grad_(True).eval()
        self._add_classifier(encoder.dim, batch_norm=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What tells it from another, untrained."""
        return {"name": self.name, "encoder": self.start, "classes": self.classes}

    def train(self, mode: bool = True) -> "TunedProbe":
        super().train(mode)
        self.encoder.eval()
        return self

    def prepare(self, tokens, cls, mask) -> tuple[torch.Tensor, torch.Tensor, None]:
        return tokens, cls, None

    def pool(self, tokens, cls, mask) -> torch.Tensor:
        """Return the encoder's [cls] (b d), or what stands for it, of sounds (b s) and their lengths (b)."""
        lengths = cls.tolist()
        sounds = [sound[:length] for sound, length in zip(tokens, lengths, strict=True)]
        heard = self.encoder.mask(lengths).to(tokens.device)
        return self.encoder(self.encoder.features(sounds), mask=heard).cls

    def parameter_groups(
        self,
        lr: float,
        prototype_lr: float | None = None,
        weight_decay: float = 0.0,
        decay_prototypes: bool = False,
    ) -> list[dict[str, Any]]:
        """Return optimiser groups: the encoder at `lr`, the layer at `prototype_lr` (None: the same)."""
        head = {"params": [*self.classifier.parameters()], "lr": prototype_lr or lr, "weight_decay": 0.0}
        return [{"params": [*self.encoder.parameters()], "lr": lr, "weight_decay": weight_decay}, head]


@dataclass(frozen=True, eq=False)
class Tuned:
    """A fine-tuned encoder: the probe that holds it, its run, and the rates that were tried."""

    probe: TunedProbe
    result: FitResult
    config: TuneConfig
    lr: float  # the best of the rates
    trials: pd.DataFrame  # a row a rate: number, sampler, state, lr, prototype_lr, score (validation), epochs


@in_order
def fine_tune(
    encoder: Encoder,
    clips: ClipSet,
    config: TuneConfig | None = None,
    folder: str | Path | None = None,
    *,
    rows: Mapping[str, Sequence[int]] | None = None,
    say: Say = lambda text: None,
) -> Tuned:
    """Return an encoder fine-tuned on the training clips; the one that is given stays as it is.

    Each of `config.rates` is tried in a short run, and the best on validation clips trained in full; of equal
    ones the first. folder: keeps the state of every run at the end of its epochs, as `fit_many` does, so that
    a killed call goes on there. rows: "train" and "validation" -> rows of the clips; None: of those splits.
    say: hears each epoch. Works on the encoder's device. Raises TrainingError if no rate can be trained.
    """
    config = config or TuneConfig()
    rows = rows or {split: clips.indices(split) for split in ("train", "validation")}
    train, validation = SoundData(clips, rows["train"], config.clips), SoundData(clips, rows["validation"])

    def trained(lr: float, epochs: int) -> tuple[TunedProbe, FitResult | TrainingError]:
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            probe = TunedProbe(encoder, len(clips.classes)).to(encoder.device)

        def heard(run: int, epoch: int, loss: float, score: float) -> None:
            say(f"rate {lr:g}, epoch {epoch} of {epochs}: {score:.3f}")

        runs = [(probe, config.fit(lr, epochs))]
        return probe, fit_many(runs, train, validation, heard, folder=folder, errors="return")[0]

    trials = []
    for number, lr in enumerate(config.rates):
        _, found = trained(lr, config.search_epochs)
        done = isinstance(found, FitResult)
        state, score = ("complete", found.best_score) if done else ("fail", None)
        row = {"number": number, "sampler": "fixed", "state": state, "lr": lr, "prototype_lr": config.head_lr}
        trials.append(
            {**row, "weight_decay": config.weight_decay, "score": score, "epochs": config.search_epochs}
        )
    if not (good := [trial for trial in trials if trial["score"] is not None]):
        raise TrainingError(f"no rate of {config.rates} could be trained: {found}")
    best = max(good, key=lambda trial: trial["score"])["lr"]
    probe, result = trained(best, config.epochs)
    if isinstance(result, TrainingError):
        raise result
    return Tuned(probe, result, config, best, pd.DataFrame(trials))
