"""Make a study of a finished grid: some of its test clips with their maps, its probes, and what they say."""

import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from protoviz import kept
from protoviz.cache import TokenBatch, TokenCache
from protoviz.datasets import ClipSet
from protoviz.experiments.adding import add_mean_scores, write_part
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.facts import clip_table, dataset_facts, encoder_facts
from protoviz.experiments.grid import KeepConfig
from protoviz.experiments.materials import Pair
from protoviz.experiments.work import versions
from protoviz.experiments.writing import readme
from protoviz.experiments.written import write_settings
from protoviz.files import digest_of, write_bytes, write_text
from protoviz.probes import Method, load_probe, save_probe
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
from protoviz.training import TokenSource

SHOWN = "shown"  # the table of what each probe says of each shown clip
OWN = ("scenes",)  # data sets whose sound this project makes, so that it may travel


def keep_study(cells: Cells, config: KeepConfig | None = None, say=lambda text: None) -> Study:
    """Write a study into the folder of a finished grid, and return it.

    Finished cells stay as they are; a part that is there already is written again, to the same bytes. Clips
    are chosen by a rule: in an order drawn from the seed, first those with a class that no clip before them
    has, then the others. config: the grid's if absent, else study.toml is told. say: receives lines of
    progress. Raises GridError where nothing is finished.
    """
    config, folder, facts = config or cells.grid.keep, cells.folder, _facts(cells)
    for dataset in facts.datasets:
        chosen = None
        for encoder in facts.encoders:
            task = Task("encode", dataset, encoder)
            if not cells.done(task):
                continue
            pair = cells.of(task)
            view = cells.split(task, "test")
            if chosen is None:
                chosen = _chosen(view.table, config)
                # Nothing of an earlier call stays: its sound may have been kept under other settings.
                shutil.rmtree(clips_folder(folder, dataset), ignore_errors=True)
                _keep_table(clips_folder(folder, dataset), pair, _rows_of(pair.clips, chosen), config)
            say(f"{dataset}: {len(chosen)} clips as {encoder} sees them")
            _keep_arrays(clips_folder(folder, dataset, encoder), pair, chosen, config)
            for method in _keep_probes(cells, dataset, encoder, cells.split(task, "train")):
                cell = dataset, encoder, method.title
                write_part(folder, SHOWN, _spoken(folder, cell, pair.cache(folder), method, chosen), *cell)
    write_settings(folder, replace(cells.grid, keep=config))
    digests = {
        path.relative_to(folder).as_posix(): digest_of(path)
        for path in sorted((folder / "clips").rglob("*"))
        if path.is_file() and path.suffix in (".npy", ".flac")
    }
    return _described(folder, replace(facts, digests=digests, settings=digest_of(folder / SETTINGS)))


def describe_grid(cells: Cells) -> Study:
    """Make a study of a grid's folder as it is: its tables and what was run, no clip more than it keeps."""
    facts = _facts(cells)
    if (cells.folder / FACTS).is_file():  # clips that were kept stay as they are
        known = read_facts(cells.folder)
        facts = replace(facts, digests=known.digests, settings=known.settings)
    return _described(cells.folder, facts)


def _described(folder: Path, facts: Facts) -> Study:
    write_facts(folder, facts)
    study = open_study(folder)
    write_text(folder / README, readme(study))
    return study


def bytes_to_keep(cells: Cells, config: KeepConfig) -> int:
    """Return how many bytes of maps, attention and pictures a study would keep, about."""
    total = 0
    for task in cells.tasks():
        if task.kind == "encode" and not cells.fault(task):
            facts, pair = cells.of(task).facts, cells.of(task)
            tokens = facts.grid[0] * facts.grid[1]
            shape = pair.encoder.shape()
            maps = shape.get("depth", 0) * shape.get("heads", 0)  # of attention; an own class may not say
            maps *= config.attention
            width = 2 if cells.grid.dtype != "float32" else 4
            clips = min(config.show, pair.clip_facts.splits.get("test", 0))
            total += clips * (tokens * facts.dim * width + tokens * maps * 2 + 128 * 1024)
    return total


