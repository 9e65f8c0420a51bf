"""Make a study of a finished grid: some of its test clips with their maps, its probes, and what they say."""

import io
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from protoviz import kept
from protoviz.cache import TokenBatch, TokenCache
from protoviz.experiments.adding import write_part
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.facts import clip_table, dataset_facts, encoder_facts, readme
from protoviz.experiments.grid import KeepConfig
from protoviz.experiments.materials import Pair
from protoviz.experiments.projections import rows_of
from protoviz.experiments.spent import versions
from protoviz.experiments.written import write_settings
from protoviz.files import digest_of, write_bytes, write_text
from protoviz.probes import Method, load_probe, save_probe
from protoviz.probes.prototype import PrototypeProbe
from protoviz.study import Study, open_study
from protoviz.study.form import (
    CLIPS,
    FACTS,
    FORM,
    README,
    SETTINGS,
    Facts,
    clips_folder,
    probe_file,
    read_facts,
    write_facts,
)
from protoviz.study.making import seen, stacked
from protoviz.training import score_batches

SHOWN = "shown"  # the table of what each probe says of each shown clip
OWN = ("scenes",)  # data sets whose sound this project makes, so that it may travel


def keep_study(cells: Cells, config: KeepConfig | None = None, say=lambda text: None) -> Study:
    """Write a study into the folder of a finished grid, and return it.

    Finished cells stay as they are; a part that is there already is written again, to the same bytes. Clips
    are chosen by a rule: in an order drawn from the seed, first those with a class that no clip before them
    has, then the others. config: the grid's if absent, else study.toml is told. say: receives lines of
    progress. Raises GridError where nothing is finished.
    """
    config, folder, facts = config or cells.grid.keep, cells.folder, facts_of(cells, cells.tasks("encode"))
    shown: dict[str, list[str]] = {}
    for task in filter(cells.done, cells.tasks("encode")):
        pair, names = cells.of(task), (task.dataset, task.encoder)
        if task.dataset not in shown:
            shown[task.dataset] = _chosen(cells.split(task, "test").table, config)
            # Nothing of an earlier call stays: its sound may have been kept under other settings.
            shutil.rmtree(clips_folder(folder, task.dataset), ignore_errors=True)
            rows = rows_of(pair.clips, shown[task.dataset])
            keep_clips(folder, pair, rows, config.sound or pair.source in OWN)
        chosen = shown[task.dataset]
        say(f"{task.dataset}: {len(chosen)} clips as {task.encoder} sees them")
        _keep_arrays(clips_folder(folder, *names), pair, chosen, config)
        for method in keep_probes(cells, task, folder):
            cell = *names, method.title
            write_part(folder, SHOWN, _spoken(folder, cell, pair.cache(folder), method, chosen), *cell)
    write_settings(folder, replace(cells.grid, keep=config))
    digests = {
        path.relative_to(folder).as_posix(): digest_of(path)
        for path in sorted((folder / "clips").rglob("*"))
        if path.is_file() and path.suffix in (".npy", ".flac")
    }
    return described(folder, replace(facts, digests=digests, settings=digest_of(folder / SETTINGS)))


def describe_grid(cells: Cells) -> Study:
    """Make a study of a grid's folder as it is: its tables and what was run, no clip more than it keeps."""
    facts = facts_of(cells, cells.tasks("encode"))
    if (cells.folder / FACTS).is_file():  # clips that were kept stay as they are
        known = read_facts(cells.folder)
        facts = replace(facts, digests=known.digests, settings=known.settings)
    return described(cells.folder, facts)


def described(folder: Path, facts: Facts) -> Study:
    """Write what a study says of itself, and return it."""
    write_facts(folder, facts)
    study = open_study(folder)
    write_text(folder / README, readme(study))
    return study


def bytes_to_keep(cells: Cells, config: KeepConfig) -> int:
    """Return how many bytes of maps, attention and pictures a study would keep, about."""
    total = 0
    for task in cells.tasks("encode"):
        if not cells.fault(task):
            facts, pair = cells.of(task).facts, cells.of(task)
            tokens = facts.grid[0] * facts.grid[1]
            shape = pair.encoder.shape()
            maps = shape.get("depth", 0) * shape.get("heads", 0)  # of attention; an own class may not say
            maps *= config.attention
            width = 2 if cells.grid.dtype != "float32" else 4
            clips = min(config.show, pair.clip_facts.splits.get("test", 0))
            total += clips * (tokens * facts.dim * width + tokens * maps * 2 + 128 * 1024)
    return total


