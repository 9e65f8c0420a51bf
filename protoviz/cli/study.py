"""The commands of a study: begin one, run it, make one of a finished grid, check it, pack it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write, names_in, say, weights_for
from protoviz.cli.benchmark import show_plan, tell_failures
from protoviz.cli.options import Cluster, DryRun, Root, SmallTable, Weights, Workers
from protoviz.files import command

study = typer.Typer(
    help="Studies: folders that show encoders on data sets, without the data and the weights.",
    no_args_is_help=True,
    epilog="Example: `protoviz study check runs/minis`",
    rich_markup_mode="markdown",
)
app.add_typer(study, name="study")

Folder = Annotated[Path, typer.Argument(help="The study: a folder, such as runs/mine.")]
Show = Annotated[
    int | None,
    typer.Option(min=1, help="Test clips a data set to keep maps of; as study.toml if absent."),
]
Sound = Annotated[
    bool | None,
    typer.Option(
        "--sound/--no-sound",
        help="Keep the sound of every data set; whether its licence allows it is yours to say.",
    ),
]


@study.command(
    epilog="Example: `protoviz study new runs/mine --encoder eat --weights model.safetensors --data folder "
    "--root clips --methods linear,mhca,protobin`"
)
def new(
    folder: Folder,
    encoder: Annotated[
        str | None, typer.Option(help="Name in protoviz.ENCODERS, hf:owner/name, or module:Class.")
    ] = None,
    weights: Weights = None,
    data: Annotated[
        str | None,
        typer.Option(help="Name in protoviz.DATASETS (folder: your own clips), or module:function."),
    ] = None,
    root: Root = None,
    methods: Annotated[
        str | None, typer.Option(help="Names in protoviz.PROBES, or module:Class; commas between.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Length of a clip; the data set's if absent.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Data set folder: pattern in file names that one source's clips share.")
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds of the final runs, commas between; the paper's five if absent.")
    ] = None,
    fine_tune: Annotated[
        bool,
        typer.Option("--fine-tune", help="Train the encoder, too: what methods are held to. Takes hours."),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A first look: one seed, fixed rates, ten epochs; it needs no extra."),
    ] = False,
    show: Show = None,
    sound: Sound = None,
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Run it now, or only look and write study.toml.")
    ] = True,
    cluster: Cluster = None,
    workers: Workers = 2,
) -> None:
    """Begin a study: look at encoder and clips, say what it takes, write study.toml, run it.

    In a terminal it asks for what is missing. study.toml holds every default with its reason. After a stop,
    `protoviz study run` continues.
    """
    from protoviz.datasets.spec import ROOTS
    from protoviz.experiments.guided import METHODS, new_study

    can_write(folder, "FOLDER")
    asks = None in (encoder, data) or (data == "folder" and root is None and ROOTS not in os.environ)
    if asks:
        encoder, weights, data, root, methods = _asked(encoder, weights, data, root, methods)
    found = new_study(
        folder,
        encoder,
        data,
        names_in(methods or "") or METHODS,
        weights=weights_for(weights, [encoder]),
        root=root,
        options={name: one for name, one in {"seconds": seconds, "group": group}.items() if one is not None},
        seeds=[int(seed) if seed.isdecimal() else seed for seed in names_in(seeds)] if seeds else None,
        show=show,
        sound=sound,
        fine_tune=fine_tune,
        quick=quick,
        say=say,
    )
    if run and (not asks or typer.confirm("run it now?", default=True)):
        _run(found.folder, found.folder, cluster, workers)
    else:
        say(f"{command('study', 'run', folder)} runs it")


def in_terminal() -> bool:
    """Return whether a person can be asked."""
    return sys.stdin.isatty()


def _asked(
    encoder: str | None, weights: Path | None, data: str | None, root: Path | None, methods: str | None
) -> tuple[str, Path | None, str, Path | None, str]:
    """What a person answers where an option is missing."""
    from protoviz.datasets import DATASETS
    from protoviz.encoders import ENCODERS, present_encoders
    from protoviz.experiments.guided import METHODS

    encoders = f"encoders: {', '.join([*ENCODERS, 'hf:owner/name', 'module:Class'])}"
    data_sets = f"data sets: {', '.join([*DATASETS, 'module:function'])}"
    if not in_terminal():
        missing = {f"--encoder is missing; {encoders}": encoder, f"--data is missing; {data_sets}": data}
        missing["--root is missing: the folder of the clips"] = root
        raise typer.BadParameter(next(said for said, given in missing.items() if given is None))
    if encoder is None:
        say(encoders)
        encoder = typer.prompt("encoder", default="mini-mae")
    if weights is None and encoder in ENCODERS and encoder not in present_encoders():
        weights = Path(typer.prompt("its weights, a file or a folder"))
    if data is None:
        say(data_sets)
        data = typer.prompt("data set", default="folder")
    if root is None and data != "scenes":
        given = typer.prompt("folder of the clips", default="", show_default=False)
        root = Path(given) if given else None
    return encoder, weights, data, root, methods or typer.prompt("methods", default=",".join(METHODS))


@study.command(epilog="Example: `protoviz study run runs/mine --cluster local --workers 4`")
def run(
    what: Annotated[
        Path,
        typer.Argument(help="A study's folder, a TOML file of what is run, or a shipped recipe: poolings."),
    ],
    folder: Annotated[
        Path | None, typer.Option(help="Where a file's study goes; runs/NAME of the file if absent.")
    ] = None,
    dry_run: DryRun = False,
    cluster: Cluster = None,
    workers: Workers = 2,
    small: SmallTable = False,
) -> None:
    """Run what a study lacks, and keep what it shows. The same command continues after a stop or a failure.

    Exit code 1 if a cell has failed. A recipe's own files are in FOLDER/results.
    """
    from protoviz.experiments.guided import settled

    grid, place = settled(what, folder, small)
    can_write(place, "--folder")
    if dry_run:
        show_plan(grid, place, cluster)
    else:
        _run(what, place, cluster, workers, small)


def _run(what: Path, folder: Path, cluster: str | None, workers: int, small: bool = False) -> None:
    from protoviz.experiments.guided import run_study, settled
    from protoviz.experiments.tables import in_words

    made = run_study(what, folder, cluster, workers, say=say, small=small)
    if len(results := made.results["results"]):
        say(in_words(results))
    say(f"open it: protoviz.open_study({str(folder)!r})")
    tell_failures(settled(folder)[0], folder, made.results["lacking"])


@study.command(epilog="Example: `protoviz study add runs/minis nearest places`")
def add(
    folder: Folder,
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to add for trained probes: nearest, attention, polyphony, places, projections, "
            "cosines, showing. None: the clips and probes of a finished grid."
        ),
    ] = None,
    show: Show = None,
    sound: Sound = None,
    methods: Annotated[str, typer.Option(help="Of these probes only, commas between.")] = "",
    nearest: Annotated[
        int, typer.Option(min=1, help="Clips of the top, middle and bottom of a prototype's scores.")
    ] = 8,
    allow: Annotated[
        list[str] | None,
        typer.Option(help="A module that the study names and whose code may run; repeatable."),
    ] = None,
) -> None:
    """Add to a study what it lacks.

    Without KINDS it makes a study of a finished grid: clips with token maps, attention, pictures and sound,
    probes, tables. What is there already is then written again, to the same bytes; the sound of scenes is
    made when it is asked for. With KINDS it computes what their tables lack, for any data set and encoder.
    """
    can_write(folder, "FOLDER")
    if kinds:
        from protoviz.experiments.adding import AddConfig
        from protoviz.experiments.opening import add_to_study

        chosen = {"methods": names_in(methods), "allow": allow or (), "say": typer.echo}
        typer.echo(f"{add_to_study(folder, *kinds, config=AddConfig(nearest), **chosen)!r}")
        return
    _keep(folder, show, sound, allow or ())


def _keep(folder: Path, show: int | None, sound: bool | None, allow: list[str]) -> None:
    from dataclasses import replace

    from rich.filesize import decimal

    from protoviz.experiments.keeping import bytes_to_keep, keep_study
    from protoviz.experiments.opening import grid_of

    cells = grid_of(folder, allow)
    told = {"show": show, "sound": sound}
    config = replace(cells.grid.keep, **{name: one for name, one in told.items() if one is not None})
    typer.echo(f"about {decimal(bytes_to_keep(cells, config))}")
    made = keep_study(cells, config, typer.echo)
    typer.echo(
        f"{made!r}\nOpen it with protoviz.open_study({str(folder)!r}), check it with "
        f"{command('study', 'check', folder)}"
    )


@study.command(epilog="Example: `protoviz study check runs/minis`")
def check(folder: Folder) -> None:
    """Say what a study holds and whether its parts fit together. Exit code 1 if one does not."""
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
