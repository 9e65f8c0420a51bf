"""The notebooks that a student opens hold the cells of their reviewed sources, and no outputs."""

import json
import re
from pathlib import Path

import pytest

from protoviz.course.exercises import EXERCISES

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
LESSONS = sorted((FOLDER / "py").glob("*.py"))
SOLUTIONS = sorted((FOLDER / "solutions" / "py").glob("*.py"))
SOURCES = LESSONS + SOLUTIONS
NUMBER = r"[\N{MINUS SIGN}+-]?\d[\d.,]*(?: ?%)?"


def _cells_of_source(path: Path, code: bool = True, prose: bool = True) -> list[str]:
    """The text of every cell of a py:percent file; prose without its comment marks."""
    cells, cell = [], re.compile(r"^# %%( \[markdown\])?\n(.*?)(?=^# %%|\Z)", re.MULTILINE | re.DOTALL)
    for kind, text in cell.findall(path.read_text()):
        lines = [re.sub(r"^# ?", "", line) for line in text.splitlines()] if kind else text.splitlines()
        if prose if kind else code:
            cells.append("\n".join(lines).strip())
    return cells


def test_every_notebook_has_its_source():
    assert LESSONS
    for folder, sources in ((FOLDER, LESSONS), (FOLDER / "solutions", SOLUTIONS)):
        assert {path.stem for path in sources} == {path.stem for path in folder.glob("*.ipynb")}


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
def test_the_numbers_of_the_prose_are_those_that_a_cell_states(source):
    """Bold numbers are key numbers: `stated` holds each to what the cell computes, when the notebook runs."""
    prose = re.findall(rf"\*\*({NUMBER})\*\*", "\n".join(_cells_of_source(source, code=False)))
    code = "\n".join(_cells_of_source(source, prose=False))
    assert set(prose) == set(re.findall(rf'stated\(\s*"({NUMBER})"', code))


@pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)
def test_every_exercise_is_asked_and_solved(source):
    asked = set(re.findall(r'check\("([\d.]+)"', source.read_text()))
    assert asked == {key for key in EXERCISES if key.startswith(source.stem[:2])}
    if asked:
        solved = FOLDER / "solutions" / "py" / source.name
        assert asked == set(re.findall(r'assert check\("([\d.]+)",[^\n]*\)\.right', solved.read_text()))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_notebook_and_source_hold_the_same_cells_and_no_outputs(source):
    notebook = json.loads((source.parents[1] / f"{source.stem}.ipynb").read_text())
    cells = ["".join(cell["source"]).strip() for cell in notebook["cells"]]
    assert cells == _cells_of_source(source), "run `protoviz notebooks pair`"
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
    assert "jupytext" not in notebook["metadata"], "JupyterLab would write a source beside it at every save"
    assert source.read_text().startswith("# %%"), "`protoviz notebooks pair` adds what Jupyter needs"
