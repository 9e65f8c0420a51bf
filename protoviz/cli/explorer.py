"""Commands that open a door: the explorer."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app


@app.command(epilog="Example: `protoviz serve --port 5007`")
def serve(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 5006,
    show: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Open the explorer on this machine (the same as `make app`)."""
    import subprocess

    page = Path(__file__).parents[1] / "app.py"
    command = [sys.executable, "-m", "panel", "serve", str(page), "--address", "127.0.0.1"]
    command += ["--port", str(port), "--warm", *(["--show"] if show else [])]
    typer.echo(f"protoviz is at http://127.0.0.1:{port}/app  (Ctrl-C ends it)")
    raise typer.Exit(subprocess.call(command))
