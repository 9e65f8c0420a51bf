"""Commands about token maps on disk: check a cache, repair it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from protoviz.cli.base import SAID, app, can_write, numbered
from protoviz.files import command

SHOWN = 10  # lines of a kind
Folder = Annotated[Path, typer.Argument(help="The cache's folder, as `protoviz encode` was given it.")]

cache = typer.Typer(
    rich_markup_mode="markdown",
    no_args_is_help=True,
    help="Check a folder of token maps, or repair it.",
    epilog="Example: `protoviz cache check runs/tokens/scenes-mini-mae`",
)
app.add_typer(cache, name="cache")


@cache.command(epilog="Example: `protoviz cache check runs/tokens/scenes-mini-mae`")
def check(folder: Folder) -> None:
    """Say what a cache holds and which of its files are damaged; reads all of it, changes nothing.

    Exit code 1 if a file is damaged or gone.
    """
    from protoviz.cache import check_cache

    report = check_cache(folder)
    _show(report)
    if report.damaged:
        typer.echo(f"{command('cache', 'repair', folder)} mends what can be mended")
        raise typer.Exit(1)


@cache.command(epilog="Example: `protoviz cache repair runs/tokens/scenes-mini-mae`")
def repair(folder: Folder) -> None:
    """Mend a cache: what is sound is kept, what is damaged is encoded again.

    It opens encoder and data set as `protoviz encode` or the grid did. If they are not here, it lists the
    lost clips and the call that encodes them. Exit code 1 if something is left to do.
    """
    from protoviz.cache import TokenCache, check_cache, repair_cache

    report = repair_cache(folder)
    if report.meta and not report.whole:
        typer.echo("\n".join(_few([*report.damaged.values(), *report.lost()])))
        try:
            encoder, clips = _made_from(report.meta)
            TokenCache.create(folder, encoder, clips, **report.meta["layout"])
            report = check_cache(folder)
        except SAID as error:
            typer.echo(f"not encoded again: {error}")
    _show(report)
    if not report.whole:
        typer.echo(f"to mend the rest, run in Python:\n{report.call()}")
        raise typer.Exit(1)


@cache.command(epilog="Example: `protoviz cache cut runs/tokens/scenes-mini-mae runs/tokens/last --layers 6`")
def cut(
    folder: Folder,
    target: Annotated[Path, typer.Argument(help="A new folder for the layers that are kept.")],
    layers: Annotated[str, typer.Option(help="Layers to keep, as 6 or 4,6.")],
) -> None:
    """Write a cache with fewer layers, without encoding again; the other one stays as it is."""
    from protoviz.cache import TokenCache, cut_cache

    can_write(target, "TARGET")
    kept = cut_cache(target, TokenCache.open(folder), numbered(layers))
    typer.echo(f"{target}: {len(kept):,} clips, layers {', '.join(map(str, kept.layers))}")


def _made_from(meta: dict) -> tuple:
    """The encoder and the clips, opened as meta.json says; ValueError where it does not say how."""
    from protoviz.datasets import DATASETS
    from protoviz.datasets.views import Views, with_views
    from protoviz.encoders import ENCODERS
    from protoviz.encoders.devices import device_named
    from protoviz.experiments.grid import DatasetEntry, EncoderEntry
    from protoviz.experiments.materials import open_clips, open_encoder
    from protoviz.settings import checked

    if (recipe := meta.get("recipe")) is None:
        raise ValueError("the cache was made in Python, by an encoder and clips that only the caller knows")
    checked(recipe, dict[str, dict[str, Any]], "its recipe")
    for part, known in (("encoder", ENCODERS), ("dataset", DATASETS)):
        named = str(recipe[part]["use"])
        if named not in known:  # module:Name of a folder from elsewhere runs no code
            raise ValueError(
                f"{named} is no {part} of protoviz: run the grid or `protoviz encode` that uses it"
            )
    encoder = open_encoder(EncoderEntry(**{"name": "", "weights": None, **recipe["encoder"]}))
    clips = open_clips(DatasetEntry(**{"name": "", **recipe["dataset"]}), encoder.sample_rate)
    views = checked(recipe.get("views", {}), Views, "its recipe.views")
    return encoder.to(device_named("auto")), with_views(clips, views)


def _show(report) -> None:
    if (meta := report.meta) is None:
        typer.echo("\n".join(report.damaged.values()))
        return
    made, clips = meta["encoder"]["name"], meta["clips"]
    count = len(report.sound) + len(report.missing) + sum("shards/" in name for name in report.damaged)
    state = "finished" if meta["complete"] else "unfinished"
    typer.echo(f"{report.folder}: {clips['count']:,} clips of {clips['name']} by {made}, {state}")
    typer.echo(f"{len(report.sound)} of {count} shards are as they were written")
    if report.missing:
        typer.echo(f"{len(report.missing)} shards are still to be encoded")
    if report.early:
        typer.echo("an earlier protoviz made it: its meta.json and the rows that are read are not checked")
    for line in _few([f"damaged: {fault}" for fault in report.damaged.values()]):
        typer.echo(line)
    for line in _few([f"no part of the cache: {name}" for name in report.foreign]):
        typer.echo(line)


def _few(lines: list[str]) -> list[str]:
    more = [f"and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more
