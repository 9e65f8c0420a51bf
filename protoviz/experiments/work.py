"""One task of a grid, from files to files: any process may run it, and running it again changes nothing."""

import contextlib
import hashlib
import os
import platform
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch

import protoviz
from protoviz.cache import CacheInUseError, DamagedCacheError, TokenCache
from protoviz.cache.lock import writer_lock
from protoviz.datasets import ClipSet
from protoviz.encoders.devices import device_named
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.grid import GridError
from protoviz.experiments.rates import SearchResult, find_rates
from protoviz.experiments.scoring import HeldOut, score_rows
from protoviz.files import full_disk, naming_full_disk
from protoviz.kept import write_frame, write_json
from protoviz.metrics import average_precision
from protoviz.probes import load_probe, save_probe, untrained
from protoviz.progress import Listener, Progress, silent
from protoviz.training import FitConfig, FitResult, TrainingError, clip_logits, fit_many, predict_many

INTERVAL = 0.05  # s between two looks at the memory
MADE_WITH = ("protoviz", "torch", "numpy", "optuna")
ROOMS = ("cache", "encoders", "probes", "training", "losses.py", "metrics", "experiments")


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
            with _threads(cells.grid.threads):
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
    work = {"encode": _encode, "search": _search, "train": _train, "score": _score}[task.kind]
    try:
        work(cells, task, progress)
    except DamagedCacheError as error:
        if work is _encode:
            raise
        progress(Progress(text=f"{task}, {error}"))
        _encode(cells, task, progress)
        work(cells, task, progress)


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many threads of torch for the length of a `with`; None: as many as there are."""
    if count is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Spent:
    """Seconds, and the highest memory of this process (MB of 2^20, all of it), while a `with` lasted."""

    def __enter__(self) -> "Spent":
        self.begun, self.peak_mb, self._over = time.perf_counter(), 0.0, threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        process = psutil.Process(os.getpid())
        while True:
            self.peak_mb = max(self.peak_mb, process.memory_info().rss / 2**20)
            if self._over.wait(INTERVAL):
                return

    def __exit__(self, *_) -> None:
        self.seconds = time.perf_counter() - self.begun
        self._over.set()
        self._watch.join()

    def record(self) -> dict:
        return {"seconds": round(self.seconds, 3), "peak_mb": round(self.peak_mb)}


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
    configs = [FitConfig(grid.epochs, seed=seed, **settings) for seed in seeds]
    kept = cells.checkpoints(task)
    with Spent() as spent:
        splits = cells.learned(task, "train"), cells.learned(task, "validation")
        runs = list(zip(probes, configs, strict=True))
        results = fit_many(
            runs,
            *splits,
            lambda run, epoch, *_: progress(Progress(text=f"{task}, epoch {epoch} of {grid.epochs}")),
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
        row = {**shared, "seed": seed, **_scored(result, clip_logits(found, test), targets, pair.loss)}
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


def _scored(result: FitResult, logits: np.ndarray, targets: np.ndarray, loss: str) -> dict:
    per_class = average_precision(logits, targets)
    return {
        **score_rows(logits, targets, loss)[0],
        "validation": result.best_score,
        "best_epoch": result.best_epoch,
        "per_class": [None if np.isnan(value) else float(value) for value in per_class],
    }


@lru_cache(maxsize=1)
def versions() -> dict:
    """Return versions of what computed, Python's, and the digest of the sources that a score depends on."""
    found = {}
    for name in MADE_WITH:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return {**found, "source": source_digest(), "python": platform.python_version()}


def source_digest() -> str:
    """Return the first digits of the sha256 of all sources that a score depends on."""
    summed = hashlib.sha256()
    for room in ROOMS:
        place = Path(protoviz.__file__).parent / room
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            summed.update(path.read_bytes())
    return summed.hexdigest()[:12]


def _needed(cells: Cells, path: Path) -> dict:
    if told := cells.read(path):
        return told
    raise GridError(f"{path} is not there, or damaged: run the grid again, which makes it anew")
