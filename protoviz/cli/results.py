"""Commands that make and print what is shipped under data/."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, results_folder, say_set_aside

COUNTS = "1,2,5,10,20"  # of the shipped per-class.parquet


@app.command(epilog="Example: `protoviz demo --work runs/demo`")
def demo(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the demo goes; data/demo of a checkout, else and with --small WORK/demo."),
    ] = None,
    work: Annotated[Path, typer.Option(help="Token maps and unfinished work, kept between runs.")] = Path(
        "runs/demo"
    ),
    small: Annotated[
        bool, typer.Option("--small", help="A tenth of the scenes, two epochs: a rehearsal.")
    ] = False,
) -> None:
    """Rebuild what is shipped under data/demo from seeds: trained probes, clips and their table."""
    from protoviz.experiments.demo import DemoConfig, build_demo
    from protoviz.paths import DATA
    from protoviz.report import demo_table

    config = DemoConfig.small() if small else DemoConfig()
    target = results_folder(folder, work, DATA / "demo", full=not small)
    build_demo(target, work, config)
    say_set_aside(work)
    typer.echo(f"{demo_table(target)}\n\nresults: {target}")


@app.command(epilog="Example: `protoviz poolings --work runs/demo`")
def poolings(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where the results go; data/demo/results of a checkout, else WORK/results."),
    ] = None,
    work: Annotated[Path, typer.Option(help="Token maps and finished runs; shared with demo.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Compare all poolings on the mini encoder, at mixed polyphony and on single events: two hours."""
    from protoviz.experiments.demo import build_poolings
    from protoviz.paths import DATA
    from protoviz.report import poolings_table

    target = results_folder(folder, work, DATA / "demo" / "results", full=True)
    build_poolings(target, work)
    say_set_aside(work)
    typer.echo(f"{poolings_table(target)}\n\nresults: {target}")


@app.command(epilog="Example: `protoviz per-class --counts 1,2,5,10,20`")
def per_class(
    counts: Annotated[str, typer.Option(help="Prototypes a class, commas between.")] = COUNTS,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the results go; data/demo/results of a checkout, else and with other counts "
            "WORK/results."
        ),
    ] = None,
    work: Annotated[Path, typer.Option(help="Token maps and finished runs; shared with demo.")] = Path(
        "runs/demo"
    ),
) -> None:
    """Compare protobin at several numbers of prototypes a class, for notebook 06: half an hour."""
    from protoviz.experiments.demo import build_per_class
    from protoviz.paths import DATA

    chosen = [int(count) if count.strip().isdecimal() else 0 for count in counts.split(",")]
    if min(chosen) < 1 or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"--counts {counts!r}: give different numbers from 1, commas between, such as {COUNTS}"
        )
    full = chosen == [int(count) for count in COUNTS.split(",")]
    target = results_folder(folder, work, DATA / "demo" / "results", full)
    build_per_class(target, work, chosen)
    say_set_aside(work)
    typer.echo(f"results: {target / 'per-class.parquet'}")


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
