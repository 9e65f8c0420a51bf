"""One training step of each probe (forward, loss, backward, AdamW): time and peak memory above the inputs.

Each probe runs in a process of its own, so that the high-water mark is its own. The tokens have the demo's
shape: 128 clips, 512 tokens, the mini encoder's width, float16 as the cache holds them.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

STEPS, WARM_UP = 12, 3


@dataclass(frozen=True)
class Case:
    """One row: a probe and the options it is built with."""

    title: str
    name: str
    hyper: dict


CASES = (
    Case("linear", "linear", {}),
    Case("protobin", "protobin", {}),
    Case("protobin + BatchNorm", "protobin", {"batch_norm": True}),
)


def measure(case: Case, clips: int = 128, tokens: int = 512, dim: int = 192, classes: int = 24) -> dict:
    """Milliseconds of a step (median) and megabytes above the inputs (high-water mark) of one probe."""
    from protoviz.losses import asymmetric_loss
    from protoviz.probes import build_probe

    torch.manual_seed(0)
    maps = torch.randn(clips, tokens, dim).half()
    cls, targets = torch.randn(clips, dim), (torch.rand(clips, classes) < 0.2).float()
    probe = build_probe(case.name, dim, classes, (tokens // 8, 8), **case.hyper)
    optimiser = torch.optim.AdamW(probe.parameter_groups(1e-3), fused=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        asymmetric_loss(probe(maps, cls), targets).backward()
        optimiser.step()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    unit = 1024 if sys.platform != "darwin" else 1024**2  # ru_maxrss is in bytes on a Mac
    return {"ms": 1e3 * statistics.median(times[WARM_UP:]), "mb": peak / unit}


def rows() -> list[dict]:
    """One row a probe: title, ms a step, MB above the inputs, weights."""
    found = []
    for number, case in enumerate(CASES):
        command = [sys.executable, "-m", "benchmarks.training", str(number)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append({"probe": case.title, **json.loads(done.stdout)})
    return found


def main() -> None:
    table = Table(
        "probe",
        "step, ms",
        "peak memory, MB",
        title="training step, 128 clips x 512 tokens x 192, 24 classes",
    )
    for row in rows():
        table.add_row(row["probe"], f"{row['ms']:.1f}", f"{row['mb']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    print(json.dumps(measure(CASES[int(sys.argv[1])])))