def _facts(cells: Cells) -> Facts:
    grid, encoders, datasets = cells.grid, {}, {}
    for task in cells.tasks():
        if task.kind != "encode" or cells.fault(task):
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


def _rows_of(clips: ClipSet | TokenCache, chosen: list[str]) -> list[int]:
    at = {clip: row for row, clip in enumerate(clips.table["clip"])}
    return [at[clip] for clip in chosen]


def _chosen(table: pd.DataFrame, config: KeepConfig) -> list[str]:
    order = np.random.default_rng(config.seed).permutation(len(table))
    seen: set[str] = set()
    first, rest = [], []
    for row in order:
        labels = set(table["labels"].iloc[row])
        (first if labels - seen else rest).append(table["clip"].iloc[row])
        seen |= labels
    return (first + rest)[: config.show]


def _keep_table(place: Path, pair: Pair, rows: list[int], config: KeepConfig) -> None:
    clips, rate = pair.clips, pair.facts.sample_rate  # clips come at the encoder's rate
    travels = config.sound or pair.source in OWN
    lengths = []
    for number, row in enumerate(rows):
        waveform = clips.read(row)
        lengths.append(len(waveform) / rate)
        if travels:
            write_bytes(place / "sound" / f"{number}.flac", _flac(waveform, rate))
    kept.write_frame(place / CLIPS, clip_table(clips, rows, lengths, travels))


def _flac(waveform: np.ndarray, rate: int) -> bytes:
    """Return a FLAC file of 24 bits: exact for 16-bit recordings and for this project's scenes."""
    data = io.BytesIO()
    soundfile.write(data, np.clip(waveform, -1, 1), rate, format="FLAC", subtype="PCM_24")
    return data.getvalue()


def _keep_arrays(place: Path, pair: Pair, chosen: list[str], config: KeepConfig) -> None:
    cache: TokenCache = pair.cache(place.parents[2])
    batch, rows = cache.read(_rows_of(cache, chosen)), _rows_of(pair.clips, chosen)
    arrays = {"tokens": batch.tokens.numpy(), "cls": batch.cls.numpy(), "mask": batch.mask.numpy()}
    cells = arrays["mask"].shape[1]
    arrays |= stacked(seen(pair.encoder, pair.clips.read(row), cells) for row in rows)
    for name, array in arrays.items():
        if config.attention or name not in ("attention", "cls_to_cls"):
            write_array(place / f"{name}.npy", array)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array of a study's clips, at once."""
    data = io.BytesIO()
    np.save(data, np.ascontiguousarray(array), allow_pickle=False)
    write_bytes(path, data.getvalue())


def _keep_probes(cells: Cells, dataset: str, encoder: str, train: TokenSource) -> list[Method]:
    """Copy the first seed's probe of every finished cell; return the methods that are there."""
    there = []
    for method in cells.grid.probes:
        task = Task("train", dataset, encoder, method.title)
        if not cells.done(task):
            continue
        source = cells.seed_file(task, cells.grid.seeds[0]).with_suffix(".safetensors")
        target = probe_file(cells.folder, dataset, encoder, method.title)
        save_probe(load_probe(source, allow=[method.found]), target)
        add_mean_scores([target], train, [method.found])
        there.append(method)
    return there


def _spoken(
    folder: Path, cell: tuple[str, str, str], cache: TokenCache, method: Method, chosen: list[str]
) -> pd.DataFrame:
    """Return what a probe says of the shown clips: logits (c), and scores and locations (j) of prototypes."""
    probe = load_probe(probe_file(folder, *cell), allow=[method.found])
    rows = []
    for clip, row in zip(chosen, _rows_of(cache, chosen), strict=True):
        rows.append({"clip": clip, **_explained(probe, cache.read(row, probe.layers))})
    return pd.DataFrame(rows)


def _explained(probe, batch: TokenBatch) -> dict[str, list | None]:
    """Return logits (c), scores (j) and locations (j) of one clip, as lists, or None."""
    found = probe.explain(batch.tokens.float(), batch.cls, batch.mask, maps=False).numpy()
    parts = {"logits": found.logits, "scores": found.scores, "locations": found.locations}
    return {name: None if part is None else part[0].tolist() for name, part in parts.items()}
