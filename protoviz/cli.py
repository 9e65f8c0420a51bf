"""The command line: a door to the library's functions. It parses, calls and prints; it computes nothing.

Everything heavy is imported inside the command that needs it, so that `protoviz --help` is instant.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup


class OneLineErrors(TyperGroup):
    """An error that names its fault and cure is printed as that, not as a traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (ValueError, RuntimeError, OSError) as error:
            # Click's own way out of a command is a RuntimeError too.
            if isinstance(error, typer.Exit) or os.environ.get("PROTOVIZ_DEBUG"):
                raise
            typer.secho(f"{error}\n(PROTOVIZ_DEBUG=1 shows where it came from)", fg="red", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="protoviz",
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="See, hear and measure the pooling bottleneck of frozen audio encoders.",
)


@app.command(epilog="Example: `protoviz serve --port 5007`")
def serve(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5006,
    show: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Open the explorer on this machine (the same as `make app`)."""
    import subprocess

    page = Path(__file__).with_name("app.py")
    command = [sys.executable, "-m", "panel", "serve", str(page), "--address", "127.0.0.1"]
    command += ["--port", str(port), "--warm", *(["--show"] if show else [])]
    typer.echo(f"protoviz is at http://127.0.0.1:{port}/app  (Ctrl-C ends it)")
    raise typer.Exit(subprocess.call(command))


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


@app.command(epilog="Example: `protoviz encode mini-mae runs/tokens --train 500 --validation 100 --test 300`")
def encode(
    encoder: Annotated[str, typer.Argument(help="Name in protoviz.ENCODERS.")],
    folder: Annotated[Path, typer.Argument(help="Where the token maps go.")],
    clips: Annotated[
        Path | None,
        typer.Option(help="Folder of labelled clips, one folder a label; procedural scenes if absent."),
    ] = None,
    train: Annotated[int, typer.Option(help="Procedural scenes to train on.")] = 2500,
    validation: Annotated[int, typer.Option(help="Procedural scenes to choose on.")] = 500,
    test: Annotated[int, typer.Option(help="Procedural scenes to report on.")] = 1500,
    seed: Annotated[int, typer.Option(help="Seed of the scenes.")] = 0,
) -> None:
    """Write the token map of every clip to disk, once; stopped, it goes on where it was."""
    from protoviz.cache import TokenCache
    from protoviz.datasets import folder_clips, scene_clips
    from protoviz.encoders import load_encoder

    chosen = folder_clips(clips) if clips else scene_clips(train, validation, test, seed=seed)
    cache = TokenCache.create(folder, load_encoder(encoder), chosen)
    typer.echo(f"{len(cache)} token maps in {folder}; {len(cache.skipped)} clips skipped")
    for row in cache.skipped.itertuples():
        typer.echo(f"  skipped {row.clip}: {row.reason}")


@app.command(epilog="Example: `protoviz demo --work runs/demo`")
def demo(
    folder: Annotated[Path | None, typer.Option(help="Where the demo goes; data/demo.")] = None,
    work: Annotated[Path, typer.Option(help="Token maps and unfinished work, kept between runs.")] = Path(
        "runs/demo"
    ),
    small: Annotated[
        bool, typer.Option("--small", help="A tenth of the scenes, two epochs: a rehearsal.")
    ] = False,
) -> None:
    """Rebuild what is shipped under data/demo from seeds: trained probes, clips and README's table."""
    from protoviz.demo import DemoConfig, build_demo, table
    from protoviz.paths import DATA

    config = DemoConfig.small() if small else DemoConfig()
    target = folder or DATA / "demo"
    build_demo(target, work, config)
    typer.echo(table(target))


@app.command(epilog="Example: `protoviz poolings --work runs/demo`")
def poolings(
    folder: Annotated[Path | None, typer.Option(help="Where the results go; data/results.")] = None,
    work: Annotated[Path, typer.Option(help="Token maps and finished runs; shared with demo.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Compare all poolings on the mini encoder, at mixed polyphony and on single events: two hours."""
    from protoviz.demo import build_poolings, poolings_table
    from protoviz.paths import DATA

    target = folder or DATA / "results"
    build_poolings(target, work)
    typer.echo(poolings_table(target))


@app.command(epilog="Example: `protoviz ranks --encoders mini-mae,mini-random`")
def ranks(
    encoders: Annotated[str, typer.Option(help="Names in protoviz.ENCODERS, commas between.")],
    folder: Annotated[Path | None, typer.Option(help="Where the results go; data/results.")] = None,
    work: Annotated[Path, typer.Option(help="Token maps and finished runs, kept between runs.")] = Path(
        "runs/ranks"
    ),
    train: Annotated[int, typer.Option(help="Scenes to train on; a fifth as many to choose on.")] = 2500,
    test: Annotated[int, typer.Option(help="Scenes to report on.")] = 1500,
    epochs: Annotated[int, typer.Option(help="Epochs of a run; a fifth of them in the search.")] = 30,
    seeds: Annotated[int, typer.Option(help="Runs of each probe; one gives no interval.")] = 5,
) -> None:
    """Rank encoders under the demo's poolings on the same scenes, for the page Ranks: half an hour each."""
    from protoviz.demo import DemoConfig, build_ranks, ranks_table
    from protoviz.paths import DATA

    target = folder or DATA / "results"
    names = [name.strip() for name in encoders.split(",") if name.strip()]
    build_ranks(target, work, names, DemoConfig.sized(train, test, epochs, seeds))
    typer.echo(ranks_table(target))


@app.command(epilog="Example: `protoviz table --poolings`")
def table(
    poolings: Annotated[
        bool, typer.Option("--poolings", help="All poolings (data/results), not the demo's probes.")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="Another folder than the shipped one.")] = None,
) -> None:
    """Print shipped results as the Markdown tables that README shows."""
    from protoviz import demo
    from protoviz.paths import DATA

    if poolings:
        typer.echo(demo.poolings_table(folder or DATA / "results"))
    else:
        typer.echo(demo.table(folder or DATA / "demo"))


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
