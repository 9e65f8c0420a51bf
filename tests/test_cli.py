"""The command line: every command explains itself by example, and an error is one line with its cure."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_copies import esc50, urban
from page_bench import wav
from typer.main import get_command
from typer.testing import CliRunner

from protoviz.cli import app
from protoviz.encoders import ENCODERS


def commands(group, above: str = "") -> dict:
    """Every command, those below others too: "data check" -> the command."""
    found = {}
    for name, one in group.commands.items():
        found[f"{above}{name}"] = one
        found |= commands(one, f"{above}{name} ") if hasattr(one, "commands") else {}
    return found


EVERY = commands(get_command(app))
COMMANDS = sorted(EVERY)


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_an_example_of_that_command(command):
    done = run(*command.split(), "--help")
    assert done.exit_code == 0
    assert f"protoviz {command}" in done.output
    assert "Example" in done.output


@pytest.mark.skipif(os.name == "nt", reason="pipes are closed otherwise there")
@pytest.mark.parametrize(
    ("arguments", "into", "status"),
    [
        ("encode --help", "pipe", 141),
        ("table", "pipe", 141),
        ("encode nothing mini-mae", "both", 141),
        ("encode nothing mini-mae", "pipe", 1),
        ("table", "full", 1),
    ],
)
def test_a_command_that_nobody_reads_ends_without_a_word(arguments, into, status):
    """As `protoviz ... | true`, `... 2>&1 | true` and `... > /dev/full` end, by what a shell sees."""
    reader, writer = os.pipe()
    os.close(reader)
    full = Path("/dev/full")
    if into == "full" and not full.exists():
        pytest.skip("no /dev/full here")
    with full.open("w") if into == "full" else os.fdopen(writer, "w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "protoviz", *arguments.split()],
            stdout=out,
            stderr=out if into == "both" else subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == status
    told = "" if into == "both" else done.stderr
    assert bool(told) == (status == 1), "what went wrong is told, a reader that has gone is not"
    assert "Traceback" not in told
    assert "Exception ignored" not in told


def test_the_list_of_encoders_fits_a_narrow_terminal_and_is_there_as_data():
    shown, data = run("encoders"), run("encoders", "--json")
    assert shown.exit_code == data.exit_code == 0, shown.output + data.output
    assert max(map(len, shown.output.splitlines())) <= 80
    words = " ".join(shown.output.split())
    told = json.loads(data.output)
    assert [row["name"] for row in told] == list(ENCODERS)
    for row in told:
        for part in (row["name"], row["summary"], row["source"], row["cls"]):
            assert part in words


def test_an_unknown_encoder_is_one_line_that_lists_the_known(tmp_path):
    done = run("encode", "scenes", "mini-nothing", str(tmp_path / "tokens"))
    assert done.exit_code == 1
    assert "mini-mae" in done.output
    assert "Traceback" not in done.output


def test_a_table_that_was_not_made_names_the_command_that_makes_it(tmp_path):
    done = run("table", "--folder", str(tmp_path))
    assert done.exit_code == 1
    assert "protoviz demo" in done.output


def test_encode_writes_a_cache_and_says_what_it_skipped(tmp_path):
    (tmp_path / "clips" / "beep").mkdir(parents=True)
    (tmp_path / "clips" / "beep" / "broken.wav").write_bytes(b"no sound")
    import soundfile

    soundfile.write(tmp_path / "clips" / "beep" / "good.wav", [0.1, -0.1] * 8000, 16_000)
    done = run("encode", "folder", "mini-random", str(tmp_path / "tokens"), "--root", str(tmp_path / "clips"))
    assert done.exit_code == 0, done.output
    assert "1 token maps" in done.output
    assert "1 clips skipped" in done.output
    assert "broken.wav" in done.output
    for seconds in ("0", "-1", "nan", "inf"):
        done = run("encode", "folder", "mini-random", "--root", str(tmp_path / "clips"), "--seconds", seconds)
        assert (done.exit_code, done.output.count("seconds=")) == (1, 1), done.output


def test_encode_keeps_scenes_and_refuses_the_old_order(tmp_path):
    few = ["--train", "2", "--validation", "1", "--test", "1", "--seed", "3"]
    done = run("encode", "scenes", "mini-random", str(tmp_path / "tokens"), *few)
    assert done.exit_code == 0, done.output
    assert "4 token maps" in done.output
    from protoviz.cache import TokenCache
    from protoviz.datasets import scene_clips

    TokenCache.open(tmp_path / "tokens", clips=scene_clips(2, 1, 1, seed=3))  # refuses any others
    wrong = run("encode", "mini-random", str(tmp_path / "other"))
    assert wrong.exit_code == 1
    assert "protoviz encode scenes mini-random" in wrong.output


def test_data_lists_what_is_here_and_checks_a_copy(tmp_path, monkeypatch):
    monkeypatch.delenv("PROTOVIZ_DATASETS", raising=False)
    esc50(tmp_path / "ESC-50-master")
    urban(tmp_path / "urban")
    shutil.rmtree(tmp_path / "urban" / "audio" / "test")
    done = run("data", "--root", str(tmp_path))
    assert done.exit_code == 0, done.output
    here = {
        line.split("│")[1].strip(): line.split("│")[-2].strip()
        for line in done.output.splitlines()
        if "│" in line
    }
    assert here["esc50"] == "yes"
    assert here["urban"] == "lacks audio/test"
    assert here["hsn"] == "no"
    assert here["scenes"] == "always"
    checked = run(
        "data", "check", "esc50", "--root", str(tmp_path), "--read", "--skipped", str(tmp_path / "s.csv")
    )
    assert checked.exit_code == 0, checked.output
    train = next(line for line in checked.output.splitlines() if line.startswith("train"))
    assert train.split() == ["train", "22", "1", "1", "1", "3", "of", "3", "1.00"]
    assert "3 classes are here; the paper counts 50" in checked.output
    assert "missing: MISSING.wav (train)" in checked.output
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 4
    broken = run("data", "check", "urban", "--root", str(tmp_path / "urban"))
    assert broken.exit_code == 1
    assert "it lacks audio/test" in broken.output
    assert "zenodo.org/records/1324404" in broken.output
    unknown = run("data", "check", "esc")
    assert unknown.exit_code == 1
    assert "there are as20k" in unknown.output
    assert "not on the hub" in run("data", "fetch", "sc2", "--root", str(tmp_path)).output


def test_no_name_in_a_folder_steers_the_terminal(tmp_path):
    silence = wav(np.zeros(16000, np.float32))
    for label in ("\x1b[31mred\x1b]0;title\x07", "[bold]b"):
        for name in ("\x1b[2J.wav", "b\n[2J.wav"):
            path = tmp_path / label / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(silence)
    said = run("data", "check", "folder", "--root", str(tmp_path))
    assert said.exit_code == 0, said.output
    assert "\x1b" not in said.output
    for name in ("␛[31mred␛]0;title␇", "␛[2J.wav", "[bold]b"):
        assert name in said.output
    failed = run("data", "check", "\x1b[31mnothing")
    assert failed.exit_code
    assert "\x1b[31mnothing" not in failed.output
