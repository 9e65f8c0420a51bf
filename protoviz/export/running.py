"""Notebooks run once: what a run gave is kept and taken again until something that it used has changed."""

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from protoviz.export.sources import CHECKOUT, ExportError, Lesson, find_lessons, needed, with_study
from protoviz.files import write_bytes
from protoviz.kept import MARK, UNSEALED, DamagedFileError, refuse_changed, sealed
from protoviz.paths import cache_folder, data_folder
from protoviz.progress import Listener, Progress, silent

TARGET = Path("build/notebooks")  # of the folder that a person stands in
LIMIT_S = 300  # of one cell: what takes longer hangs
PACKAGES = ("bokeh", "holoviews", "numpy", "panel", "torch")  # what figures and numbers are made with
DOORS = {"cli", "export"}  # of the package: what no cell calls
QUIET = ["--IPKernelApp.log_level=ERROR"]  # the kernel only speaks to this machine; it warns about that


@dataclass(frozen=True)
class Run:
    """An executed notebook. seconds: how long it ran when it did; fresh: that was now."""

    notebook: object
    seconds: float
    fresh: bool


@dataclass(frozen=True)
class Exported:
    """One page, or one notebook with its outputs, that was made."""

    path: Path
    seconds: float  # that its notebook ran
    fresh: bool  # it ran now; else what an earlier run gave was taken

    @property
    def bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size

    def __str__(self):
        ran = f"ran {self.seconds:.0f} s" if self.fresh else "unchanged"
        return f"{self.path.stem}: {ran}, {self.bytes / 1e6:.1f} MB"


class StoppedError(ExportError):
    """The kernel has ended: the user stopped it, or the system did. No other notebook is begun."""


def executed(
    lesson: Lesson,
    again: bool = False,
    progress: Listener = silent,
    kept: Path | None = None,
    limit: float = LIMIT_S,
) -> Run:
    """Return the notebook with its outputs: run now, or as it was kept by the last run of the very same
    thing.

    The same: its source, every file of the package and of the shipped data, and the versions of `PACKAGES`.
    again: run in any case. `progress` hears of every cell. kept: the folder of such runs, by
    default the user's cache; a run that cannot be kept there is good all the same, with a warning.
    Raises ExportError with the cell and its error where a cell fails or takes more than `limit` seconds, and
    StoppedError where the kernel has ended.
    """
    nbformat = needed("nbformat")
    file = (kept or _own_place(lesson)) / f"{lesson.name}.ipynb"
    mark = _fingerprint(lesson)
    if not again and (notebook := _kept(file)):
        made = notebook.metadata["protoviz"]
        if made["fingerprint"] == mark:
            return Run(notebook, made["seconds"], fresh=False)
    notebook, seconds = _run(lesson, progress, limit)
    made = {"fingerprint": mark, "seconds": round(seconds, 1), "digest": UNSEALED}
    notebook.metadata["protoviz"] = made
    try:
        write_bytes(file, sealed(nbformat.writes(notebook).encode()))
    except OSError as error:
        warnings.warn(
            f"the run of {lesson.name} is not kept ({error}): name a folder with --kept or PROTOVIZ_CACHE",
            stacklevel=2,
        )
    return Run(notebook, seconds, fresh=True)


def run_notebooks(
    out: Path | None = None,
    only: Collection[str] = (),
    *,
    study: str | Path | None = None,
    notebooks: Path | None = None,
    solutions: bool = False,
    again: bool = False,
    limit: float = LIMIT_S,
    progress: Listener = silent,
) -> list[Exported]:
    """Run the notebooks and return them as they are in `out` (build/notebooks), with their outputs.

    only: parts of names, like "05". study: what the notebooks open in place of the shipped one, a folder or a
    file; notebooks that open none are then left out. One that has not changed, and is in `out` with its
    outputs, is not run once more, but for a study or with `again`.
    Raises ExportError, once all others have run, for those of which a cell fails or takes more than `limit`
    seconds; for one that is asked for with a study and opens none; and StudyError for what is no study.
    """
    out, wanted = TARGET if out is None else Path(out), find_lessons(notebooks, only, solutions)
    if study is not None:
        wanted, again = with_study(wanted, study, only), True

    def make(lesson: Lesson) -> Exported:
        run = executed(lesson, again, progress, out, limit)
        return Exported(out / f"{lesson.name}.ipynb", run.seconds, run.fresh)

    made, failed = each(wanted, make, progress)
    if failed:
        raise failed
    return made


def each(
    wanted: Sequence[Lesson], make: Callable[[Lesson], Exported], progress: Listener
) -> tuple[list[Exported], ExportError | None]:
    """Return what was made of the lessons, and one error for those of which nothing was."""
    made, failed = [], []
    progress(Progress(total=len(wanted)))
    for lesson in wanted:
        try:
            made.append(make(lesson))
        except StoppedError:
            raise
        except ExportError as error:
            failed.append(str(error))
        else:
            # One that ran was counted by its cells.
            progress(Progress(not made[-1].fresh, line=str(made[-1])))
    if not failed:
        return made, None
    said = [*dict.fromkeys(failed), f"{len(failed)} of {len(wanted)} notebooks failed"]
    return made, ExportError("\n\n".join(said))


def _kept(file: Path):
    """The notebook that an earlier run left; None where there is none that is as it was written."""
    try:
        data = file.read_bytes()
        refuse_changed(file, data)
    except (OSError, DamagedFileError):
        return None
    return needed("nbformat").reads(data.decode(), as_version=4) if MARK.encode() in data else None


def _own_place(lesson: Lesson) -> Path:
    """The folder of the runs of these notebooks: others of the same name have another."""
    mark = hashlib.sha256(str(lesson.source.resolve().parent).encode()).hexdigest()[:12]
    return cache_folder() / "executed" / mark


def _run(lesson: Lesson, progress: Listener, limit: float) -> tuple[object, float]:
    """The notebook with outputs, and seconds."""
    nbclient, jupytext = needed("nbclient"), needed("jupytext")
    needed("ipykernel")
    notebook = jupytext.reads(lesson.text, fmt="py")
    at = 0

    def count(cell, cell_index) -> None:
        nonlocal at
        at = cell_index + 1
        cells = len(notebook.cells)
        progress(Progress(1 / cells, f"{lesson.name}, cell {at} of {cells}"))

    resources = {"metadata": {"path": str(lesson.folder)}}
    client = nbclient.NotebookClient(
        notebook,
        timeout=limit,
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
        kind = StoppedError if error.ename == "KeyboardInterrupt" else ExportError
        raise kind(f"{lesson.name}, cell {at}: {error.ename}: {error.evalue}\n{error}") from error
    except nbclient.exceptions.CellTimeoutError as error:
        more = "--limit SECONDS gives it more"
        raise ExportError(f"{lesson.name}, cell {at}, ran longer than {limit:g} s: {more}") from error
    except (nbclient.exceptions.DeadKernelError, AssertionError, AttributeError) as error:
        # The last two: Ctrl-C has ended the kernel, and the client goes on to ask it something.
        said = "its Python has ended: it was stopped, or ran out of memory"
        raise StoppedError(f"{lesson.name}, cell {at}: {said}") from error
    return notebook, time.perf_counter() - start


def _fingerprint(lesson: Lesson) -> str:
    """A sha256 of everything that a run depends on."""
    digest = hashlib.sha256(lesson.text.encode())
    for package in PACKAGES:
        digest.update(f"{package} {version(package)}".encode())
    for folder in (CHECKOUT / "protoviz", data_folder()):
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and path.suffix != ".pyc" and inside.parts[0] not in DOORS:
                digest.update(str(inside).encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
