"""`make bench`: every table, one after the other; `python -m benchmarks kernel page` runs some.

With --write the rates go into the data folder, for docs/speed.md, docs/scaling.md and the estimates of time.

`python -m benchmarks damage` (or `make damage`), `students` and `soak` take options of their own, and longer.
"""

import argparse
import os
import platform
import sys
from importlib import import_module
from pathlib import Path

import torch
from rich.console import Console

from protoviz.analysis.scaling import SPEED, read_speed
from protoviz.kept import write_json
from protoviz.paths import shipped_folder

TABLES = ("filterbank", "encoding", "training", "search", "kernel", "page", "large")
# By name only: what takes options.
OWN = {name: f"benchmarks.{name}" for name in ("students", "soak", "few_shot", "study", "views")} | {
    "damage": "benchmarks.damage.run"
}


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    if sys.argv[1:] and sys.argv[1] in OWN:
        return import_module(OWN[sys.argv[1]]).main(sys.argv[2:])
    read = argparse.ArgumentParser("python -m benchmarks")
    read.add_argument("tables", nargs="*", help=f"of {', '.join((*TABLES, *OWN))}; none: {', '.join(TABLES)}")
    read.add_argument("--write", action="store_true", help="put the rates into the data folder")
    read.add_argument("--study", type=Path, help="another study than the demo, for the table page")
    given = read.parse_args()
    if unknown := set(given.tables) - set(TABLES):
        known = ", ".join((*TABLES, *OWN))
        sys.exit(f"there is no table {', '.join(sorted(unknown))}: choose from {known}")
    if given.study and (given.tables != ["page"] or given.write):
        read.error("--study is for page alone, and its rates are not those of the data folder")
    console = Console()
    console.print(
        f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )
    options = {"study": given.study} if given.study else {}
    for name in given.tables or TABLES:
        console.rule(name)
        rates = import_module(f"benchmarks.{name}").main(**options)
        if rates and given.write:
            _write(name, rates)
            console.print(f"{name}: written; `protoviz report --write` shows it in the documents")


def _write(name: str, rates: dict) -> None:
    """Put the rates of one table in the place of earlier ones."""
    machine = f"{processor()}, {os.cpu_count()} cores, torch {torch.__version__}"
    command = f"python -m benchmarks {name}"
    path = shipped_folder() / SPEED
    known = read_speed() if path.exists() else {}
    write_json(path, {**known, name: {"machine": machine, "command": command, **rates}})


if __name__ == "__main__":
    main()
