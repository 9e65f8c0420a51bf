"""Ten students at once: click on a class to painted cells, alone and in a class, and memory a session.

Everybody has a page open and clicks another class every two seconds or so, each at a moment of his own, and
waits until his cells are painted before he clicks again. Every time is taken inside the student's own page,
as in `page`. Alone is the same with one student, on the same server just before. All ten browsers run on the
server's machine here and share its cores, which they do not in a real class.
"""

import random
import statistics
import tempfile
import time
from pathlib import Path

from rich.table import Table

from benchmarks.browser import browser_or_exit, chromium, server, watched
from benchmarks.memory import status_mb

STUDENTS, EVERY = 10, 2.0  # seconds between two clicks of a student, give or take a quarter
CLICKS_ALONE, CLICKS_EACH = 20, 10
MOST = 3.0  # times the latency of one alone: what still feels like one's own machine


def measure(clicks_alone: int = CLICKS_ALONE, clicks_each: int = CLICKS_EACH, **environment: str) -> dict:
    """{"alone": [ms], "class": [ms a student], "mb": memory a session, "process_mb": of the server with one}.

    Memory is None where it cannot be read. environment: variables of the server, such as the study that it
    shows.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder) / "log", **environment) as (address, process),
        chromium(browser_or_exit()) as browser,
    ):
        students = [student(browser, address)]
        click(students, clicks_alone)
        alone = students[0].evaluate("took.splice(0)")
        before = status_mb(process)
        students += [student(browser, address) for _ in range(STUDENTS - 1)]
        after = status_mb(process)
        click(students, clicks_each, before=clicks_alone)
        together = [page.evaluate("took") for page in students]
    each = None if before is None else (after - before) / (STUDENTS - 1)
    return {"alone": alone, "class": together, "mb": each, "process_mb": before}


def student(browser, address: str):
    """The page of one, whose clicks on classes are timed until the cells are painted."""
    page = watched(browser, address)
    page.evaluate("watch('pointerup', ['cells', 'parts'])")
    return page


def click(students: list, clicks: int, every: float = EVERY, before: int = 0) -> None:
    """Every student clicks so many times, after those before; returns when all pictures are painted."""
    draw = random.Random(0)
    start = time.monotonic()
    classes = int(students[0].evaluate("model('classes').y_range.start - 0.5")) + 1
    due = [start + draw.uniform(0, every) for _ in students]
    done = [0] * len(students)
    while min(done) < clicks:
        who = min((i for i in range(len(students)) if done[i] < clicks), key=due.__getitem__)
        students[who].wait_for_timeout(max(0.0, 1000 * (due[who] - time.monotonic())))
        painted = students[who].evaluate("took.length")
        if painted < done[who]:  # still waiting for the last picture: he clicks when it is there
            due[who] = time.monotonic() + 0.05
            continue
        row = (7 * (before + done[who]) + 12) % classes  # never the class that is shown already
        students[who].mouse.click(*students[who].evaluate(f"pixel('classes', 0.3, {row})"))
        done[who] += 1
        due[who] = time.monotonic() + every * draw.uniform(0.75, 1.25)
    for page in students:
        page.wait_for_function(f"took.length == {clicks}")


def high(times: list[float]) -> float:
    """The 95th percentile: the measured time that so many are at most."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]


def middle(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"median": statistics.median(times), "p95": high(times)}


def table(**environment: str) -> tuple[Table, dict]:
    """What was measured, as a table and as rates of `protoviz.analysis.scaling.SPEED`; as `measure`."""
    found = measure(**environment)
    alone, everybody = found["alone"], [time for times in found["class"] for time in times]
    usual = statistics.median(alone)
    slowest = max(statistics.median(times) for times in found["class"])
    shown = Table(
        "click on a class -> cells painted, ms", "n", "median", "p95", "target", title="A classroom"
    )
    shown.add_row("one student", str(len(alone)), f"{usual:,.0f}", f"{high(alone):,.0f}", "")
    row = [
        str(len(everybody)),
        f"{statistics.median(everybody):,.0f}",
        f"{high(everybody):,.0f}",
        f"{MOST:g} x alone",
    ]
    shown.add_row(f"{STUDENTS} students, each every {EVERY:g} s", *row)
    shown.add_row("the slowest student's median / alone", "", f"{slowest / usual:.2f}", "", f"{MOST:g}")
    if found["mb"] is not None:
        shown.add_row("memory of the server a session, MB", "", f"{found['mb']:.1f}", "", "")
    rates = {"students": STUDENTS, "every_s": EVERY, "slowest_of_alone": slowest / usual}
    rates |= {"student_alone": middle(alone), "class_of_students": middle(everybody)}
    return shown, {**rates, "session_mb": found["mb"], "process_mb": found["process_mb"]}
