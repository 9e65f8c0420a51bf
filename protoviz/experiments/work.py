"""One task of a grid, from files to files: any process may run it, and running it again changes nothing."""

import shutil
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.cache import CacheInUseError, DamagedCacheError, TokenCache
from protoviz.cache.lock import writer_lock
from protoviz.datasets import ClipSet
from protoviz.encoders.devices import device_named, torch_threads
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.grid import GridError
from protoviz.experiments.rates import SearchResult, find_rates
from protoviz.experiments.scoring import HeldOut
from protoviz.experiments.spent import Spent, scored, versions
from protoviz.experiments.tuning import tune
from protoviz.files import full_disk, naming_full_disk
from protoviz.kept import write_frame, write_json
from protoviz.probes import load_probe, save_probe, untrained
from protoviz.progress import Listener, Progress, silent
from protoviz.training import FitConfig, TrainingError, clip_logits, fit_many, predict_many


def run_task(cells: Cells, task: Task, progress: Listener = silent) -> None:
    """Write the files of the task. Raise what went wrong, after noting it.

    Raises CacheInUseError, noting nothing, while another process is at the same cell.
    """
    home = cells.home(task) / ("" if task.probe else "tokens")
    home.mkdir(parents=True, exist_ok=True)
    with naming_full_disk(cells.folder), writer_lock(home, "being worked on"):
        cells.again(task)
        if cells.done(task):
            return
        try:
            if not cells.fault(task):
                cells.clear_damaged(task)
            with torch_threads(cells.grid.threads):
                _work(cells, task, progress)
        except CacheInUseError:  # of the token maps, by somebody's `protoviz encode`
            raise
        except Exception as error:
            if not full_disk(error):  # which would not take the note either
                cells.note_failure(task, f"{type(error).__name__}: {error}")
            raise
        cells.clear_failure(task)


def _work(cells: Cells, task: Task, progress: Listener) -> None:
    """Do the task. Token maps that prove damaged on the way are encoded again."""
    work = {"encode": _encode, "search": _search, "train": _train, "score": _score, "tune": tune}[task.kind]
    try:
        work(cells, task, progress)
    except DamagedCacheError as error:
        if work is _encode:
            raise
        progress(Progress(text=f"{task}, {error}"))
        _encode(cells, task, progress)
        work(cells, task, progress)


def _encode(cells: Cells, task: Task, progress: Listener) -> None:
    pair = cells.of(task)
    place = pair.tokens(cells.folder)
    before = any((place / "shards").glob("*"))
    with Spent() as spent:
        encoder, told = pair.encoder.to(device_named(cells.grid.device)), pair.layout
        clips = pair.encoded_clips
        cache = TokenCache.create(place, encoder, clips, progress=False, recipe=pair.recipe, **told)
    path = cells.encode_file(task)
    record = {"clips": len(cache), "bytes": cache.nbytes, "skipped": len(cache.skipped)}
    # Of a cache that a killed process had begun, this process did a part, and its time is no rate.
    known = cells.read(path) if before else None
    costs = known or {**spent.record(), "whole": not before}
    write_json(path, {**costs, **record, "lacks": _lacks(clips, cache), "again": list(cache.again)})


def _lacks(clips: ClipSet, cache: TokenCache) -> list[tuple[str, str, str]]:
    """(clip, split, reason) of every clip of the data set that the cache is without."""
    split_of = dict(zip(clips.table["clip"], clips.table["split"], strict=True))
    tried = ((clip, reason) for clip, _, reason in cache.skipped.to_numpy() if clip in split_of)
    skipped = [(clip, split_of[clip], reason) for clip, reason in tried]
    unlisted = clips.skipped[~clips.skipped["clip"].isin(split_of)].drop_duplicates("clip")
    return skipped + list(unlisted[["clip", "split", "reason"]].itertuples(index=False, name=None))


def _search(cells: Cells, task: Task, progress: Listener) -> None:
    pair, method = cells.of(task), cells.method(task.probe)
    key = cells.search_key(task)
    train, validation = cells.learned(task, "train"), cells.learned(task, "validation")
    settings = replace(cells.grid.search, loss=pair.loss)
    name = f"{task.dataset}/{task.encoder}/{task.probe}/{key[:16]}"

    def heard(event: Progress) -> None:
        progress(Progress(text=f"{task}, {event.text}"))

    with Spent() as spent:
        probe = pair.probe(method).to(device_named(cells.grid.device))
        journal = cells.folder / "studies.journal"
        found = find_rates(method, probe, train, validation, settings, name, journal, heard)
    told = {**_found(found), **spent.record(), "clips": len(train) + len(validation)}
    write_json(cells.search_file(task), told)


