"""The command of the polyphony experiment."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, names_in, results_folder, say_set_aside, weights_for


@app.command("dial", hidden=True, epilog="Example: `protoviz dial`, today `protoviz polyphony`")
@app.command(
    epilog="Example: `protoviz polyphony --encoders mini-mae,mini-random --recordings ESC-50-master`"
)
def polyphony(
    encoders: Annotated[
        str,
        typer.Option(
            help="Names in protoviz.ENCODERS, hf:owner/name or module:Name, commas between; every mini that "
            "is there. With --strong one; mini-mae."
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
    labels: Annotated[str, typer.Option(help="Of the recordings only these, commas between.")] = "",
    group: Annotated[
        str | None,
        typer.Option(help="Of folders of labels: pattern in file names that pieces of a recording share."),
    ] = None,
    strong: Annotated[
        Path | None,
        typer.Option(
            help="Recordings with event tables: look whether prototypes find the events; only that."
        ),
    ] = None,
    birds: Annotated[
        list[Path] | None, typer.Option(help="For --strong: bird recordings to learn from; repeatable.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the results go; data/demo/results of a checkout with all minis and recordings, or "
            "with --strong; else WORK/results."
        ),
    ] = None,
    work: Annotated[Path, typer.Option(help="Token maps and finished runs, kept between runs.")] = Path(
        "runs/polyphony"
    ),
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes, each with one encoder and kind of scenes; one a core."),
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="Few scenes, two epochs: a rehearsal.")] = False,
) -> None:
    """Measure probes at 1 to 8 events a scene, and where they look.

    A mini and a kind of scenes take about seven minutes on a core. With --strong: train one encoder's probes
    on scenes with birds, and look where they point in recordings that people labelled.
    """
    from protoviz.experiments import polyphony as room
    from protoviz.paths import DATA
    from protoviz.processes import cores
    from protoviz.report.polyphony import folder_tables, strong_table

    given = {"--recordings": recordings, "--labels": labels, "--group": group, "--workers": workers}
    _refuse_unused(strong, birds, {option for option, value in given.items() if value})
    shipped = DATA / "demo" / "results"
    if strong is not None:
        sizes = room.StrongConfig.small() if small else room.StrongConfig()
        asked = names_in(encoders) or [sizes.encoder]
        if len(asked) > 1:
            raise ValueError(f"--strong takes one encoder, not {', '.join(asked)}: run it for each")
        full = not (small or weights or methods) and asked == [sizes.encoder]
        sizes, weights = replace(sizes, encoder=asked[0]), weights_for(weights, asked)
        sizes = replace(sizes, methods=tuple(names_in(methods)) or sizes.methods)
        target = results_folder(folder, work, shipped, full)
        room.build_strong(target, work / "strong", strong, birds, sizes, weights)
        say_set_aside(work)
        typer.echo(f"{strong_table(target)}\n\nresults: {target}")
        return
    config = room.PolyphonyConfig.small() if small else room.PolyphonyConfig()
    config = replace(config, methods=tuple(names_in(methods)) or config.methods)
    names = names_in(encoders) or room.mini_encoders()
    weights = weights_for(weights, names)
    groups = len(names) * (1 if recordings is None else 2)
    workers = min(workers or cores(), groups)
    minutes = room.predicted_minutes(config, groups, workers)
    typer.echo(f"{', '.join(names)}: about {minutes:.0f} minutes with minis on idle cores", err=True)
    part = small or labels or group or weights or methods or recordings is None
    full = not part and set(names) == _every_mini()
    target = results_folder(folder, work, shipped, full)
    room.build_polyphony(target, work, config, names, recordings, names_in(labels), workers, weights, group)
    say_set_aside(work)
    typer.echo(f"{folder_tables(target)}\n\nresults: {target}")


def _refuse_unused(strong: Path | None, birds: list[Path] | None, given: set[str]) -> None:
    """Nothing; raises ValueError for options that would change nothing, or that lack another one."""
    if strong is None and birds:
        raise ValueError("--birds is for --strong alone: add --strong FOLDER, or leave --birds out")
    lost = given & {"--labels", "--group"} if "--recordings" not in given else set()
    if strong is None and lost:
        options = " and ".join(sorted(lost))
        raise ValueError(f"{options} speak of --recordings: add --recordings FOLDER, or leave {options} out")
    if strong is not None and given:
        raise ValueError(
            f"--strong does not use {', '.join(sorted(given))}: run without, or leave --strong out"
        )
    if strong is not None and not birds:
        raise ValueError("--strong needs --birds: recordings to learn the sound of birds from")


def _every_mini() -> set[str]:
    """What the shipped polyphony experiment compares, whether or not the weights of all are here."""
    from protoviz.encoders import ENCODERS

    return {name for name in ENCODERS if name.startswith("mini-")}
