"""The command line's frame: one Typer app, and errors in one line."""

import os
import select
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

import typer
from typer.core import TyperGroup

from protoviz.files import full_disk, visible

UNREAD = 141  # the status of a command whose reader has gone, as any shell gives it: 128 + SIGPIPE
STOPPED = 130  # and of one that was stopped by hand: 128 + SIGINT
ROOM = 1 << 20  # bytes: a disk with less is full
GIVEN = "protoviz.given"  # the words of a command, kept until it has ended
# What says its fault and cure. Anything else is a fault of ours, and its traceback says where.
SAID = (ValueError, RuntimeError, OSError, ImportError, MemoryError)


class OneLineErrors(TyperGroup):
    """An error that names its fault and cure is printed as that, not as a traceback.

    Ctrl-C is one line and 130. A reader that has seen enough (`| head`) ends the command without a word.
    """

    def main(self, *args, **options):
        try:
            try:
                return super().main(*args, **options)
            finally:
                if sys.stdout:
                    sys.stdout.flush()  # while what it raises can still be told; at the exit it cannot
        except (SystemExit, OSError) as end:
            if isinstance(end, BrokenPipeError) or isinstance(end.__context__, BrokenPipeError):
                _drop_output()
                raise SystemExit(UNREAD) from None
            if isinstance(end, OSError):  # a full disk
                typer.secho(f"the output cannot be written: {end}", fg="red", err=True)
                _drop_output()
                raise SystemExit(1) from None
            raise

    def parse_args(self, ctx, args):
        ctx.meta[GIVEN] = [str(one).rpartition("=")[2] for one in args]
        for before, one in zip([self.name, *args], map(str, args), strict=False):
            option, given, value = one.partition("=")
            if not one or (option.startswith("--") and given and not value):
                # As a path it would be the current folder, as a list everything.
                said = f"{option} is empty" if one else f"what follows {before} is empty"
                raise typer.BadParameter(f"{said}: is a variable not set? Leave it out, or give a value", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.secho("stopped", fg="red", err=True)
            raise typer.Exit(STOPPED) from None
        except Exception as error:
            full = full_disk(error)
            # Click's own way out of a command is a RuntimeError too.
            own = isinstance(error, typer.Exit) or not (full or isinstance(error, SAID))
            if own or os.environ.get("PROTOVIZ_DEBUG") or _unread(error):
                raise
            said = _full(full, ctx) if full else str(error) or type(error).__name__
            typer.secho(f"{as_lines(said)}\n(PROTOVIZ_DEBUG=1 shows where it came from)", fg="red", err=True)
            raise typer.Exit(1) from error


def say(text: str) -> None:
    """Print what a command found; no name in it steers the terminal or cannot be written."""
    typer.echo(as_lines(text))


def as_lines(text: str) -> str:
    """Return the text with every line of it `visible`."""
    return "\n".join(map(visible, text.split("\n")))


def _full(error: OSError, ctx) -> str:
    """Which folder is full, what is kept, and the cure."""
    told = [error.filename] if error.filename else _nearly_full([*ctx.meta.get(GIVEN, ()), ".", gettempdir()])
    folder = next((path if path.is_dir() else path.parent for path in map(Path, told)), "a disk")
    return (
        f"{folder} is full ({os.strerror(error.errno)}): all files that were finished are whole and kept; "
        "make room there, or name a folder on another disk, and give the same command again"
    )


def _nearly_full(places: Sequence[str]) -> list[str]:
    """Those of some words that are places on a disk without room."""
    found = []
    for place in places:
        with suppress(OSError, ValueError):
            there = next(one for one in (Path(place), *Path(place).parents) if one.exists())
            if shutil.disk_usage(there).free < ROOM:
                found.append(str(there))
    return found


def _unread(error: Exception) -> bool:
    """Whether the error is that nobody reads what we print, and not that a pipe of a worker has broken."""
    if not isinstance(error, BrokenPipeError):
        return False
    if not hasattr(select, "poll"):  # Windows
        return True
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            poll.register(stream.fileno(), 0)  # errors are told unasked
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _drop_output() -> None:
    """Python writes what is left in its buffers once more at its exit: let it go nowhere."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            if not stream.isatty():
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def results_folder(folder: Path | None, work: Path, shipped: Path, full: bool) -> Path:
    """Return where a command's results go: `folder` if one is named, else `shipped`,
    but only for the full run.

    A rehearsal or a part of it would replace what is shipped: it goes below `work`, under the same name. So
    does a full run where what is shipped cannot be replaced: inside an installed package, or read-only.
    """
    from protoviz.paths import writable

    if folder is not None:
        return can_write(folder, "--folder")
    can_write(work, "--work")
    return shipped if full and writable(shipped) else work / shipped.name


def say_set_aside(work: Path) -> None:
    """Print how many damaged files lie below a folder, where any do: set aside by this run or one before."""
    from protoviz.kept import put_aside

    if found := put_aside(work):
        typer.echo(
            f"damaged files set aside: {len(found)}, such as {found[0]}; what they held was made again, and "
            "they can be deleted"
        )


def names_in(text: str) -> list[str]:
    """Return the names in an option's value, commas between; none are in an option that is absent."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if text and not names:
        raise ValueError(f"{text!r} holds no name: write names with commas between, or leave the option out")
    return names


def numbered(text: str | None) -> list[int] | str | None:
    """Return the layers of "4,7,10,12"; "all" and None as they are. ValueError for another text."""
    if text in (None, "all"):
        return text
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(f"--layers {text!r}: give numbers, commas between (4,7,10,12), or all") from error


def can_write(folder: Path, option: str) -> Path:
    """Return `folder`, which `option` names. Raise ValueError, before the work, where it takes no files."""
    from protoviz.paths import writable

    if not writable(folder):
        raise ValueError(f"{folder} cannot be written to: name another folder with {option}")
    return folder


def weights_for(weights: Path | None, names: Sequence[str]) -> Path | None:
    """Return the value of --weights. Raise ValueError where no encoder named, or several, would take it."""
    from protoviz.encoders import takes_weights

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
