"""Runs on disk, so that a killed training goes on: one safetensors file a run, json in its header."""

import hashlib
import json
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from protoviz.files import write_bytes
from protoviz.kept import set_aside
from protoviz.tensors import as_bytes, read_tensors
from protoviz.training.data import TokenSource, digest_of, fingerprint
from protoviz.training.run import Record, Run

FORMAT = 1  # raised when an older file would be misread
HEADER = "protoviz.run"
INTERVAL = 2.0  # seconds between two writes of unfinished runs: an epoch on fixed vectors takes milliseconds
_Header = TypedDict("_Header", {"decided by": dict, "record": Record})


class Checkpoints:
    """The files of runs in `folder`.

    A file is found by everything that decides its run: the probe's settings and first weights, the config,
    and both data sets. So one folder serves any number of calls, and a finished run is never trained again.
    """

    def __init__(self, folder: str | Path, train: TokenSource, validation: TokenSource):
        self.folder, self.written = Path(folder), -INTERVAL
        self.data = {"train": fingerprint(train), "validation": fingerprint(validation)}
        self.keys: dict[int, str] = {}

    def restore(self, run: Run) -> None:
        """Put `run`, which has not begun, where its file left off; do nothing if there is no file.

        A damaged file is set aside, and its run begins anew.
        """
        decides = {
            "format": FORMAT,
            "probe": run.probe.settings,
            "type": str(run.probe.dtype),
            "first weights": digest_of(value for _, value in sorted(run.probe.state_dict().items())),
            "config": asdict(run.config),
            **self.data,
        }
        self.keys[id(run)] = json.dumps(decides, sort_keys=True)
        path = self._path(run)
        if not path.exists():
            return
        first = deepcopy(run.probe.state_dict())
        try:
            tensors, header = read_tensors(path, HEADER, _Header, "its run begins anew", ValueError)
            if header["decided by"] != json.loads(self.keys[id(run)]):
                raise ValueError("it is of another run")
            run.restore(tensors, header["record"])
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            run.restart(first)
            set_aside(path, error)

    def save(self, runs: list[Run]) -> None:
        """Write the state of `runs` between two epochs; unfinished ones not oftener than every INTERVAL."""
        due = time.monotonic() - self.written >= INTERVAL
        for run in runs:
            if due or run.done:
                tensors, record = run.state()
                header = {"decided by": json.loads(self.keys[id(run)]), "record": record}
                write_bytes(self._path(run), as_bytes(tensors, HEADER, header))
        if due:
            self.written = time.monotonic()

    def _path(self, run: Run) -> Path:
        digest = hashlib.sha256(self.keys[id(run)].encode()).hexdigest()
        return self.folder / f"{run.probe.name}-{digest[:20]}.safetensors"
