"""Pre-training of the mini encoders from a seed: render scenes, train, write weights and a model card.

>>> pretrain("mini-mae", config=PretrainConfig(steps=200))  # a taste; the default takes about half an hour
"""

from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from protoviz.arguments import in_order
from protoviz.encoders.weights import write_weights
from protoviz.files import write_whole
from protoviz.pretraining.card import model_card
from protoviz.pretraining.loop import OBJECTIVES, PretrainConfig, Trainer, learning_rate
from protoviz.pretraining.recipes import RECIPES
from protoviz.pretraining.scene_store import PretrainError, SceneStore, StoreConfig, render_scenes


@in_order
def pretrain(
    name: str = "mini-mae",
    folder: str | Path | None = None,
    config: PretrainConfig | None = None,
    progress: bool = True,
    out: str | Path | None = None,
    scenes: str | Path | None = None,
) -> Path:
    """Return the weight file of the encoder `name`, trained here; beside it a model card and the loss curve.

    folder: where checkpoints lie while it runs, default runs/NAME; killed and called again with the same
    folder, it goes on from its last checkpoint and ends with the same weights. scenes: where the rendered
    scenes lie (about 260 KB each), which all recipes share; default runs/scenes, or `folder`/scenes where a
    folder is given.
    config: default RECIPES[name]. progress: a bar with the time left, and a line at every checkpoint. out:
    the folder of the result, default `folder`: only out="data/encoders" replaces the shipped weights. Same
    configuration, same kind of processor: same bytes; another processor rounds differently and ends near by.
    Raises PretrainError for an unknown name, or for a folder that holds a run with other settings.
    """
    if name not in RECIPES:
        raise PretrainError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    config = (config or RECIPES[name]).resolved()
    scenes = Path(scenes or Path(folder or "runs") / "scenes")
    folder = Path(folder or Path("runs") / name)
    with _bar() if progress else nullcontext() as bar:
        store = _rendered(scenes, config, bar)
        trainer = Trainer(config, store)
        _train(trainer, folder / "checkpoint.safetensors", bar)
    return _finish(name, trainer, Path(out or folder))


def _bar() -> Progress:
    columns = ("[progress.description]{task.description}", "[progress.percentage]{task.percentage:>3.0f}%")
    text = [TextColumn(column) for column in columns]
    return Progress(
        text[0], BarColumn(), text[1], MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )


def _rendered(folder: Path, config: PretrainConfig, bar: Progress | None) -> SceneStore:
    if bar is None:
        return render_scenes(folder, config.store)
    task = bar.add_task("rendering scenes", total=config.scenes)
    return render_scenes(folder, config.store, done=lambda clips: bar.advance(task, clips))


def _train(trainer: Trainer, checkpoint: Path, bar: Progress | None) -> None:
    """Take every step that is left, with a checkpoint every so many and at the end."""
    config = trainer.config
    if checkpoint.exists():
        trainer.load(checkpoint)
    task = bar and bar.add_task("training", total=config.steps, completed=trainer.step)
    while trainer.step < config.steps:
        loss = trainer.train()
        if bar:
            bar.update(task, completed=trainer.step, description=f"training, loss {loss:.3f}")
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.steps:
            held_out = trainer.judge()
            trainer.save(checkpoint)
            if bar:
                bar.console.print(_line(trainer, held_out))


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
    curve = trainer.curve()
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / f"{name}-loss.parquet", lambda path: curve.to_parquet(path, index=False))
    card = model_card(name, trainer)
    write_whole(out / f"{name}.md", lambda path: path.write_text(card, encoding="utf-8"))
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
]
