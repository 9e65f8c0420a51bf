"""The grid: every cell once, whatever is killed; what fails is listed; the tables say what was measured."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pandas as pd
import pytest
from grid_fakes import GRID, SLOW, write_grid
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from typer.testing import CliRunner
from waiting import PATIENCE, until

from protoviz.analysis.results import results as own_results
from protoviz.cli import app
from protoviz.experiments import engine
from protoviz.experiments.cells import Cells
from protoviz.experiments.engine import cluster_client, run_on_dask
from protoviz.experiments.estimate import plan
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.run import run_grid
from protoviz.experiments.tables import collect, write_tables
from protoviz.files import refuse_alike, slug, slugs_apart
from protoviz.kept import read_frame
from protoviz.probes import load_probe, save_probe
from protoviz.training import predict

TESTS = Path(__file__).parent
MEASURED = ["dataset", "encoder", "method", "seed", "score", "validation", "best_epoch", "lr", "weight_decay"]


def cut(grid, datasets=1, encoders=1, probes=1):
    """The first so many of each."""
    parts = {"datasets": grid.datasets[:datasets], "encoders": grid.encoders[:encoders]}
    return replace(grid, **parts, probes=grid.probes[:probes])


def same(one: pd.DataFrame, other: pd.DataFrame):
    assert one[MEASURED].equals(other[MEASURED])
    assert one.per_class.map(list).tolist() == other.per_class.map(list).tolist()


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return read_grid(write_grid(tmp_path_factory.mktemp("grid")))


@pytest.fixture(scope="module")
def whole(grid, tmp_path_factory):
    """The folder and the results of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run_grid(grid, folder, progress=False)["results"]


def test_there_is_one_row_a_run_and_it_says_what_was_measured(grid, whole):
    folder, results = whole
    assert len(results) == 2 * 2 * 3 * 2
    assert not results.duplicated(["dataset", "encoder", "method", "seed"]).any()
    cells = Cells(grid, folder)
    for task in cells.tasks():
        if task.kind != "train":
            continue
        test = cells.of(task).cache(folder).split("test")
        path = cells.seed_file(task, 0).with_suffix(".safetensors")
        logits, targets = predict(load_probe(path), test), np.asarray(test.targets())
        expected = [average_precision_score(truth, score) for truth, score in zip(targets.T, logits.T)]  # noqa: B905
        names = {"dataset": task.dataset, "encoder": task.encoder, "method": task.probe, "seed": 0}
        (row,) = results[
            np.logical_and.reduce([results[key] == value for key, value in names.items()])
        ].itertuples()
        np.testing.assert_allclose(row.per_class, expected, rtol=1e-6)
        assert row.score == pytest.approx(np.mean(expected))
        assert row.clips == len(test)
        assert json.loads(row.versions)["torch"]
        assert json.loads(row.config)["search"]["sobol"] == 2
        assert min(row.encode_seconds, row.search_seconds, row.train_seconds, row.peak_mb) > 0


def test_its_table_is_read_as_an_own_result(whole, tmp_path):
    folder, results = whole
    (tmp_path / "results").mkdir()
    for suffix in ("parquet", "json"):
        (tmp_path / "results" / f"tiny.{suffix}").write_bytes((folder / f"results.{suffix}").read_bytes())
    read = own_results(tmp_path)
    assert read.source.unique().tolist() == ["tiny"]
    assert read.score.tolist() == results.score.tolist()
    per_class = pd.read_parquet(folder / "per-class.parquet")
    means = per_class.groupby(["dataset", "encoder", "method", "seed"], sort=False).average_precision.mean()
    np.testing.assert_allclose(means, results.score)


def test_a_finished_grid_runs_nothing_and_a_further_seed_only_itself(grid, whole, monkeypatch):
    folder, results = whole
    ran = []
    monkeypatch.setattr(
        "protoviz.experiments.engine.run_task", lambda cells, task, heard: ran.append(task.key)
    )
    same(run_grid(grid, folder, progress=False)["results"], results)
    assert ran == []
    more = replace(cut(grid), seeds=(0, 1, 2))
    assert [task.kind for task in Cells(more, folder).to_do()] == ["train"]
    longer = replace(cut(grid), epochs=4)
    assert [task.kind for task in Cells(longer, folder).to_do()] == ["train"]
    wider = replace(cut(grid), search=replace(grid.search, tpe=3))
    assert [task.kind for task in Cells(wider, folder).to_do()] == ["search", "train"]
    finer = replace(cut(grid), dtype="float32")
    assert [task.kind for task in Cells(finer, folder).to_do()] == ["encode", "search", "train"]


