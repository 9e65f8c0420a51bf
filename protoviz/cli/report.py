"""The command that writes results as tables, and holds those of README and docs to them."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write


@app.command(epilog="Example: `protoviz report --out build/report`")
def report(
    out: Annotated[Path, typer.Option(help="Where report.md, .tex and .html go.")] = Path("build/report"),
    data: Annotated[
        Path | None,
        typer.Option(help="A study, such as a grid's folder; the shipped one if absent."),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Also write every table of the study as CSV, into OUT/csv.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Fail if a table in README.md or docs/ differs from the results."),
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Rewrite the tables in README.md and docs/ from the results.")
    ] = False,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="Print what the paper's whole grid takes (docs/scaling.md).")
    ] = False,
    price: Annotated[float | None, typer.Option(help="US dollars a core-hour, for --scaling.")] = None,
    root: Annotated[Path | None, typer.Option(help="Another checkout than this one.")] = None,
) -> None:
    """Write your results beside the published ones, with their statistics, as Markdown, LaTeX and HTML."""
    from protoviz import report as reports
    from protoviz.paths import shipped_folder

    if price is not None and not scaling:
        raise ValueError("--price is for --scaling alone: add --scaling, or leave --price out")
    if root is not None and not (check or write):
        raise ValueError("--root is for --check and --write: add one, or leave --root out")
    if scaling:
        from protoviz.report.scaling import PRICE, text

        typer.echo(text(PRICE if price is None else price))
        return
    if not (check or write):
        written = reports.write_report(can_write(out, "--out"), data, csv)
        typer.echo("\n".join([*map(str, written[:3]), *([str(out / "csv")] if csv else [])]))
        return
    place = root or shipped_folder().parent
    documents, source = reports.documents(place), data or place / "data"
    if write:
        changed = reports.write(documents, source)
        typer.echo("\n".join(f"refreshed: {path}" for path in changed) or "nothing has changed")
    if check:
        names = reports.check(documents, source)
        typer.echo(f"{len(names)} tables are those of the results: {', '.join(names)}")
