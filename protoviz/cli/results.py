"""Commands that make and print what is shipped under data/."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, results_folder, say_set_aside

COUNTS = "1,2,5,10,20"  # of the shipped per-class.parquet


Folder = Annotated[
    Path | None,
    typer.Option(help="Where the results go; data/demo for a full run in a checkout, else below WORK."),
]
Work = Annotated[
    Path, typer.Option(help="Token maps and finished cells, kept between runs and shared by these commands.")
]
Small = Annotated[bool, typer.Option("--small", help="A tenth of the scenes, two epochs: a rehearsal.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes of a local Dask cluster.")]
WORK = Path("runs/demo")


@app.command(epilog="Example: `protoviz demo --small`")
def demo(folder: Folder = None, work: Work = WORK, small: Small = False) -> None:
    """Rebuild what is shipped under data/demo from seeds: trained probes, clips and their table."""
    _tell("demo", folder, work, small)


@app.command(epilog="Example: `protoviz poolings --small`")
def poolings(folder: Folder = None, work: Work = WORK, small: Small = False) -> None:
    """Compare all poolings on the mini encoder, at mixed polyphony and on single events: two hours."""
    _tell("poolings", folder, work, small)


@app.command(epilog="Example: `protoviz per-class --counts 1,5,20 --small`")
def per_class(
    counts: Annotated[str, typer.Option(help="Prototypes a class, commas between.")] = COUNTS,
    folder: Folder = None,
    work: Work = WORK,
    small: Small = False,
) -> None:
    """Compare protobin at several numbers of prototypes a class, for notebook 06: half an hour."""
    chosen = [int(count) if count.strip().isdecimal() else 0 for count in counts.split(",")]
    if min(chosen) < 1 or len(set(chosen)) < len(chosen):
        raise ValueError(f"--counts {counts!r}: give different numbers from 1, such as {COUNTS}")
    from protoviz.experiments.demo import counted

    full = not small and chosen == [int(count) for count in COUNTS.split(",")]
    target = results_folder(folder, work, shipped("per-class"), full)
    made("per-class", target, work, small, lambda grid: counted(grid, chosen))
    typer.echo(f"results: {target / 'per-class.parquet'}")


@app.command(
    epilog="Example: `protoviz tokens --weights 'twice the steps=runs/twice/mini-mae.safetensors' --small`"
)
def tokens(
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Other weights of the encoder, as NAME=FILE; repeatable, a row of the table each."),
    ] = None,
    encoder: Annotated[str, typer.Option(help="A name in protoviz.ENCODERS.")] = "mini-mae",
    folder: Folder = None,
    work: Work = Path("runs/tokens"),
    workers: Workers = 1,
    small: Small = False,
) -> None:
    """Compare ways to train an encoder by what its tokens have in common and what probes read in them."""
    encoders: dict[str, dict] = {encoder: {}}
    for given in weights or ():
        name, equals, file = given.partition("=")
        if not equals or not Path(file).is_file():
            raise ValueError(f"--weights {given!r}: write NAME=FILE, of a weight file that is there")
        encoders[name] = {"use": encoder, "weights": file}
    part = encoder != "mini-mae" or bool(weights)
    _tell("tokens", folder, work, small, part, workers=workers, encoders=encoders)


@app.command(epilog="Example: `protoviz curves --small`")
def curves(
    folder: Folder = None,
    work: Work = Path("runs/curves"),
    workers: Workers = 1,
    small: Small = False,
) -> None:
    """Train probes on more and more scenes of 1, 2, 4 and 8 events: two hours on two cores."""
    target = results_folder(folder, work, shipped("curves"), full=not small)
    made("curves", target, work, small, workers=workers)
    typer.echo(f"results: {target / 'curves.parquet'}")


@app.command(epilog="Example: `protoviz layers --encoder mini-mae --encoder mini-eat --small`")
def layers(
    encoder: Annotated[
        list[str] | None, typer.Option(help="A mini; repeat for more. All trained ones if absent.")
    ] = None,
    folder: Folder = None,
    work: Work = Path("runs/layers"),
    workers: Workers = 1,
    small: Small = False,
) -> None:
    """Train probes on every layer of the minis, and on learned mixtures of them."""
    chosen = {"encoders": encoder} if encoder else {}
    _tell("layers", folder, work, small, bool(encoder), workers=workers, **chosen)


@app.command(epilog="Example: `protoviz frames --small`")
def frames(
    data: Annotated[
        str, typer.Option(help="A data set that knows the times of events, such as desed, urban or folder.")
    ] = "scenes",
    root: Annotated[Path | None, typer.Option(help="Where it lies; scenes are made.")] = None,
    folder: Folder = None,
    work: Work = WORK,
    small: Small = False,
) -> None:
    """Compare probes as detectors of events in time: trained on frames, or on labels of whole clips."""
    if (data == "scenes") != (root is None):
        raise ValueError(f"--data {data}: {'scenes are made, leave out --root' if root else 'give --root'}")

    def on_data(grid):
        entry = replace(grid.datasets[0], name=data, use=data, options={"root": str(root)})
        return grid if root is None else replace(grid, datasets=(entry,))

    _tell("frames", folder, work, small, root is not None, changed=on_data)


def shipped(name: str) -> Path:
    """Return where the files of a recipe lie in a checkout."""
    from protoviz.paths import DATA

    return DATA / "demo" if name == "demo" else DATA / "demo" / "results"


def made(
    name: str,
    folder: Path,
    work: Path,
    small: bool = False,
    changed: Callable = lambda grid: grid,
    workers: int = 1,
    **changes,
) -> Path:
    """Run a shipped recipe, and return `folder`, where its files are; changed, changes: of its grid."""
    from protoviz.experiments.recipe import read_recipe, run_recipe

    grid = changed(read_recipe(name, small, **changes))
    run_recipe(grid, work, folder, workers, say=lambda text: typer.echo(text, err=True))
    say_set_aside(work)
    return folder


def _tell(name: str, folder: Path | None, work: Path, small: bool, part: bool = False, **changes) -> None:
    """Run a shipped recipe and print its table. part: it is not all that is shipped."""
    from protoviz import report

    target = results_folder(folder, work, shipped(name), full=not (small or part))
    made(name, target, work, small, **changes)
    typer.echo(f"{getattr(report, f'{name}_table')(target)}\n\nresults: {target}")


@app.command(epilog="Example: `protoviz table --poolings`")
def table(
    poolings: Annotated[
        bool, typer.Option("--poolings", help="All poolings (data/demo/results), not the demo's probes.")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="Another folder than the shipped one.")] = None,
) -> None:
    """Print shipped results as the Markdown tables of docs/results.md."""
    from protoviz.paths import DATA
    from protoviz.report import demo_table, poolings_table

    if poolings:
        typer.echo(poolings_table(folder or DATA))
    else:
        typer.echo(demo_table(folder or DATA))
