"""Commands about encoders: list, verify, check a new one, train a mini one."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write, say
from protoviz.cli.options import AsJson, Device, Weights


@app.command(epilog="Example: `protoviz pretrain mini-mae --folder runs/mini-mae`")
def pretrain(
    name: Annotated[
        str, typer.Argument(help="Which mini encoder: mini-mae, mini-eat, ...; all: one after another.")
    ] = "mini-mae",
    folder: Annotated[
        Path | None, typer.Option(help="Checkpoints; runs/NAME if absent. Of all: FOLDER/NAME.")
    ] = None,
    scenes: Annotated[
        Path | None, typer.Option(help="Rendered scenes; runs/scenes-COUNT, shared, if absent.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Weights, card and loss curve; FOLDER if absent.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Fewer or more than the shipped weights.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights, masks and order.")] = 0,
    device: Device = "auto",
) -> None:
    """Train a mini encoder on procedural scenes. The same command continues after a stop.

    With --out data/encoders it replaces the shipped weights.
    """
    from dataclasses import replace

    from protoviz.pretraining import RECIPES, shared_scenes
    from protoviz.pretraining import pretrain as run

    for one in RECIPES if name == "all" else [name]:
        own = can_write(
            folder / one if folder and name == "all" else folder or Path("runs") / one, "--folder"
        )
        can_write(out or own, "--out")
        config = replace(RECIPES[one], seed=seed) if one in RECIPES else None
        if config and steps is not None:
            config = replace(config, steps=steps)
        shared = scenes or (shared_scenes(config) if config else None)
        typer.echo(f"weights: {run(one, own, config, out=out, scenes=shared, device=device)}")


@app.command(epilog="Example: `protoviz encoders`")
def encoders(
    as_json: AsJson = False,
) -> None:
    """List the encoders: what each is, from where, its licence and size, and whether its weights are here."""
    import json
    from textwrap import fill

    from protoviz.encoders import present_encoders, rows

    if as_json:
        typer.echo(json.dumps(rows(), indent=1, default=str))
        return
    here = present_encoders()
    form = "{:<24} {:>3} {:<8} {:<10} {:>5} {:<12} {:<4} {}"
    say(form.format("encoder", "kHz", "10 s", "[cls]", "MB", "licence", "here", "tried"))
    for row in rows():
        say("")
        name, rate, size = row["name"], row["sample_rate"] // 1000, row["megabytes"] or "-"
        cells, licence = "{} x {}".format(*row["cells"]), row["licence"].split(" by ")[0]
        states = ["yes" if one else "no" for one in (name in here, row["tried"])]
        say(form.format(name, rate, cells, row["cls"], size, licence, *states))
        say(fill(row["summary"], 80, initial_indent="  ", subsequent_indent="  "))
        say(f"  {row['source']}")
    say(f"\n{LEGEND}")


LEGEND = """10 s: cells (times x bands) of ten seconds. [cls]: what stands for it.
MB: of the weights; inferred for eat-large, larger dasheng, bird-mae, esp-aves2.
here: the weights are on this machine. tried: we have loaded the real weights;
where not (no machine of ours reaches the hub), the encoder is held to outputs
of its public code, or of a second implementation, on small files.
Any other repository with weights in one of these layouts is hf:owner/name."""


@app.command(epilog="Example: `protoviz verify eat clip.wav features.npy --weights model.safetensors`")
def verify(
    name: Annotated[str, typer.Argument(help="Name in protoviz.ENCODERS, or hf:owner/name.")],
    clip: Annotated[Path, typer.Argument(help="A sound file with published features.")],
    features: Annotated[
        Path,
        typer.Argument(help="Those, as (n d) or (1 + n d) with [cls] first: .npy, .npz, .pt, .safetensors."),
    ],
    weights: Weights = None,
) -> None:
    """Encode one clip and say how far the tokens are from published features of it."""
    from protoviz.encoders.verify import verify as run

    typer.echo(run(name, weights, clip, features).text())


@app.command(epilog="Example: `protoviz check-encoder my_module:MyEncoder`")
def check_encoder(
    encoder: Annotated[
        str,
        typer.Argument(
            help="module:Name in the current directory or installed (a class or function called without "
            "arguments, or an encoder), hf:owner/name, or a name in protoviz.ENCODERS."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a new encoder, and the cure; exit code 1 where anything is."""
    from protoviz.encoders.check import check_named

    _tell_findings("encoder", encoder, check_named(encoder), as_json)


@app.command(epilog="Example: `protoviz check-probe my_module:MyProbe`")
def check_probe(
    probe: Annotated[
        str,
        typer.Argument(help="module:Class in the current directory or installed, or a name in PROBES."),
    ],
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a new probe, and the cure; exit code 1 where anything is."""
    from protoviz.probes.check import check_named

    _tell_findings("probe", probe, check_named(probe), as_json)


def _tell_findings(kind: str, name: str, results: list, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from protoviz.encoders.check import failures

    if as_json:
        typer.echo(json.dumps([asdict(result) for result in results], indent=1))
    else:
        _show_findings(f"{kind} {name}", results)
    if failures(results):
        raise typer.Exit(1)


def _show_findings(title: str, results: list) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    colours = {"pass": "green", "fail": "bold red", "skip": "yellow"}
    table = Table("check", "", "finding", title=escape(title), show_lines=True)
    for result in results:
        colour = colours[result.status]
        table.add_row(result.name, f"[{colour}]{result.status}[/]", escape(result.says))
    console = Console()
    console.print(table)
    counts = {status: sum(result.status == status for result in results) for status in colours}
    console.print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
