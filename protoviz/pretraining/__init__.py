"""Pre-training of the mini encoders from a seed: render scenes, train, write weights and a model card.

The default takes about an hour and a half of one core; `PretrainConfig(steps=200)` is a taste.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from protoviz.arguments import in_order
from protoviz.encoders.devices import device_named
from protoviz.encoders.weights import write_weights
from protoviz.files import write_text
from protoviz.kept import write_frame
from protoviz.pretraining.card import model_card
from protoviz.pretraining.loop import OBJECTIVES, PretrainConfig, Trainer, learning_rate
from protoviz.pretraining.recipes import RECIPES
from protoviz.pretraining.scene_store import PretrainError, SceneStore, StoreConfig, render_scenes
from protoviz.progress import Listener, Progress, progress_bar


@in_order
def pretrain(
    name: str = "mini-mae",
    folder: str | Path | None = None,
    config: PretrainConfig | None = None,
    progress: bool = True,
    out: str | Path | None = None,
    scenes: str | Path | None = None,
    device: str = "auto",
) -> Path:
    """Return the weight file of the encoder `name`, trained here; beside it a model card and the loss curve.

    folder: where checkpoints lie while it runs, default runs/NAME; killed and called again with the same
    folder, it goes on from its last checkpoint and ends with the same weights. scenes: where the rendered
    scenes lie (about 260 KB each), which recipes of the same scenes share; default `shared_scenes`, or
    `folder`/scenes where a folder is given.
    config: default RECIPES[name]. progress: a bar with the time left, and a line at every checkpoint.
    device: "auto" is a GPU where there is one. out: the folder of the result, default `folder`: only
    out="data/encoders" replaces the shipped weights. Same configuration, same kind of processor: same bytes;
    another processor rounds differently and ends near by.
    Raises PretrainError for an unknown name, or for a folder that holds a run with other settings.
    """
    if name not in RECIPES:
        raise PretrainError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    on = device_named(device)
    config = (config or RECIPES[name]).resolved(on)
    scenes = Path(scenes or (Path(folder) / "scenes" if folder else shared_scenes(config)))
    folder = Path(folder or Path("runs") / name)
    with progress_bar("rendering scenes", config.scenes, "scenes", progress) as rendering:
        store = render_scenes(scenes, config.store, progress=rendering)
    trainer = Trainer(config, store, on)
    with progress_bar("training", config.steps, "steps", progress) as training:
        _train(trainer, folder / "checkpoint.safetensors", training)
    return _finish(name, trainer, Path(out or folder))


def shared_scenes(config: PretrainConfig) -> Path:
    """Return where the scenes of a recipe lie unless told otherwise: runs/scenes-COUNT."""
    return Path("runs") / f"scenes-{config.scenes}"


def _train(trainer: Trainer, checkpoint: Path, progress: Listener) -> None:
    """Take every step that is left, with a checkpoint every so many and at the end."""
    config = trainer.config
    if checkpoint.exists():
        trainer.load(checkpoint)
    progress(Progress(trainer.step))
    while trainer.step < config.steps:
        loss = trainer.train()
        progress(Progress(1, f"training, loss {loss:.3f}"))
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.steps:
            held_out = trainer.judge()
            trainer.save(checkpoint)
            progress(Progress(line=_line(trainer, held_out)))


def _line(trainer: Trainer, held_out: float) -> str:
    """One line on where the run stands."""
    config, done = trainer.config, trainer.step
    recent = float(np.nanmean(trainer.losses[max(0, done - config.checkpoint_every) : done, 0]))
    speed = done * config.batch / max(trainer.seconds, 1e-9)
    left = (config.steps - done) * config.batch / speed / 60
    judged = f", on held-out scenes {held_out:.4f}" if config.held_out else ""
    return (
        f"step {done}/{config.steps}: loss {recent:.4f}{judged}, {speed:.0f} clips/s, {left:.0f} minutes left"
    )


def _finish(name: str, trainer: Trainer, out: Path) -> Path:
    """The weight file, now written with its card and its loss curve."""
    write_frame(out / f"{name}-loss.parquet", trainer.curve())
    write_text(out / f"{name}.md", model_card(name, trainer))
    recipe = {key: value for key, value in asdict(trainer.config).items() if key != "encoder"}
    metadata = {"name": name, "config": asdict(trainer.encoder_config), "pretraining": recipe}
    return write_weights(out / f"{name}.safetensors", trainer.model.encoder.state_dict(), metadata)


__all__ = [
    "OBJECTIVES",
    "RECIPES",
    "PretrainConfig",
    "PretrainError",
    "SceneStore",
    "StoreConfig",
    "learning_rate",
    "pretrain",
    "render_scenes",
    "shared_scenes",
]
