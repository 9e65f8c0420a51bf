"""Notebooks to work in: copies, so that what a student runs and saves is no change of the course."""

import hashlib
import json
from pathlib import Path
from typing import Any, TypedDict

from protoviz.files import write_text
from protoviz.paths import shipped_notebooks
from protoviz.settings import SettingsError, checked, read_json


class _Cell(TypedDict):
    cell_type: str
    source: str | list[str]


class _Notebook(TypedDict):
    """A notebook, as far as it is read."""

    cells: list[_Cell]
    metadata: dict[str, Any]


class _Mark(TypedDict, total=False):
    copied: str


def own_copies(folder: Path, notebooks: Path | None = None) -> list[str]:
    """Return one line for each copy that was left as it is although the notebook of the course is another by
    now.

    Every notebook of `notebooks` (the course's own), its solutions too, is copied into `folder`. A copy that
    is there stays, with its outputs; one whose cells nobody has changed is replaced once the course has.
    """
    source, kept = notebooks or shipped_notebooks(), []
    for path in sorted([*source.glob("*.ipynb"), *source.glob("solutions/*.ipynb")]):
        notebook = read_json(path, _Notebook, "get the course anew")
        mark, target = _cells(notebook), folder / path.relative_to(source)
        if target.exists():
            copied, cells = _told(target)
            if mark in (copied, cells):
                continue
            if copied != cells:
                kept.append(
                    f"{target} holds changes of yours, and the course has a newer one: rename yours to get it"
                )
                continue
        notebook["metadata"]["protoviz"] = {"copied": mark}
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        write_text(target, text)
    return kept


def _told(path: Path) -> tuple[str | None, str | None]:
    """The mark of what a copy was made from, and of its cells now; no notebook has neither, and is kept."""
    try:
        notebook = read_json(path, _Notebook)
        mark = checked(notebook["metadata"].get("protoviz", {}), _Mark, str(path))
        return mark.get("copied"), _cells(notebook)
    except SettingsError:
        return None, ""


def _cells(notebook: dict) -> str:
    """A sha256 of the text of all cells; outputs do not count."""
    cells = [[cell["cell_type"], "".join(cell["source"])] for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()
