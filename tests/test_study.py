"""A study: made of a grid, packed, and read where data, weights and module are gone."""

import json
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from golden_names import ENCODER_FILES
from grid_fakes import SMALLEST, write_grid
from own_classes import notebooks_encoder
from study_looks import looked_at
from typer.testing import CliRunner

import protoviz
from protoviz.cli import app
from protoviz.experiments.cells import Cells
from protoviz.experiments.grid import TOP, Grid, KeepConfig, SearchConfig, read_grid
from protoviz.experiments.keeping import keep_study
from protoviz.experiments.run import run_grid
from protoviz.experiments.written import write_settings
from protoviz.settings import defaults
from protoviz.study import StudyError, check_study, open_study, pack_study, wrong
from protoviz.study.form import add_command
from protoviz.study.places import without_places

GRID = """
name = "two"
[datasets.folder]
use = "folder"
options = {{ root = "{root}", seconds = 1.0, validation = 0.2, test = 0.4 }}
[encoders.eat]
weights = "{weights}"
[encoders.own]
use = "own_study_encoder:MelPatches"
[probes]
linear = {{}}
"protobin + BatchNorm" = {{ hyper = {{ prototypes_per_class = 2, batch_norm = true }} }}
"""


PLAIN = {
    Grid: [name for name in TOP if name != "name"],
    SearchConfig: [one.name for one in fields(SearchConfig) if one.name != "loss"],
    KeepConfig: [one.name for one in fields(KeepConfig)],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(folder of a grid that became a study, its packed file); what it was made of is gone."""
    root = tmp_path_factory.mktemp("made")
    patch = pytest.MonkeyPatch()
    patch.chdir(root)
    (root / "own_study_encoder.py").write_text(notebooks_encoder())
    draw, rows = np.random.default_rng(0), []
    for number in range(20):
        name, labels = f"clip {number}.wav", ["hum", "buzz"][: 1 + number % 2]
        (root / "clips").mkdir(exist_ok=True)
        sound = 0.1 * draw.standard_normal(16000) + 0.3 * np.sin(np.arange(16000) * 0.05 * len(labels))
        soundfile.write(root / "clips" / name, sound.clip(-1, 1), 16000)
        rows.append({"filename": name, "labels": ";".join(labels)})
    pd.DataFrame(rows).to_csv(root / "clips" / "labels.csv", index=False)
    weights = shutil.copy(ENCODER_FILES / "eat" / "model.safetensors", root / "eat.safetensors")
    shutil.copy(ENCODER_FILES / "eat" / "config.json", root / "config.json")
    (root / "two.toml").write_text(SMALLEST + GRID.format(root=root / "clips", weights=weights))
    grid, folder = read_grid(root / "two.toml"), root / "study"
    run_grid(grid, folder, progress=False)
    keep_study(Cells(grid, folder), KeepConfig(show=5))
    packed = pack_study(folder, root / "two.zip")
    patch.undo()
    for gone in ("clips", "own_study_encoder.py", "eat.safetensors"):
        path = root / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    sys.modules.pop("own_study_encoder", None)
    return folder, packed


@pytest.fixture
def study(made, tmp_path, monkeypatch):
    """A copy of it, to be damaged."""
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(made[0], tmp_path / "study"))


def test_a_packed_study_is_read_without_data_weights_and_module(made, tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    (found,) = looked_at(tmp_path, made[1])
    assert found["attention"]["folder", "eat"][:3] == (5, 2, 4)
    assert found["attention"]["folder", "own"] is None
    assert (found["rows"], found["same"]) == (5 * 2 * 2, True)
    assert found["sounds"] == 0
    assert "own_study_encoder" not in found["imported"]
    assert open_study(made[1]).datasets["folder"].knows == "labels"


def test_opening_and_tables_need_no_torch(made):
    code = """
import sys, protoviz
study = protoviz.open_study(sys.argv[1])
study.results["results"], study.clips["folder"].table, study.clips["folder"].array("tokens", "eat")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(made[0])], check=True)


def test_a_grid_is_written_down_as_it_was(made):
    grid = read_grid(made[0] / "study.toml")
    assert [entry.name for entry in grid.encoders] == ["eat", "own"]
    assert grid.probes[1].options == {"prototypes_per_class": 2, "batch_norm": True}
    assert grid.datasets[0].options["seconds"] == 1.0


def test_every_default_is_written_down_with_its_reason(made):
    """But for what is named anew each time, or is nothing; another value says which the default is."""
    lines = (made[0] / "study.toml").read_text().splitlines()
    for form in (Grid, SearchConfig, KeepConfig):
        told = {name: default for name, default in defaults(form).items() if name in PLAIN[form]}
        assert all(default.reason for default in told.values())
        for name, default in told.items():
            if default.value is None:  # which TOML cannot say
                continue
            line = next(line for line in lines if line.startswith(f"{name} = ") and default.reason in line)
            value, reason = tomllib.loads(line)[name], line.partition("  # ")[2]
            usual = list(default.value) if isinstance(default.value, tuple) else default.value
            assert (value == usual) == (reason == default.reason)
    assert any(line.startswith("prototypes_per_class = 2  # default 20; ") for line in lines)


