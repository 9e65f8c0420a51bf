"""The commands of a study: make one of a finished grid, check it, pack it into one file."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write

study = typer.Typer(
    help="Studies: folders that show encoders on data sets, without the data and the weights.",
    no_args_is_help=True,
    epilog="Example: `protoviz study check runs/minis`",
    rich_markup_mode="markdown",
)
app.add_typer(study, name="study")

Show = Annotated[
    int | None, typer.Option(min=1, help="Test clips a data set to keep maps of; as study.toml if absent.")
]
Sound = Annotated[
    bool | None,
    typer.Option(
        "--sound/--no-sound",
        help="Keep the sound of every data set; whether its licence allows it is yours to say.",
    ),
]
Folder = Annotated[Path, typer.Argument(help="The study: a folder, such as that of `protoviz benchmark`.")]


@study.command(epilog="Example: `protoviz study add runs/minis --show 64`")
def add(
    folder: Folder,
    show: Show = None,
    sound: Sound = None,
) -> None:
    """Make a study of a finished grid: clips with token maps, attention, pictures and sound, probes, tables.

    What is there already is written again, to the same bytes. The sound of procedural scenes is always kept.
    """
    from dataclasses import replace

    from rich.filesize import decimal

    from protoviz.experiments.cells import Cells
    from protoviz.experiments.grid import read_grid
    from protoviz.experiments.keeping import bytes_to_keep, keep_study
    from protoviz.study.form import SETTINGS

    can_write(folder, "FOLDER")
    if not (folder / SETTINGS).is_file():
        raise typer.BadParameter(
            f"{folder} has no {SETTINGS}: run `protoviz benchmark` with --folder {folder} once"
        )
    cells = Cells(read_grid(folder / SETTINGS), folder)
    told = {"show": show, "sound": sound}
    config = replace(cells.grid.keep, **{name: one for name, one in told.items() if one is not None})
    typer.echo(f"about {decimal(bytes_to_keep(cells, config))}")
    made = keep_study(cells, config, typer.echo)
    typer.echo(
        f"{made!r}\nOpen it with protoviz.open_study({str(folder)!r}), check it with "
        f"`protoviz study check {folder}`"
    )


@study.command(epilog="Example: `protoviz study check runs/minis`")
def check(folder: Folder) -> None:
    """Say what a study holds and whether its parts fit together. Ends with 1 if one does not."""
    from protoviz.study import check_study, open_study, wrong

    found = check_study(open_study(folder))
    for finding in found:
        typer.echo(f"{finding.state:<7} {finding.part}: {finding.text}")
    if wrong(found):
        raise typer.Exit(1)


@study.command(epilog="Example: `protoviz study pack runs/minis minis.zip`")
def pack(
    folder: Folder, target: Annotated[Path, typer.Argument(help="The file to write, such as mine.zip.")]
) -> None:
    """Write a study into one file, which a colleague opens without the data set and the weights."""
    from rich.filesize import decimal

    from protoviz.study import pack_study

    can_write(target.parent, "TARGET")
    path = pack_study(folder, target)
    typer.echo(f"{path}: {decimal(path.stat().st_size)}; open it with protoviz.open_study({str(path)!r})")