def driver(path: Path, folder: Path) -> subprocess.Popen:
    """`protoviz benchmark` in a process of its own."""
    code = "import torch; torch.set_num_threads(1); from protoviz.cli import app; app()"
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", code, "benchmark", str(path), "--folder", str(folder)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_driver_is_resumed(grid, whole, tmp_path):
    """SIGKILL when the first final run is there, then the rest in this process."""
    folder = tmp_path / "run"
    killed = driver(write_grid(tmp_path), folder)
    until(lambda: list(folder.glob("cells/**/seed-*.json")) or killed.poll() is not None)
    killed.send_signal(signal.SIGKILL)
    with killed.stdout as said:
        assert killed.wait() == -signal.SIGKILL, said.read()
    kept = {p: p.stat().st_mtime_ns for p in folder.glob("cells/**/seed-*.json")}
    assert 0 < len(kept) < 24
    run_grid(grid, folder, progress=False)
    assert {p: p.stat().st_mtime_ns for p in kept} == kept, "a finished cell was run again"
    finished(grid, folder, whole)


def finished(grid, folder: Path, whole) -> None:
    """The folder holds what an undisturbed run left, and nothing else."""
    assert len(list(folder.glob("cells/**/seed-*.json"))) == 24
    same(pd.read_parquet(folder / "results.parquet"), whole[1])
    same(collect(Cells(grid, folder))["results"], whole[1])
    assert not list(folder.glob("cells/*/*/*/.*.part"))
    assert not list(folder.glob("cells/**/runs-*")), "checkpoints of finished runs are removed"


