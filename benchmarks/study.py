"""A study as large as they come, of random numbers: what opening it, its tables, a clip and a probe take.

`python -m benchmarks study --folder /tmp/large` makes it once (about 1.5 GB, two minutes) and measures in
fresh processes. 527 classes, 40,000 clips at 32 kHz, nine encoders of 12 x 12 heads and width 768 side by
side, 10,540 prototypes.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from benchmarks.large import LARGEST, write_large

PROBE = next(reversed(LARGEST.methods))
STEPS = {
    "open": "",
    "its results": 'study.results["results"], study.results["per-class"], study.results["search"]',
    "nearest clips of a probe": 'study.results.part("nearest", "sounds", "encoder 0", PROBE)',
    "nearest clips of all": 'study.results["nearest"]',
    "shown clips": 'study.clips["sounds"].table',
    "maps of one clip": """
clips = study.clips["sounds"]
[clips.array(name, "encoder 0")[3].max() for name in ("tokens", "attention", "pictures")]
""",
    "one probe": 'study.probe(PROBE, "encoder 0")',
}
MEASURE = """
import json, sys, time
def now():
    return time.perf_counter(), time.process_time()
begun = now()
import protoviz
study = protoviz.open_study(sys.argv[1])
opened = now()
STEP
done = now()
from benchmarks.memory import status_mb
peak = status_mb(field="VmHWM")
took = [(b - a, d - c) for a, b, c, d in zip(begun, opened, opened, done)]
print(json.dumps([*took, peak, "torch" in sys.modules]))
"""


def main(arguments: list[str]) -> None:
    """Make the study where it is not there yet, and print what each step takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/large-study"))
    folder = parser.parse_args(arguments).folder
    if not (folder / "facts.json").is_file():
        write_large(folder, LARGEST)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    heads = ("step", "s to import and open", "s of the step", "core s of both", "MB at most", "torch")
    table = Table(*heads, title=decimal(size))
    for name, step in STEPS.items():
        code = MEASURE.replace("STEP", step.strip().replace("PROBE", repr(PROBE)))
        runs = [
            json.loads(subprocess.check_output([sys.executable, "-c", code, str(folder)])) for _ in range(3)
        ]
        (opened, took), cores, peak, torch = min(runs, key=lambda run: sum(run[0]))
        mark, core = f"{peak:.0f}" if peak else "-", " + ".join(f"{one:.2f}" for one in cores)
        table.add_row(name, f"{opened:.2f}", f"{took:.2f}", core, mark, "yes" if torch else "no")
    Console().print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
