"""The course as a folder of pages."""

from collections.abc import Collection
from pathlib import Path

from protoviz.export.page import entry, index, page
from protoviz.export.running import LIMIT_S, Exported, each, executed
from protoviz.export.sources import ExportError, Lesson, find_lessons
from protoviz.files import write_bytes
from protoviz.progress import Listener, silent

TARGET = Path("build/course")  # of the folder that a person stands in
MOST_BYTES = 15_000_000  # of one page: what a phone still opens, and a mail still carries


def export_course(
    out: Path | None = None,
    only: Collection[str] = (),
    *,
    notebooks: Path | None = None,
    solutions: bool = False,
    again: bool = False,
    kept: Path | None = None,
    limit: float = LIMIT_S,
    progress: Listener = silent,
) -> list[Exported]:
    """Write one page a notebook and index.html into `out` (build/course); each appears whole or not at all.

    only: parts of names, like "05"; the index then lists what `out` holds. solutions: their pages too.
    A notebook runs where it, the package or the data have changed since it last did, or with `again`; runs
    are kept in `kept` (the user's cache). `progress` hears of cells and pages.
    Raises ExportError, once all others are pages, for the notebooks of which a cell
    fails or takes more than `limit` seconds, or whose page has more than 15 MB. Pages that these had stay.
    """
    out = TARGET if out is None else Path(out)
    wanted = find_lessons(notebooks, only, solutions)
    there = [
        one
        for one in find_lessons(notebooks, solutions=True)
        if one in wanted or (out / f"{one.name}.html").exists()
    ]
    entries = [entry(one) for one in there]

    def make(lesson: Lesson) -> Exported:
        run = executed(lesson, again, progress, kept, limit)
        here = next(one for one in entries if one.lesson == lesson)
        html = _fitting(page(run.notebook, here, entries, run.seconds).encode(), lesson)
        write_bytes(out / here.address, html)
        return Exported(out / here.address, run.seconds, run.fresh)

    pages, failed = each(wanted, make, progress)
    if pages:
        here = [one for one in entries if (out / one.address).exists()]
        write_bytes(out / "index.html", index(here).encode())
    if failed:
        raise failed
    return pages


def _fitting(html: bytes, lesson: Lesson) -> bytes:
    """The same page; raises ExportError where it is too large."""
    if len(html) > MOST_BYTES:
        raise ExportError(
            f"the page of {lesson.name} would have {len(html) / 1e6:.1f} MB, {MOST_BYTES / 1e6:.0f} at most: "
            "show fewer sounds, and pictures as bytes rather than floats"
        )
    return html