def test_two_at_once_share_the_work(grid, whole, tmp_path, monkeypatch):
    ran, run_task = [], engine.run_task
    both, begun = threading.Barrier(2, timeout=PATIENCE), set()

    def noted(cells, task, heard):
        if threading.get_ident() not in begun:  # neither does all before the other begins
            begun.add(threading.get_ident())
            both.wait()
        before = cells.done(task)
        run_task(cells, task, heard)
        if not before:
            ran.append((task.key, threading.get_ident()))

    monkeypatch.setattr(engine, "run_task", noted)
    threads = [threading.Thread(target=run_grid, args=(grid, tmp_path, None, 1, False)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert {key for key, _ in ran} == {task.key for task in Cells(grid, tmp_path).tasks()}
    assert len({worker for _, worker in ran}) == 2
    finished(grid, tmp_path, whole)


@pytest.mark.slow
def test_two_processes_on_one_folder(grid, whole, tmp_path):
    both = [driver(write_grid(tmp_path), tmp_path / "run") for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "24 rows" in said[0]
    finished(grid, tmp_path / "run", whole)


def test_a_failing_cell_is_listed_and_the_rest_finishes(tmp_path, whole):
    text = GRID.replace('other = { use = "grid_fakes:other" }', 'other = { use = "grid_fakes:broken" }')
    text = text.replace("mlp = {}", "mlp = { ranges = { lr = [1e29, 1e30] } }")
    text = text.replace("[datasets.dogs]", '[datasets.none]\nuse = "grid_fakes:nothing"\n[datasets.dogs]')
    path = write_grid(tmp_path, text)
    said = CliRunner().invoke(app, ["benchmark", str(path), "--folder", str(tmp_path / "run")])
    assert said.exit_code == 1
    assert "moon" in said.output
    assert "smaller learning rate" in said.output
    found = Cells(read_grid(path), tmp_path / "run")
    failed = pd.DataFrame(found.failures())
    errors = failed.groupby(["dataset", "encoder", "probe", "stage"]).error.first()
    assert "moon" in errors["bells", "other", "", "encode"]
    assert errors["bells", "other", "linear", "train"].startswith("not run: encode/bells/other failed")
    assert "smaller learning rate" in errors["dogs", "tiny", "mlp", "search"]
    assert "grid_fakes:nothing" in errors["none", "tiny", "", "encode"]
    results = collect(found)["results"]
    wanted = whole[1][(whole[1].encoder == "tiny") & (whole[1].method != "mlp")].reset_index(drop=True)
    same(results, wanted)
    assert set(plan(found).state) == {"done", "cannot run", "failed before"}
    mended = read_grid(write_grid(tmp_path))
    run_grid(mended, tmp_path / "run", progress=False)
    assert Cells(mended, tmp_path / "run").failures() == []


@pytest.mark.parametrize(
    ("options", "loss", "said"),
    [
        ('{ split = "test" }', "asl", "none of its .* test clips has a label"),
        ('{ split = "validation" }', "asl", "none of its .* validation clips has a label"),
        ('{ split = "no" }', "cross_entropy", "accuracy needs clips of one"),
    ],
)
def test_clips_whose_labels_allow_no_score_are_refused_before_they_are_encoded(tmp_path, options, loss, said):
    text = GRID.replace(
        '[datasets.bells]\nuse = "grid_fakes:clips"',
        f'[datasets.bells]\nuse = "grid_fakes:unlabelled"\nloss = "{loss}"\noptions = {options}',
    )
    small = cut(read_grid(write_grid(tmp_path, text)))
    assert run_grid(small, tmp_path / "run", progress=False)["results"].empty
    (error,) = {row["error"] for row in Cells(small, tmp_path / "run").failures() if row["stage"] == "encode"}
    assert re.search(f"bells: .*{said}|bells: {said}", error)
    assert not (tmp_path / "run" / "tokens").exists()


def test_tables_of_an_older_grid_do_not_stay(grid, whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run", ignore=shutil.ignore_patterns("cells", "tokens"))
    frames = write_tables(Cells(grid, tmp_path / "run"))
    assert all(frame.empty for frame in frames.values())
    for name in frames:
        assert pd.read_parquet(tmp_path / "run" / f"{name}.parquet").empty
    assert read_frame(tmp_path / "run" / "results.parquet").empty


def test_a_task_is_tried_again_as_often_as_the_grid_says(grid, tmp_path, monkeypatch):
    run_task, tried = engine.run_task, []

    def hiccup(cells, task, heard):
        tried.append(task.kind)
        if tried.count(task.kind) <= 2:
            raise OSError("a hiccup of the file system")
        run_task(cells, task, heard)

    monkeypatch.setattr(engine, "run_task", hiccup)
    small = replace(cut(grid), retries=2)
    assert len(run_grid(small, tmp_path, progress=False)["results"]) == 2
    assert tried == ["encode"] * 3 + ["search"] * 3 + ["train"] * 3


def test_the_plan_knows_bytes_and_takes_rates_from_what_has_run(grid, tmp_path):
    path = write_grid(tmp_path)
    folder = tmp_path / "run"
    said = CliRunner().invoke(app, ["benchmark", str(path), "--folder", str(folder), "--dry-run"])
    assert said.exit_code == 0, said.output
    assert "28 tasks: 28 to do" in said.output
    assert not list(folder.rglob("*.json")), "a dry run writes nothing"
    small = cut(grid, 1, 1, 1)
    before = plan(Cells(small, folder))
    assert set(before.rate) == {"measured now on one core"}
    assert (before.seconds > 0).all()
    run_grid(small, folder, progress=False)
    cells = Cells(small, folder)
    task = next(cells.tasks())
    rows = before.bytes.sum()
    stored = cells.of(task).cache(folder).nbytes
    assert 0 <= stored - rows < 500, "all but the header of a file"
    assert set(plan(cells).state) == {"done"}
    after = plan(Cells(cut(grid, 2, 1, 1), folder))
    assert set(after.rate[after.dataset == "dogs"]) == {"from finished tasks"}


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("epochs = 2\ndevice", "epoch = 2\ndevice", "'epoch'.*known are"),
        ("[search]", "[search]\ntrials = 3", "'trials'"),
        ("linear = {}", 'linear = { use = "lineal" }', "no probe 'lineal'"),
        ("linear = {}", "linear = { ranges = { lr = [0, 1] } }", "above 0"),
        ("seeds = [0, 1]", "seeds = [0, 0]", "different"),
        ("[search]", "[search", "no TOML"),
        ("epochs = 2\ndevice", "epochs = 0\ndevice", "tiny.toml: epochs of the final runs.*not 0"),
        ("batch_size = 8", "batch_size = 0", "batch_size of a search"),
        (
            "linear = {}",
            "linear = { ranges = { prototype_lr = [0.1, 1] } }",
            "linear.ranges has prototype_lr",
        ),
        ("linear = {}", "linear = { hyper = { dim = 3 } }", "linear.hyper has 'dim'.*batch_norm"),
        ("seeds = [0, 1]", "seeds = [-1]", "seeds.*-1"),
        ("retries = 0", "retries = -1", "retries.*-1"),
        ("linear = {}", 'linear = {}\nLinear = { use = "linear" }', "'linear' and 'Linear' would share"),
        ('use = "grid_fakes:clips"\n[d', 'use = "grid_fakes:clips"\nloss = "mse"\n[d', "loss 'mse'"),
    ],
)
def test_a_wrong_grid_file_is_refused_by_name(tmp_path, old, new, match):
    assert old in GRID
    with pytest.raises(GridError, match=match):
        read_grid(write_grid(tmp_path, GRID.replace(old, new)))


def test_names_are_told_apart_on_disk():
    assert [slug(name) for name in ("mini-eat", "mini-eat+", "protobin + BatchNorm", "one  event", "+")] == [
        "mini-eat", "mini-eat+", "protobin-batchnorm", "one-event", "+",
    ]  # fmt: skip


CAFE = ("caf\u00e9", "cafe\u0301")  # composed and decomposed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        CAFE,
        ("Stra\u00dfe", "STRASSE"),
        ("\ufb01eld", "field"),
        ("a\u200bb", "ab"),
        ("A  b", "a b"),
        ("a/b", "a-b"),
    ],
)
@pytest.mark.parametrize("kind", ["datasets", "encoders", "probes"])
def test_names_that_read_alike_are_refused_side_by_side(tmp_path, one, other, kind):
    entry = {"datasets": "grid_fakes:clips", "encoders": "grid_fakes:tiny", "probes": "linear"}[kind]
    tables = "".join(f'\n[{kind}."{name}"]\nuse = "{entry}"\n' for name in (one, other))
    rest = {"datasets": '["scenes"]', "encoders": '["mini-mae"]', "probes": '["linear"]'}
    head = "".join(f"{key} = {value}\n" for key, value in rest.items() if key != kind)
    with pytest.raises(GridError, match=f"{kind} .*would share") as refused:
        read_grid(write_grid(tmp_path, head + tables))
    assert ascii(one) in str(refused.value)
    assert ascii(other) in str(refused.value)


