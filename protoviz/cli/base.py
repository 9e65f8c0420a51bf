"""The command line's frame: one Typer app, and errors in one line."""

import os

import typer
from typer.core import TyperGroup


class OneLineErrors(TyperGroup):
    """An error that names its fault and cure is printed as that, not as a traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (ValueError, RuntimeError, OSError) as error:
            # Click's own way out of a command is a RuntimeError too.
            if isinstance(error, typer.Exit) or os.environ.get("PROTOVIZ_DEBUG"):
                raise
            typer.secho(f"{error}\n(PROTOVIZ_DEBUG=1 shows where it came from)", fg="red", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="protoviz",
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="See, hear and measure the pooling bottleneck of frozen audio encoders.",
)