def _found(result: SearchResult) -> dict:
    trials = result.trials.astype(object).where(result.trials.notna(), None)
    told = {"best": result.best, "score": result.score, "budget": result.budget, "epochs": result.epochs}
    return {**told, "search_seconds": round(result.seconds, 3), "trials": trials.to_dict("records")}


def _train(cells: Cells, task: Task, progress: Listener) -> None:
    """The final runs of all seeds that are missing, in shared passes, and their scores on the test clips."""
    pair, method, grid = cells.of(task), cells.method(task.probe), cells.grid
    cache, told = pair.cache(cells.folder), _needed(cells, cells.search_file(task))
    seeds = [seed for seed in grid.seeds if not cells.has_run(task, seed)]
    probes = [untrained(pair.probe(method), seed).to(device_named(grid.device)) for seed in seeds]
    settings = {"batch_size": grid.search.batch_size, "loss": pair.loss, **told["best"]}
    splits = cells.learned(task, "train"), cells.learned(task, "validation")
    epochs = grid.epochs_of(len(splits[0]))
    configs = [FitConfig(epochs, seed=seed, **settings) for seed in seeds]
    kept = cells.checkpoints(task)
    with Spent() as spent:
        runs = list(zip(probes, configs, strict=True))
        results = fit_many(
            runs,
            *splits,
            lambda run, epoch, *_: progress(Progress(text=f"{task}, epoch {epoch} of {epochs}")),
            folder=kept,
            errors="return",
        )
    for seed, result in zip(seeds, results, strict=True):
        if isinstance(result, TrainingError):
            raise TrainingError(f"seed {seed} at {told['best']}: {result}")
    test = cells.split(task, "test")
    targets = np.asarray(test.targets())
    encoded = _needed(cells, cells.encode_file(task))
    shared = {
        **{"dataset": task.dataset, "encoder": task.encoder, "probe": probes[0].name, "method": task.probe},
        "parameters": sum(weights.numel() for weights in probes[0].parameters()),
        "maps": pair.maps_key,
        **told["best"],
        "search_score": told["score"],
        "search_epochs": told["epochs"],
        "encode_seconds": encoded["seconds"],
        "search_seconds": told["search_seconds"],
        "train_seconds": round(spent.seconds / len(seeds), 3),  # a seed's share of the passes
        "peak_mb": max(encoded["peak_mb"], told["peak_mb"], round(spent.peak_mb)),
        "train_clips": len(splits[0]),
        "device": device_named(grid.device).type,
        "config": {**asdict(configs[0]), "seed": None, "search": told["budget"]},
        "versions": versions(),
    }
    logits = predict_many(probes, test)
    for seed, probe, result, found in zip(seeds, probes, results, logits, strict=True):
        row = {**shared, "seed": seed, **scored(result, clip_logits(found, test), targets, pair.loss)}
        if grid.scores or seed == grid.seeds[0]:
            names = {"classes": list(cache.classes), "title": method.title, "seed": seed}
            save_probe(probe, cells.probe_file(task, seed), **names, **told["best"])
        write_json(cells.seed_file(task, seed), row | {"classes": list(cache.classes)})
    shutil.rmtree(kept, ignore_errors=True)


def _score(cells: Cells, task: Task, progress: Listener) -> None:
    """The tables of all scorers that are missing: of the kept probes of every seed, or of the encoder."""
    pair = cells.of(task)
    test = HeldOut(pair, partial(cells.split, task), cells.folder)
    left = {entry: path for entry, path in cells.score_files(task).items() if not cells.read(path)}
    if not task.probe:
        for entry, path in left.items():
            progress(Progress(text=f"{task}, {entry.name}"))
            write_frame(path, entry.scorer.of_encoder(test))
        return
    allow, device = [cells.method(task.probe).found], device_named(cells.grid.device)
    seeds = cells.grid.seeds
    probes = [load_probe(cells.probe_file(task, seed), allow=allow).to(device) for seed in seeds]
    logits = predict_many(probes, test.maps)
    for entry, path in left.items():
        progress(Progress(text=f"{task}, {entry.name}"))
        frames = [
            entry.scorer.of_probe(probe, clip_logits(found, test.maps), test).assign(seed=seed)
            for seed, probe, found in zip(seeds, probes, logits, strict=True)
        ]
        write_frame(path, pd.concat(frames, ignore_index=True))


def _needed(cells: Cells, path: Path) -> dict:
    if told := cells.read(path):
        return told
    raise GridError(f"{path} is not there, or damaged: run the grid again, which makes it anew")
