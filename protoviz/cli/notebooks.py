"""The commands of the course's notebooks: copy them to work in, run them, write them from their sources."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write

notebooks = typer.Typer(
    no_args_is_help=True,
    help="The course's notebooks: copy them to work in, or run them.",
    epilog="Example: `protoviz notebooks copy runs/notebooks`",
)
app.add_typer(notebooks, name="notebooks")

Names = Annotated[list[str] | None, typer.Argument(help="Notebooks with this in their name: 05. None: all.")]


@notebooks.command(epilog="Example: `protoviz notebooks copy runs/notebooks`")
def copy(folder: Annotated[Path, typer.Argument(help="Where the copies go.")]) -> None:
    """Copy the notebooks, to work in: `jupyter lab FOLDER` opens them.

    Copies that are there stay, with all that was run and answered in them. One in which nobody changed a cell
    follows the course; of one that somebody did, this says so.
    """
    from protoviz.export import own_copies

    for line in own_copies(can_write(folder, "FOLDER")):
        typer.echo(line)
    typer.echo(f"the notebooks are in {folder}; `jupyter lab {folder}` opens them")


@notebooks.command(epilog="Example: `protoviz notebooks run 05 --study runs/mine`")
def run(
    names: Names = None,
    study: Annotated[
        str | None, typer.Option(help="The study that they open, a folder or a packed file; the shipped one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where they go, with their outputs.")] = Path("build/notebooks"),
    solutions: Annotated[bool, typer.Option("--solutions", help="The solutions, too.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that have not changed.")] = False,
    limit: Annotated[float, typer.Option(help="Seconds that one cell may take.")] = 300,
) -> None:
    """Run notebooks and write them with their outputs.

    If one fails, the others still run. Exit code 1 then; the error names the cell.
    """
    from protoviz.export import run_notebooks
    from protoviz.progress import progress_bar

    can_write(out, "--out")
    with progress_bar("looking for notebooks") as progress:
        run_notebooks(
            out, names or (), study=study, solutions=solutions, again=again, limit=limit, progress=progress
        )


@notebooks.command(epilog="Example: `protoviz notebooks pair 05`")
def pair(names: Names = None) -> None:
    """Write the notebook (.ipynb) of every source (py/NAME.py) that has changed, in a checkout."""
    from protoviz.export import find_lessons, paired
    from protoviz.files import write_text

    for lesson in find_lessons(only=names or (), solutions=True):
        path = lesson.folder / f"{lesson.source.stem}.ipynb"
        text = paired(lesson.source)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            typer.echo(path)
