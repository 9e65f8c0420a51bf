"""What a grid will cost before it runs: bytes of token maps, time and memory, from measured rates.

Rates come from finished tasks in the grid's folder where there are some (by the clock, as they ran), else
from a few clips encoded and a few steps of each probe now: on a processor with one core's own time, so that
what else runs there does not count; several cores take less. What trials share in a pass is not counted in.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from rich.filesize import decimal

from protoviz.analysis.scaling import FORWARD, Grid, Rates, clip_pass_seconds, encoder_flops
from protoviz.cache import estimate_bytes
from protoviz.encoders.devices import device_named, torch_threads
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.materials import Pair
from protoviz.probes import Probe, untrained
from protoviz.training import FitConfig
from protoviz.training.data import FixedVectors, MapBatch, TokenData
from protoviz.training.run import Run

CLIPS = 16  # of a measured step on token maps: a large one costs the same a clip
FIXED_CLIPS = 128  # of one on vectors, where the call itself is what costs
COPIES = 5  # of a probe's weights: themselves, gradient, two moments, best state
PASSES = 3  # of an encoder that is trained: forward, and backward at twice its cost
HELD = 20  # arrays of a block's tokens that a step holds for its gradient
DEPTH = 12  # blocks of an encoder, for the bar alone: those of ViT-Base


@dataclass(frozen=True)
class Rate:
    """Seconds a clip (and epoch), and where the figure comes from."""

    seconds: float
    source: str  # "from finished tasks" or "measured now on one core" (or on the GPU)


def size_of(cells: Cells, task: Task) -> int:
    """Return how often a task handles a clip: clips, times epochs and runs for a training."""
    pair = cells.of(task)
    if task.kind == "encode":
        splits = pair.clip_facts.splits
        return sum(splits.values()) + (cells.grid.views.count - 1) * splits.get("train", 0)
    if task.kind == "tune":
        config, splits = pair.tuning, pair.clip_facts.splits
        clips = min(config.clips, splits.get("train", 0)) + splits.get("validation", 0)
        return clips * (config.search_epochs * len(config.rates) + config.epochs)
    if task.kind == "score":
        runs = FORWARD * len(cells.grid.seeds) if task.probe else 1  # by itself an encoder encodes again
        return round(runs * pair.clip_facts.splits.get("test", 0))
    train, grid = cells.train_clips(task), cells.grid
    clips = train + pair.clip_facts.splits.get("validation", 0)
    if task.kind == "search":
        return clips * grid.search.expected_epochs(cells.method(task.probe), train)
    return clips * grid.epochs_of(train) * len(grid.seeds)


def seconds_of(cells: Cells, task: Task) -> float:
    """Return seconds of a task by what is known without measuring anything: finished tasks, or the rates of
    another machine (`Rates.measured`).
    """
    if cells.fault(task):
        return 1.0  # it will fail at once
    rate = known_rate(cells, task)
    return size_of(cells, task) * (rate.seconds if rate else _by_formula(cells, task))


def _by_formula(cells: Cells, task: Task) -> float:
    """Seconds a clip and epoch on another machine."""
    pair, rates = cells.of(task), Rates.measured()
    tokens, width = math.prod(pair.facts.grid), pair.facts.dim
    if not task.probe or task.kind == "tune":
        passes = PASSES if task.kind == "tune" else 1
        return passes * rates.encode_seconds(encoder_flops(tokens + 1, width, DEPTH))
    method, classes = cells.method(task.probe).probe, len(pair.clip_facts.classes)
    return clip_pass_seconds(method, tokens, classes, Grid(methods=(), width=width), rates)


def known_rate(cells: Cells, task: Task) -> Rate | None:
    """Return the rate of finished tasks of the same encoder and probe, on whatever data set."""
    spent, handled = 0.0, 0
    for dataset in cells.grid.datasets:
        home = cells.home(replace(task, dataset=dataset.name))
        paths = home.glob("search-*.json" if task.probe else "encode-*.json")
        found = [told for path in paths if (told := cells.read(path))]
        if task.probe:  # a final run's epoch is one of the search's
            sizes = [(told["search_seconds"], told["clips"] * told["epochs"]) for told in found]
        else:
            sizes = [(told["seconds"], told["clips"]) for told in found if told["whole"]]
        spent, handled = spent + sum(size[0] for size in sizes), handled + sum(size[1] for size in sizes)
    return Rate(spent / handled, "from finished tasks") if handled else None


def measured_rate(cells: Cells, task: Task) -> Rate:
    """Return the rate of a few clips or steps, now."""
    pair, device = cells.of(task), device_named(cells.grid.device)
    with _stopwatch(device) as clock:
        if not task.probe or task.kind == "tune":
            seconds = _encoding(pair, device, clock) * (PASSES if task.kind == "tune" else 1)
        else:
            seconds = _step(pair.probe(cells.method(task.probe)).to(device), pair.loss, clock)
    return Rate(seconds, "measured now on one core" if device.type == "cpu" else "measured now on the GPU")


Clock = Callable[[], float]


@contextmanager
def _stopwatch(device: torch.device) -> Iterator[Clock]:
    """A clock: of the processor's own time with one thread, or by the wall once the accelerator is done."""
    if device.type != "cpu":
        done = getattr(torch, device.type).synchronize
        yield lambda: (done(), time.perf_counter())[1]
        return
    with torch_threads(1):
        yield time.process_time


