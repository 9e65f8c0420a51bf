"""Visits that come and go, then uploads: what the server holds after each; it should stay flat.

`python -m benchmarks soak --visits 200 --every 20 --uploads 5`. A visit is a page and its socket, each to the
next page; an upload is a file of 49 MB, brought by a real browser, which then leaves. Memory is read once all
sessions have ended.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table

from benchmarks.attendance import Seat
from benchmarks.browser import browser_or_exit, chromium, opened, server
from benchmarks.memory import status_mb
from protoviz.explorer.pages import PAGES

WARM = 40  # visits, after which every page has been shown some times
FLAT = 1.1  # share of what was held then
QUICK = ("--unused-session-lifetime", "1000", "--check-unused-sessions", "1000")
TOLD = ("--rest-session-info", "--session-history", "-1")
UPLOAD_MB, RATE = 49, 16000


def curve(visits: int, every: int, uploads: int, **environment: str) -> list[tuple[str, int, float]]:
    """[("visits" or "uploads", how many so far, MB)], the first before any of them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder) / "log", *QUICK, *TOLD, **environment) as (address, process),
    ):

        def held(what: str, count: int) -> tuple[str, int, float]:
            _wait_for_ends(address)
            return what, count, status_mb(process)

        found = [held("visits", 0)]
        for count in range(1, visits + 1):
            asyncio.run(_visit(address, count))
            if count % every == 0:
                found.append(held("visits", count))
        if uploads:
            sound = _large_sound(Path(folder))
            with chromium(browser_or_exit()) as browser:
                for count in range(1, uploads + 1):
                    _upload(browser, address, sound)
                    found.append(held("uploads", count))
    return found


async def _visit(address: str, count: int) -> None:
    page = list(PAGES)[count % len(PAGES)]
    (await Seat.taken(f"{address}?page={page}")).socket.close()


def _upload(browser, address: str, sound: Path) -> None:
    page = opened(browser, f"{address}?page=listen")
    page.locator("input[type=file]").set_input_files(sound)
    page.get_by_text(sound.name).first.wait_for()
    page.context.close()


def _large_sound(folder: Path) -> Path:
    path = folder / "large.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, UPLOAD_MB * 2**20 // 2 - 100)
    soundfile.write(path, noise, RATE, subtype="PCM_16")
    return path


def _wait_for_ends(address: str) -> None:
    place = f"{address.removesuffix('/app')}/rest/session_info"
    while True:
        with urlopen(place) as answer:
            told = json.load(answer)
        sessions = told.get("session_info", told)["sessions"].values()
        if all(session["ended"] for session in sessions):
            return
        time.sleep(0.5)


def grown(found: list[tuple[str, int, float]]) -> float:
    """The most that was held after the first visits, as a share of what was held just after them."""
    warm = [mb for what, count, mb in found if what == "visits" and count >= WARM]
    return max(warm) / warm[0]


def kept(found: list[tuple[str, int, float]]) -> float:
    """MB that the uploads after the first have left behind, all together."""
    after = [mb for what, _, mb in found if what == "uploads"]
    return after[-1] - after[0]


def main(options: list[str] = ()) -> None:
    """Print the curve."""
    read = argparse.ArgumentParser("python -m benchmarks soak")
    for name, usual in (("visits", 200), ("every", 20), ("uploads", 5)):
        read.add_argument(f"--{name}", type=int, default=usual)
    given = read.parse_args(options)
    if given.visits < WARM or given.every < 1 or given.uploads < 2:
        read.error(f"at least {WARM} visits, 2 uploads, and read every visit or more seldom")
    found = curve(given.visits, given.every, given.uploads)
    table = Table("after", "MB", title="Memory of the server when everybody has left")
    for what, count, mb in found:
        table.add_row(f"{count} {what}", f"{mb:,.0f}")
    console = Console()
    console.print(table)
    console.print(f"the most after {WARM} visits, as a share of then: {grown(found):.3f} (target {FLAT})")
    console.print(
        f"left by {given.uploads - 1} uploads: {kept(found):.0f} MB (target: less than one, {UPLOAD_MB})"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
