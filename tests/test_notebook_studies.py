"""The notebooks on a study that is not the demo: labels alone, no scenes, weights that are not at hand."""

from pathlib import Path

import pytest
from dataset_copies import esc50
from golden_names import ENCODER_FILES

import protoviz
from protoviz.course import stated, study_figure, study_results, study_with
from protoviz.export import find_lessons, run_notebooks

pytest.importorskip("jupytext", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("nbclient", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("ipykernel", reason="needs the packages of protoviz[notebooks]")

import nbformat

QUICK = ("00", "07")  # one that looks at a clip, one that reads scores
EVERY = [lesson.number for lesson in find_lessons()]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A study of the small EAT file on a copy of ESC-50's layout, with sound."""
    place = tmp_path_factory.mktemp("small")
    study = protoviz.new_study(
        place / "study",
        "eat",
        "esc50",
        ["linear", "protobin"],
        weights=ENCODER_FILES / "eat",
        root=esc50(place / "ESC-50"),
        quick=True,
        show=3,
        sound=True,
        say=lambda text: None,
    )
    return protoviz.run_study(study, progress=False)


def printed(notebook: Path) -> str:
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    return "".join(one.text for cell in cells for one in cell.outputs if one.output_type == "stream")


@pytest.mark.parametrize(
    "number", [pytest.param(one, marks=[pytest.mark.slow] * (one not in QUICK)) for one in EVERY]
)
@pytest.mark.parametrize("which", ["demo", "small"])
def test_a_notebook_runs_on_any_study(number, which, small, tmp_path):
    study = "demo" if which == "demo" else small.folder
    (made,) = run_notebooks(tmp_path, [number], study=study)
    assert (" in the demo)" in printed(made.path)) <= (which == "small")


def test_what_a_study_lacks_is_a_sentence_and_the_demo_stands_in(small, capsys):
    assert study_with(small, "sound", "attention", "prototypes", "linear", "score_intervals") is small
    assert capsys.readouterr().out == ""
    for need in ("scenes", "events", "encoder", "mhca", "polyphony_curves"):
        found, (line,) = study_with(small, "sound", need), capsys.readouterr().out.splitlines()
        assert found.name == "demo"
        assert "protoviz" in line
    assert set(study_results(small, "linear").source) == {small.name}
    assert set(study_results(small, "mhca", source="poolings").source) == {"poolings"}
    assert "mhca" in capsys.readouterr().out
    assert study_figure(small, "spectrogram").name == "spectrogram"
    assert study_figure(small, "per_class_curves") is None
    assert "protoviz per-class" in capsys.readouterr().out


def test_the_demo_lacks_nothing_without_an_error():
    with pytest.raises(protoviz.study.StudyError, match="no probe of mlp"):
        study_with(protoviz.open_study("demo"), "mlp")


def test_a_number_that_another_study_lacks_is_the_demos_alone(small):
    from protoviz.course import setup

    setup(small.folder)
    try:
        assert stated("23", float("nan"), "points") == "points: not in this study (23 in the demo)"
        assert stated("23", 4.4, "points") == "points: 4 (23 in the demo)"
    finally:
        setup("demo")
    with pytest.raises(ValueError, match="nan"):
        stated("23", float("nan"), "points")
