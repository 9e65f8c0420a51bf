"""Notebooks run once: what a run gave is kept and taken again until something that it used has changed."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from protoviz.cache.files import write_bytes
from protoviz.export.sources import CHECKOUT, ExportError, Lesson, needed
from protoviz.paths import data_folder

LIMIT_S = 300  # of one notebook: the longest that a class waits
KEPT = CHECKOUT / "build" / "executed"
PACKAGES = ("bokeh", "holoviews", "numpy", "panel", "torch")  # what figures and numbers are made with
DOORS = {"cli", "export"}  # of the package: what no cell calls
QUIET = ["--IPKernelApp.log_level=ERROR"]  # the kernel only speaks to this machine; it warns about that
Told = Callable[[int, int], None]  # the cell that runs, cells in all


@dataclass(frozen=True)
class Run:
    """An executed notebook. seconds: how long it ran when it did; fresh: that was now."""

    notebook: object
    seconds: float
    fresh: bool


def executed(lesson: Lesson, again: bool = False, told: Told | None = None, kept: Path | None = None) -> Run:
    """The notebook with its outputs: run now, or as it was kept by the last run of the very same thing.

    The same: its source, every file of the package and of the shipped data, and the versions of `PACKAGES`.
    again: run in any case. told(cell, of how many) hears of every cell. kept: the folder of such runs.
    Raises ExportError with the cell and its error where a cell fails, and after `LIMIT_S`.
    """
    nbformat = needed("nbformat")
    file = (kept or KEPT) / f"{lesson.name}.ipynb"
    mark = _fingerprint(lesson)
    if not again and file.exists():
        notebook = nbformat.read(file, as_version=4)
        made = notebook.metadata.get("protoviz", {})
        if made.get("fingerprint") == mark:
            return Run(notebook, made["seconds"], fresh=False)
    notebook, seconds = _run(lesson, told)
    notebook.metadata["protoviz"] = {"fingerprint": mark, "seconds": round(seconds, 1)}
    write_bytes(file, nbformat.writes(notebook).encode())
    return Run(notebook, seconds, fresh=True)


def _run(lesson: Lesson, told: Told | None) -> tuple[object, float]:
    """The notebook with outputs, and seconds."""
    nbclient, jupytext = needed("nbclient"), needed("jupytext")
    needed("ipykernel")
    notebook = jupytext.read(lesson.source)
    at = 0

    def count(cell, cell_index) -> None:
        nonlocal at
        at = cell_index + 1
        if told:
            told(at, len(notebook.cells))

    resources = {"metadata": {"path": str(lesson.folder)}}
    client = nbclient.NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        resources=resources,
        extra_arguments=QUIET,
        on_cell_start=count,
    )
    # The kernel imports the same package as this process, wherever it was started.
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    start = time.perf_counter()
    try:
        client.execute(env={**os.environ, "PYTHONPATH": path})
    except nbclient.exceptions.CellExecutionError as error:
        raise ExportError(f"{lesson.name}, cell {at}: {error.ename}: {error.evalue}\n{error}") from error
    except nbclient.exceptions.CellTimeoutError as error:
        raise ExportError(f"{lesson.name}, cell {at}, ran longer than {LIMIT_S} s") from error
    except (nbclient.exceptions.DeadKernelError, AssertionError, AttributeError) as error:
        # The last two: Ctrl-C has ended the kernel, and the client goes on to ask it something.
        said = "its Python has ended: it was stopped, or ran out of memory"
        raise ExportError(f"{lesson.name}, cell {at}: {said}") from error
    seconds = time.perf_counter() - start
    if seconds > LIMIT_S:
        raise ExportError(f"{lesson.name} took {seconds:.0f} s; a class waits {LIMIT_S} s at most")
    return notebook, seconds


def _fingerprint(lesson: Lesson) -> str:
    """A sha256 of everything that a run depends on."""
    digest = hashlib.sha256(lesson.source.read_bytes())
    for package in PACKAGES:
        digest.update(f"{package} {version(package)}".encode())
    for folder in (CHECKOUT / "protoviz", data_folder()):
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and path.suffix != ".pyc" and inside.parts[0] not in DOORS:
                digest.update(str(inside).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
