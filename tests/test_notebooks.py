"""The notebooks that a student opens hold the cells of their reviewed sources, and no outputs."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
SOURCES = sorted((FOLDER / "py").glob("*.py"))


def _cells_of_source(path: Path) -> list[str]:
    """The text of every cell of a py:percent file; prose without its comment marks."""
    body = path.read_text().split("# ---\n", 2)[2]
    cells = []
    for kind, text in re.findall(r"^# %%( \[markdown\])?\n(.*?)(?=^# %%|\Z)", body, re.MULTILINE | re.DOTALL):
        lines = [re.sub(r"^# ?", "", line) for line in text.splitlines()] if kind else text.splitlines()
        cells.append("\n".join(lines).strip())
    return cells


def test_there_are_notebooks():
    assert SOURCES
    assert {path.stem for path in SOURCES} == {path.stem for path in FOLDER.glob("*.ipynb")}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_notebook_and_source_hold_the_same_cells_and_no_outputs(source):
    notebook = json.loads((FOLDER / f"{source.stem}.ipynb").read_text())
    cells = ["".join(cell["source"]).strip() for cell in notebook["cells"]]
    assert cells == _cells_of_source(source), "run `python notebooks/run.py --pair`"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
