"""The course's notebooks: which there are, where they come from and what they are called."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from protoviz.named import install_hint
from protoviz.paths import shipped_notebooks
from protoviz.study import open_study

CHECKOUT = Path(__file__).resolve().parents[2]
STUDY = re.compile(r"^STUDY = .*$", re.MULTILINE)  # which study a notebook opens


class ExportError(RuntimeError):
    """Pages cannot be made; the message names the notebook and the cure."""


@dataclass(frozen=True)
class Lesson:
    """One notebook by its source (py:percent); a solution's page stands beside its lesson's."""

    source: Path
    solution: bool = False
    study: str | None = None  # what it opens in place of the study that its source names

    @property
    def text(self) -> str:
        """Its source, with the line `STUDY = ...` of its first cell saying `study`."""
        text = self.source.read_text(encoding="utf-8")
        return text if self.study is None else STUDY.sub(lambda _: f"STUDY = {self.study!r}", text, count=1)

    @property
    def name(self) -> str:
        """ "03_bottleneck", or "03_bottleneck-solutions"."""
        return f"{self.source.stem}-solutions" if self.solution else self.source.stem

    @property
    def number(self) -> str:
        """The digits that its name begins with, "03"; "" where there are none."""
        return re.match(r"\d*", self.source.stem)[0]

    @property
    def folder(self) -> Path:
        """Where its .ipynb stands and its cells run."""
        return self.source.parents[1]


def find_lessons(
    folder: Path | None = None, only: Collection[str] = (), solutions: bool = False
) -> list[Lesson]:
    """Return the lessons of a folder (the course's own), by name; with `solutions` each with its solutions.

    only: parts of names, like "05"; none: all. Raises ExportError for a part that is in none, naming all.
    """
    folder = Path(folder or shipped_notebooks())
    found = [Lesson(path) for path in sorted((folder / "py").glob("*.py"))]
    if solutions:
        found += [Lesson(path, True) for path in (folder / "solutions" / "py").glob("*.py")]
    if not found:
        raise ExportError(f"{folder / 'py'} holds no notebooks (NAME.py, py:percent): name another folder")
    found.sort(key=lambda lesson: (lesson.source.stem, lesson.solution))
    if absent := [part for part in only if not any(part in one.name for one in found)]:
        names = ", ".join(one.name for one in found)
        raise ExportError(f"no notebook has {' or '.join(absent)} in its name; there are {names}")
    return [one for one in found if not only or any(part in one.name for part in only)]


def with_study(lessons: Sequence[Lesson], study: str | Path, asked: Collection[str] = ()) -> list[Lesson]:
    """Return those of the lessons that open a study, now to open `study`.

    Raises ExportError where some were `asked` for by name and one of them opens none; StudyError for what is
    no study.
    """
    place = open_study(study).folder.resolve()
    found = [replace(one, study=str(place)) for one in lessons if STUDY.search(one.text)]
    if (asked and len(found) < len(lessons)) or not found:
        none = ", ".join(one.name for one in lessons if not STUDY.search(one.text))
        raise ExportError(f"{none}: no cell says STUDY = ..., so no study can be given; leave --study out")
    return found


def paired(source: Path) -> str:
    """Return the text of the notebook (.ipynb) of a source (.py): its cells, stable ids, no outputs.

    It does not say that the two belong together: at every save JupyterLab would write a source beside it.
    """
    jupytext = needed("jupytext")
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem}-{number:02d}".replace("_", "-")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.setdefault("kernelspec", kernel)
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata.pop("jupytext", None)
    return jupytext.writes(notebook, fmt="ipynb") + "\n"


def needed(module: str):
    """Return a module of the extra "notebooks". Raise ExportError, naming the extra, where it is absent."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        missing = f"the packages that run notebooks are missing ({error.name or module})"
        raise ExportError(f"{missing}: {install_hint('notebooks')}") from error
