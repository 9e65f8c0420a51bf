"""A class for half an hour: sockets lost, click to painted cells alone and among all, the server's memory.

`python -m benchmarks students --students 30 --minutes 30`. One student is a real browser, in which every time
is taken (as in `page`); the others are pages and sockets without one (see `attendance`). Each clicks another
class after a pause of about five seconds, to look and to think, and waits for what follows.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.browser import browser_or_exit, chromium, server
from benchmarks.classroom import MOST, click, high, student
from benchmarks.memory import status_mb

ALONE = 40  # clicks
SETTLED = 5  # minutes, after which the memory should grow no more


def measure(students: int, minutes: float, every: float) -> dict:
    """{"alone", "among", "others": [ms], "lost": sockets, "memory": {when: MB}}."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder) / "log") as (address, process),
        chromium(browser_or_exit()) as browser,
    ):
        page = student(browser, address)
        click([page], ALONE, every)
        alone = page.evaluate("took.splice(0)")
        rows = page.evaluate("model('classes').y_range.start + 0.5")
        memory = {"one page": status_mb(process)}
        given = (address, students - 1, 60 * minutes, every, round(rows))
        command = [sys.executable, "-m", "benchmarks.attendance", *map(str, given)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as others:
            if others.stdout.readline().strip() != "here":
                raise RuntimeError("the other students could not open their pages; what is above says why")
            memory["all pages open"] = status_mb(process)
            settled = min(SETTLED, minutes / 2)
            first = round(60 * settled / every)
            click([page], first, every, before=ALONE)
            among = page.evaluate("took.splice(0)")
            memory[f"after {settled:g} minutes"] = status_mb(process)
            click([page], round(60 * minutes / every) - first, every, before=ALONE + first)
            memory[f"after {minutes:g} minutes"] = status_mb(process)
            met = json.loads(others.stdout.read())
        lost = met["lost"] + page.evaluate("document.getElementById('connection') ? 1 : 0")
        among += page.evaluate("took")
    return {"alone": alone, "among": among, "others": met["ms"], "lost": lost, "memory": memory}


def main(options: list[str] = ()) -> None:
    """Print the tables."""
    read = argparse.ArgumentParser("python -m benchmarks students")
    read.add_argument("--students", type=int, default=30)
    read.add_argument("--minutes", type=float, default=30)
    read.add_argument("--every", type=float, default=5, help="seconds between two clicks of a student")
    given = read.parse_args(options)
    if given.students < 2 or given.minutes <= 0 or given.every <= 0:
        read.error("two students at least, and minutes and seconds above 0")
    found = measure(given.students, given.minutes, given.every)
    title = f"{given.students} students for {given.minutes:g} minutes, each a click every {given.every:g} s"
    shown = Table("click on a class, ms", "n", "median", "p95", "target", title=title)
    parts = {
        "one alone: cells painted": ("alone", ""),
        "the same one among all": ("among", f"p95 {MOST:g} x alone"),
        "the others: the server's last word": ("others", ""),
    }
    for what, (key, target) in parts.items():
        times = found[key]
        row = (str(len(times)), f"{statistics.median(times):,.0f}", f"{high(times):,.0f}", target)
        shown.add_row(what, *row)
    ratio = high(found["among"]) / high(found["alone"])
    shown.add_row("p95 among all / alone", "", "", f"{ratio:.2f}", f"{MOST:g}")
    shown.add_row("sockets lost", str(found["lost"]), "", "", "0")
    console = Console()
    console.print(shown)
    if None not in found["memory"].values():
        memory = Table(*found["memory"], title="Memory of the server, MB")
        memory.add_row(*(f"{mb:,.0f}" for mb in found["memory"].values()))
        console.print(memory)


if __name__ == "__main__":
    main(sys.argv[1:])
