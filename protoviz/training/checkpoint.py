"""Runs on disk, so that a killed training goes on: one safetensors file a run, json in its header."""

import hashlib
import json
import time
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from protoviz.kept import UNSEALED, DamagedFileError, refuse_changed, sealed, set_aside, write_bytes
from protoviz.training.data import TokenSource, digest_of, fingerprint
from protoviz.training.run import Run

FORMAT = 1  # raised when an older file would be misread
HEADER = "protoviz.run"
INTERVAL = 2.0  # seconds between two writes of unfinished runs: an epoch on fixed vectors takes milliseconds


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
        """Puts `run`, which has not begun, where its file left off; does nothing where there is no file.

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
            refuse_changed(path, path.read_bytes())
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[HEADER])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            if header["decided by"] != json.loads(self.keys[id(run)]):
                raise ValueError("it is of another run")
            run.restore(tensors, header["record"])
        except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
            run.restart(first)
            set_aside(path, error.args[1] if isinstance(error, DamagedFileError) else error)

    def save(self, runs: list[Run]) -> None:
        """Writes the state of `runs` between two epochs; unfinished ones not oftener than every INTERVAL."""
        due = time.monotonic() - self.written >= INTERVAL
        for run in runs:
            if due or run.done:
                tensors, record = run.state()
                header = {"decided by": json.loads(self.keys[id(run)]), "record": record, "sealed": UNSEALED}
                write_bytes(self._path(run), sealed(save(tensors, {HEADER: json.dumps(header)})))
        if due:
            self.written = time.monotonic()

    def _path(self, run: Run) -> Path:
        digest = hashlib.sha256(self.keys[id(run)].encode()).hexdigest()
        return self.folder / f"{run.probe.name}-{digest[:20]}.safetensors"