def _encoding(pair: Pair, device: torch.device, clock: Clock) -> float:
    encoder, rows = pair.encoder.to(device), list(range(min(4, len(pair.clips))))
    encoder.encode([pair.clips.read(0)])  # loads code
    begun = clock()
    encoder.encode([pair.clips.read(row) for row in rows])
    return (clock() - begun) / len(rows)


def _step(probe: Probe, loss: str, clock: Clock) -> float:
    """Seconds a clip of an optimiser step on maps of the probe's size: the best of three."""
    key = json.dumps([probe.settings, loss])
    if key not in _measured:
        _measured[key] = min(_steps(probe, loss, clock))
    return _measured[key]


_measured: dict[str, float] = {}  # the same probe on several data sets is measured once


def _steps(probe: Probe, loss: str, clock: Clock) -> Iterator[float]:
    clips = FIXED_CLIPS if probe.fixed else CLIPS
    data = _noise(probe, clips)
    fresh = untrained(probe, 0).to(next(probe.parameters()).device)
    run = Run(fresh, FitConfig(1, clips, loss=loss), clips)
    if probe.fixed:  # reads the maps once, and then vectors
        (batch,) = FixedVectors(data, [fresh]).batches(clips)
    else:
        (batch,) = data.batches(clips)
    for turn in range(4):
        begun = clock()
        run.step(batch if probe.fixed else MapBatch(batch, [fresh]))
        spent = (clock() - begun) / clips
        if turn:  # the first step loads code
            yield spent


def _noise(probe: Probe, clips: int) -> TokenData:
    rng, cells = np.random.default_rng(0), math.prod(probe.grid)
    layers = [len(probe.layers)] if isinstance(probe.layers, list) else []
    tokens = torch.from_numpy(rng.standard_normal((clips, *layers, cells, probe.dim), np.float32)).half()
    targets = np.eye(probe.classes, dtype=np.float32)[np.arange(clips) % probe.classes]
    if probe.frame_wise:  # (b t c): every frame of a clip has its label
        targets = np.repeat(targets[:, None], probe.grid[0], axis=1)
    return TokenData(tokens, None, None, targets, layers=probe.layers if layers else None)


