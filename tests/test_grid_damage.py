"""A grid and damaged files: each is set aside and said, its cell is run again, and nothing else changes."""

import json
import shutil
from pathlib import Path

import pytest
from grid_fakes import GRID, write_grid
from test_cli import run
from test_grid import cut, same

from protoviz.analysis.results import results as own_results
from protoviz.experiments import engine
from protoviz.experiments.cells import Cells
from protoviz.experiments.grid import read_grid
from protoviz.experiments.run import run_grid
from protoviz.kept import DamagedFileError, DamagedFileWarning, put_aside, read_frame, read_json

WRITTEN = Path(__file__).parent / "written" / "grid"


def smallest_text() -> str:
    """A grid of one cell with two seeds."""
    text = GRID.replace("tpe = 2\ntpe_round = 2\nepochs = 2\nrungs = [1]", "tpe = 1\nepochs = 1\nrungs = []")
    text = text.replace("epochs = 2", "epochs = 1")
    for begin, end in (("[datasets.dogs]", "[encoders]"), ("other =", "[probes]"), ("mlp =", "")):
        first = text.index(begin)
        text = text[:first] + (text[text.index(end) :] if end else "")
    return text


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A grid of one cell, and the folder and the tables of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    grid = read_grid(write_grid(folder, smallest_text()))
    return grid, folder / "run", run_grid(grid, folder / "run", progress=False)


def damages(data: bytes):
    """The bytes changed in one place each, cut, empty and grown."""
    step = max(1, len(data) // 3)
    flips = (data[:at] + bytes([data[at] ^ 2]) + data[at + 1 :] for at in range(step // 2, len(data), step))
    return [*flips, data[:-1].rstrip()[:-1], data[: len(data) // 2], b"", data + b"{", data + data[:40]]


FILES = ("encode-*.json", "search-*.json", "seed-0-*.json", "seed-1-*.json", "seed-0-*.safetensors")


@pytest.mark.parametrize("pattern", FILES)
def test_a_damaged_file_of_a_cell_is_set_aside_and_made_again(whole, tmp_path, pattern):
    grid, folder, tables = whole
    shutil.copytree(folder, tmp_path / "run")
    (path,) = (tmp_path / "run").glob(f"cells/**/{pattern}")
    written = path.read_bytes()
    for number, damaged in enumerate(damages(written), 1):
        path.write_bytes(damaged)
        with pytest.warns(DamagedFileWarning, match=f"{path.stem}.* is damaged"):
            again = run_grid(grid, tmp_path / "run", progress=False)
        same(again["results"], tables["results"])
        assert again["search"].equals(tables["search"])
        aside = [one for one in put_aside(tmp_path / "run") if path.name in one.name]
        assert (len(aside), aside[-1].read_bytes()) == (number, damaged) or damaged in map(
            Path.read_bytes, aside
        )
        assert path.exists()
    run_grid(grid, tmp_path / "run", progress=False)  # a warning would be an error here


@pytest.mark.parametrize("kind", ["search", "train"])
def test_token_maps_that_prove_damaged_are_encoded_again_by_the_cell_that_reads_them(whole, tmp_path, kind):
    grid, folder, tables = whole
    shutil.copytree(folder, tmp_path / "run")
    (shard,) = (tmp_path / "run").glob("tokens/**/shards/*.npy")
    written = shard.read_bytes()
    shard.write_bytes(bytes([*written[:300], written[300] ^ 1, *written[301:]]))  # in a clip to train on
    for path in (tmp_path / "run").glob("cells/**/s*.json"):
        if kind == "search" or path.name.startswith("seed"):
            path.unlink()
    again = run_grid(grid, tmp_path / "run", progress=False)
    same(again["results"], tables["results"])
    assert shard.read_bytes() == written


def test_a_folder_of_the_version_before_is_read_and_nothing_runs_again(tmp_path, monkeypatch):
    """tests/written/grid was written by the code before files had digests."""
    grid, folder = cut(read_grid(write_grid(tmp_path))), tmp_path / "run"
    shutil.copytree(WRITTEN, folder)
    monkeypatch.setattr(engine, "run_task", lambda cells, task, heard: pytest.fail(f"{task} runs again"))
    before = read_frame(folder / "results.parquet")
    same(run_grid(grid, folder, progress=False)["results"], before)
    said = run("report", "--data", str(WRITTEN), "--out", str(tmp_path / "report"))
    assert said.exit_code == 0, said.output
    assert "tiny" in (tmp_path / "report" / "report.md").read_text()


def test_a_search_of_the_version_before_is_gone_on_with(tmp_path, monkeypatch):
    """Its journal has no digests: the search that it holds is read, and no trial is trained again."""
    grid, folder = cut(read_grid(write_grid(tmp_path))), tmp_path / "run"
    shutil.copytree(WRITTEN, folder)
    (path,) = folder.glob("cells/**/search-*.json")
    known = read_json(path)
    path.unlink()
    (seed,) = folder.glob("cells/**/seed-1-*.json")
    seed.unlink()
    monkeypatch.setattr(
        "protoviz.experiments.search._train", lambda *_: pytest.fail("a trial is trained again")
    )
    run_grid(grid, folder, progress=False)
    again = read_json(path)
    assert [again[key] for key in ("best", "score", "epochs")] == [
        known[key] for key in ("best", "score", "epochs")
    ]


def test_the_command_says_and_counts_what_was_set_aside(whole, tmp_path):
    _, folder, tables = whole
    shutil.copytree(folder, tmp_path / "run")
    for path in (tmp_path / "run").glob("cells/**/seed-*.json"):
        path.write_text(path.read_text().replace('"clips": ', '"clips": 1'))
    with pytest.warns(DamagedFileWarning, match="do not match their digest"):
        said = run("benchmark", str(folder.parent / "tiny.toml"), "--folder", str(tmp_path / "run"))
    assert said.exit_code == 0, said.output
    count = len(put_aside(tmp_path / "run"))
    assert count >= len(tables["results"]) == 2
    assert f"damaged files set aside: {count}, such as {tmp_path}" in said.output


def test_a_dry_run_sets_nothing_aside(whole, tmp_path):
    grid, folder, _ = whole
    shutil.copytree(folder, tmp_path / "run")
    (path,) = (tmp_path / "run").glob("cells/**/seed-1-*.json")
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "score": told["score"] + 0.01}))
    cells = Cells(grid, tmp_path / "run")
    assert [task.kind for task in cells.to_do()] == ["train"]
    assert not put_aside(tmp_path / "run")


def test_a_damaged_table_is_refused_by_name(whole, tmp_path):
    _, folder, _ = whole
    for name in ("results.parquet", "results.json"):
        for damaged in damages((folder / name).read_bytes()):
            shutil.copy(folder / "results.parquet", tmp_path)
            shutil.copy(folder / "results.json", tmp_path)
            (tmp_path / name).write_bytes(damaged)
            with pytest.raises(DamagedFileError, match=f"{name} is damaged.*run again"):
                own_results(tmp_path)
