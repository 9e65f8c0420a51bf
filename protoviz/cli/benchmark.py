"""The command of the grid: data sets x encoders x probes x seeds."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app


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
    workers: Annotated[int, typer.Option(help="Processes of a local cluster, or jobs of slurm.")] = 2,
) -> None:
    """Search, train and score every cell of a grid; stopped or failed in places, it goes on where it was.

    Ends with 1 where a cell has failed. The tables are FOLDER/results.parquet, per-class.parquet and
    search.parquet.
    """
    from protoviz.benchmark.cells import Cells
    from protoviz.benchmark.grid import read_grid

    found = read_grid(grid)
    place = folder or Path("runs") / found.name
    cells = Cells(found, place)
    if dry_run:
        _show_plan(cells)
        return
    from protoviz.benchmark.run import run_grid
    from protoviz.benchmark.tables import summary

    frames = run_grid(found, place, cluster, workers)
    if len(frames["results"]):
        typer.echo(summary(frames["results"]).to_string())
    typer.echo(f"{len(frames['results'])} rows in {place / 'results.parquet'}")
    if failed := cells.failures():
        for row in failed:
            name = " x ".join(filter(None, (row["dataset"], row["encoder"], row["probe"])))
            typer.echo(f"failed: {row['stage']} {name}: {row['error']}", err=True)
        raise typer.Exit(1)


def _show_plan(cells) -> None:
    from rich.console import Console
    from rich.filesize import decimal
    from rich.markup import escape
    from rich.table import Table

    from protoviz.benchmark.estimate import plan

    frame, table = (
        plan(cells),
        Table("stage", "data set", "encoder", "probe", "state", "time", "memory", "rate"),
    )
    for row in frame.itertuples():
        costs = (_time(row.seconds), f"{row.memory_mb:,.0f} MB") if row.seconds else ("", "")
        words = (row.stage, row.dataset, row.encoder, row.probe, row.state, *costs, row.rate)
        table.add_row(*map(escape, words))
    console = Console()
    console.print(table)
    for row in frame[frame.error != ""].drop_duplicates("error").itertuples():
        console.print(f"{row.state}: {row.dataset} x {row.encoder}: {escape(row.error)}", soft_wrap=True)
    states = ", ".join(f"{count} {state}" for state, count in frame.state.value_counts().items())
    console.print(f"{len(frame)} tasks: {states}")
    console.print(
        f"token maps to write: {decimal(int(frame.bytes.sum()))}; about {_time(frame.seconds.sum())} in one "
        f"process of this machine; largest task about {frame.memory_mb.max():,.0f} MB beside torch itself"
    )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
