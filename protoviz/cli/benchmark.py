"""The command of the grid: data sets x encoders x probes x seeds."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write, say_set_aside


@app.command(epilog="Example: `protoviz benchmark benchmarks/minis.toml --dry-run`")
def benchmark(
    grid: Annotated[Path, typer.Argument(help="The grid file, as benchmarks/minis.toml.")],
    folder: Annotated[
        Path | None, typer.Option(help="Token maps, cells and tables; runs/NAME of the grid if absent.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print cells, bytes, time and memory; run nothing.")
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(help="local, slurm, or the address of a Dask scheduler; in this process if absent."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes of a local cluster, or jobs of slurm.")] = 2,
) -> None:
    """Search, train and score every cell of a grid; stopped or failed in places, it goes on where it was.

    Ends with 1 where a cell has failed. The tables are FOLDER/results.parquet, per-class.parquet and
    search.parquet.
    """
    from protoviz.experiments.before import refuse_hopeless
    from protoviz.experiments.cells import Cells
    from protoviz.experiments.grid import read_grid

    found = read_grid(grid)
    place = folder or found.folder
    can_write(place, "--folder")
    cells = Cells(found, place)
    if dry_run:
        refuse_hopeless(cells, cells.to_do(), cluster)
        _show_plan(cells)
        return
    from protoviz.experiments.run import run_grid
    from protoviz.experiments.tables import summary

    frames = run_grid(found, place, cluster, workers)
    if len(frames["results"]):
        typer.echo(summary(frames["results"]).to_string())
    typer.echo(f"{len(frames['results'])} rows in {place / 'results.parquet'}")
    for (dataset, encoder), rows in frames["lacking"].groupby(["dataset", "encoder"], sort=False):
        first = rows.iloc[0]
        typer.echo(
            f"{dataset}: {encoder} lacks {len(rows)} clips, such as {first.clip} ({first.reason}); all "
            "encoders are trained and scored on the clips that every one has (lacking.parquet)"
        )
    say_set_aside(place)
    if failed := cells.failures():
        for row in failed:
            name = " x ".join(filter(None, (row["dataset"], row["encoder"], row["probe"])))
            typer.echo(f"failed: {row['stage']} {name}: {row['error']}", err=True)
        raise typer.Exit(1)


def _show_plan(cells) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.filesize import decimal
    from rich.markup import escape
    from rich.table import Table

    from protoviz.experiments.estimate import by_cell, plan

    frame, table = plan(cells), Table(box=SIMPLE_HEAD, pad_edge=False)
    for number, title in enumerate(
        ("data set", "encoder", "probe", "state", "maps", "encode", "search", "final", "memory")
    ):
        table.add_column(title, justify="right" if number > 3 else "left", no_wrap=True)
    for row in by_cell(frame).itertuples():
        costs = [
            decimal(int(row.bytes)) if row.bytes else "",
            *map(_time, (row.encode, row.search, row.train)),
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
    size, spent = decimal(int(frame.bytes.sum())), _time(frame.seconds.sum()) or "nothing"
    console.print(
        f"token maps to write: {size}; about {spent} in one process; the largest task takes about "
        f"{frame.memory_mb.max():,.0f} MB beside torch itself",
        soft_wrap=True,
    )


def _time(seconds: float) -> str:
    if not seconds:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "< 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
