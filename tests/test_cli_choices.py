"""Every named choice of every command once: it runs, or it is refused in one line that says what there is."""

import pytest
from typer.testing import CliRunner

from protoviz import pretraining
from protoviz.cli import app
from protoviz.datasets import DATASETS
from protoviz.encoders import ENCODERS, present_encoders
from protoviz.pretraining import RECIPES

FEW = ["--train", "1", "--validation", "1", "--test", "1"]
GRID = 'datasets = ["scenes"]\nencoders = ["mini-random"]\nprobes = ["linear"]\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A command's exit code and output, without data, weights but the shipped, or network."""
    for name in ("PROTOVIZ_DATASETS", "PROTOVIZ_WEIGHTS", "PROTOVIZ_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        return done.exit_code, done.output

    return call


@pytest.mark.parametrize("name", list(DATASETS))
def test_every_data_set(name, run):
    """Without a copy here: each command says where to get one; scenes are made."""
    for call in (["data", "check", name], ["encode", name, "mini-random", "tokens", *FEW]):
        code, said = run(*call)
        assert code == (name != "scenes"), said
        assert name in said
        assert name == "scenes" or DATASETS[name].page in said.replace("\n", "")
    code, said = run("data", "fetch", name, "--root", "copies")
    assert code == 1
    assert DATASETS[name].page in said.replace("\n", "")


@pytest.mark.parametrize("name", list(ENCODERS))
def test_every_encoder(name, run, monkeypatch):
    shipped = name in present_encoders()
    code, said = run("encode", "scenes", name, "tokens", *FEW)
    assert code == (not shipped), said
    assert shipped or f"no weights for '{name}'" in said
    monkeypatch.setattr(pretraining, "pretrain", lambda asked, *_, **__: f"trained {asked}")
    if name in RECIPES:
        assert run("pretrain", name, "--steps", "1") == (0, f"weights: trained {name}\n")
    monkeypatch.undo()


@pytest.mark.parametrize("name", [*(name for name in ENCODERS if name not in RECIPES), "scenes"])
def test_what_has_no_recipe_is_refused_with_those_that_have(name, run):
    code, said = run("pretrain", name)
    assert code == 1
    assert name in said
    assert set(RECIPES) <= set(said.replace(",", " ").split())


@pytest.mark.parametrize(
    ("options", "there"),
    [
        (["--device", "auto"], ""),
        (["--device", "cpu"], ""),
        (["--device", "tpu"], "auto"),
        (["--precision", "float32"], ""),
        (["--precision", "bfloat16"], "float32"),
        (["--precision", "float16"], "bfloat16"),
        (["--seconds", "5"], "10.24"),
    ],
)
def test_every_way_to_encode(options, there, run):
    code, said = run("encode", "scenes", "mini-random", "tokens", *FEW, *options)
    assert "3 token maps" in said if code == 0 else there and there in said, said


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["benchmark", "grid.toml", "--cluster", "slurm"], ("slurm",)),
        (["benchmark", "grid.toml", "--folder", "grid.toml/below"], ("--folder",)),
        (["benchmark", "grid.toml", "--folder", "grid.toml/below", "--dry-run"], ("--folder",)),
        (["benchmark", "grid.toml", "--cluster", "Slurm"], ("Slurm", "tcp://")),
        (["benchmark", "grid.toml", "--cluster", "Slurm", "--dry-run"], ("Slurm", "tcp://")),
        (["benchmark", "none.toml"], ("none.toml",)),
        (["encode", "scenes", "mini-random", "grid.toml/below", *FEW], ("grid.toml/below",)),
        (["per-class", "--counts", "1,x"], ("--counts", "1,x")),
        (["per-class", "--counts", "0"], ("--counts",)),
        (["per-class", "--counts", "2,2"], ("--counts",)),
        (["tokens", "--weights", "none.safetensors"], ("NAME=FILE",)),
        (["tokens", "--weights", "more=none.safetensors"], ("none.safetensors",)),
        (["polyphony", "--encoders", "mini-random,scenes", "--small"], ("scenes", "mini-mae")),
        (["polyphony", "--encoders", "mini-random,mini-random", "--small"], ("twice",)),
        (["export", "course", "--only", "nothing"], ("nothing",)),
        (["table", "--folder", "."], ("protoviz demo",)),
        (["report", "--data", "."], ("no results",)),
        (["report", "--price", "1"], ("--price", "--scaling")),
        (["report", "--root", "."], ("--root", "--check")),
        (["polyphony", "--encoders", ",", "--small"], ("','",)),
        (["export", "course", "--only", " ,"], ("' ,'",)),
        (["check-encoder", "nothing"], ("mini-mae",)),
    ],
)
def test_a_choice_that_there_is_not_is_refused_before_any_work(call, words, run, tmp_path):
    (tmp_path / "grid.toml").write_text(GRID)
    code, said = run(*call)
    assert code == 1, said
    assert all(word in said for word in words), said
    assert not list(tmp_path.rglob("*.npy"))
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (["data", "check", "folder", "--root", ""], "--root"),
        (["data", "check", "folder", "--root="], "--root"),
        (["encode", "scenes", "mini-random", "", *FEW], "mini-random"),
        (["polyphony", "--small", "--encoders", ""], "--encoders"),
        (["benchmark", ""], "benchmark"),
    ],
)
def test_an_empty_argument_is_neither_this_folder_nor_all(call, named, run, tmp_path):
    code, said = run(*call)
    assert code == 2
    assert named in said
    assert "empty" in said
    assert not list(tmp_path.iterdir())
