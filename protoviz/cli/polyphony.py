"""The command of the polyphony experiment."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, names_in, results_folder, weights_for
from protoviz.cli.results import made, shipped


@app.command("dial", hidden=True, epilog="Example: `protoviz dial --small`, today `protoviz polyphony`")
@app.command(
    epilog="Example: `protoviz polyphony --encoders mini-mae,mini-random --recordings ESC-50-master --small`"
)
def polyphony(
    encoders: Annotated[
        str,
        typer.Option(
            help="Names in protoviz.ENCODERS, hf:owner/name or module:Name, commas between; every mini "
            "with weights here if absent. With --strong only one; mini-mae if absent."
        ),
    ] = "",
    methods: Annotated[
        str,
        typer.Option(
            help="Only these, commas between: linear, protobin + BatchNorm, my_module:MyProbe. All if absent."
        ),
    ] = "",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="Weight file of the encoder, or a folder that holds those of all; found by name if absent."
        ),
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(help="Labelled recordings to mix as well: ESC-50, or one folder a label."),
    ] = None,
    labels: Annotated[str, typer.Option(help="Only these labels of the recordings, commas between.")] = "",
    group: Annotated[
        str | None,
        typer.Option(help="Folders of labels: pattern in file names that pieces of a recording share."),
    ] = None,
    strong: Annotated[
        Path | None,
        typer.Option(help="Recordings with event tables: only measure whether prototypes find the events."),
    ] = None,
    birds: Annotated[
        list[Path] | None, typer.Option(help="For --strong: bird recordings to learn from; repeatable.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the results go; data/demo/results of a checkout for a full run with recordings or "
            "--strong; else WORK/results."
        ),
    ] = None,
    work: Annotated[Path, typer.Option(help="Token maps and finished runs, kept between runs.")] = Path(
        "runs/polyphony"
    ),
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes, each for one encoder and kind of scenes; as many as cores."),
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="Few scenes, two epochs: a rehearsal.")] = False,
) -> None:
    """Measure probes at 1 to 8 events a scene, and where they look.

    A mini and a kind of scenes take about seven minutes on a core. With --strong: train one encoder's probes
    on scenes with birds, and look where they point in recordings that people labelled.
    """
    from protoviz.experiments.polyphony import recipe
    from protoviz.report.polyphony import folder_tables, strong_table

    given = {"--recordings": recordings, "--labels": labels, "--group": group, "--workers": workers}
    _refuse_unused(strong, birds, {option for option, value in given.items() if value})
    part = bool(small or weights or methods)
    changes = {"probes": names_in(methods)} if methods else {}
    if strong is not None:
        names = names_in(encoders) or [recipe.STRONG]
        if len(names) > 1:
            raise ValueError(f"--strong takes one encoder, not {', '.join(names)}: run it for each")
        changes |= {"scores": {"events": {"labelled": str(strong)}}, "encoders": _entries(names, weights)}
        changes |= {"datasets": {"birds": {"options": {"recordings": list(map(str, birds))}}}}
        target = results_folder(folder, work, shipped("strong"), not part and names == [recipe.STRONG])
        made("strong", target, work / "strong", small, **changes)
        typer.echo(f"{strong_table(target)}\n\nresults: {target}")
        return
    names = names_in(encoders) or recipe.mini_encoders()
    changes |= {"encoders": _entries(names, weights)}
    workers = workers or _processes(len(names) * (1 if recordings is None else 2))

    def mixed(grid):
        return recipe.with_recordings(grid, recordings, names_in(labels), group) if recordings else grid

    full = not (part or labels or group or recordings is None) and set(names) == _every_mini()
    target = results_folder(folder, work, shipped("polyphony"), full)
    made("polyphony", target, work, small, changed=mixed, workers=workers, **changes)
    typer.echo(f"{folder_tables(target)}\n\nresults: {target}")


def _entries(names: list[str], weights: Path | None) -> dict:
    """Encoders as a grid names them, with the weights of those that take any."""
    from protoviz.encoders import takes_weights

    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"--encoders names {twice[0]} twice: name it once")
    own = weights_for(weights, names)
    return {name: {"weights": str(own)} if own and takes_weights(name) else {} for name in names}


def _processes(groups: int) -> int:
    """As many as there are cores and pairs of an encoder and a kind of scenes; one where Dask is not here."""
    from importlib.util import find_spec

    from protoviz.processes import cores

    return min(cores(), groups) if find_spec("distributed") else 1


def _refuse_unused(strong: Path | None, birds: list[Path] | None, given: set[str]) -> None:
    """Raise ValueError for options that would change nothing, or that lack another one."""
    if strong is None and birds:
        raise ValueError("--birds is for --strong alone: add --strong FOLDER, or leave --birds out")
    lost = given & {"--labels", "--group"} if "--recordings" not in given else set()
    if strong is None and lost:
        options = " and ".join(sorted(lost))
        raise ValueError(f"{options} need --recordings: add --recordings FOLDER, or leave {options} out")
    if strong is not None and given:
        raise ValueError(
            f"--strong does not use {', '.join(sorted(given))}: run without, or leave --strong out"
        )
    if strong is not None and not birds:
        raise ValueError("--strong needs --birds FOLDER: recordings to learn the sound of birds from")


def _every_mini() -> set[str]:
    """What the shipped polyphony experiment compares, whether or not the weights of all are here."""
    from protoviz.encoders import ENCODERS

    return {name for name in ENCODERS if name.startswith("mini-")}
