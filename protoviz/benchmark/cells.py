"""The cells of a grid: files named by content, tasks that make them, what is finished and failed."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protoviz.benchmark.files import slug, write_json
from protoviz.benchmark.grid import Grid, ProbeEntry
from protoviz.benchmark.materials import Pair

KINDS = ("encode", "search", "train")


@dataclass(frozen=True)
class Task:
    """One piece of work, as plain names: `needs` are the keys of those that come before it."""

    kind: str
    dataset: str
    encoder: str
    probe: str = ""
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        names = (self.dataset, self.encoder, self.probe)
        return "/".join((self.kind, *(slug(name) for name in names if name)))

    def __str__(self) -> str:
        what = {"encode": "encode", "search": "search", "train": "final runs of"}[self.kind]
        cell = f"{self.dataset} x {self.encoder}"
        return f"{what} {cell}" + (f" x {self.probe}" if self.probe else "")


class Cells:
    """The files of a grid below `folder`.

    tokens/DATASET/ENCODER/KEY/             a token cache
    cells/DATASET/ENCODER/                  encode-KEY.json
    cells/DATASET/ENCODER/PROBE/            search-KEY.json, seed-S-KEY.json (one a row of the results)
    studies.journal                         Optuna's trials
    """

    def __init__(self, grid: Grid, folder: str | Path):
        self.grid, self.folder = grid, Path(folder)
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._faults: dict[tuple[str, str], str | None] = {}

    def pair(self, dataset: str, encoder: str) -> Pair:
        """The data set as the encoder sees it, loaded once."""
        if (dataset, encoder) not in self._pairs:
            data = next(entry for entry in self.grid.datasets if entry.name == dataset)
            model = next(entry for entry in self.grid.encoders if entry.name == encoder)
            self._pairs[dataset, encoder] = Pair(self.grid, data, model)
        return self._pairs[dataset, encoder]

    def probe(self, name: str) -> ProbeEntry:
        """The entry of a probe."""
        return next(entry for entry in self.grid.probes if entry.name == name)

    def of(self, task: Task) -> Pair:
        """The pair of a task."""
        return self.pair(task.dataset, task.encoder)

    def fault(self, task: Task) -> str | None:
        """Why the data set or the encoder of a task cannot be loaded, or None; tried once, till `again`."""
        names = task.dataset, task.encoder
        if names not in self._faults:
            self._faults[names] = None
            try:
                self.of(task).maps_key  # noqa: B018 - loads both
            except Exception as error:  # an entry's code, or a publisher's server, may raise anything
                self._faults[names] = f"{type(error).__name__}: {error}"
        return self._faults[names]

    def again(self, task: Task) -> None:
        """Forgets the `fault` of a task, which is to be tried again."""
        self._faults.pop((task.dataset, task.encoder), None)

    # -- files

    def home(self, task: Task) -> Path:
        """The folder of a task's files."""
        return self.folder / "cells" / self.of(task).place / (slug(task.probe) if task.probe else "")

    def encode_file(self, task: Task) -> Path:
        pair = self.of(task)
        return self.folder / "cells" / pair.place / f"encode-{pair.maps_key[:16]}.json"

    def search_file(self, task: Task) -> Path:
        return self.home(task) / f"search-{self.of(task).search_key(self.probe(task.probe))[:16]}.json"

    def seed_file(self, task: Task, seed: int) -> Path:
        key = self.of(task).seed_key(self.probe(task.probe), seed)[:16]
        return self.home(task) / f"seed-{seed}-{key}.json"

    def failure_file(self, task: Task) -> Path:
        """Where the error of a task lies; its name needs no key, because it may be the key that fails."""
        place = Path(slug(task.dataset)) / slug(task.encoder) / (slug(task.probe) if task.probe else "")
        return self.folder / "cells" / place / f"failed-{task.kind}.json"

    def files(self, task: Task) -> list[Path]:
        """The files that are there when the task is done."""
        if task.kind == "encode":
            return [self.encode_file(task)]
        if task.kind == "search":
            return [self.search_file(task)]
        return [self.seed_file(task, seed) for seed in self.grid.seeds]

    def done(self, task: Task) -> bool:
        """Whether nothing is left to do. False where its data set, encoder or probe cannot be loaded."""
        if self.fault(task):
            return False
        try:
            if task.kind == "encode":
                self.of(task).cache(self.folder)  # raises where it is unfinished or damaged
            return all(path.exists() for path in self.files(task))
        except (ValueError, OSError):  # an unfinished cache, a wrong option: the task will say it
            return False

    def checkpoints(self, task: Task) -> Path:
        """The folder of unfinished final runs."""
        return self.home(task) / f"runs-{self.search_file(task).stem}"

    def tidy(self) -> None:
        """Removes what a kill may have left beside finished runs: checkpoints and half-written files."""
        for task in self.tasks():
            if task.kind == "train" and self.done(task):
                shutil.rmtree(self.checkpoints(task), ignore_errors=True)
                for part in self.home(task).glob(".*.part"):
                    part.unlink(missing_ok=True)

    # -- failures

    def note_failure(self, task: Task, error: str) -> None:
        """Keep the error of a task until it is done."""
        cell = {"dataset": task.dataset, "encoder": task.encoder, "probe": task.probe, "stage": task.kind}
        write_json(self.failure_file(task), {**cell, "error": error})

    def clear_failure(self, task: Task) -> None:
        self.failure_file(task).unlink(missing_ok=True)

    def failures(self) -> list[dict]:
        """dataset, encoder, probe, stage, error of every task that failed and is not done since."""
        noted = [task for task in self.tasks() if self.failure_file(task).exists()]
        return [json.loads(self.failure_file(task).read_text()) for task in noted if not self.done(task)]

    # -- tasks

    def tasks(self) -> Iterator[Task]:
        """All tasks, finished or not, each behind those that it needs."""
        for dataset in self.grid.datasets:
            for encoder in self.grid.encoders:
                encode = Task("encode", dataset.name, encoder.name)
                yield encode
                for probe in self.grid.probes:
                    names = dataset.name, encoder.name, probe.name
                    search = Task("search", *names, needs=(encode.key,))
                    yield search
                    yield Task("train", *names, needs=(encode.key, search.key))

    def to_do(self) -> list[Task]:
        """The tasks that are left: what nobody needs any more (a cache whose cells are all done) is not."""
        tasks = list(self.tasks())
        open_ones = {task.key for task in tasks if task.kind == "train" and not self.done(task)}
        for task in reversed(tasks):  # what an open task needs comes before it
            if task.key in open_ones:
                open_ones.update(task.needs)
        left = [task for task in tasks if task.key in open_ones]
        return [task for task in left if not self.done(task)]
