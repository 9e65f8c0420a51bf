"""What is taken away of a study: figures and their tables, events and cells, sounds."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import can_write, names_in, say
from protoviz.cli.study import Folder, study


@study.command(epilog="Example: `protoviz study figure runs/mine spectrogram clip.svg label=bell`")
def figure(
    folder: Folder,
    name: Annotated[str | None, typer.Argument(help="The figure; without one all are listed.")] = None,
    target: Annotated[
        Path | None, typer.Argument(help="The file: .html, .png or .svg, or .csv for its table.")
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Argument(help="KEY=VALUE, such as encoder=eat, dark=true, methods=mhca,abmilp."),
    ] = None,
    width: Annotated[int, typer.Option(min=100, help="Pixels.")] = 900,
) -> None:
    """Write a figure of a study, or the table behind it, to a file. PNG and SVG need Chromium or Chrome."""
    from protoviz.figures.of_study import FIGURES, options_of
    from protoviz.figures.of_study import figure as figure_of
    from protoviz.study import open_study

    opened = open_study(folder)
    if name is None or target is None:
        for one in FIGURES:
            say(f"{one:<20} {' '.join(options_of(one))}")
        return
    made = figure_of(opened, name, **dict(map(_option, options or ())))
    say(str(made.save(can_write(target.parent, "TARGET") / target.name, width)))


Clip = Annotated[str | None, typer.Option(help="Its id in the study's table; the first if absent.")]
Data = Annotated[str | None, typer.Option(help="The data set; the first with clips if absent.")]
ByEncoder = Annotated[str | None, typer.Option(help="The encoder of the cells; the first if absent.")]
Method = Annotated[str | None, typer.Option(help="The probe of the cells; protobin if absent.")]


@study.command(epilog="Example: `protoviz study events runs/mine bell.Table.1.selections.txt --label bell`")
def events(
    folder: Folder,
    target: Annotated[
        Path,
        typer.Argument(help="NAME.Table.1.selections.txt for Raven, NAME.txt for Audacity, or NAME.csv."),
    ],
    clip: Clip = None,
    label: Annotated[
        str | None, typer.Option(help="The cells that argue most for this class, not the true events.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many cells.")] = 5,
    method: Method = None,
    encoder: ByEncoder = None,
    data: Data = None,
) -> None:
    """Write the true events of a clip, or the cells of a class, as a table for Raven, Audacity or a sheet."""
    from protoviz.datasets.folder import form_of, write_events
    from protoviz.figures.taken import clip_cells, clip_events
    from protoviz.study import open_study

    form, opened = form_of(target), open_study(folder)
    if label is None:
        rows = clip_events(opened, clip, data)
    else:
        rows = clip_cells(opened, clip, label, method, encoder, data, count)
    path = write_events(rows, can_write(target.parent, "TARGET") / target.name, form)
    say(f"{path}: {len(rows)} {'events' if label is None else 'cells'}")


@study.command(epilog="Example: `protoviz study sound demo bell.wav --clip test-16000007 --event 0`")
def sound(
    folder: Folder,
    target: Annotated[Path, typer.Argument(help="The WAV file to write.")],
    clip: Clip = None,
    event: Annotated[
        int | None, typer.Option(min=0, help="One event of the clip alone; its number, from 0.")
    ] = None,
    prototype: Annotated[
        int | None, typer.Option(min=0, help="The cell of a prototype alone, in its band.")
    ] = None,
    band: Annotated[
        bool | None, typer.Option("--band/--all", help="Only the band of frequencies, or all in that time.")
    ] = None,
    method: Method = None,
    encoder: ByEncoder = None,
    data: Data = None,
) -> None:
    """Write the sound of a clip, of one of its events or of a prototype's cell as a WAV file."""
    from protoviz.audio import write_wav_bytes
    from protoviz.figures.taken import clip_sound
    from protoviz.files import write_bytes
    from protoviz.study import open_study

    wave, rate = clip_sound(open_study(folder), clip, event, prototype, band, method, encoder, data)
    path = can_write(target.parent, "TARGET") / target.name
    write_bytes(path, write_wav_bytes(wave, rate))
    say(f"{path}: {len(wave) / rate:.2f} s at {rate} Hz")


def _option(text: str) -> tuple[str, object]:
    """KEY=VALUE as a name and a number, a truth, a list or a text."""
    key, given, value = text.partition("=")
    if not given:
        raise ValueError(f"{text!r} is no option of a figure: write KEY=VALUE, such as encoder=eat")
    if value in ("true", "false"):
        return key, value == "true"
    if value.lstrip("-").isdecimal():
        return key, int(value)
    return key, names_in(value) if key == "methods" else value
