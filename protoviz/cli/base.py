"""The command line's frame: one Typer app, and errors in one line."""

import os
from collections.abc import Sequence
from pathlib import Path

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


def results_folder(folder: Path | None, work: Path, shipped: Path, full: bool) -> Path:
    """Where a command's results go: `folder` if one is named, else `shipped`, but only for the full run.

    A rehearsal or a part of it would replace what is shipped: it goes below `work`, under the same name. So
    does a full run where what is shipped cannot be replaced: inside an installed package, or read-only.
    """
    from protoviz.paths import writable

    if folder is not None:
        return can_write(folder, "--folder")
    can_write(work, "--work")
    return shipped if full and writable(shipped) else work / shipped.name


def can_write(folder: Path, option: str) -> Path:
    """`folder`, which `option` names; raises ValueError, before hours of work, where it takes no files."""
    from protoviz.paths import writable

    if not writable(folder):
        raise ValueError(f"nothing can be written into {folder}: name another folder with {option}")
    return folder


def weights_for(weights: Path | None, names: Sequence[str]) -> Path | None:
    """The value of --weights; ValueError where no encoder named takes any, or one file is for several."""
    from protoviz.encoders.check.source import takes_weights

    takers = [name for name in names if takes_weights(name)]
    if weights is not None and not takers:
        raise ValueError(f"--weights: {', '.join(names)} takes no weights; leave --weights out")
    if weights is not None and len(takers) > 1 and weights.expanduser().is_file():
        raise ValueError(
            f"--weights {weights} is one file, and {', '.join(takers)} take one each: name a folder with "
            f"{takers[0]}.safetensors and the others'"
        )
    return weights


app = typer.Typer(
    name="protoviz",
    cls=OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="See, hear and measure the pooling bottleneck of frozen audio encoders.",
)