@given(st.lists(st.text(max_size=400), min_size=2, max_size=4, unique=True))
@example(["x" * 300, "x" * 299, "X" * 300, "CON"])
@example(["\u6d77", "\u68ee\u6797", "..", "/", "", "con.txt", "\U0001f426", "\u0130", "\u0131", "I"])
def test_any_name_makes_a_plain_bounded_name_of_its_own(names):
    """Kept apart, or refused: never two in one folder, on a file system without case either."""
    for name in names:
        made = slug(name)
        assert re.fullmatch(r"[a-z0-9_+][a-z0-9._+-]{0,99}", made)
        assert not made.endswith((".", "-"))
        assert made.split(".")[0] not in {"con", "prn", "aux", "nul", "com1", "lpt1"}
        assert slug(made) == made, "a name of a folder is its own"
    with suppress(ValueError):
        refuse_alike(names, "names")
        assert len({slug(name) for name in names}) == len(names)
    apart = slugs_apart(names)
    assert len(set(apart.values())) == len(names)


def test_names_of_any_length_and_alphabet_run(grid, tmp_path):
    long = "a long name " * 30
    small = cut(grid)
    names = {"datasets": long, "encoders": "\u6d77/\U0001f426", "probes": long}
    called = {"datasets": "name", "encoders": "name", "probes": "title"}
    named = {kind: (replace(getattr(small, kind)[0], **{called[kind]: one}),) for kind, one in names.items()}
    results = run_grid(replace(small, **named, seeds=(0,)), tmp_path, progress=False)["results"]
    assert results[["dataset", "encoder", "method"]].to_numpy().tolist() == [list(names.values())]
    kept = load_probe(next(tmp_path.rglob("seed-*.safetensors")))
    longest = tmp_path / ("p" * 243 + ".safetensors")  # what most file systems allow
    assert load_probe(save_probe(kept, longest)).settings == kept.settings


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("tiny", "tiny"),
        ("Minis 2024.b", "Minis 2024.b"),
        ("../up", "up"),
        ("a/b", "a-b"),
        ("NUL", None),
        ("n" * 300, None),
    ],
)
def test_a_grid_goes_into_a_folder_of_its_own_name_below_runs(name, folder):
    entries = read_grid(TESTS.parent / "benchmarks" / "minis.toml")
    found = replace(entries, name=name).folder
    assert found.parent == Path("runs")
    assert found.name == (folder or slug(name))


