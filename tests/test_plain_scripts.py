"""A plain script may start processes: without a main guard, from the standard input, stopped by hand."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import PATIENCE

TESTS = Path(__file__).parent
SCENES = """
from protoviz.pretraining import StoreConfig, render_scenes
print("clips", len(render_scenes(folder / "scenes", StoreConfig(count=2, shard=1), workers=2)))
"""
CACHE = """
from cache_fakes import FakeEncoder, fake_clips
from protoviz.cache import TokenCache
print("clips", len(TokenCache.create(folder, FakeEncoder(), fake_clips(40), workers=2, progress=False)))
"""
OWN = """
from dataclasses import replace
from cache_fakes import FakeEncoder, FakeReader, fake_clips
from protoviz.cache import TokenCache
class Mine(FakeReader):
    pass
if GUARD:
    clips = replace(fake_clips(40), reader=Mine())
    print("clips", len(TokenCache.create(folder, FakeEncoder(), clips, workers=1, progress=False)))
"""
GRID = """
from dataclasses import replace
from grid_fakes import write_grid
from protoviz.experiments.grid import read_grid
from protoviz.experiments.run import run_grid
grid = read_grid(write_grid(folder))
parts = {name: getattr(grid, name)[:1] for name in ("datasets", "encoders", "probes")}
print("rows", len(run_grid(replace(grid, **parts), folder / "run", "local", 1)["results"]))
"""
GUARDED = OWN.replace("GUARD", '__name__ == "__main__"')
BARE = OWN.replace("GUARD", "True")


def run(text: str, folder: Path, how: str) -> subprocess.CompletedProcess:
    """A script as people write one, from a file, from the standard input."""
    script = folder / "script.py"
    place = f"Path({str(folder)!r}) / 'made'"
    script.write_text(f"from pathlib import Path\nfolder = {place}\nfolder.mkdir(exist_ok=True)\n{text}")
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    call = {"file": str(script), "stdin": "-"}[how]
    return subprocess.run(
        [sys.executable, call],
        input=script.read_text() if how == "stdin" else None,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, cwd=folder, timeout=PATIENCE, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "how", "said"),
    [
        (CACHE, "stdin", "clips 40"),
        pytest.param(SCENES, "file", "clips 2", marks=pytest.mark.slow),
        pytest.param(GUARDED, "file", "clips 40", marks=pytest.mark.slow),
        pytest.param(GRID, "file", "rows 2", marks=pytest.mark.slow),
    ],
)
def test_a_script_without_a_guard_works(text, how, said, tmp_path):
    done = run(text, tmp_path, how)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == said, "once: the script was not run again"


@pytest.mark.parametrize(("text", "how"), [(BARE, "file"), (GUARDED, "stdin")])
def test_a_class_of_the_script_that_no_process_can_know_is_told_with_the_cure(text, how, tmp_path):
    done = run(text, tmp_path, how)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert 'if __name__ == "__main__":' in last
    assert "module" in last


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal are Unix's")
@pytest.mark.parametrize("whom", ["the command alone", "all of its processes"])
def test_a_command_with_processes_stops_at_once_with_one_line(whom, tmp_path):
    command = [sys.executable, "-m", "protoviz", "pretrain", "--scenes", "scenes", "--folder", "run"]
    command = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(TESTS.parent), "OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's "&" has it ignored
    )  # fmt: skip
    while not list(tmp_path.glob("scenes/*.npy")):
        assert command.poll() is None, command.stderr.read()
        time.sleep(0.05)
    (os.kill if whom == "the command alone" else os.killpg)(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=PATIENCE)
    assert command.returncode == 130, err
    assert err.strip() == "stopped"
    assert "Traceback" not in out
