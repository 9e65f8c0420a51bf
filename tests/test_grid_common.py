"""Encoders are compared on the same clips, and a disk that fails for a moment costs none."""

import errno
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
from cache_fakes import FakeEncoder, FakeReader, fake_clips
from grid_fakes import FLAKY, GRID, write_grid
from own_results import write_results
from test_cli import run

from protoviz import report
from protoviz.audio import AudioError, read_audio
from protoviz.audio.patience import PAUSES
from protoviz.cache import CacheError, TokenCache
from protoviz.experiments.cells import Cells
from protoviz.experiments.engine import cluster_client, run_on_dask
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.run import run_grid
from protoviz.experiments.tables import collect

pytestmark = pytest.mark.filterwarnings("ignore:.*clips were skipped")
SCORED = ["encoder", "method", "seed", "score", "validation", "clips", "train_clips"]


class Failing(FakeReader):
    """A clip raises its error until it has been tried as often as pauses are made."""

    def __init__(self, samples=32, broken=None):
        super().__init__(samples, broken)
        self.left = dict.fromkeys(self.broken, len(PAUSES))

    def read(self, row):
        if self.left.get(row["clip"], 0) > 0:
            self.left[row["clip"]] -= 1
            return super().read(row)
        return FakeReader(self.samples).read(row)


def made(folder, clips, **options):
    return TokenCache.create(folder, FakeEncoder(), clips, progress=False, shard_clips=8, **options)


def as_audio(error):
    """The error as the audio room gives it: an AudioError that comes from it."""
    wrapped = AudioError("a.wav: cannot be opened")
    wrapped.__cause__ = error
    return wrapped


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, None])
@pytest.mark.parametrize("wrap", [lambda error: error, as_audio])
def test_a_read_that_fails_for_a_moment_is_tried_again(tmp_path, code, wrap):
    fault = wrap(OSError(code, "passing") if code else OSError("passing"))
    cache = made(tmp_path, fake_clips(broken={"fakes-0003": fault}, reader=Failing))
    assert len(cache) == 20
    assert cache.skipped.empty
    assert cache.fingerprint == made(tmp_path / "b", fake_clips()).fingerprint


@pytest.mark.parametrize("error", [OSError(errno.EIO, "passing"), FileNotFoundError(2, "gone")])
def test_a_clip_that_the_disk_failed_is_tried_by_the_next_run_and_no_other(tmp_path, error):
    broken = {"fakes-0003": error, "fakes-0005": ValueError("cut short")}
    with pytest.warns(UserWarning, match="2 of 20"):
        first = made(tmp_path, fake_clips(broken=broken))
    assert first.again == ("fakes-0003",)
    with pytest.warns(UserWarning, match="2 of 20"):
        again = made(tmp_path, fake_clips(broken=broken))
    assert again.fingerprint == first.fingerprint, "still not there"
    with pytest.warns(UserWarning, match="1 of 20"):
        back = made(tmp_path, fake_clips(broken={"fakes-0005": broken["fakes-0005"]}))
    assert back.skipped["clip"].tolist() == ["fakes-0005"]
    assert back.again == ()
    plain = made(tmp_path / "plain", fake_clips())
    kept = [i for i in range(20) if i != 5]
    assert np.array_equal(back.read(range(19)).tokens, plain.read(kept).tokens)


def test_a_disk_that_is_gone_stops_the_cache_and_the_next_run_goes_on(tmp_path):
    gone = {f"fakes-{i:04d}": OSError(errno.EIO, "the drive is not there") for i in range(6, 20)}
    with pytest.raises(CacheError, match=r"14 of the 20 clips of fakes .*the drive is not there"):
        made(tmp_path, fake_clips(broken=gone))
    assert len(made(tmp_path, fake_clips())) == 20


def test_a_disk_fault_is_told_from_a_damaged_sound(tmp_path, monkeypatch):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).normal(size=16_000) * 0.1, 16_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioError) as damaged:
        read_audio(path)
    assert not isinstance(damaged.value.__cause__, OSError)
    opened = type(path).open

    class Stale:
        def __init__(self, file):
            self.file, self.reads = file, 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def read(self, size=-1):
            if size > 1:
                raise OSError(errno.ESTALE, "Stale file handle")
            return self.file.read(size)

    monkeypatch.setattr(type(path), "open", lambda self, *a, **k: Stale(opened(self, *a, **k)))
    with pytest.raises(AudioError, match="Stale file handle") as failed:
        read_audio(path)
    assert failed.value.__cause__.errno == errno.ESTALE


def lame(tmp_path):
    """A grid in which one encoder refuses some clips, by a limit of its own."""
    text = GRID.replace("[probes]", 'short = { use = "grid_fakes:short" }\n[probes]').split("mlp = {}")[0]
    return write_grid(tmp_path, text)


