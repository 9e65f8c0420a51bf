"""The cells of a grid: files named by content, what is finished and failed, and what is left to do.

Within a data set all encoders are trained, chosen and scored on the same clips: those that every one of
them has token maps of (`Cells.uncommon` names the others, `Cells.lacking` says who lacks them and why). So a
search waits until each encoder of its data set is encoded, or has failed to be; and results on clips of which
an encoder that came later lacks some are none any more.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from protoviz.cache import TokenView
from protoviz.datasets.spec import ROOTS
from protoviz.experiments.grid import DatasetEntry, Grid, GridError
from protoviz.experiments.materials import Pair, digest
from protoviz.experiments.records import Records
from protoviz.experiments.scoring import ScoreEntry
from protoviz.experiments.tasks import Task, tasks_of
from protoviz.files import slug
from protoviz.kept import DamagedFileError, read_json, set_aside, write_json
from protoviz.probes import Method


def _named(task: Task) -> dict:
    return {"dataset": task.dataset, "encoder": task.encoder, "probe": task.probe, "stage": task.kind}


def _without_root(reason: str, entry: DatasetEntry) -> str:
    """A reason without the place of the clips here: tables travel."""
    root = Path(entry.options.get("root") or os.environ.get(ROOTS) or ".").expanduser()
    return reason.replace(f"{root}{os.sep}", "")


class Cells:
    """The files of a grid below `folder`.

    tokens/DATASET/ENCODER/KEY/             a token cache
    cells/DATASET/ENCODER/                  encode-KEY.json, score-KEY.NAME.parquet of the encoder by itself
    cells/DATASET/ENCODER/PROBE/            search-KEY.json, seed-S-KEY.json (one a row of the results),
                                            score-KEY.NAME.parquet (a table a scorer)
    events/                                 of data sets whose events take long to make
    studies.journal                         Optuna's trials
    """

    def __init__(self, grid: Grid, folder: str | Path):
        self.grid, self.folder = grid, Path(folder)
        self._pairs: dict[tuple[str, str], Pair] = {}
        self._faults: dict[tuple[str, str], str | None] = {}
        self._records = Records()

    def pair(self, dataset: str, encoder: str) -> Pair:
        """Return the data set as the encoder sees it, loaded once."""
        if (dataset, encoder) not in self._pairs:
            data = next(entry for entry in self.grid.datasets if entry.name == dataset)
            model = next(entry for entry in self.grid.encoders if entry.name == encoder)
            self._pairs[dataset, encoder] = Pair(self.grid, data, model)
        return self._pairs[dataset, encoder]

    def method(self, title: str) -> Method:
        """Return the method of a title."""
        return next(method for method in self.grid.probes if method.title == title)

    def of(self, task: Task) -> Pair:
        """Return the pair of a task."""
        return self.pair(task.dataset, task.encoder)

    def fault(self, task: Task) -> str | None:
        """Return why a task's data set or encoder cannot be loaded, or None; tried once, till `again`."""
        names = task.dataset, task.encoder
        if names not in self._faults:
            self._faults[names] = None
            try:
                self.of(task).maps_key  # noqa: B018 - loads both
            except Exception as error:  # an entry's code, or a publisher's server, may raise anything
                self._faults[names] = f"{type(error).__name__}: {error}"
        return self._faults[names]

    def again(self, task: Task) -> None:
        """Forget the `fault` of a task, which is to be tried again."""
        self._faults.pop((task.dataset, task.encoder), None)

    def train_clips(self, task: Task) -> int:
        """Return how many training clips there are for a task, if its encoder can read them all."""
        there = self.of(task).clip_facts.splits.get("train", 0)
        return min(self.method(task.probe).first or there, there)

    # -- clips that all encoders of a data set have

    def encoded(self, task: Task) -> dict | None:
        """Return what the encode task of a data set and encoder noted (`work.encode`); None before it ran."""
        return None if self.fault(task) else self.read(self.encode_file(task))

    def _encoded(self, dataset: str) -> dict[str, dict]:
        """Encoder -> its `encoded` of a data set."""
        found = {one.name: self.encoded(Task("encode", dataset, one.name)) for one in self.grid.encoders}
        return {encoder: record for encoder, record in found.items() if record}

    def uncommon(self, dataset: str) -> tuple[str, ...]:
        """Return the clips of a data set that some but not all encoders lack, and any to be tried again."""
        records = self._encoded(dataset).values()
        lacks = [{clip for clip, *_ in record["lacks"]} for record in records] or [set()]
        some = set.union(*lacks) - set.intersection(*lacks)
        return tuple(sorted(some.union(*(record["again"] for record in records))))

    def lacking(self) -> pd.DataFrame:
        """Return dataset, encoder, split, clip, reason of clips that an encoder lacks and another has."""
        rows = []
        for entry in self.grid.datasets:
            dataset, records = entry.name, self._encoded(entry.name)
            count = Counter(clip for record in records.values() for clip, *_ in record["lacks"])
            rows += [
                (dataset, encoder, split, clip, _without_root(reason, entry))
                for encoder, record in records.items()
                for clip, split, reason in sorted(record["lacks"])
                if count[clip] < len(records)
            ]
        return pd.DataFrame(rows, columns=["dataset", "encoder", "split", "clip", "reason"], dtype=object)

    def split(self, task: Task, split: str) -> TokenView:
        """Return a split of the task's token cache, of clips that every encoder has; GridError if none is."""
        found = self.of(task).cache(self.folder).split(split).without(self.uncommon(task.dataset))
        if len(found):
            return found
        who = self.lacking().query("dataset == @task.dataset").encoder.value_counts().to_dict()
        raise GridError(f"{task.dataset}: no {split} clip is one that every encoder has; they lack {who}")

    def learned(self, task: Task, split: str) -> TokenView:
        """Return what the task's method learns from in a split: of training clips the first so many, if it
        asks for that, with targets of frames, if it answers by frame.
        """
        found, method = self.split(task, split), self.method(task.probe)
        if split == "train" and method.first:
            found = found.first(method.first)
        if not method.found.frame_wise:
            return found
        return found.with_targets(self.of(task).frame_targets(self.folder, found.table["clip"]))

    def _key(self, key: str, task: Task) -> str:
        """The key of results on the clips that all encoders have; `key` itself where that is every clip."""
        missing = self.uncommon(task.dataset)
        return digest(key, missing) if missing else key

    def search_key(self, task: Task) -> str:
        """Return what decides the search of a task: that of its pair, and the clips."""
        pair = self.of(task)
        own = pair.tune_key if task.kind == "tune" else pair.search_key(self.method(task.probe))
        return self._key(own, task)

    # -- files

    def home(self, task: Task) -> Path:
        """Return the folder of a task's files."""
        return self.folder / "cells" / task.place

    def encode_file(self, task: Task) -> Path:
        pair = self.of(task)
        return self.folder / "cells" / pair.place / f"encode-{pair.maps_key[:16]}.json"

    def search_file(self, task: Task) -> Path:
        return self.home(task) / f"search-{self.search_key(task)[:16]}.json"

    def seed_file(self, task: Task, seed: int) -> Path:
        if task.kind == "tune":  # one key decides all of it
            return self.home(task) / f"seed-{seed}-{self.search_key(task)[:16]}.json"
        key = self._key(self.of(task).seed_key(self.method(task.probe), seed), task)[:16]
        return self.home(task) / f"seed-{seed}-{key}.json"

    def probe_file(self, task: Task, seed: int) -> Path:
        """Return where the probe of a run lies: of the first seed, or of all where they are to be scored."""
        return self.seed_file(task, seed).with_suffix(".safetensors")

    def has_run(self, task: Task, seed: int) -> bool:
        """Return whether a run is there, with its probe where that is to be scored."""
        scored = not self.grid.scores or self.probe_file(task, seed).exists()
        return scored and self.read(self.seed_file(task, seed)) is not None

    def score_files(self, task: Task) -> dict[ScoreEntry, Path]:
        """Return where the table of each scorer of a score task lies."""
        runs = [self.of(task).maps_key, self.uncommon(task.dataset)]
        if task.probe:
            runs = [self.seed_file(task, seed).stem for seed in self.grid.seeds]
        files = {}
        for entry in self.grid.scores:
            if task.probe or entry.scorer.of_encoders:
                told = runs + (self.of(task).events_key if entry.scorer.of_events else [])
                name = f"score-{digest(told, entry.decides())[:16]}.{slug(entry.name)}.parquet"
                files[entry] = self.home(task) / name
        return files

    def read(self, path: Path) -> dict | None:
        """Return what a file of a cell says; None if it, or the probe of its name, is damaged or not there.

        It is not to be changed: what was read stays, as each key of a cell asks anew.
        """
        found = self._records.look(path)
        return found if isinstance(found, dict) else None

    def damaged(self, task: Task) -> bool:
        """Return whether a file of the task is there and is not what was written."""
        try:
            return any(isinstance(self._records.look(path), DamagedFileError) for path in self.files(task))
        except ValueError:  # a wrong option: the task will say it
            return False

    def clear_damaged(self, task: Task) -> None:
        """Set the damaged files of a task aside. A run goes with its probe: both are made again."""
        for path in self.files(task):
            if isinstance(error := self._records.look(path), DamagedFileError):
                for one in (path, path.with_suffix(".safetensors")):
                    if one.exists():
                        set_aside(one, error.args[1])

    def failure_file(self, task: Task) -> Path:
        """Return where the error of a task lies; its name needs no key, as it may be the key that fails."""
        return self.home(task) / f"failed-{task.kind}.json"

    def files(self, task: Task) -> list[Path]:
        """Return the files that are there when the task is done."""
        if task.kind == "encode":
            return [self.encode_file(task)]
        if task.kind == "search":
            return [self.search_file(task)]
        if task.kind == "score":
            return list(self.score_files(task).values())
        seeds = self.grid.seeds[:1] if task.kind == "tune" else self.grid.seeds
        return [self.seed_file(task, seed) for seed in seeds]

    def done(self, task: Task) -> bool:
        """Return whether nothing is left to do. False if its data set, encoder or probe cannot be loaded."""
        if self.fault(task):
            return False
        try:
            if task.kind == "encode":
                self.of(task).cache(self.folder)  # raises where it is unfinished or damaged
                return not (self.encoded(task) or {"again": True})["again"]
            if task.kind == "train":
                return all(self.has_run(task, seed) for seed in self.grid.seeds)
            return all(self.read(path) for path in self.files(task))
        except (ValueError, OSError):  # an unfinished cache, a wrong option: the task will say it
            return False

    def checkpoints(self, task: Task) -> Path:
        """Return the folder of unfinished final runs."""
        return self.home(task) / f"runs-{self.search_file(task).stem}"

    def tidy(self) -> None:
        """Remove what a kill may have left beside finished runs: checkpoints and half-written files."""
        for task in filter(self.done, self.tasks("train")):
            shutil.rmtree(self.checkpoints(task), ignore_errors=True)
            for part in self.home(task).glob(".*.part"):
                part.unlink(missing_ok=True)

    # -- failures

    def note_failure(self, task: Task, error: str) -> None:
        """Keep the error of a task until it is done."""
        write_json(self.failure_file(task), {**_named(task), "error": error})

    def clear_failure(self, task: Task) -> None:
        self.failure_file(task).unlink(missing_ok=True)

    def failures(self) -> list[dict]:
        """Return dataset, encoder, probe, stage, error of every task that failed and is not done since."""
        noted = [task for task in self.tasks() if self.failure_file(task).exists()]
        return [self.failure(task) for task in noted if not self.done(task)]

    def failure(self, task: Task) -> dict:
        """Return what `note_failure` has kept."""
        path = self.failure_file(task)
        try:
            error = str(read_json(path)["error"])
        except (ValueError, LookupError, TypeError):
            error = f"{path} is damaged; the next run says the error anew"
        return {**_named(task), "error": error}

    # -- tasks

    def tasks(self, kind: str = "") -> Iterator[Task]:
        """Return `tasks_of` the grid (of a kind), finished or not."""
        return (task for task in tasks_of(self.grid) if kind in ("", task.kind))

    def to_do(self) -> list[Task]:
        """Return the tasks that are left and needed (a cache whose cells are all done is not).

        What is encoded may show that an encoder lacks clips, or has them back: then tasks of the others are
        left that were done before, on other clips.
        """
        tasks = list(self.tasks())
        ends = ("train", "score", "tune")
        open_ones = {task.key for task in tasks if task.kind in ends and not self.done(task)}
        open_ones |= {task.key for task in tasks if self._again(task)}
        for task in reversed(tasks):  # what an open task needs comes before it
            if task.key in open_ones:
                open_ones.update(task.needs)
        return [task for task in tasks if task.key in open_ones and not self.done(task)]

    def _again(self, task: Task) -> bool:
        """Whether a task is left that nothing waits for: it has damaged files, or clips to try again."""
        if self.fault(task):
            return False
        found = self.encoded(task) if task.kind == "encode" else None
        return self.damaged(task) or bool(found and found["again"])