def memory_mb(cells: Cells, task: Task) -> float:
    """Return MB of weights of the largest group of a search, and of one batch in two float32 copies."""
    pair, search = cells.of(task), cells.grid.search
    batch = 2 * 4 * search.batch_size * math.prod(pair.facts.grid) * pair.facts.dim
    if not task.probe:
        return batch / 2**20
    if task.kind == "tune":
        one = 4 * HELD * DEPTH * math.prod(pair.facts.grid) * pair.facts.dim
        return pair.tuning.batch_size * one / 2**20
    weights = sum(one.numel() for one in pair.probe(cells.method(task.probe)).parameters())
    method = cells.method(task.probe)
    group = search.largest_group(method) if task.kind == "search" else len(cells.grid.seeds)
    return (batch + 4 * COPIES * group * weights) / 2**20


def plan(cells: Cells) -> pd.DataFrame:
    """Return a row a task: stage, dataset, encoder, probe, state, bytes (to write), seconds, memory_mb, rate.

    state: "done", "to do", "failed before" (with its error in `error`), or "cannot run".
    """
    todo, rows = {task.key for task in cells.to_do()}, []
    for task in cells.tasks():
        row = {"stage": task.kind, "dataset": task.dataset, "encoder": task.encoder, "probe": task.probe}
        row |= {"state": "done", "bytes": 0, "seconds": 0.0, "memory_mb": 0.0, "rate": "", "error": ""}
        if task.key in todo:
            row |= _cost(cells, task)
            if row["state"] == "to do" and cells.failure_file(task).exists():
                row |= {"state": "failed before", "error": cells.failure(task)["error"]}
        rows.append(row)
    return pd.DataFrame(rows)


def by_cell(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row a cell of a `plan`: dataset, encoder, probe, state, bytes, encode, search, train (s),
    memory_mb.

    What encoding costs stands with the first cell that reads its token maps. state is the least advanced.
    """
    order = ("cannot run", "failed before", "to do", "done")
    keys, rows, seen = ["dataset", "encoder", "probe"], [], set()
    encoding = frame[frame.stage == "encode"].set_index(keys[:2])
    for names, tasks in frame[frame.probe != ""].groupby(keys, sort=False):
        spent, maps = tasks.groupby("stage").seconds.sum(), encoding.loc[names[:2]]
        first = names[:2] not in seen
        seen.add(names[:2])
        row = {**dict(zip(keys, names, strict=True)), "state": min(tasks.state, key=order.index)}
        row |= {
            "bytes": maps.bytes * first,
            "encode": maps.seconds * first,
            "search": spent.get("search", 0.0),
        }
        rows.append(
            {
                **row,
                "train": spent.get("train", 0.0) + spent.get("tune", 0.0),
                "memory_mb": tasks.memory_mb.max(),
            }
        )
    return pd.DataFrame(rows)


def in_words(frame: pd.DataFrame) -> str:
    """Return what all tasks of a `plan` take: bytes, time and memory."""
    spent = time_in_words(frame.seconds.sum()) or "nothing"
    return (
        f"token maps to write: {decimal(int(frame.bytes.sum()))}; about {spent} in one process; the largest "
        f"task takes about {frame.memory_mb.max():,.0f} MB beside torch itself"
    )


def time_in_words(seconds: float) -> str:
    """Return seconds as "12 s", "7 min" or "3.5 h"; "" for none."""
    if not seconds:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "< 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _cost(cells: Cells, task: Task) -> dict:
    if fault := cells.fault(task):
        return {"state": "cannot run", "error": fault}
    try:
        pair = cells.of(task)
        size = 0
        if task.kind == "encode":  # grid and width are all that it asks of an encoder
            size = estimate_bytes(pair.facts, size_of(cells, task), cells.grid.dtype, pair.layers)
        rate = known_rate(cells, task) or measured_rate(cells, task)
        seconds = size_of(cells, task) * rate.seconds
        memory = memory_mb(cells, task)
    except Exception as error:  # an entry's code may raise anything; the plan says so and goes on
        return {"state": "cannot run", "error": f"{type(error).__name__}: {error}"}
    return {"state": "to do", "bytes": size, "seconds": seconds, "memory_mb": memory, "rate": rate.source}
