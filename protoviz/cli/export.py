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


@export.command(epilog="Example: `protoviz export page runs/mine --clips 12 --out mine.html`")
def page(
    study: Annotated[Path, typer.Argument(help="A study: a folder, or a packed file.")],
    clips: Annotated[int, typer.Option(min=1, help="Clips, evenly spread over those that it shows.")] = 12,
    out: Annotated[Path | None, typer.Option(help="The file; NAME.html if absent.")] = None,
    method: Annotated[str | None, typer.Option(help="Whose prototypes are muted; the first.")] = None,
    encoder: Annotated[str | None, typer.Option(help="By which encoder; the first.")] = None,
    data: Annotated[str | None, typer.Option(help="Of which data set; the first.")] = None,
) -> None:
    """Write a study as one page to send: it works offline, on a phone too.

    It holds clips with their sound where that may travel, their cells, the probes' classes with mute and
    solo, and the table of scores.
    """
    from rich.filesize import decimal

    from protoviz.export import export_page
    from protoviz.study import open_study

    opened = open_study(study)
    target = out or Path(f"{opened.name}.html")
    can_write(target.parent, "--out")
    path = export_page(opened, target, clips, method=method, encoder=encoder, dataset=data)
    typer.echo(f"{path}: {decimal(path.stat().st_size)}")
