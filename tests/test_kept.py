"""Small files that are read again: what was changed since is known, set aside, and made again."""

import errno
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from grid_fakes import write_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cli import run
from test_search import COLUMNS, SMALL, found
from training_data import clips

from protoviz.kept import (
    DamagedFileError,
    DamagedFileWarning,
    put_aside,
    read_frame,
    read_json,
    set_aside,
    write_frame,
    write_json,
)
from protoviz.probes import ProbeError, build_probe, load_probe, save_probe

WRITTEN = Path(__file__).parent / "written"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(VALUES, st.data())
def test_json_comes_back_as_it_was_or_is_refused(tmp_path_factory, value, data):
    path = tmp_path_factory.mktemp("json") / "a.json"
    write_json(path, value)
    assert read_json(path) == value
    written = path.read_bytes()
    at = data.draw(st.integers(0, len(written) - 1))
    bit = data.draw(st.integers(0, 7))
    path.write_bytes(written[:at] + bytes([written[at] ^ 1 << bit]) + written[at + 1 :])
    with suppress(DamagedFileError):  # a changed space is none
        assert read_json(path) == value
    for cut in (written[:at], written + b"}", written + written):
        path.write_bytes(cut)
        if cut.strip() != written.strip():
            with pytest.raises(DamagedFileError):
                read_json(path)


def test_any_changed_byte_of_a_table_or_a_probe_is_known(tmp_path):
    table, probe = tmp_path / "a.parquet", tmp_path / "a.safetensors"
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", None]})
    write_frame(table, frame)
    assert read_frame(table).equals(frame)
    linear = build_probe("linear", 3, 2)
    save_probe(linear, probe, title="one")
    for path, read, error in ((table, read_frame, DamagedFileError), (probe, load_probe, ProbeError)):
        written = path.read_bytes()
        mark = written.rindex(b"protoviz-sha256:")
        for at in {*range(0, len(written), 11), len(written) - 1} - {*range(mark, mark + 16)}:
            path.write_bytes(written[:at] + bytes([written[at] ^ 16]) + written[at + 1 :])
            with pytest.raises(error, match=f"{path.name} is damaged"):
                read(path)
        for other in (b"", written[:-5], written + b"\n"):
            path.write_bytes(other)
            with pytest.raises(error, match=f"{path.name} is damaged"):
                read(path)


def test_files_that_were_set_aside_stay_apart(tmp_path):
    path = tmp_path / "a.json"
    for number in range(3):
        path.write_text("{" * number)
        with pytest.warns(DamagedFileWarning, match=r"a\.json is damaged .*it is now a\.json.*damaged"):
            set_aside(path, "cut short")
    assert sorted(one.read_text() for one in put_aside(tmp_path)) == ["", "{", "{{"]
    set_aside(path, "nothing is there, and nothing is said")


# -- Optuna's journal

CONFIG = replace(SMALL, sobol=2, tpe=2, epochs=2, rungs=(1,))


def broken(written: bytes) -> dict[str, bytes]:
    lines = written.splitlines(keepends=True)
    middle = len(lines) // 2
    value = lines[-1].replace(b"0", b"1").replace(b"2", b"3")
    return {
        "half a line": written + lines[-1][:20],
        "cut in a line": written[: len(written) * 2 // 3],
        "without its end": written[:-1],
        "flipped": written[:500] + bytes([written[500] ^ 1]) + written[501:],
        "a line lost": b"".join(lines[:middle] + lines[middle + 1 :]),
        "a line twice": b"".join(lines[:middle] + lines[middle - 1 :]),
        "a changed value": b"".join(lines[:-1]) + value,
        "no journal": b"\x00" * 40,
        "a foreign line": written + b"{}\n" + lines[-1],
        "empty": b"",
    }


def test_a_damaged_journal_goes_on_as_far_as_it_is_whole(tmp_path):
    data = clips(24, 1), clips(12, 2)
    whole = found(tmp_path, data, CONFIG).trials
    path = tmp_path / "studies.journal"
    written = path.read_bytes()
    for name, damaged in broken(written).items():
        for one in put_aside(tmp_path):
            one.unlink()
        path.write_bytes(damaged)
        if damaged:
            with pytest.warns(DamagedFileWarning, match="studies.journal is damaged .line"):
                again = found(tmp_path, data, CONFIG).trials
            assert put_aside(tmp_path)[0].read_bytes() == damaged
        else:
            again = found(tmp_path, data, CONFIG).trials
        assert again[COLUMNS].equals(whole[COLUMNS]), name
        assert found(tmp_path, data, CONFIG).trials.equals(again), name


# -- a full disk


class Disk:
    """A disk that takes so many more files, or lines of a journal; None: any number."""

    left: int | None = None

    def __init__(self):
        self.fsync, self.written = os.fsync, 0

    def __call__(self, file) -> None:
        self.written += 1
        if self.left is not None and self.written > self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.fsync(file)


def test_a_full_disk_is_one_sentence_and_a_later_run_goes_on(tmp_path, monkeypatch):
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk)
    from test_grid_damage import smallest_text

    grid = str(write_grid(tmp_path, smallest_text()))
    whole = run("benchmark", grid, "--folder", str(tmp_path / "whole"))
    assert whole.exit_code == 0, whole.output
    scores = read_frame(tmp_path / "whole" / "results.parquet").score.tolist()
    total, steps = disk.written, range(1, disk.written, max(1, disk.written // 4))
    assert total > 20
    for step in steps:
        folder = tmp_path / f"after {step}"
        disk.left, disk.written = step, 0
        said = run("benchmark", grid, "--folder", str(folder))
        assert said.exit_code == 1
        assert f"{folder} is full (No space left on device)" in said.output.replace(
            f"{folder}/", f"{folder} "
        )
        assert "make room" in said.output
        assert "Errno" not in said.output
        disk.left = None
        said = run("benchmark", grid, "--folder", str(folder))
        assert said.exit_code == 0, said.output
        assert read_frame(folder / "results.parquet").score.tolist() == scores
        assert not put_aside(folder)


def test_what_is_no_file_or_would_fill_the_memory_is_refused_by_name(tmp_path, monkeypatch):
    fifo, folder = tmp_path / "fifo", tmp_path / "folder"
    os.mkfifo(fifo)
    folder.mkdir()
    for path in (fifo, folder, Path("/dev/zero")):
        for read in (read_json, read_frame):
            with pytest.raises(DamagedFileError, match=f"{path} is damaged"):
                read(path)
    bomb = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({name: ["x"] * 200_000 for name in "ab"}), bomb)
    monkeypatch.setattr("protoviz.kept.MOST_BYTES", 2**20)
    assert bomb.stat().st_size < 2**16
    with pytest.raises(DamagedFileError, match="200,000 rows of 2"):
        read_frame(bomb)
