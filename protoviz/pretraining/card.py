"""The model card: what was trained on what, and what it is not."""

import platform
from dataclasses import replace

import numpy as np
import torch

from protoviz.pretraining.loop import PretrainConfig, Trainer
from protoviz.pretraining.recipes import RECIPES
from protoviz.pretraining.scene_store import cores


def model_card(name: str, trainer: Trainer) -> str:
    """Return the card (Markdown) of a finished run; every figure in it is of this run."""
    config, encoder = trainer.config, trainer.encoder_config
    weights = sum(value.numel() for value in trainer.model.encoder.parameters()) / 1e6
    patches = "{} x {} patches".format(*encoder.patch_size)
    has = "with" if encoder.cls else "without"
    grid = f"{encoder.grid[0]} x {encoder.grid[1]} cells"
    rows = "\n".join(f"| {key} | {value} |" for key, value in _facts(name, trainer).items())
    return f"""# {name}

A mini encoder, trained on procedural sound: a pre-norm spectrogram transformer {has} [cls],
{weights:.1f} M weights, width {encoder.width}, depth {encoder.depth}, {encoder.heads} heads, {patches}.
{config.store.scene.seconds:g} s at {encoder.sample_rate:,} Hz -> {grid}.

| | |
|---|---|
{rows}

The loss of every step is in `{name}-loss.parquet`.

It is not one of the published encoders, it has heard no recorded sound, and it says nothing about how
those encoders rank. It exists so that the way from sound to prototypes runs anywhere, in minutes, without
a download.
"""


def _facts(name: str, trainer: Trainer) -> dict[str, str]:
    """The rows of the card's table."""
    config, encoder, curve = trainer.config, trainer.encoder_config, trainer.curve()
    hours = config.scenes * config.store.scene.seconds / 3600
    epochs = config.steps * config.batch / (config.scenes - config.held_out)
    first, last = curve.loss.iloc[:50].mean(), curve.loss.iloc[-50:].mean()
    schedule = f"peak rate {config.lr:g}, cosine to zero, weight decay {config.weight_decay:g}"
    minutes, core_minutes = trainer.seconds / 60, trainer.core_seconds / 60
    seeds = f"seeds from {config.store.first_seed:,}"
    sounds = len(config.store.sources.classes)
    heard = f"1 to {config.most_events} of {sounds} sounds each, {config.unnamed} of them of no class"
    rows = {
        "objective": "",
        "[cls]": "",
        "data": f"{config.scenes:,} procedural scenes ({hours:.0f} h), {seeds}; {heard}",
        "labels": "none used",
        "view": "",
        "input": f"log-mel minus {encoder.mean}, over 2 x {encoder.std} (measured on the scenes)",
        "augmentation": f"roll in time, gain within {config.gain_db:g} dB",
        "optimiser": f"AdamW, {schedule}, batch {config.batch}",
        "steps": f"{config.steps:,} ({epochs:.1f} epochs)",
        "loss": f"first 50 steps {first:.4f}, last 50 {last:.4f}{_held_out(curve.held_out, config.held_out)}",
        "seed": f"{config.seed}",
        "precision": f"trained in {config.precision}, shipped in fp16, used in fp32",
        "time": f"{minutes:.0f} minutes ({core_minutes:.0f} core-minutes) on {_machine(trainer.device)}",
        "torch": torch.__version__,
        "command": _command(name, config),
    }
    return rows | trainer.model.facts()  # what is there keeps its place


def _command(name: str, config: PretrainConfig) -> str:
    recipe, measured = RECIPES[name], config.encoder
    encoder = replace(recipe.encoder, mean=measured.mean, std=measured.std)
    usual = config == replace(recipe, encoder=encoder).resolved()
    return (
        f"`protoviz pretrain {name}`" if usual else "`protoviz.pretraining.pretrain`, not the usual settings"
    )


def _held_out(losses, scenes: int) -> str:
    if not scenes:
        return "; no scenes were held out"
    if not np.isfinite(losses.iloc[-1]):
        return ""
    return f"; {losses.iloc[-1]:.4f} on {scenes} scenes never trained on"


def _machine(device: torch.device) -> str:
    """The class of machine: the GPU, or the processor's family and the cores in use."""
    if device.type == "cuda":
        return f"one {torch.cuda.get_device_name(device)}"
    named = getattr(torch.cpu, "get_capabilities", dict)().get("cpu_name") or platform.machine()
    used = min(cores(), torch.get_num_threads())
    return f"{used} core{'s' if used > 1 else ''} of an {named}"
