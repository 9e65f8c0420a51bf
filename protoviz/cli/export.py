"""Commands that write static pages."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write, names_in

export = typer.Typer(
    no_args_is_help=True,
    help="Write static pages, which need no Python and no network.",
    epilog="Example: `protoviz export course --only 05`",
)
app.add_typer(export, name="export")


@export.command(epilog="Example: `protoviz export course --out build/course --only 05`")
def course(
    out: Annotated[Path, typer.Option(help="Where the pages go.")] = Path("build/course"),
    only: Annotated[str, typer.Option(help="Notebooks with this in their name, commas between: 03,05.")] = "",
    notebooks: Annotated[
        Path | None, typer.Option(help="A folder of notebooks (py/NAME.py); the checkout's own.")
    ] = None,
    solutions: Annotated[bool, typer.Option("--solutions", help="Also write the solutions' pages.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Run every notebook, also those that have not changed.")
    ] = False,
    kept: Annotated[
        Path | None, typer.Option(help="Where finished runs are kept; PROTOVIZ_CACHE, or the user's cache.")
    ] = None,
    limit: Annotated[float, typer.Option(help="Seconds that one cell may take.")] = 300,
) -> None:
    """Run the notebooks and write each as a page, with an index: sounds, figures and what-ifs inside.

    If a notebook fails, the others still become pages. Exit code 1 then; the error names it.
    """
    from protoviz.export import export_course
    from protoviz.progress import progress_bar

    names = names_in(only)
    with progress_bar("looking for notebooks") as progress:
        pages = export_course(
            can_write(out, "--out"),
            names,
            notebooks=notebooks,
            solutions=solutions,
            again=again,
            kept=kept,
            limit=limit,
            progress=progress,
        )
    typer.echo(f"open {pages[0].path.parent / 'index.html'}")
