"""A first study by the commands of README: looked at, written down, run, packed, and read elsewhere."""

import shutil
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from golden_names import ENCODER_FILES
from own_classes import notebooks_encoder
from study_looks import looked_at
from typer.testing import CliRunner

import protoviz
from protoviz.cli import app
from protoviz.experiments.grid import GridError, TuneConfig, read_grid
from protoviz.experiments.search import SearchConfig
from protoviz.study import StudyError, check_study, wrong

CLASSES, FOLDS = ("dog", "rain", "rooster"), "12345"


def run(*words: object, status: int = 0, text: str | None = None) -> str:
    done = CliRunner().invoke(app, list(map(str, words)), input=text, env={"COLUMNS": "200"})
    assert done.exit_code == status, done.output
    return done.output


def esc10(audio: Path, to: Path) -> pd.DataFrame:
    """Put two clips of each of CLASSES and folds into ESC-50's layout, and return their table."""
    table = pd.read_csv(audio / "manifest.csv", dtype=str)
    table = table[table["path"].str.startswith("env/esc10/") & table["label"].isin(CLASSES)]
    table = table.groupby(["label", "fold"]).head(2)
    meta = table.assign(
        filename=table["path"].map(lambda path: Path(path).name),
        category=table["label"],
        src_file=table["src_id"],
    )[["filename", "fold", "category", "src_file"]]
    for folder in ("audio", "meta"):
        (to / folder).mkdir(parents=True)
    meta.to_csv(to / "meta" / "esc50.csv", index=False)
    for path, name in zip(table["path"], meta["filename"], strict=True):
        shutil.copy(audio / path, to / "audio" / name)
    return meta


@pytest.fixture(scope="module")
def studies(shared, tmp_path_factory):
    """(two packed studies, what was printed of each); weights, module and data sets are gone."""
    root, patch = tmp_path_factory.mktemp("first"), pytest.MonkeyPatch()
    meta = esc10(shared("audio"), root / "esc")
    shutil.copytree(root / "esc" / "audio", root / "multi")
    labels = {"dog": "dog;animal", "rooster": "rooster;animal", "rain": "rain"}
    meta.assign(labels=meta["category"].map(labels))[["filename", "labels"]].to_csv(
        root / "multi" / "labels.csv", index=False
    )
    shutil.copytree(ENCODER_FILES / "eat", root / "eat")
    (root / "my_first_encoder.py").write_text(notebooks_encoder())
    patch.chdir(root)
    few = ("--methods", "linear,mhca,protobin", "--quick", "--show", 3, "--sound")
    eat = ("--encoder", "eat", "--weights", "eat/model.safetensors", "--data", "esc50", "--root", "esc")
    own = ("--encoder", "my_first_encoder:MelPatches", "--data", "folder", "--root", "multi")
    said = [run("study", "new", "runs/eat", *eat, *few)]
    said.append(run("study", "new", "runs/own", *own, *few, "--no-run") + run("study", "run", "runs/own"))
    for name in ("eat", "own"):
        run("study", "pack", f"runs/{name}", f"{name}.zip")
    patch.undo()
    for gone in ("esc", "multi", "eat", "runs"):
        shutil.rmtree(root / gone)
    (root / "my_first_encoder.py").unlink()
    sys.modules.pop("my_first_encoder", None)
    return [root / "eat.zip", root / "own.zip"], said