def test_all_encoders_are_scored_on_the_clips_that_every_one_has(tmp_path):
    path = lame(tmp_path)
    said = run("benchmark", str(path), "--folder", str(tmp_path / "run"))
    assert said.exit_code == 0, said.output
    cells = Cells(read_grid(path), tmp_path / "run")
    lacking = pd.read_parquet(tmp_path / "run" / "lacking.parquet")
    assert set(lacking.encoder) == {"short"}
    assert lacking.reason.str.contains("too loudly").all()
    results = pd.read_parquet(tmp_path / "run" / "results.parquet")
    for name in ("bells", "dogs"):
        lost = lacking[lacking.dataset == name]
        assert len(lost), "the seed of the noise has to give some"
        assert f"{name}: short lacks {len(lost)} clips" in said.output
        rows = results[results.dataset == name]
        count = {"bells": 40, "dogs": 36}[name] // 4
        assert set(rows.clips) == {count - (lost.split == "test").sum()}
        assert set(rows.train_clips) == {2 * count - (lost.split == "train").sum()}
    tests = [cells.split(task, "test") for task in cells.tasks() if task.dataset == "bells"]
    assert len({tuple(test.table["clip"]) for test in tests}) == 1
    assert Cells(read_grid(path), tmp_path / "run").to_do() == []
    (tmp_path / "data" / "results").mkdir(parents=True)
    for suffix in ("parquet", "json"):
        kept = (tmp_path / "run" / f"results.{suffix}").read_bytes()
        (tmp_path / "data" / "results" / f"mine.{suffix}").write_bytes(kept)
    note = report.contents(tmp_path / "data").tables[0].note
    assert "bells: short lacks" in note
    assert "different clips" not in note


def test_an_encoder_that_comes_later_and_lacks_clips_has_the_others_scored_anew(tmp_path):
    grid = read_grid(lame(tmp_path))
    tiny, _, short = grid.encoders
    both = replace(grid, datasets=grid.datasets[:1], encoders=(tiny, short))
    alone = run_grid(replace(both, encoders=(tiny,)), tmp_path / "run", progress=False)["results"]
    assert set(alone.clips) == {10}
    later = run_grid(both, tmp_path / "run", progress=False)
    at_once = run_grid(both, tmp_path / "new", progress=False)
    assert later["results"][SCORED].equals(at_once["results"][SCORED])
    assert set(later["results"].encoder) == {"tiny", "short"}
    shutil.rmtree(tmp_path / "run" / "tokens")  # what no cell needs any more
    assert Cells(both, tmp_path / "run").to_do() == []
    told = collect(Cells(both, tmp_path / "run"))
    assert told["results"][SCORED].equals(at_once["results"][SCORED])
    assert told["lacking"].equals(at_once["lacking"])


def test_scores_of_different_clips_are_told_in_a_report(tmp_path):
    data = write_results(tmp_path)
    frame = pd.read_parquet(data / "results" / "polyphony.parquet")
    frame.loc[frame.encoder == "mini-b", "clips"] = 39
    frame.to_parquet(data / "results" / "polyphony.parquet")
    note = next(table for table in report.contents(data).tables if table.name == "own-polyphony").note
    assert "different clips" in note
    assert "mini-b on 39" in note


def flaky(tmp_path, monkeypatch):
    text = GRID.replace("grid_fakes:clips", "grid_fakes:flaky", 1).split("mlp = {}")[0]
    monkeypatch.setenv(FLAKY, str(tmp_path / "flaky"))
    grid = read_grid(write_grid(tmp_path, text.replace("[datasets.dogs]", "[datasets.cats]")))
    return grid


def test_a_disk_that_comes_back_gives_what_one_that_never_failed_gives(tmp_path, monkeypatch):
    grid = flaky(tmp_path, monkeypatch)
    whole = run_grid(grid, tmp_path / "whole", progress=False)
    (tmp_path / "flaky").touch()
    with pytest.warns(UserWarning, match="2 of 40"):
        failed = run_grid(grid, tmp_path / "run", progress=False)
    rows = failed["results"][failed["results"].dataset == "bells"]
    assert set(rows.clips) == {9}
    assert failed["lacking"].empty, "no encoder has them"
    (tmp_path / "flaky").unlink()
    back = run_grid(grid, tmp_path / "run", progress=False)
    assert back["results"][SCORED].equals(whole["results"][SCORED])
    assert Cells(grid, tmp_path / "run").to_do() == []


def test_no_common_clip_is_an_error_that_says_who_lacks_them(tmp_path, monkeypatch):
    grid = read_grid(lame(tmp_path))
    monkeypatch.setattr("grid_fakes.LOUD", -100.0)
    run_grid(grid, tmp_path / "run", progress=False)
    cells = Cells(grid, tmp_path / "run")
    errors = {(row["encoder"], row["stage"]): row["error"] for row in cells.failures()}
    assert "none of the 40 clips" in errors["short", "encode"] or "too loudly" in errors["short", "encode"]
    assert set(collect(cells)["results"].encoder) == {"tiny", "other"}, "one that has none is no measure"
    task = next(task for task in cells.tasks() if task.kind == "search")
    monkeypatch.setattr(cells, "uncommon", lambda dataset: fake_clips(40).table["clip"].tolist())
    with pytest.raises(GridError, match="bells: no test clip"):
        cells.split(task, "test")


@pytest.mark.slow
def test_workers_of_a_cluster_score_the_common_clips_too(tmp_path):
    grid = read_grid(lame(tmp_path))
    wanted = run_grid(grid, tmp_path / "here", progress=False)["results"]
    cells = Cells(grid, tmp_path / "there")
    with cluster_client("local", 2, grid) as client:
        run_on_dask(cells, cells.to_do(), lambda *_: None, client, threads=1)
    assert collect(cells)["results"][SCORED].equals(wanted[SCORED])
    assert json.loads((tmp_path / "here" / "results.json").read_text())["lacking"]
