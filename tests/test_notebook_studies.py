"""The notebooks on three studies, and what the course says where one of them lacks something."""

from pathlib import Path

import pytest
from three_studies import make_three

import protoviz
from protoviz.course import stated, study_figure, study_results, study_with
from protoviz.export import find_lessons, run_notebooks

pytest.importorskip("jupytext", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("nbclient", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("ipykernel", reason="needs the packages of protoviz[notebooks]")

import nbformat

QUICK = ("00", "07")  # one that looks at a clip, one that reads scores
EVERY = [lesson.number for lesson in find_lessons()]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return make_three(tmp_path_factory.mktemp("three"))


@pytest.fixture
def small(three):
    """Labels alone, no scenes, weights that are not found by name."""
    return protoviz.open_study(three.eat)


def printed(notebook: Path) -> str:
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    return "".join(one.text for cell in cells for one in cell.outputs if one.output_type == "stream")


@pytest.mark.parametrize(
    "number", [pytest.param(one, marks=[pytest.mark.slow] * (one not in QUICK)) for one in EVERY]
)
@pytest.mark.parametrize(
    "which",
    ["eat", pytest.param("demo", marks=pytest.mark.slow), pytest.param("own", marks=pytest.mark.slow)],
)
def test_a_notebook_runs_on_any_study(number, which, three, tmp_path):
    (made,) = run_notebooks(tmp_path, [number], study=getattr(three, which))
    if which == "demo":
        assert " in the demo)" not in printed(made.path)


def test_what_a_study_lacks_is_a_sentence_and_the_demo_stands_in(small, capsys):
    assert study_with(small, "sound", "attention", "prototypes", "linear", "score_intervals") is small
    assert capsys.readouterr().out == ""
    for need in ("scenes", "events", "encoder", "proto", "polyphony_curves"):
        found, (line,) = study_with(small, "sound", need), capsys.readouterr().out.splitlines()
        assert found.name == "demo"
        assert "protoviz" in line
    assert set(study_results(small, "linear").source) == {small.name}
    assert set(study_results(small, "proto", source="poolings").source) == {"poolings"}
    assert "proto" in capsys.readouterr().out
    assert study_figure(small, "spectrogram").name == "spectrogram"
    assert study_figure(small, "per_class_curves") is None
    assert "protoviz per-class" in capsys.readouterr().out


def test_the_demo_lacks_nothing_without_an_error():
    with pytest.raises(protoviz.study.StudyError, match="no probe of mlp"):
        study_with(protoviz.open_study("demo"), "mlp")


def test_a_number_that_another_study_lacks_is_the_demos_alone(small):
    from protoviz.course import setup

    setup(small.folder, threads=1)
    try:
        assert stated("23", float("nan"), "points") == "points: not in this study (23 in the demo)"
        assert stated("23", 4.4, "points") == "points: 4 (23 in the demo)"
    finally:
        setup("demo", threads=1)
    with pytest.raises(ValueError, match="nan"):
        stated("23", float("nan"), "points")