def test_two_first_studies_are_read_where_weights_module_and_data_are_gone(studies, tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    eat, own = looked_at(tmp_path, *studies[0])
    assert [found["rows"] for found in (eat, own)] == [3 * 3] * 2
    assert eat["same"]
    assert own["same"]
    assert eat["attention"]["esc50", "eat"] == (3, 2, 4, 32 * 8)
    assert own["attention"] == {("folder", "MelPatches"): None}
    assert eat["sounds"] == own["sounds"] == 3
    assert "my_first_encoder" not in own["imported"]
    assert all(0 <= score <= 1 for found in (eat, own) for score in found["scores"])


def test_a_packed_study_runs_nothing(studies, tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    for packed in (studies[0][0], protoviz.open_study(studies[0][0])):
        with pytest.raises(GridError, match="unpack it"):
            protoviz.run_study(packed)


def test_a_first_study_says_what_was_understood_what_it_takes_and_how_it_is_opened(studies):
    eat, own = studies[1]
    for said, words in (
        (eat, ("16,000 Hz", "32 x 8", "32 wide", "its own token", "single-label", "dog (10)")),
        (own, ("64 x 8", "64 wide", "mean token", "multi-label", "labels.csv", "animal (20)")),
    ):
        assert all(word in said for word in words)
        assert sum(line.startswith("  ") and ".flac (" in line for line in said.splitlines()) == 10
        assert "token maps to write" in said
        assert said.rstrip().splitlines()[-1].endswith(")")
        assert "protoviz.open_study(" in said.rstrip().splitlines()[-1]


def sounds(root: Path, count: int = 12, seconds: float = 1.0) -> Path:
    """A folder of two labels."""
    for number in range(count):
        path = root / ("hum", "buzz")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, [0.1 * (number % 3), -0.1] * int(8000 * seconds), 16000)
    return root


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return sounds(tmp_path_factory.mktemp("sounds"))


@pytest.fixture
def first(clips, tmp_path):
    """A function: options -> a study from Python that is not run yet."""
    asked = {"encoder": "mini-random", "data": "folder", "root": clips, "methods": ["linear"]}
    asked |= {"options": {"validation": 0.3, "test": 0.3}, "quick": True, "say": lambda text: None}
    return lambda **more: protoviz.new_study(tmp_path / "mine", **{**asked, **more})


def test_a_study_that_is_not_run_opens_and_says_what_runs_it(first):
    study = first()
    assert protoviz.open_study(study.folder).name == "mine"
    command = f"`protoviz study run {study.folder}`"
    assert command in repr(study)
    findings = {found.part: found for found in check_study(study)}
    assert not wrong(list(findings.values()))
    for part in ("encoders.mini-random", "datasets.folder", "probes.linear"):
        assert findings[part].state == "absent"
        assert command in findings[part].text
    with pytest.raises(StudyError, match="study run"):
        study.results["results"]
    with pytest.raises(StudyError, match="study run"):
        study.probe("linear")


def test_a_study_may_ask_for_the_fine_tuned_encoder(first):
    assert read_grid(first(fine_tune=True).folder / "study.toml").fine_tune == TuneConfig()


def test_it_runs_from_python_goes_on_where_it_was_and_keeps_what_is_there(first, monkeypatch):
    study = first(methods=["linear", "protobin + BatchNorm"], seeds=[3], show=2)
    made = protoviz.run_study(study, progress=False)
    assert study.results["results"]["seed"].tolist() == [3, 3]
    assert [len(shown) for shown in made.clips.values()] == [2]
    assert made.probes == [("folder", "mini-random", one) for one in ("linear", "protobin + BatchNorm")]
    with monkeypatch.context() as patch:
        patch.setattr("protoviz.experiments.work._work", None)  # nothing is left that would call either
        patch.setattr("protoviz.experiments.guided.keep_study", None)
        again = protoviz.run_study(made.folder, progress=False)
    pd.testing.assert_frame_equal(again.results["results"], made.results["results"])
    settings = made.folder / "study.toml"
    settings.write_text(settings.read_text().replace("show = 2", "show = 1"))
    assert [len(shown) for shown in protoviz.run_study(made.folder, progress=False).clips.values()] == [1]
    with pytest.raises(GridError, match="holds a study"):
        first()


def test_settings_are_the_protocols_but_for_what_is_asked(first):
    told = tomllib.loads((first(quick=False).folder / "study.toml").read_text())
    assert told["seeds"] == [0, 1, 2, 3, 4]
    assert (told["search"]["sobol"], told["search"]["epochs"]) == (SearchConfig.sobol, SearchConfig.epochs)
    assert (told["datasets"]["folder"]["options"]["test"], told["datasets"]["folder"]["loss"]) == (
        0.3,
        "cross_entropy",
    )
    assert Path(told["datasets"]["folder"]["options"]["root"]).is_absolute()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"encoder": "mini-nothing"}, "mini-nothing"),
        ({"data": "nothing"}, "nothing"),
        ({"methods": ["mhcb"]}, "mhcb"),
        ({"root": "no/such/folder"}, "no such folder"),
        ({"encoder": "eat", "weights": "no.safetensors"}, r"no\.safetensors"),
        ({"options": {"test": 0.0, "validation": 0.3}}, "no test clips"),
        ({"show": 0}, "show"),
        ({"seeds": ["one"]}, "seeds"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_runs(first, wrong, said):
    with pytest.raises(ValueError, match=said):
        first(**wrong)


@pytest.mark.parametrize("quick", [True, False])
def test_a_quick_study_needs_no_optuna_and_a_search_says_how_to_get_it(first, monkeypatch, quick):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.delitem(sys.modules, "protoviz.experiments.search", raising=False)
    if quick:
        assert first(quick=True).name == "mine"
    else:
        with pytest.raises(RuntimeError, match="benchmark"):
            first(quick=False)


def test_what_is_missing_is_named_where_nobody_can_be_asked(tmp_path, monkeypatch):
    monkeypatch.delenv("PROTOVIZ_DATASETS", raising=False)
    for given, missing in (
        (("--data", "folder"), "--encoder"),
        (("--encoder", "mini-mae"), "--data"),
        (("--encoder", "mini-mae", "--data", "folder"), "--root"),
    ):
        assert missing in run("study", "new", tmp_path / "mine", *given, status=2)


def test_a_person_is_asked_for_what_is_missing(clips, tmp_path, monkeypatch):
    monkeypatch.setattr("protoviz.cli.study.in_terminal", lambda: True)
    answers = f"mini-random\nfolder\n{clips}\nlinear\nn\n"
    said = run("study", "new", tmp_path / "mine", text=answers)
    assert "study run" in said.splitlines()[-1]
    told = tomllib.loads((tmp_path / "mine" / "study.toml").read_text())
    assert (list(told["encoders"]), list(told["datasets"]), list(told["probes"])) == (
        ["mini-random"],
        ["folder"],
        ["linear"],
    )
