"""The small grid (benchmarks/small.toml) however it may be run: whole, killed and resumed, by more workers.

`python -m benchmarks.grid killed`: once in one process and undisturbed, once on a local cluster of two
workers where first a worker and then the driver are killed (SIGKILL), and the same command resumes. Every
cell has to be there once, with the scores of the undisturbed run to the last bit. The one process has one
thread of torch, as each of two workers has on two cores: another number rounds differently.

`python -m benchmarks.grid workers`: seconds of its searches and final runs by 1, 2 and 4 local workers of one
thread, beside the model of docs/scaling.md: those of one worker, divided by the workers that have a core.

Both run in folders of their own below --folder. The undisturbed run goes on when started again; the others
want an empty folder, because what is there already would be neither killed nor timed.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table

from protoviz.experiments.cells import Cells
from protoviz.experiments.grid import read_grid
from protoviz.experiments.work import run_task
from protoviz.processes import cores

SMALL = Path(__file__).with_name("small.toml")
# What a run is, and what it found; seconds, memory and versions are left out.
KEYS = ["dataset", "encoder", "method", "seed"]
FOUND = ["metric", "score", "validation", "search_score", "best_epoch", "lr", "prototype_lr", "weight_decay"]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
WORKER_AT, DRIVER_AT = 0.25, 0.5  # of all runs done when a process is killed


def command(folder: Path, *options: str, grid: Path = SMALL) -> list[str]:
    """`protoviz benchmark` on the grid."""
    return [sys.executable, "-m", "protoviz", "benchmark", str(grid), "--folder", str(folder), *options]


def done(folder: Path) -> int:
    """How many runs have their file."""
    return sum(1 for _ in folder.glob("cells/*/*/*/seed-*.json"))


def undisturbed(folder: Path) -> None:
    """Runs the grid in one process with one thread."""
    subprocess.run(command(folder), check=True, env=os.environ | ONE_THREAD)


def disturbed(folder: Path, runs: int, say=print) -> list[str]:
    """Runs the grid on two workers, kills one, then the driver, then resumes; what was killed, in words."""
    call = command(folder, "--cluster", "local", "--workers", "2")
    driver = subprocess.Popen(call)
    told = []
    for share, victim in ((WORKER_AT, "a worker"), (DRIVER_AT, "the driver")):
        while done(folder) < share * runs:
            if driver.poll() is not None:
                raise RuntimeError(
                    f"the driver ended by itself before {victim} was killed: {driver.returncode}"
                )
            time.sleep(0.2)
        process = psutil.Process(driver.pid)
        process = process if victim == "the driver" else busiest(process)
        process.send_signal(signal.SIGKILL)
        told.append(f"{victim} (process {process.pid}) killed after {done(folder)} of {runs} runs")
        say(told[-1])
    driver.wait()
    subprocess.run(call, check=True)
    return told


def busiest(driver: psutil.Process) -> psutil.Process:
    """The process below the driver that has worked most."""
    return max(driver.children(recursive=True), key=lambda one: sum(one.cpu_times()[:2]))


def scores(folder: Path) -> pd.DataFrame:
    """What every run found, in the grid's order; per class too."""
    frame = pd.read_parquet(folder / "results.parquet")
    return frame[[*KEYS, *FOUND, "per_class"]].assign(per_class=frame.per_class.map(list))


def differences(one: pd.DataFrame, two: pd.DataFrame) -> list[str]:
    """How two runs of a grid differ, in words; empty: not at all."""
    found = [f"{name}: {len(frame)} rows, {int(frame.duplicated(KEYS).sum())} twice" for name, frame in
             (("first", one), ("second", two)) if frame.duplicated(KEYS).any()]  # fmt: skip
    both = one.merge(two, on=KEYS, how="outer", suffixes=("", "_two"), indicator=True)
    if lone := int((both["_merge"] != "both").sum()):
        return [*found, f"{lone} runs are in one of them only"]
    for name in (*FOUND, "per_class"):
        left, right = both[name], both[f"{name}_two"]
        same = [repr(a) == repr(b) for a, b in zip(left, right, strict=True)]
        if not all(same):
            found.append(f"{name} differs in {same.count(False)} of {len(same)} runs")
    return found


def killed(folder: Path) -> int:
    """Prints whether the killed and resumed grid equals the undisturbed one; the exit status."""
    grid, console = read_grid(SMALL), Console()
    runs = len(grid.datasets) * len(grid.encoders) * len(grid.probes) * len(grid.seeds)
    whole, cut = folder / "whole", folder / "killed"
    begun = time.perf_counter()
    undisturbed(whole)
    seconds = time.perf_counter() - begun
    console.print(f"one process: {runs} runs in {seconds:.0f} s, {spent(whole):.0f} s in searches and runs")
    if done(cut):
        console.print(f"{cut} holds {done(cut)} runs of an earlier time: nothing is killed twice; remove it")
        return 2
    begun = time.perf_counter()
    disturbed(cut, runs, console.print)
    console.print(f"two workers, killed twice and resumed: {time.perf_counter() - begun:.0f} s")
    one, two = scores(whole), scores(cut)
    told = differences(one, two)
    failed = [name for name in (whole, cut) if Cells(grid, name).failures()]
    console.print(f"runs: {len(one)} and {len(two)} of {runs}, each once; failed: {len(failed)}")
    console.print("\n".join(told) if told else "scores, rates and every class's AP: equal to the last bit")
    return 1 if told or failed or len(one) != runs else 0


def with_maps(folder: Path) -> Path:
    """A folder that holds the grid's token maps and nothing else, made where it is missing."""
    cells = Cells(read_grid(SMALL), folder)
    for task in cells.tasks():
        if task.kind == "encode":
            run_task(cells, task)
    return folder


def spent(folder: Path) -> float:
    """Seconds of all searches and final runs, as each of them measured itself."""
    cells, total = Cells(read_grid(SMALL), folder), 0.0
    for task in cells.tasks():
        if task.kind in ("search", "train"):
            told = [json.loads(path.read_text()) for path in cells.files(task)]
            total += sum(one["train_seconds" if task.kind == "train" else "seconds"] for one in told)
    return total


def workers(folder: Path, counts: Sequence[int]) -> int:
    """Prints a row a number of workers; the exit status."""
    maps, first = with_maps(folder / "maps"), None
    heads = ("workers", "seconds", "of one worker", "by the model", "seconds of all tasks", "busy")
    table = Table(*heads, title=f"searches and final runs of benchmarks/small.toml, {cores()} cores")
    for count in counts:
        place = folder / f"workers-{count}"
        shutil.copytree(maps, place)  # an earlier run there would be nothing to time: it says so
        begun = time.perf_counter()
        call = command(place, "--cluster", "local", "--workers", str(count))
        subprocess.run(call, check=True, env=os.environ | ONE_THREAD)
        seconds, tasks = time.perf_counter() - begun, spent(place)
        first = first or seconds * min(count, cores())
        ratios = f"{seconds / first:.2f}", f"{1 / min(count, cores()):.2f}"
        table.add_row(str(count), f"{seconds:.0f}", *ratios, f"{tasks:.0f}", f"{tasks / seconds / count:.0%}")
    Console().print(table)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("killed", "workers"))
    parser.add_argument("--folder", type=Path, default=Path("runs/small"))
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args()
    status = killed(given.folder) if given.what == "killed" else workers(given.folder, given.workers)
    sys.exit(status)


if __name__ == "__main__":
    main()
