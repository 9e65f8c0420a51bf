"""The example of every command's help is run, as it stands, in a folder that has what a user's would have.

What would take long is made small: SMALLER adds words to an example, recipes run on a few scenes, and nothing
reaches another machine. The example of a new command is run as it stands: it works there, or fails here.
"""

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import dataset_copies
import numpy as np
import pytest
import soundfile
import torch
import waiting
from serving import get
from test_cli import EVERY
from typer.testing import CliRunner

import protoviz
from benchmarks.browser import chromium_path, free_port
from benchmarks.wheel import theirs
from protoviz.cli import app
from protoviz.experiments import recipe
from protoviz.export import sources
from protoviz.paths import shipped_folder
from protoviz.pretraining import RECIPES

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {name for name, command in EVERY.items() if hasattr(command, "commands")}
RECIPES_RUN = ("curves", "demo", "dial", "frames", "layers", "per-class", "polyphony", "poolings", "tokens")
SMALLER = {
    "dial": "--workers 1 --encoders mini-mae --methods linear,protobin",
    "encode": "--train 4 --validation 2 --test 2",
    "export course": "--notebooks notebooks --kept kept",
    "polyphony": "--workers 1 --methods linear,protobin",
    "pretrain": "--steps 1",
    "study new": "--quick --show 2",
}
FIRST = ("study new", "encode")  # make what other examples read
STAYS = ("serve",)  # until it is stopped
NOTEBOOK = """# %%
STUDY = "demo"
print(STUDY)
"""
PROBE = """

from protoviz.probes.pooled import LinearProbe


class MyProbe(LinearProbe):
    name = "my-probe"
"""


def example(command: str) -> list[str]:
    """The words of a command's example, with those that make it small."""
    text = EVERY[command].epilog.split("`")[1]
    assert text.startswith(f"protoviz {command}")
    words = shlex.split(f"{text.replace('~', 'home')} {SMALLER.get(command, '')}")[1:]
    # What is shipped stays as it is: a whole recipe would write there.
    return [*words, "--folder", f"shown/{command}"] if command in RECIPES_RUN else words


def run(*words: str):
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A user's folder: clips, data sets, weights, modules, a cache of token maps and two studies."""
    here = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setenv("PROTOVIZ_CACHE", str(here / "cache"))
        theirs(here, ROOT)
        with (here / "my_module.py").open("a") as module:
            module.write(PROBE)
        dataset_copies.esc50(here / "home" / "ESC-50")
        dataset_copies.fsd50k(here / "home" / "FSD50K")
        shutil.copytree(here / "home" / "ESC-50", here / "ESC-50-master")
        shutil.copytree(
            ROOT / "benchmarks",
            here / "benchmarks",
            ignore=lambda _, names: [name for name in names if not name.endswith(".toml")],
        )
        (here / "notebooks" / "py").mkdir(parents=True)
        (here / "notebooks" / "py" / "05_short.py").write_text(NOTEBOOK)
        (here / "runs" / "twice").mkdir(parents=True)
        shutil.copy(shipped_folder() / "encoders" / "mini-mae.safetensors", here / "runs" / "twice")
        encoder = protoviz.load_encoder("eat", here / "model.safetensors")
        sound = 0.1 * np.random.default_rng(0).standard_normal(2 * encoder.sample_rate)
        soundfile.write(here / "clip.wav", sound, encoder.sample_rate, subtype="FLOAT")
        frames = encoder.features(protoviz.read_audio(here / "clip.wav", encoder.sample_rate))[:, :160]
        with torch.inference_mode():
            np.save(here / "features.npy", encoder(frames).tokens[0].numpy())
        for command in FIRST:
            run(*example(command))
        shutil.copytree(here / "runs" / "mine", here / "runs" / "minis")
    return here


@pytest.fixture
def user(place, tmp_path, monkeypatch):
    """The user's folder, entered, with everything small that an example would take hours for."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("PROTOVIZ_CACHE", str(place / "cache"))
    monkeypatch.setattr(sources, "shipped_notebooks", lambda: place / "notebooks")
    monkeypatch.setattr(recipe, "read_recipe", few_scenes)
    small = {name: replace(one, scenes=8, held_out=0, batch=4) for name, one in RECIPES.items()}
    monkeypatch.setattr("protoviz.pretraining.RECIPES", small)
    fetched = SimpleNamespace(snapshot_download=lambda local_dir, **_: Path(local_dir).mkdir(parents=True))
    monkeypatch.setitem(sys.modules, "huggingface_hub", fetched)
    return place


def few_scenes(name: str, small: bool = False, **changes):
    """As `read_recipe`, on a few scenes for an epoch."""
    grid = recipe.read_grid(recipe.recipe_file(name), True, changes)
    sizes = {"train": 40, "validation": 8, "test": 16}  # `curves` learns from 40
    sets = {one.name: {"options": sizes} for one in grid.datasets if one.use == "scenes"}
    few = {"seeds": [0], "datasets": sets}
    return recipe.read_grid(recipe.recipe_file(name), True, {**changes, **few})


def cases() -> list:
    """Every command but those that are run elsewhere here; those of recipes take minutes."""
    names = sorted({*EVERY} - GROUPS - {*FIRST, *STAYS})
    return [pytest.param(one, marks=[pytest.mark.slow] * (one in RECIPES_RUN)) for one in names]


@pytest.mark.parametrize("command", cases())
def test_the_example_of_a_commands_help_works(command, user):
    words = example(command)
    if any(word.endswith((".svg", ".png")) for word in words) and chromium_path() is None:
        pytest.skip("a picture needs chromium")
    before = {path for path in user.rglob("*") if path.is_file()}
    done = run(*words)
    assert done.output or {path for path in user.rglob("*") if path.is_file()} - before


@pytest.mark.parametrize("command", STAYS)
def test_the_example_of_a_server_answers(command, user):
    words, port, log = example(command), str(free_port()), user / "served.txt"
    if "--port" in words:
        words[words.index("--port") + 1] = port
    else:
        words += ["--port", port]
    call = [sys.executable, "-m", "protoviz", *words, "--no-show"]
    with log.open("w") as file:
        server = subprocess.Popen(call, stdout=file, stderr=file, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        waiting.until(lambda: port in log.read_text() or server.poll() is not None)
        assert server.poll() is None, log.read_text()
        assert get(int(port), "/app")[0] == 200
    finally:
        server.terminate()
        server.wait(60)


def test_the_example_of_a_recipe_is_a_rehearsal():
    assert [name for name in RECIPES_RUN if "--small" not in example(name)] == []


def test_the_example_of_a_group_is_one_of_its_commands():
    for group in GROUPS:
        words = shlex.split(EVERY[group].epilog.split("`")[1])[1:]
        assert words[0] == group
        assert " ".join(words[:2]) in EVERY
