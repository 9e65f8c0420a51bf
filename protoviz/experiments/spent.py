"""What a task took, what computed it, and what its run scored."""

import contextlib
import hashlib
import os
import platform
import threading
import time
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import psutil

import protoviz
from protoviz.experiments.scoring import score_rows
from protoviz.metrics import average_precision
from protoviz.training import FitResult

INTERVAL = 0.05  # s between two looks at the memory
MADE_WITH = ("protoviz", "torch", "numpy", "optuna")
ROOMS = ("cache", "encoders", "probes", "training", "losses.py", "metrics", "experiments")


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


def scored(result: FitResult, logits: np.ndarray, targets: np.ndarray, loss: str) -> dict:
    """Return the scores of a run on test clips, as a row of the results has them; logits, targets (n c)."""
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
