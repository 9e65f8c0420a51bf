"""The command of the grid: data sets x encoders x probes x seeds."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write, say_set_aside
from protoviz.cli.options import Cluster, DryRun, SmallTable, Workers


@app.command(epilog="Example: `protoviz benchmark benchmarks/minis.toml --dry-run`")
def benchmark(
    grid: Annotated[
        str, typer.Argument(help="The grid's file, as benchmarks/minis.toml, or a shipped recipe: poolings.")
    ],
    folder: Annotated[
        Path | None, typer.Option(help="Token maps, cells and tables; runs/NAME of the grid if absent.")
    ] = None,
    dry_run: DryRun = False,
    cluster: Cluster = None,
    workers: Workers = 2,
    small: SmallTable = False,
) -> None:
    """Search, train and score every cell of a grid. The same command continues after a stop or a failure.

    Exit code 1 if a cell has failed. The tables are FOLDER/results.parquet, per-class.parquet and
    search.parquet, and of each scorer one; a recipe's own files are in FOLDER/results.
    """
    from protoviz.experiments.recipe import read_recipe

    found = read_recipe(grid, small)
    place = folder or found.folder
    can_write(place, "--folder")
    if dry_run:
        show_plan(found, place, cluster)
        return
    from protoviz.experiments.run import run_grid
    from protoviz.experiments.tables import in_words

    frames = run_grid(found, place, cluster, workers)
    if len(frames["results"]):
        typer.echo(in_words(frames["results"]))
    typer.echo(f"{len(frames['results'])} rows in {place / 'results.parquet'}")
    tell_failures(found, place, frames["lacking"])


def tell_failures(grid, place: Path, lacking) -> None:
    """Print what encoders lack, what was damaged and what has failed; end with exit code 1 if a cell has."""
    from protoviz.experiments.cells import Cells

    for (dataset, encoder), rows in lacking.groupby(["dataset", "encoder"], sort=False):
        first = rows.iloc[0]
        typer.echo(
            f"{dataset}: {encoder} lacks {len(rows)} clips, such as {first.clip} ({first.reason}); all "
            "encoders are trained and scored on the clips that every one has (lacking.parquet)"
        )
    say_set_aside(place)
    if failed := Cells(grid, place).failures():
        for row in failed:
            name = " x ".join(filter(None, (row["dataset"], row["encoder"], row["probe"])))
            typer.echo(f"failed: {row['stage']} {name}: {row['error']}", err=True)
        raise typer.Exit(1)


def show_plan(grid, place: Path, cluster: str | None) -> None:
    """Print a row a cell: state, bytes, time and memory. Raise GridError where no run could end well."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.filesize import decimal
    from rich.markup import escape
    from rich.table import Table

    from protoviz.experiments.cells import Cells
    from protoviz.experiments.estimate import by_cell, in_words, plan, time_in_words
    from protoviz.experiments.run import refuse_hopeless

    cells = Cells(grid, place)
    refuse_hopeless(cells, cells.to_do(), cluster)
    frame, table = plan(cells), Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(
        ("data set", "encoder", "probe", "state", "maps", "encode", "search", "final", "memory")
    ):
        table.add_column(title, justify="right" if number > 3 else "left", no_wrap=True)
    for row in by_cell(frame).itertuples():
        costs = [
            decimal(int(row.bytes)) if row.bytes else "",
            *map(time_in_words, (row.encode, row.search, row.train)),
        ]
        costs.append(f"{row.memory_mb:,.0f} MB" if row.memory_mb else "")
        table.add_row(*map(escape, (row.dataset, row.encoder, row.probe, row.state, *costs)))
    console = Console()
    console = Console(width=max(118, console.width))  # a narrow one would cut every name
    console.print(table)
    for row in frame[frame.error != ""].drop_duplicates(["state", "error"]).itertuples():
        console.print(
            f"{row.state}: {row.dataset} x {row.encoder}: {row.error}", markup=False, soft_wrap=True
        )
    states = ", ".join(f"{count} {state}" for state, count in frame.state.value_counts().items())
    known = frame.rate[frame.rate != ""].value_counts()
    rates = ", ".join(f"{count} {source}" for source, count in known.items()) or "none needed"
    console.print(f"{len(frame)} tasks: {states}. Rates: {rates}", soft_wrap=True)
    console.print(in_words(frame), soft_wrap=True)