def test_the_example_of_the_minis_is_a_grid():
    grid = read_grid(TESTS.parent / "benchmarks" / "minis.toml")
    assert {"scenes", "one event", "recordings"} == {entry.name for entry in grid.datasets}
    assert len(grid.seeds) == 5
    budget = (grid.search.sobol, grid.search.tpe)
    assert budget == (25, 25)


def test_slurm_jobs_run_one_task_on_all_their_cores(grid):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed (the extra slurm)")
    from protoviz.experiments.engine import slurm_cluster

    options = {"cores": 4, "memory": "8GB", "queue": "gpu", "interface": None}
    with slurm_cluster(replace(grid, slurm=options)) as cluster:
        script = cluster.job_script()
    assert "#SBATCH -p gpu" in script
    assert script.rstrip().endswith("--nthreads 1")


def test_a_cluster_without_its_settings_is_refused(grid):
    with (
        pytest.raises(GridError, match=r"cores and memory|pip install 'protoviz\[slurm\]'"),
        cluster_client("slurm", 1, grid),
    ):
        pass


def test_no_workers_are_refused(grid, tmp_path):
    with pytest.raises(GridError, match="0 workers"):
        run_grid(grid, tmp_path / "run", "local", 0, progress=False)
    call = ["benchmark", str(write_grid(tmp_path)), "--cluster", "local", "--workers", "0"]
    said = CliRunner().invoke(app, call)
    assert said.exit_code == 2
    assert "--workers" in said.output
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_workers_of_a_cluster_give_the_same_and_one_may_be_killed(grid, whole, tmp_path, monkeypatch):
    monkeypatch.setenv(SLOW, "0.3")  # so that the other worker is at something when one has finished
    cells, told, dead = Cells(grid, tmp_path), [], []
    with cluster_client("local", 2, grid) as client:

        def kill(task, error, workers):
            told.append((task.key, error))
            busy = [where for where, keys in client.processing().items() if keys]
            if not dead and len(told) > 2 and busy:
                dead.append(client.run(os.getpid, workers=busy[:1])[busy[0]])
                os.kill(dead[0], signal.SIGKILL)

        run_on_dask(cells, cells.to_do(), kill, client, threads=1)
        with urlopen(client.dashboard_link) as page:
            assert page.status == 200
    assert dead
    assert sorted(told) == sorted((task.key, None) for task in cells.tasks())
    same(collect(cells)["results"], whole[1])


@pytest.mark.slow
def test_a_local_cluster_is_started_for_a_grid_and_reports_what_fails(grid, tmp_path, whole):
    text = GRID.replace('other = { use = "grid_fakes:other" }', 'other = { use = "grid_fakes:broken" }')
    small = cut(read_grid(write_grid(tmp_path, text)), 1, 2, 1)
    results = run_grid(small, tmp_path / "run", "local", 1, progress=False)["results"]
    same(results, whole[1][:2])
    errors = [row["error"] for row in Cells(small, tmp_path / "run").failures()]
    assert len(errors) == 3
    assert all("moon" in error for error in errors)
