"""The training loop.

A step depends on the state, the seed and its own number alone, so a killed run ends as an undisturbed one.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Annotated, Any, TypedDict

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from protoviz.audio import FilterBank
from protoviz.encoders.devices import has_bfloat16
from protoviz.encoders.mini import MiniConfig, MiniEncoder, start_weights
from protoviz.encoders.weights import WeightsError, read_weights, write_weights
from protoviz.pretraining.codes import CodesConfig, MaskedCodes
from protoviz.pretraining.distilled import DistilledConfig, GroupMaskedDistillation
from protoviz.pretraining.labels import FromLabels, LabelsConfig
from protoviz.pretraining.latents import BootstrappedLatents, LatentsConfig
from protoviz.pretraining.masked import MaskedAutoencoder, MaskedConfig
from protoviz.pretraining.mixtures import MixedLatents, MixturesConfig
from protoviz.pretraining.objective import Batch, Objective
from protoviz.pretraining.scene_store import PretrainError, SceneStore, StoreConfig
from protoviz.scenes import SceneConfig
from protoviz.settings import checked
from protoviz.tensors import misfits, unsound

FLOOR = -15.9  # below lies only Kaldi's clamp, log(2**-23) = -15.94: silence stays silence at any gain
CPU = torch.device("cpu")
NEWER = {"most_events": 8, "unnamed": 0}  # settings that checkpoints of before do not name
EPOCH, STEP, HELD_OUT = 0, 1, 2  # streams of random numbers that never mix

ObjectiveConfig = MaskedConfig | CodesConfig | LatentsConfig | MixturesConfig | DistilledConfig | LabelsConfig


@dataclass(frozen=True)
class PretrainConfig:
    """One pre-training. Defaults are those of mini-mae; none is from the paper."""

    encoder: MiniConfig = field(default_factory=MiniConfig)  # mean and std: replaced by those of the scenes
    objective: ObjectiveConfig = field(default_factory=MaskedConfig)  # of a type that OBJECTIVES knows
    scenes: int = 8192  # 23 hours; each is seen some fifty times, every time another window, louder or softer
    held_out: int = 128  # the last of them, never trained on: the second loss curve; 0: there is none
    steps: int = 7000  # two hours of one core; tokens of 2,400 are as good as one direction
    batch: int = 64  # clips; smaller steps waste the matrix units, larger ones leave too few steps
    lr: float = 2e-3  # peak; small models stand far more than MAE's 1.5e-4
    warmup: float = 0.05  # of all steps; then a cosine to zero
    weight_decay: float = 0.05  # MAE
    gain_db: float = 6.0  # each clip up to this louder or softer, and rolled in time by any number of frames
    seed: int = 0
    precision: str = "auto"  # "bf16" where the device computes in it (twice as fast), else "fp32"
    checkpoint_every: int = 250  # steps; about two minutes
    most_events: int = 12  # in a scene
    unnamed: int = 24  # of the sounds to draw from, beside the 24 classes: half of what is heard has no name

    def __post_init__(self):
        self.objective.check(self.encoder)
        if self.precision not in ("auto", "bf16", "fp32"):
            raise PretrainError(f"precision {self.precision!r} is unknown; choose auto, bf16 or fp32")
        if not 0 <= self.held_out <= self.scenes - self.batch:
            raise PretrainError(
                f"{self.scenes} scenes, {self.held_out} held out, are too few for a batch of {self.batch}"
            )

    @property
    def store(self) -> StoreConfig:
        """The scenes to render."""
        bank: FilterBank = self.encoder.bank
        scene = SceneConfig(polyphony=(1, self.most_events))
        return StoreConfig(count=self.scenes, scene=scene, unnamed=self.unnamed, bank=bank)

    def resolved(self, device: torch.device = CPU) -> "PretrainConfig":
        """Return the same with "auto" replaced by what the device does."""
        if self.precision != "auto":
            return self
        return replace(self, precision="bf16" if has_bfloat16(device) else "fp32")


# Settings -> the objective that takes them. Another one is a module beside these and a line here.
OBJECTIVES: dict[type, type[Objective]] = {
    MaskedConfig: MaskedAutoencoder,
    CodesConfig: MaskedCodes,
    LatentsConfig: BootstrappedLatents,
    MixturesConfig: MixedLatents,
    DistilledConfig: GroupMaskedDistillation,
    LabelsConfig: FromLabels,
}


def learning_rate(step: int, config: PretrainConfig) -> float:
    """Return the rate at a step: linear warm-up, then a cosine to zero."""
    warm = max(1, round(config.steps * config.warmup))
    if step < warm:
        return config.lr * (step + 1) / warm
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, config.steps - warm)))


class _State(TypedDict):
    step: Annotated[int, range(1, 1 << 40)]
    seconds: float
    core_seconds: float
    config: dict[str, Any]


class Trainer:
    """The state of a run (model, moments, losses): step it, judge it, save it, load it."""

    def __init__(self, config: PretrainConfig, store: SceneStore, device: torch.device = CPU):
        mean, std = store.statistics()
        self.encoder_config = replace(config.encoder, mean=mean, std=std)
        self.config, self.store = replace(config, encoder=self.encoder_config), store
        self.device = device
        objective = OBJECTIVES[type(config.objective)]
        self.model = start_weights(objective(MiniEncoder(self.encoder_config), config.objective), config.seed)
        self.model.begin()
        self.model.to(device)
        self.optimizer = _optimizer(self.model, config)
        self.step = 0
        self.seconds = self.core_seconds = 0.0  # in steps, over all runs: on the clock, and of all cores
        self.losses = np.full((config.steps, 2), np.nan, dtype=np.float32)  # training, held out

    def train(self) -> float:
        """Return the loss of the next step, now taken."""
        started, busy = perf_counter(), process_time()
        config, rng = self.config, np.random.default_rng([self.config.seed, STEP, self.step])
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, config)
        loss = self._loss(self._clips_of(self.step), rng, augment=True)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_([value for _, value in trained(self.model)], 1.0)
        self.optimizer.step()
        self.model.after_step(self.step / config.steps)
        self.losses[self.step, 0] = loss.item()
        if not math.isfinite(self.losses[self.step, 0]):
            raise PretrainError(
                f"the loss became {loss.item()} at step {self.step}; lower lr (now {config.lr:g})"
            )
        self.step += 1
        self.seconds += perf_counter() - started
        self.core_seconds += process_time() - busy
        return float(self.losses[self.step - 1, 0])

    @torch.no_grad()
    def judge(self) -> float:
        """Return the loss on the held-out scenes, with the same masks every time;
        noted at the last step taken.

        nan where no scenes are held out.
        """
        if not self.config.held_out:
            return math.nan
        config, rng = self.config, np.random.default_rng([self.config.seed, HELD_OUT])
        first = config.scenes - config.held_out
        parts = [
            range(i, min(i + config.batch, config.scenes)) for i in range(first, config.scenes, config.batch)
        ]
        total = sum(float(self._loss(part, rng, augment=False)) * len(part) for part in parts)
        self.losses[self.step - 1, 1] = total / config.held_out
        return float(self.losses[self.step - 1, 1])

    def _clips_of(self, step: int) -> np.ndarray:
        """The clip numbers of a step: every clip once an epoch, in an order of the epoch's own."""
        clips = self.config.scenes - self.config.held_out
        epoch, place = divmod(step, clips // self.config.batch)
        order = np.random.default_rng([self.config.seed, EPOCH, epoch]).permutation(clips)
        return order[place * self.config.batch : (place + 1) * self.config.batch]

    def _loss(self, clips, rng: np.random.Generator, augment: bool) -> Tensor:
        config, frames = self.config, self.store.read(clips).to(self.device)
        if augment:
            frames = augmented(frames, rng, config.gain_db)
        features = nn.functional.pad(frames, (0, 0, 0, config.encoder.frames - frames.shape[1]))
        features = (features - self.encoder_config.mean) / (2 * self.encoder_config.std)
        batch = Batch(features, lambda: config.store.labels(config.store.first_seed + np.asarray(clips)))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            return self.model(batch, rng, self.step / config.steps)

    def save(self, path: Path) -> None:
        """Write the whole state to one file, atomically."""
        clock = {"seconds": self.seconds, "core_seconds": self.core_seconds}
        metadata = {"step": self.step, **clock, "config": asdict(self.config)}
        write_weights(path, self._tensors(), metadata, dtype=torch.float32)

    def _tensors(self) -> dict[str, Tensor]:
        """The tensors of a checkpoint: weights, moments, losses (-1 where there is none yet)."""
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        for name, value in trained(self.model):
            for moment in ("exp_avg", "exp_avg_sq"):
                state = self.optimizer.state.get(value, {})
                tensors[f"{moment}.{name}"] = state.get(moment, torch.zeros_like(value))
        return {**tensors, "losses": torch.from_numpy(np.nan_to_num(self.losses, nan=-1.0))}

    def load(self, path: Path) -> None:
        """Take up the state in a checkpoint. Raise PretrainError if it is of another run."""
        cure = f"delete {path} to start this run again"
        try:
            tensors, metadata = read_weights(path)
        except WeightsError as error:
            raise PretrainError(f"{error}; {cure}") from error
        metadata = checked(metadata, _State, f"the header of {path}", cure, PretrainError)
        mine = asdict(self.config)
        if differs := [key for key in mine if metadata["config"].get(key, NEWER.get(key)) != mine[key]]:
            raise PretrainError(
                f"{path} is of a run with other settings ({', '.join(differs)}); "
                "delete it, or choose another folder"
            )
        if faults := misfits(self._tensors(), tensors) or unsound(tensors):
            raise PretrainError(f"{path} is damaged; {cure}:\n{faults}")
        self.step, self.seconds = metadata["step"], metadata["seconds"]
        self.core_seconds = metadata["core_seconds"]
        losses = tensors["losses"].numpy()
        self.losses = np.where(losses == -1.0, np.nan, losses).astype(np.float32)
        self.model.load_state_dict({key: tensors[f"model.{key}"] for key in self.model.state_dict()})
        for name, value in trained(self.model):
            self.optimizer.state[value] = {
                "step": torch.tensor(float(self.step), device=self.device),
                "exp_avg": tensors[f"exp_avg.{name}"].to(self.device, copy=True),
                "exp_avg_sq": tensors[f"exp_avg_sq.{name}"].to(self.device, copy=True),
            }

    def curve(self) -> pd.DataFrame:
        """Return the loss curve: step, loss, held_out (where it was looked at), learning_rate."""
        steps = np.arange(1, self.step + 1)
        rates = [learning_rate(step, self.config) for step in range(self.step)]
        loss, held_out = self.losses[: self.step].T
        return pd.DataFrame({"step": steps, "loss": loss, "held_out": held_out, "learning_rate": rates})


def augmented(frames: Tensor, rng: np.random.Generator, gain_db: float) -> Tensor:
    """Return log-mel frames (b frames mels), each clip rolled in time and made louder or softer (gain_db)."""
    rolls = rng.integers(frames.shape[1], size=len(frames))
    gains = rng.uniform(-gain_db, gain_db, size=len(frames)) * math.log(10) / 10
    out = torch.empty_like(frames)
    for clip, roll, gain, place in zip(frames, rolls, gains, out, strict=True):
        louder = (clip + float(gain)).clamp_min_(FLOOR)
        torch.where(clip > FLOOR, louder, clip, out=louder)
        place[roll:], place[:roll] = louder[: len(clip) - roll], louder[len(clip) - roll :]
    return out


def trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Return the weights that take a gradient, with their names: a teacher's do not."""
    return [(name, value) for name, value in model.named_parameters() if value.requires_grad]


def _optimizer(model: nn.Module, config: PretrainConfig) -> torch.optim.Optimizer:
    """AdamW; norms, biases and single tokens do not decay."""
    decays, stays = [], []
    for name, value in trained(model):
        (decays if value.ndim > 1 and not name.endswith("token") else stays).append(value)
    groups = [
        {"params": decays, "weight_decay": config.weight_decay},
        {"params": stays, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95), fused=True)
