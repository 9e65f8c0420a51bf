"""Commands about data sets: list, check a copy, fetch one from the hub, write its token maps."""

from pathlib import Path
from typing import Annotated

import typer

from protoviz.cli.base import app, can_write, names_in, numbered, say, weights_for
from protoviz.cli.options import Device, Root, Weights

SHOWN = 10  # skipped clips on the screen; all of them with --skipped FILE
Skipped = Annotated[Path | None, typer.Option(help="Write all skipped clips to this CSV file.")]

data = typer.Typer(
    rich_markup_mode="markdown",
    help="List the data sets and what is here of them; check or fetch one.",
    epilog="Example: `protoviz data check esc50 --root ~/ESC-50`",
    invoke_without_command=True,
)
app.add_typer(data, name="data")


@data.callback()
def listed(
    context: typer.Context,
    root: Annotated[
        Path | None, typer.Option(help="The folder that holds the data sets; PROTOVIZ_DATASETS if absent.")
    ] = None,
) -> None:
    """List the data sets and what is here of them (no command), or check or fetch one."""
    if context.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Table

    from protoviz.datasets.catalogue import rows

    columns = ("name", "title", "classes", "metric", "size", "licence", "here")
    table = Table(*columns)
    for row in rows(root):
        table.add_row(*(str(row[column] or "-") for column in columns))
    Console().print(table)
    say("here: below --root, else below the folder in PROTOVIZ_DATASETS, by its name")


@data.command(epilog="Example: `protoviz data check fsd50k --root ~/FSD50K --skipped skipped.csv`")
def check(
    name: Annotated[str, typer.Argument(help="Name in protoviz.DATASETS.")],
    root: Root = None,
    read: Annotated[bool, typer.Option("--read", help="Decode every clip too: minutes to hours.")] = False,
    skipped: Skipped = None,
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", help="Data set folder: a table to read (repeatable); all if absent."),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Pattern in file names that clips of one source have in common.")
    ] = None,
) -> None:
    """Verify a copy: clips and labels by split, and what is missing, unreadable, too short or in two splits.

    Exit code 1 if the layout is not as published.
    """
    import pandas as pd

    from protoviz.datasets import find_spec
    from protoviz.datasets.telling import tell

    if skipped:
        can_write(skipped.parent, "--skipped")
    options = {"group": group, "tables": tables}
    spec = find_spec(name)
    clips = spec.open(root, **{key: value for key, value in options.items() if value})
    damaged = clips.damaged() if read else None
    for line in tell(spec, clips, damaged):
        say(line)
    _write_skipped(pd.concat([clips.skipped, damaged], ignore_index=True), skipped)


@data.command(epilog="Example: `protoviz data fetch hsn --root ~/data`")
def fetch(
    name: Annotated[str, typer.Argument(help="Name in protoviz.DATASETS, of one that is on the hub.")],
    root: Annotated[Path, typer.Option(help="Folder of all data sets; it goes into ROOT/NAME.")],
) -> None:
    """Fetch a data set from the Hugging Face Hub, as files: nobody's loading script is run."""
    from protoviz.datasets import find_spec
    from protoviz.datasets.hub import fetch as run

    say(f"{name} is in {run(find_spec(name), root / name)}")