def test_settings_that_say_the_same_stay_as_a_person_wrote_them(study):
    path = study / "study.toml"
    mine = path.read_text().replace("epochs = 1", "epochs =  1  # mine", 1)
    path.write_text(mine)
    write_settings(study, read_grid(path))
    assert path.read_text() == mine
    write_settings(study, replace(read_grid(path), epochs=2))
    assert read_grid(path).epochs == 2


def test_the_shown_clips_cover_the_classes_and_their_maps_are_those_of_the_cache(made):
    opened = open_study(made[0])
    clips = opened.clips["folder"]
    assert {label for labels in clips.table["labels"] for label in labels} == set(
        opened.datasets["folder"].classes
    )
    assert set(clips.table["split"]) == {"test"}
    cells = Cells(read_grid(made[0] / "study.toml"), made[0])
    folder = next((cells.folder / "tokens" / "folder" / "eat").iterdir())
    cache = protoviz.TokenCache.open(folder)
    at = [cache.table["clip"].tolist().index(clip) for clip in clips.table["clip"]]
    assert np.array_equal(clips.array("tokens", "eat"), cache.read(at).tokens.numpy())
    assert clips.sound(clips.table["clip"].iloc[0]) is None  # nobody said that it may travel


def test_a_study_is_whole_and_packs_to_the_same_bytes(made, tmp_path):
    assert not wrong(check_study(open_study(made[0])))
    assert pack_study(made[0], tmp_path / "again.zip").read_bytes() == made[1].read_bytes()
    assert not any(
        "tokens/" in name and not name.startswith("clips") for name in zipfile.ZipFile(made[1]).namelist()
    )


def test_a_packed_study_says_nothing_of_the_places_here(made, tmp_path):
    with zipfile.ZipFile(made[1]) as archive:
        archive.extractall(tmp_path)
    place = str(made[0].parent)
    said = [frame.to_csv() for frame in map(pd.read_parquet, tmp_path.rglob("*.parquet"))]
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    said += [path.read_bytes().decode("latin-1") for path in files]
    assert len(said) > 10
    assert not [text for text in said if place in text]
    here, there = read_grid(made[0] / "study.toml"), read_grid(tmp_path / "study.toml")
    assert (there.encoders[0].weights, there.datasets[0].options["root"]) == ("eat.safetensors", "clips")
    assert there == replace(
        here,
        encoders=(replace(here.encoders[0], weights="eat.safetensors"), *here.encoders[1:]),
        datasets=(replace(here.datasets[0], options=here.datasets[0].options | {"root": "clips"}),),
    )
    facts = open_study(tmp_path).facts
    assert all(len(one.weights) == 64 for one in facts.encoders.values())
    assert all(len(one.digest) == 64 for one in facts.datasets.values())
    reasons = [line.partition("  # ")[2] for line in (made[0] / "study.toml").read_text().splitlines()]
    assert all(reason in (tmp_path / "study.toml").read_text() for reason in reasons)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ('root = "/home/me/clips"  # mine', 'root = "clips"  # mine'),
        ("root = '/home/me/clips'", 'root = "clips"'),
        ('root = "~/clips"', 'root = "clips"'),
        ('root = "$HOME/clips/"', 'root = "clips"'),
        ('root = "../me/clips"', 'root = "clips"'),
        ("root = 'C:\\me\\clips'", 'root = "clips"'),
        ('root = "/"', 'root = "elsewhere"'),
        ('tables = ["a.csv", "/me/b.csv"]', 'tables = ["a.csv", "b.csv"]'),
        ('use = "my_module:My"  # it\'s "mine"', 'use = "my_module:My"  # it\'s "mine"'),
        ('a = 1\n[slurm]\naccount = "me"\nmore = [\n  "x",\n]\n[b]\nc = 1', "a = 1\n[b]\nc = 1"),
    ],
)
def test_paths_to_elsewhere_are_cut_to_their_last_names(here, there):
    assert without_places(here, "study.toml").strip().endswith(there)


def test_a_path_that_cannot_be_cut_is_refused():
    with pytest.raises(StudyError, match=r"mine\.toml"):
        without_places('root = """/home/me\n"""', "mine.toml")


