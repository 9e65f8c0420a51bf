"""Commands about encoders: list, verify, train a mini one."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app


@app.command(epilog="Example: `protoviz pretrain mini-mae --folder runs/mini-mae`")
def pretrain(
    name: Annotated[str, typer.Argument(help="Which mini encoder: mini-mae.")] = "mini-mae",
    folder: Annotated[Path | None, typer.Option(help="Scenes and checkpoints; runs/NAME if absent.")] = None,
    out: Annotated[Path | None, typer.Option(help="Weights, card and loss curve; FOLDER if absent.")] = None,
    steps: Annotated[int | None, typer.Option(help="Fewer or more steps than the shipped weights.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, masks and order.")] = 0,
) -> None:
    """Train a mini encoder on unlabelled procedural scenes; stopped, it goes on where it was.

    With --out data/encoders it replaces the shipped weights, which the same command made.
    """
    from dataclasses import replace

    from protoviz.pretraining import RECIPES
    from protoviz.pretraining import pretrain as run

    folder = folder or Path("runs") / name
    config = replace(RECIPES[name], seed=seed) if name in RECIPES else None
    if config and steps is not None:
        config = replace(config, steps=steps)
    typer.echo(f"weights: {run(name, folder, config, out=out or folder)}")


@app.command(epilog="Example: `protoviz encoders`")
def encoders() -> None:
    """List the published encoders: what each is, its licence and size, and whether its weights are here."""
    from rich.console import Console
    from rich.table import Table

    from protoviz.encoders.catalogue import rows

    table = Table("name", "what it is", "licence", "MB", "here", "cells of 10 s", "[cls]")
    for row in rows():
        times, freqs = row["grid"]
        size, here = str(row["megabytes"] or "-"), "yes" if row["present"] else "no"
        table.add_row(
            row["name"], row["summary"], row["licence"], size, here, f"{times} x {freqs}", row["cls"]
        )
    Console().print(table)


@app.command(epilog="Example: `protoviz verify eat clip.wav features.npy --weights model.safetensors`")
def verify(
    name: Annotated[str, typer.Argument(help="Name in protoviz.ENCODERS.")],
    clip: Annotated[Path, typer.Argument(help="A sound file with published features.")],
    features: Annotated[
        Path, typer.Argument(help="Those features, (n d) or (1 + n d) with [cls] first, .npy.")
    ],
    weights: Annotated[Path | None, typer.Option(help="Checkpoint; found by name if absent.")] = None,
) -> None:
    """Encode one clip and say how far the tokens are from published features of it."""
    from protoviz.encoders.verify import verify as run

    typer.echo(run(name, weights, clip, features).text())