@app.command(epilog="Example: `protoviz encode scenes mini-mae --train 500 --validation 100 --test 300`")
def encode(
    dataset: Annotated[
        str,
        typer.Argument(help="Name in protoviz.DATASETS (scenes, folder, esc50), or module:function."),
    ],
    encoder: Annotated[str, typer.Argument(help="Name in protoviz.ENCODERS, hf:owner/name, or module:Name.")],
    folder: Annotated[
        Path | None, typer.Argument(help="Where the token maps go; runs/tokens/DATASET-ENCODER if absent.")
    ] = None,
    root: Root = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="Length of a clip, and of a published encoder's grid; the data set's if absent."),
    ] = None,
    weights: Weights = None,
    train: Annotated[int, typer.Option(help="Data set scenes: how many to train on.")] = 2500,
    validation: Annotated[int, typer.Option(help="Data set scenes: how many to choose on.")] = 500,
    test: Annotated[int, typer.Option(help="Data set scenes: how many to report on.")] = 1500,
    seed: Annotated[int, typer.Option(help="Seed of the scenes, of shares of a split, of few shots.")] = 0,
    device: Device = "auto",
    precision: Annotated[
        str,
        typer.Option(help="float32 as documented; bfloat16 is faster where the device has it, less exact."),
    ] = "float32",
    layers: Annotated[
        str | None,
        typer.Option(
            help="Layers to keep, as 4,7,10,12 or all; 0 is what enters the first block. The last if absent."
        ),
    ] = None,
    views: Annotated[int, typer.Option(min=1, help="Views to keep of each training clip, with itself.")] = 1,
    varied: Annotated[
        str, typer.Option(help="How further views differ: mixture, shift, noise, gain; commas between.")
    ] = "shift,noise,gain",
    skipped: Skipped = None,
    most_skipped: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Exit code 1 if a larger share of the clips is skipped. Copies of data sets from the web "
            "lack up to a third; where more than half is gone, a folder, a rate or a length is wrong.",
        ),
    ] = 0.5,
) -> None:
    """Write the token map of every clip of a data set to disk. The same command continues after a stop.

    Exit code 1 if nothing could be encoded, or more than the share --most-skipped is skipped.
    """
    from protoviz.cache import TokenCache
    from protoviz.datasets import find_spec
    from protoviz.datasets.views import Views, with_views
    from protoviz.encoders import ENCODERS, load_encoder
    from protoviz.encoders.devices import device_named
    from protoviz.experiments.materials import fitting
    from protoviz.files import slug
    from protoviz.named import is_place
    from protoviz.settings import checked

    place = device_named(device)
    if dataset in ENCODERS:
        example = f"protoviz encode scenes {dataset}"
        raise ValueError(f"{dataset} is an encoder; the data set comes first: {example}")
    spec = find_spec(dataset)
    fits = fitting(encoder, spec.seconds if seconds is None else seconds, spec.sample_rate)
    loaded = load_encoder(encoder, weights_for(weights, [encoder]), **fits)
    options = {"train": train, "validation": validation, "test": test}
    if dataset != "scenes":
        options = {"sample_rate": loaded.sample_rate, **({} if seconds is None else {"seconds": seconds})}
        if is_place(dataset):  # a function of one's own takes what it names
            options = {key: value for key, value in options.items() if key in spec.options}
    elif seconds is not None:
        raise ValueError("scenes last 10.24 s: --seconds is for recordings")
    options |= {"seed": seed} if spec.seeded else {}
    clips = spec.open(root, **options)
    target = folder or Path("runs") / "tokens" / slug(f"{dataset}-{encoder}")
    can_write(target, "FOLDER")
    if skipped:
        can_write(skipped.parent, "--skipped")
    if root:
        options["root"] = str(root.expanduser().resolve())
    recipe = {
        "encoder": {
            "use": encoder,
            "weights": weights and str(weights.expanduser().resolve()),
            "options": fits,
        },
        "dataset": {"use": dataset, "options": options},
    }
    if views > 1:
        recipe["views"] = {"count": views, **{step: {} for step in names_in(varied)}}
        clips = with_views(clips, checked(recipe["views"], Views, "--varied"))
    layout = {"precision": precision, "layers": numbered(layers)}
    cache = TokenCache.create(target, loaded.to(place), clips, recipe=recipe, **layout)
    say(f"{len(cache)} token maps in {target}")
    _tell_skipped(cache.skipped, skipped)
    lost, every = len(cache.skipped), len(cache.skipped) + len(cache)
    if lost > most_skipped * every:
        raise ValueError(
            f"{lost:,} of {every:,} clips are skipped, more than --most-skipped {most_skipped}: "
            "mend them, or allow a larger share if that many are expected"
        )


def _tell_skipped(skips, file: Path | None) -> None:
    """How many clips of each kind, the first ones with their reasons, and all of them in a file if asked."""
    kinds = "".join(f", {count:,} {kind}" for kind, count in skips["kind"].value_counts().items())
    say(f"{len(skips):,} clips skipped{kinds}")
    for row in skips.head(SHOWN).itertuples():
        say(f"  {row.kind}: {row.clip}: {row.reason}")
    if len(skips) > SHOWN:
        say(f"  and {len(skips) - SHOWN:,} more; --skipped FILE or TokenCache.skipped lists all of them")
    _write_skipped(skips, file)


def _write_skipped(skips, file: Path | None) -> None:
    if file:
        from protoviz.files import write_text

        write_text(file, skips.to_csv(index=False))
        say(f"{len(skips):,} skipped clips in {file}")
