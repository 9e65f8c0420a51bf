"""Commands that make results: only a full run replaces what is shipped, and no option is ignored."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from protoviz import paths, report
from protoviz.cli import app
from protoviz.encoders import ENCODERS
from protoviz.experiments import recipe
from protoviz.experiments.polyphony import recipe as polyphony
from protoviz.report import polyphony as polyphony_report

MINIS = ",".join(name for name in ENCODERS if name.startswith("mini-"))
RECORDED = ["--recordings", "ESC-50-master"]
STRONG = ["--strong", "labelled", "--birds", "tits"]


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The folders that the commands would have filled, instead of hours of work; shipped is tmp_path/data."""
    folders = []
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    monkeypatch.setattr(
        recipe, "run_recipe", lambda grid, work, folder, *_, **__: folders.append(Path(folder))
    )
    for room, name in (
        (polyphony_report, "folder_tables"),
        (polyphony_report, "strong_table"),
        (report, "demo_table"),
        (report, "poolings_table"),
        (report, "tokens_table"),
        (report, "layers_table"),
        (report, "frames_table"),
    ):
        monkeypatch.setattr(room, name, lambda folder: "a table")
    return folders


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["polyphony", *RECORDED, "--encoders", MINIS], "data/demo/results"),
        (["polyphony", *RECORDED, "--encoders", MINIS, "--small"], "work/results"),
        (["polyphony", *RECORDED, "--encoders", MINIS, "--labels", "dog,rain"], "work/results"),
        (["polyphony", *RECORDED, "--encoders", "mini-mae,mini-random"], "work/results"),
        (["polyphony", "--encoders", MINIS], "work/results"),
        (["polyphony", "--encoders", "mini-random", "--folder", "{}/own"], "own"),
        (["polyphony", *STRONG], "data/demo/results"),
        (["polyphony", *STRONG, "--small"], "work/results"),
        (["demo"], "data/demo"),
        (["demo", "--small"], "work/demo"),
        (["demo", "--small", "--folder", "{}/own"], "own"),
        (["poolings"], "data/demo/results"),
        (["per-class"], "data/demo/results"),
        (["tokens"], "data/demo/results"),
        (["tokens", "--small"], "work/results"),
        (["tokens", "--encoder", "mini-eat"], "work/results"),
        (["tokens", "--weights", f"own={__file__}"], "work/results"),
        (["layers"], "data/demo/results"),
        (["layers", "--encoder", "mini-mae"], "work/results"),
        (["frames"], "data/demo/results"),
        (["frames", "--small"], "work/results"),
        (["curves"], "data/demo/results"),
        (["curves", "--small"], "work/results"),
        (["poolings", "--small"], "work/results"),
        (["per-class", "--small"], "work/results"),
        (["per-class", "--counts", "1,2"], "work/results"),
    ],
)
def test_only_a_full_run_replaces_what_is_shipped(arguments, place, written, tmp_path):
    done = run(*(text.format(tmp_path) for text in arguments), "--work", str(tmp_path / "work"))
    assert done.exit_code == 0, done.output
    assert written == [tmp_path / place]
    last = done.output.rstrip().splitlines()[-1]
    assert last.startswith(f"results: {tmp_path / place}"), "who rehearses is told where it went"


FULL = [
    ["polyphony", *RECORDED, "--encoders", MINIS],
    ["polyphony", *STRONG],
    ["demo"],
    ["poolings"],
    ["per-class"],
]


@pytest.mark.parametrize("command", FULL, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize("why", ["read-only", "installed"])
def test_what_is_shipped_and_cannot_be_replaced_is_left_alone(command, why, written, tmp_path, monkeypatch):
    if why == "installed":
        monkeypatch.setattr(paths, "_PACKAGE", tmp_path)
        (tmp_path / "data").mkdir()
        work = tmp_path.parent / f"{tmp_path.name}-work"
    else:
        (tmp_path / "data").touch()  # where no folder can be, not even for the superuser
        work = tmp_path / "work"
    done = run(*command, "--work", str(work))
    assert done.exit_code == 0, done.output
    assert [folder.parent for folder in written] == [work]
    assert f"results: {written[0]}" in done.output


def test_a_place_that_takes_no_files_is_named_before_the_work(written, tmp_path):
    (tmp_path / "file").touch()
    place = str(tmp_path / "file" / "folder")
    calls = [[*command, option, place] for command in FULL for option in ("--folder", "--work")]
    calls += [["pretrain", "mini-mae", "--folder", str(tmp_path / "a"), "--out", place]]
    calls += [["pretrain", "mini-mae", "--folder", place], ["export", "course", "--out", place]]
    calls += [["data", "check", "esc50", "--skipped", f"{place}/skipped.csv"]]
    for call in calls:
        done = run(*call)
        assert done.exit_code == 1, call
        assert place in done.output.replace("\n", "")
        assert call[-2] in done.output
    assert not written
    assert not (tmp_path / "a").exists()


def test_polyphony_without_all_weights_is_no_full_one(written, tmp_path, monkeypatch):
    monkeypatch.setattr(polyphony, "mini_encoders", lambda: ["mini-mae", "mini-random"])
    assert run("polyphony", *RECORDED, "--work", str(tmp_path / "work")).exit_code == 0
    assert written == [tmp_path / "work" / "results"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--birds", "tits"], "--birds is for --strong alone: add --strong FOLDER"),
        (["--labels", "dog"], "add --recordings FOLDER, or leave --labels out"),
        ([*STRONG, "--encoders", "mini-mae,mini-eat"], "--strong takes one encoder, not mini-mae, mini-eat"),
        (["--encoders", "mini-random", "--weights", "x"], "mini-random takes no weights"),
        (["--encoders", "mini-mae,mini-eat", "--weights", __file__], "one file, and mini-mae, mini-eat"),
        (
            [*STRONG, *RECORDED, "--labels", "dog"],
            "--strong does not use --labels, --recordings: run without",
        ),
        ([*STRONG, "--workers", "2"], "--strong does not use --workers: run without"),
        (["--strong", "labelled"], "--strong needs --birds"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(arguments, words, written):
    done = run("polyphony", *arguments)
    assert done.exit_code == 1
    assert words in done.output
    assert not written
