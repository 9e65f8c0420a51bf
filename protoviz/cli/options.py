"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[
    Path | None,
    typer.Option(help="The clips' folder, or one that holds it by name; PROTOVIZ_DATASETS if absent."),
]
Weights = Annotated[
    Path | None, typer.Option(help="Weight file, or a folder that holds it; found by name if absent.")
]
Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda, mps.")]
Cluster = Annotated[
    str | None,
    typer.Option(help="local, slurm, or the address of a Dask scheduler; in this process if absent."),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes of a local cluster, or jobs of slurm.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print cells, bytes, time and memory; run nothing.")]
SmallTable = Annotated[bool, typer.Option("--small", help="Use the file's table [small].")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: all of it as JSON.")]