def facts_of(cells: Cells, encodes: Iterable[Task]) -> Facts:
    """Return the facts of a grid: the data sets and encoders of some of its encode tasks, and all methods."""
    grid, encoders, datasets = cells.grid, {}, {}
    for task in encodes:
        if cells.fault(task):
            continue
        pair = cells.of(task)
        encoder, clips = pair.encoder, pair.clips
        weights = pair.cache(cells.folder).made_by["weights"] if cells.done(task) else ""
        encoders[task.encoder] = encoder_facts(pair.encoder_entry.use, encoder, weights)
        if task.dataset not in datasets:
            digest = pair.clip_facts.fingerprint
            datasets[task.dataset] = dataset_facts(pair.source, clips, encoder.sample_rate, digest)
    methods = {method.title: method.probe for method in grid.probes}
    made = {name: str(value) for name, value in versions().items()}
    return Facts(FORM, grid.name, "protoviz benchmark", encoders, datasets, methods, made)


def _chosen(table: pd.DataFrame, config: KeepConfig) -> list[str]:
    order = np.random.default_rng(config.seed).permutation(len(table))
    seen: set[str] = set()
    first, rest = [], []
    for row in order:
        labels = set(table["labels"].iloc[row])
        (first if labels - seen else rest).append(table["clip"].iloc[row])
        seen |= labels
    return (first + rest)[: config.show]


def keep_clips(folder: Path, pair: Pair, rows: list[int], sound: bool) -> None:
    """Write what a study says of some clips, rows of the pair's, and perhaps their sound."""
    place, clips = clips_folder(folder, pair.dataset.name), pair.clips
    lengths, rate = [], pair.facts.sample_rate  # clips come at the encoder's rate
    for number, row in enumerate(rows):
        waveform = clips.read(row)
        lengths.append(len(waveform) / rate)
        if sound:
            write_bytes(place / "sound" / f"{number}.flac", _flac(waveform, rate))
    kept.write_frame(place / CLIPS, clip_table(clips, rows, lengths, sound))


def _flac(waveform: np.ndarray, rate: int) -> bytes:
    """Return a FLAC file of 24 bits: exact for 16-bit recordings and for this project's scenes."""
    data = io.BytesIO()
    soundfile.write(data, np.clip(waveform, -1, 1), rate, format="FLAC", subtype="PCM_24")
    return data.getvalue()


def _keep_arrays(place: Path, pair: Pair, chosen: list[str], config: KeepConfig) -> None:
    cache: TokenCache = pair.cache(place.parents[2])
    batch = cache.read(rows_of(cache, chosen))
    arrays = {"tokens": batch.tokens.numpy(), "cls": batch.cls.numpy(), "mask": batch.mask.numpy()}
    arrays |= seen_by(pair, chosen, arrays["mask"].shape[1])
    for name, array in arrays.items():
        if config.attention or name not in ("attention", "cls_to_cls"):
            write_array(place / f"{name}.npy", array)


def seen_by(pair: Pair, clips: Sequence[str], cells: int) -> dict[str, np.ndarray]:
    """Return `seen` of some clips, by their ids, for the arrays that all of them have."""
    waves = (pair.clips.read(row) for row in rows_of(pair.clips, clips))
    return stacked(seen(pair.encoder, wave, cells) for wave in waves)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array of a study's clips, at once."""
    data = io.BytesIO()
    np.save(data, np.ascontiguousarray(array), allow_pickle=False)
    write_bytes(path, data.getvalue())


def keep_probes(cells: Cells, encode: Task, folder: Path) -> list[Method]:
    """Write the first seed's probe of every finished cell into a study; return the methods that are there.

    Prototype probes carry their mean scores over the training clips: what a prototype scores when nothing is
    known of a clip, which the explorer puts in the place of a muted score.
    """
    there, names, train = [], (encode.dataset, encode.encoder), cells.split(encode, "train")
    for method in cells.grid.probes:
        if not cells.done(run := Task("train", *names, method.title)):
            continue
        probe, means = load_probe(cells.probe_file(run, cells.grid.seeds[0]), allow=[method.found]), {}
        if isinstance(probe, PrototypeProbe):
            mean = sum(told[0][0].sum(0, dtype=float) for told in score_batches([probe], train)) / len(train)
            # Six digits: a score is a cosine, and weights stay far below a thousand.
            means["mean_scores"] = [round(value, 6) for value in mean.tolist()]
        save_probe(probe, probe_file(folder, *names, method.title), **means)
        there.append(method)
    return there


def _spoken(
    folder: Path, cell: tuple[str, str, str], cache: TokenCache, method: Method, chosen: list[str]
) -> pd.DataFrame:
    """Return what a probe says of the shown clips: logits (c), and scores and locations (j) of prototypes."""
    probe = load_probe(probe_file(folder, *cell), allow=[method.found])
    rows = []
    for clip, row in zip(chosen, rows_of(cache, chosen), strict=True):
        rows.append({"clip": clip, **_explained(probe, cache.read(row, probe.layers))})
    return pd.DataFrame(rows)


def _explained(probe, batch: TokenBatch) -> dict[str, list | None]:
    """Return logits (c), scores (j) and locations (j) of one clip, as lists, or None."""
    found = probe.explain(batch.tokens.float(), batch.cls, batch.mask, maps=False).numpy()
    parts = {"logits": found.logits, "scores": found.scores, "locations": found.locations}
    return {name: None if part is None else part[0].tolist() for name, part in parts.items()}