@pytest.mark.parametrize("kind", ["flip", "cut", "gone"])
def test_damage_is_found_by_name(study, kind):
    for name in open_study(study).facts.digests:
        path = study / name
        whole = path.read_bytes()
        data = bytearray(whole)
        data[len(data) // 2] ^= 1
        path.write_bytes(data if kind == "flip" else whole[: len(whole) // 2])
        if kind == "gone":
            path.unlink()
        found = check_study(open_study(study))
        assert any(f.state == "wrong" and name in f.part + f.text for f in found), name
        if "tokens" in name:
            assert CliRunner().invoke(app, ["study", "check", str(study)]).exit_code == 1
        path.write_bytes(whole)
    assert not wrong(check_study(open_study(study)))


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "C:out.txt", "a\\..\\out.txt"])
def test_a_packed_study_writes_nowhere_else(made, tmp_path, monkeypatch, name):
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    bad = shutil.copy(made[1], tmp_path / "bad.zip")
    with zipfile.ZipFile(bad, "a") as archive:
        archive.writestr(name, "x")
    with pytest.raises(StudyError, match="leads out"):
        open_study(bad)
    assert not list((tmp_path / "cache").rglob("*"))[1:]


@pytest.mark.parametrize(
    "entries",
    [
        {"clips": b"x", "clips/y": b"x"},
        {"facts.json/x": b"x"},
        {"n" * 300: b"x"},
        {"clips/zeros.npy": bytes(100 << 20)},
    ],
)
def test_a_packed_study_with_entries_that_no_study_has_is_refused(made, tmp_path, monkeypatch, entries):
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    bad = shutil.copy(made[1], tmp_path / "bad.zip")
    with zipfile.ZipFile(bad, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(StudyError, match=r"bad\.zip"):
        open_study(bad)
    assert not list((tmp_path / "cache").rglob("*"))[1:]


def test_a_link_out_of_a_study_is_not_packed(study, tmp_path):
    (tmp_path / "private.txt").write_text("private")
    (study / "clips" / "more.txt").symlink_to(tmp_path / "private.txt")
    with pytest.raises(StudyError, match=r"more\.txt"):
        pack_study(study, tmp_path / "mine.zip")
    assert not (tmp_path / "mine.zip").exists()


@pytest.mark.parametrize("name", ["clip", "sound", "events"])
def test_a_table_of_clips_without_a_column_is_refused_by_name(study, name):
    path = study / "clips" / "folder" / "clips.parquet"
    pd.read_parquet(path).drop(columns=name).to_parquet(path)
    with pytest.raises(StudyError, match=f"lacks {name}"):
        open_study(study).clips["folder"].row("clip 1.wav")
    assert wrong(check_study(open_study(study)))


def test_a_changed_probe_is_found_by_name(study):
    for path in (study / "probes").rglob("*.safetensors"):
        whole = path.read_bytes()
        data = bytearray(whole)
        data[-1] ^= 1
        for bad in (data, whole[:-1], whole[:100], b""):
            path.write_bytes(bad)
            assert any(f.state == "wrong" and path.name in f.text for f in check_study(open_study(study)))
        path.write_bytes(whole)


def test_the_shipped_study_has_a_name_that_a_folder_of_ones_own_goes_before(tmp_path, study, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_study("demo").name == "demo"
    shutil.copytree(study, "demo")
    assert open_study("demo").name == open_study(study).name != "demo"


@pytest.mark.parametrize("name", ["two words", "<b>bold</b>", "a&b;c", "it's"])
def test_a_command_names_a_folder_as_a_shell_reads_it(name):
    assert shlex.split(add_command(Path(name), "--sound").strip("`"))[-2:] == [str(Path(name)), "--sound"]


def test_what_is_no_study_is_refused_with_the_cure(tmp_path, study):
    with pytest.raises(StudyError, match="study add"):
        open_study(tmp_path)
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    with pytest.raises(StudyError, match="pack it again"):
        open_study(tmp_path / "no.zip")
    path = study / "facts.json"
    facts = json.loads(path.read_text())
    path.write_text(
        json.dumps({key: value for key, value in facts.items() if key != "digest"} | {"form": 99})
    )
    with pytest.raises(StudyError, match="update"):
        open_study(study)
    path.write_text(json.dumps(facts | {"name": "another"}))
    with pytest.raises(StudyError, match="study add"):
        open_study(study)
    path.write_text(json.dumps(facts))
    with pytest.raises(StudyError, match="several"):
        open_study(study).probe("linear")
    with pytest.raises(StudyError, match="no table 'other'; it has"):
        open_study(study).results["other"]


def test_the_commands(made, tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    run = CliRunner().invoke
    checked = run(app, ["study", "check", str(made[1])])
    assert checked.exit_code == 0
    assert "maps of folder by eat: tokens, cls, mask, attention" in checked.output
    packed = run(app, ["study", "pack", str(made[0]), str(tmp_path / "mine.zip")])
    assert packed.exit_code == 0
    assert open_study(tmp_path / "mine.zip").name == "two"
    paths = open_study(made[0]).results.to_csv(tmp_path / "csv")
    assert {"results.csv", "shown.csv"} <= {path.name for path in paths}


def test_a_study_made_again_keeps_nothing_of_the_one_before(tmp_path):
    """Sound is gone where it may no longer travel, and so are clips beyond the new number."""
    grid, folder = read_grid(write_grid(tmp_path)), tmp_path / "out"
    run_grid(grid, folder, progress=False)
    keep_study(Cells(grid, folder), KeepConfig(show=3, sound=True))
    first = open_study(folder)
    for clips in first.clips.values():
        assert all(clips.sound(clip) is not None for clip in clips.table["clip"])
    keep_study(Cells(grid, folder), KeepConfig(show=1))
    again = open_study(folder)
    assert [len(clips) for clips in again.clips.values()] == [1] * len(first.clips)
    assert not any(clips.sound(clips.table["clip"].iloc[0]) for clips in again.clips.values())
    assert not list((folder / "clips").rglob("*.flac"))
