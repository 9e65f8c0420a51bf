"""The token cache: the same whatever happened on the way, or refused with a reason."""

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from cache_fakes import FakeEncoder, FakeReader, Steep, fake_clips
from golden_names import ENCODER_FILES
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import until

from protoviz.cache import (
    CacheError,
    CacheInUseError,
    DamagedCacheError,
    StaleCacheError,
    TokenBatch,
    TokenCache,
    UnfinishedCacheError,
    estimate_bytes,
)
from protoviz.cache.key import maps_digest
from protoviz.datasets import scene_clips
from protoviz.encoders import load_encoder

HERE = Path(__file__).resolve().parent
SMALL = {"shard_clips": 8, "batch": 4, "progress": False}


def make(folder: Path, encoder=None, clips=None, **options) -> TokenCache:
    clips = fake_clips() if clips is None else clips  # a set without clips is false
    return TokenCache.create(folder, encoder or FakeEncoder(), clips, **SMALL | options)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def run_python(code: str, *arguments, **options) -> subprocess.CompletedProcess:
    """A process of its own that can import the fakes."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, **options)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return make(tmp_path_factory.mktemp("cache") / "tokens")


# What is stored


def test_what_is_read_is_what_the_encoder_makes(cache):
    clips, encoder = fake_clips(), FakeEncoder()
    batch = cache.read(range(20))
    encoding = encoder.encode([clips.read(i) for i in range(20)])
    assert isinstance(batch, TokenBatch)
    assert batch.tokens.dtype == torch.float16
    assert batch.cls.dtype == batch.targets.dtype == torch.float32
    assert batch.mask.dtype == torch.bool
    torch.testing.assert_close(batch.tokens, encoding.tokens.half(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(batch.cls, encoding.cls)
    assert torch.equal(batch.mask, encoding.mask)
    assert np.array_equal(batch.targets, clips.targets())
    pd.testing.assert_frame_equal(cache.table, clips.table)
    assert (len(cache), cache.grid, cache.dim, cache.classes) == (20, (4, 2), 8, clips.classes)


def test_scenes_and_the_mini_encoder_fit_the_cache(tmp_path):
    clips, encoder = scene_clips(2, 1, 0), load_encoder("mini-random")
    cache = make(tmp_path, encoder, clips)
    encoding = encoder.encode([clips.read(i) for i in range(3)])
    torch.testing.assert_close(cache.read(range(3)).tokens, encoding.tokens.half(), rtol=1e-3, atol=1e-3)
    assert np.array_equal(cache.targets("train"), clips.targets("train"))
    assert cache.grid == (64, 8)
    assert TokenCache.open(tmp_path, encoder, clips, verify=True).fingerprint == cache.fingerprint


@settings(max_examples=20)
@given(
    count=st.integers(1, 23),
    shard=st.integers(1, 9),
    batch=st.integers(1, 9),
    broken=st.sets(st.integers(0, 22)),
)
def test_every_layout_holds_every_readable_clip_once_in_order(count, shard, batch, broken):
    bad = {f"fakes-{i:04d}": ValueError("cut short") for i in broken}
    clips, encoder = fake_clips(count, broken=bad), FakeEncoder()
    rows = [i for i in range(count) if i not in broken]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        if not rows:
            with pytest.raises(CacheError, match="none of the"):
                make(Path(folder), encoder, clips, shard_clips=shard, batch=batch)
            return
        cache = make(Path(folder), encoder, clips, shard_clips=shard, batch=batch)
        assert cache.table["clip"].tolist() == [f"fakes-{i:04d}" for i in rows]
        assert cache.skipped["clip"].tolist() == [f"fakes-{i:04d}" for i in sorted(broken) if i < count]
        stored = cache.read(np.arange(len(rows)))
        for place, i in enumerate(rows):
            alone = encoder.encode([clips.read(i)])
            torch.testing.assert_close(stored.tokens[place], alone.tokens[0].half(), rtol=1e-3, atol=1e-3)
            assert np.array_equal(stored.targets[place], clips.targets()[i])


def test_clips_of_unequal_length_keep_their_masks(tmp_path):
    short = {"fakes-0001": np.ones(7, np.float32)}
    batch = make(tmp_path, clips=fake_clips(4, broken=short)).read([0, 1])
    assert batch.mask[0].all()
    assert batch.mask[1].tolist() == [True, True, *[False] * 6]
    assert not batch.tokens[1, 2:].any()


def test_float32_keeps_every_bit(tmp_path):
    cache = make(tmp_path, dtype="float32", clips=fake_clips(4), batch=4)
    encoding = FakeEncoder().encode([fake_clips(4).read(i) for i in range(4)])
    assert torch.equal(cache.read(range(4)).tokens, encoding.tokens)


def test_the_files_are_plain_arrays_and_their_size_was_foretold(cache):
    arrays = [np.load(path, allow_pickle=False) for path in cache.folder.glob("shards/*.npy")]
    assert arrays[0]["tokens"].shape == (8, 8, 8)
    assert sum(array.nbytes for array in arrays) == estimate_bytes(FakeEncoder(), fake_clips())
    assert estimate_bytes(FakeEncoder(), 1000) == 50 * estimate_bytes(FakeEncoder(), fake_clips())
    assert cache.nbytes == sum(path.stat().st_size for path in cache.folder.glob("shards/*.npy"))
    assert not list(cache.folder.rglob("*.part"))


def test_the_size_is_said_before_the_first_clip_is_read(tmp_path, capsys):
    heard = []

    class Listening(FakeReader):
        def read(self, row):
            heard.append(capsys.readouterr().err)
            return super().read(row)

    make(tmp_path, clips=fake_clips(reader=Listening), progress=True)
    assert "20 clips of fakes, each 8 tokens of width 8 in float16" in heard[0]
    assert "3.4 kB to write" in heard[0]


def test_a_disk_that_is_too_small_is_refused_before_encoding(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3000))
    with pytest.raises(CacheError, match=r"3.0 kB free .* 20 clips need 3.4 kB; choose a folder"):
        make(tmp_path)


# Reading


def test_batches_cover_a_split_once_in_an_order_that_the_seed_decides(cache):
    train = cache.split("train")
    assert len(train) == 10
    plain = list(train.batches(size=4))
    assert [len(batch.tokens) for batch in plain] == [4, 4, 2]
    rows = np.flatnonzero(cache.table.split == "train")
    assert torch.equal(torch.cat([b.tokens for b in plain]), cache.read(rows).tokens)

    def order(seed):
        return torch.cat([batch.cls for batch in train.batches(4, seed=seed)])

    assert torch.equal(order(1), order(1))
    assert not torch.equal(order(1), order(2))
    assert torch.equal(order(1).sort(0).values, cache.read(rows).cls.sort(0).values)
    assert torch.equal(next(cache.batches("train", size=4, seed=3)).tokens, next(train.batches(4, 3)).tokens)
    assert sum(len(batch.tokens) for batch in cache.batches()) == 20


def test_a_view_has_the_targets_and_table_of_its_batches(cache):
    view = cache.split("validation")
    batch = next(view.batches(100))
    assert np.array_equal(view.targets(), batch.targets)
    assert np.array_equal(view.targets(), fake_clips().targets("validation"))
    assert np.array_equal(cache.targets("validation"), view.targets())
    assert set(view.table.split) == {"validation"}
    assert torch.equal(view.read([2, 0]).tokens, batch.tokens[[2, 0]])


def test_any_order_and_repeats_may_be_read(cache):
    every = cache.read(np.arange(20))
    rows = [19, 0, 7, 8, 7]
    for stored, wanted in zip(cache.read(rows), every, strict=True):
        assert torch.equal(stored, wanted[rows])
    assert cache.read([]).tokens.shape == (0, 8, 8)
    assert torch.equal(cache.read(3).tokens, every.tokens[3:4])


def test_a_batch_is_the_readers_own_memory(cache):
    cache.read([0]).tokens.zero_()
    assert cache.read([0]).tokens.any()


@pytest.mark.parametrize("rows", [[20], [-1], [0.5], [True, False], [[1, 2]]])
def test_rows_that_are_not_there_are_an_error(cache, rows):
    with pytest.raises(IndexError, match="row"):
        cache.read(rows)


def test_an_unknown_split_is_named_with_the_known_ones(cache):
    with pytest.raises(CacheError, match="no split 'valid'; it has 'test', 'train', 'validation'"):
        cache.split("valid")


def test_a_cache_travels_to_another_process_as_its_folder(cache):
    again = pickle.loads(pickle.dumps(cache))
    assert torch.equal(again.read([5]).tokens, cache.read([5]).tokens)


BOUNDED = """
import resource, sys
import torch
from cache_fakes import FakeEncoder, fake_clips
from protoviz.cache import TokenCache

torch.set_num_threads(1)
encoder, clips = FakeEncoder(grid=(64, 8), dim=64), fake_clips(1600, samples=2048)
cache = TokenCache.create(sys.argv[1], encoder, clips, shard_clips=50, batch=50, progress=False)
sizes = [len(batch.tokens) for batch in cache.batches(size=16)]  # what is loaded once, is loaded now
used = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
spare = 24_000_000
resource.setrlimit(resource.RLIMIT_DATA, (used + spare, used + spare))
total = 0
for seed in (None, 1, 2):
    for batch in cache.batches(size=16, seed=seed):
        total += len(batch.tokens)
try:
    every = [cache.read([row]).tokens for row in range(len(cache))]
except (MemoryError, RuntimeError):
    every = None
print(cache.nbytes > 4 * spare, total, every is None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on private memory is Linux's")
def test_iterating_needs_memory_for_a_batch_only(tmp_path):
    """A cache four times larger than the private memory that is left is read thrice; holding it all fails."""
    done = run_python(BOUNDED, tmp_path)
    assert done.stdout.split() == ["True", "4800", "True"], done.stderr


# Interruption


KILLED = """
import os, signal, sys, warnings
import pyarrow.parquet, torch  # imported once, not in every child
from cache_fakes import FakeEncoder, fake_clips
from protoviz.cache import TokenCache

torch.set_num_threads(1)  # threads and forks do not mix, so this process itself never encodes

folder, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
steps = 0

class Sensitive(FakeEncoder):
    # Its tokens show how many clips were encoded together.
    def features(self, waveforms):
        return super().features(waveforms) + len(waveforms)

def counted(call):
    def step(*arguments):
        global steps
        steps += 1
        if steps == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    return step

def create(path, kill):
    global kill_at
    kill_at = kill
    os.fsync = lambda _: None  # what a killed process has written, the system keeps
    if kill:
        os.fsync, os.replace, os.unlink = counted(os.fsync), counted(os.replace), counted(os.unlink)
    warnings.simplefilter("ignore")
    broken = {"fakes-0002": ValueError("cut short"), "fakes-0013": FileNotFoundError(2, "not there")}
    TokenCache.create(path, Sensitive(), fake_clips(broken=broken), shard_clips=12, batch=4, progress=False)

def in_child(path, kill):
    child = os.fork()
    if not child:
        create(path, kill)
        os._exit(0)
    return "killed" if os.WIFSIGNALED(os.waitpid(child, 0)[1]) else "finished"

in_child(f"{folder}/undisturbed", 0)
for kill in range(first, last):
    print(in_child(f"{folder}/{kill}", kill), flush=True)
    in_child(f"{folder}/{kill}", 0)
"""


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_killed_before_any_step_on_the_disk_it_ends_byte_identical(tmp_path):
    """SIGKILL before the first, second, ... flush, rename or removal; then a second call finishes."""
    done = run_python(KILLED, tmp_path, 1, 40)
    assert done.returncode == 0, done.stderr
    outcomes = done.stdout.split()
    assert outcomes.count("killed") > 20  # 9 files, each flushed and renamed, its folder flushed
    assert outcomes[-1] == "finished"  # there was no step left to be killed at
    wanted = tree(tmp_path / "undisturbed")
    for kill, outcome in enumerate(outcomes, start=1):
        assert tree(tmp_path / str(kill)) == wanted, f"{outcome} at step {kill}"


def test_a_repair_killed_before_any_step_ends_as_an_undisturbed_one(tmp_path, monkeypatch):
    """A clip that can be read again and one that cannot any more: the same number, other tokens."""
    before = fake_clips(broken={"fakes-0002": ValueError("cut short")})
    after = fake_clips(broken={"fakes-0005": ValueError("cut short")})
    rename = os.replace

    def repaired(folder: Path, kill_at: int) -> bool:
        """Whether the repair was killed at its step number `kill_at`, before it was called again."""
        make(folder, clips=before)
        (folder / "shards/00000.npy").unlink()
        steps, killed = iter(range(kill_at)), False

        def step(*names):
            if next(steps, None) is None:
                raise KeyboardInterrupt
            return rename(*names)

        monkeypatch.setattr(os, "replace", step)
        try:
            make(folder, clips=after)
        except KeyboardInterrupt:
            killed = True
        monkeypatch.setattr(os, "replace", rename)
        if killed and 2 < kill_at < 9:  # meta.json says it is unfinished, until it is written at the end
            with pytest.raises(UnfinishedCacheError):
                TokenCache.open(folder)
        make(folder, clips=after, shard_clips=8)
        return killed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert not repaired(tmp_path / "undisturbed", 99)
        wanted = tree(tmp_path / "undisturbed")
        outcomes = [repaired(tmp_path / str(kill), kill) for kill in range(12)]
    assert outcomes == [True] * 10 + [False] * 2
    for kill in range(12):
        assert tree(tmp_path / str(kill)) == wanted, f"killed at step {kill}"
    cache, plain = TokenCache.open(tmp_path / "0"), make(tmp_path / "plain")
    rows = plain.table.index[plain.table["clip"].isin(cache.table["clip"])].to_numpy()
    assert cache.skipped["clip"].tolist() == ["fakes-0005"]
    torch.testing.assert_close(cache.read(range(19)).tokens, plain.read(rows).tokens)


@pytest.mark.filterwarnings("ignore:1 of 20 clips")
def test_a_cache_whose_index_is_older_than_a_shard_is_finished_again(tmp_path):
    """As a version before this one left it, killed in a repair."""
    older = make(tmp_path / "a", clips=fake_clips(broken={"fakes-0002": ValueError("cut short")}))
    newer = make(tmp_path / "b", clips=fake_clips(broken={"fakes-0005": ValueError("cut short")}))
    shutil.copy(newer.folder / "shards/00000.npy", older.folder / "shards/00000.npy")
    record = json.loads((newer.folder / "meta.json").read_text())["shards"][0]
    del record["crc32"]  # as that version wrote it
    (older.folder / "shards/00000.json").write_text(json.dumps(record))
    make(older.folder)
    assert tree(older.folder) == tree(newer.folder)


ENDLESS = """
import sys, threading
from cache_fakes import FakeEncoder, FakeReader, fake_clips
from protoviz.cache import TokenCache

class Endless(FakeReader):
    def read(self, row):
        if row["clip"] == "fakes-0100":
            threading.Event().wait()
        return super().read(row)

clips = fake_clips(200, reader=Endless)
TokenCache.create(sys.argv[1], FakeEncoder(), clips, shard_clips=8, batch=4, progress=False)
"""


@pytest.fixture
def encoding_process(tmp_path):
    """(process, folder): a process that has encoded at least one shard of 25, and never comes to its end."""
    folder = tmp_path / "slow"
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(folder)], env=environment)
    try:
        until(lambda: (folder / "shards" / "00000.json").exists() or process.poll() is not None)
        assert process.poll() is None, "the encoding process ended"
        yield process, folder
    finally:
        process.kill()
        process.wait()


def test_killed_by_another_process_it_continues_where_it_was(encoding_process, tmp_path):
    process, folder = encoding_process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in folder.glob("shards/*.npy")}
    with pytest.raises(UnfinishedCacheError, match=r"of 25 shards are missing; TokenCache.create .* goes on"):
        TokenCache.open(folder)
    make(folder, clips=fake_clips(200))
    shards = list(folder.glob("shards/*.npy"))
    assert len(shards) == 25
    assert (folder / "shards/00000.npy").stat().st_mtime_ns == kept["00000.npy"]
    make(tmp_path / "undisturbed", clips=fake_clips(200))
    assert tree(folder) == tree(tmp_path / "undisturbed")


def test_two_writers_are_kept_apart_and_a_dead_one_does_not_block(encoding_process):
    process, folder = encoding_process
    with pytest.raises(
        CacheInUseError, match=f"is being encoded by process {process.pid} on .*; wait for it"
    ):
        make(folder, clips=fake_clips(200))
    process.kill()
    process.wait()
    assert str(process.pid) in (folder / ".lock").read_text()  # left behind, and of no effect
    assert len(make(folder, clips=fake_clips(200))) == 200
    assert not (folder / ".lock").exists()


def test_an_error_of_the_encoder_stops_the_run_and_names_the_clips(tmp_path):
    class Fragile(FakeEncoder):
        def forward(self, features, **options):
            if self.calls == 3:
                raise MemoryError("out of memory")
            self.calls += 1
            return super().forward(features, **options)

    encoder = Fragile()
    encoder.calls = 0
    with pytest.raises(MemoryError) as caught:
        make(tmp_path / "a", encoder, lanes=1)  # it counts its calls
    assert "while fake encoded clips fakes-0012, fakes-0013" in caught.value.__notes__[0]
    with pytest.raises(UnfinishedCacheError, match="2 of 3 shards"):
        TokenCache.open(tmp_path / "a")
    make(tmp_path / "a")
    assert tree(tmp_path / "a") == tree(make(tmp_path / "b").folder)


def test_a_finished_cache_is_left_alone(tmp_path):
    before = make(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path.is_file()}

    class Untouched(FakeReader):
        def read(self, row):
            raise AssertionError("nothing is left to read")

    again = make(tmp_path, clips=fake_clips(reader=Untouched), batch=16)
    assert torch.equal(again.read([3]).tokens, before.read([3]).tokens)
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_processes_that_read_ahead_change_nothing(tmp_path):
    broken = {"fakes-0005": ValueError("cut short")}
    with pytest.warns(UserWarning, match="1 of 20 clips were skipped"):
        make(tmp_path / "thread", clips=fake_clips(broken=broken))
    with pytest.warns(UserWarning, match="1 of 20 clips were skipped"):
        make(tmp_path / "processes", clips=fake_clips(broken=broken), workers=1)
    assert tree(tmp_path / "thread") == tree(tmp_path / "processes")


# Clips that cannot be used


FAULTS = {
    "fakes-0001": (
        ValueError("clip.wav is no sound file; record it again"),
        "no sound file; record it again",
    ),
    "fakes-0002": (FileNotFoundError(2, "No such file or directory", "gone.wav"), "gone.wav"),
    "fakes-0006": (np.full(32, np.nan, np.float32), "waveform holds NaN"),
    "fakes-0007": (np.zeros((2, 32), np.float32), r"shape \(2, 32\)"),
    "fakes-0011": (np.zeros(0, np.float32), r"shape \(0,\)"),
    "fakes-0012": (np.zeros(33, np.float32), "fake: is .* and fake takes"),
    "fakes-0013": (np.full(32, 95.25, np.float32), "tokens hold NaN or infinity"),
    "fakes-0015": (np.full(32, 1e6, np.float32), "waveform reaches"),
    "fakes-0018": (np.full(32, 15.25, np.float32), "more than float16 holds; use dtype='float32'"),
}


def test_an_unusable_clip_is_skipped_listed_and_counted(tmp_path, capsys):
    clips = fake_clips(broken={clip: fault for clip, (fault, _) in FAULTS.items()})
    cache = make(tmp_path, Steep(), clips, progress=True)
    assert cache.skipped["clip"].tolist() == list(FAULTS)
    for reason, (_, wanted) in zip(cache.skipped.reason, FAULTS.values(), strict=True):
        assert pd.Series([reason]).str.contains(wanted).all(), reason
    said = capsys.readouterr().err
    assert "11 clips encoded, 9 skipped" in said
    assert "fakes-0002: FileNotFoundError" in said
    good = [clip for clip in fake_clips().table["clip"] if clip not in FAULTS]
    assert cache.table["clip"].tolist() == good
    assert TokenCache.open(tmp_path).skipped.equals(cache.skipped)
    plain = make(tmp_path.with_name("plain"), Steep())
    rows = plain.table.index[plain.table["clip"].isin(good)].to_numpy()
    for stored, wanted in zip(cache.read(range(11)), plain.read(rows), strict=True):
        torch.testing.assert_close(stored, wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_clip_longer_than_the_grid_is_skipped_where_the_encoder_takes_it(batch, tmp_path):
    """Published encoders take clips of up to a minute, whatever length their grid holds."""
    encoder = load_encoder("beats", ENCODER_FILES / "beats/checkpoint.pt", seconds=2)
    noise = np.random.default_rng(0).standard_normal(64_000).astype(np.float32)
    clips = fake_clips(5, samples=32_000, broken={"fakes-0003": noise})
    with pytest.warns(UserWarning, match="1 of 5 clips were skipped"):
        cache = make(tmp_path, encoder, clips, batch=batch)
    assert cache.skipped["clip"].tolist() == ["fakes-0003"]
    assert re.search(r"beats: a clip fills \d+ x 8 cells and the grid has 12 x 8", cache.skipped.reason[0])
    assert len(cache) == 4


def test_without_progress_skipped_clips_are_a_warning(tmp_path):
    with pytest.warns(UserWarning, match=r"1 of 20 clips were skipped:\n  fakes-0003: ValueError: cut short"):
        make(tmp_path, clips=fake_clips(broken={"fakes-0003": ValueError("cut short")}))


def test_where_nothing_can_be_read_the_next_attempt_reads_again(tmp_path):
    every = {f"fakes-{i:04d}": OSError("the drive is not there") for i in range(20)}
    with pytest.raises(CacheError, match=r"none of the 20 clips of fakes .*; fakes-0000: OSError: the drive"):
        make(tmp_path, clips=fake_clips(broken=every))
    assert len(make(tmp_path)) == 20


def test_a_fault_of_the_code_is_not_taken_for_a_broken_clip(tmp_path):
    with pytest.raises(TypeError, match="NoneType"):
        make(tmp_path, clips=fake_clips(broken={"fakes-0003": TypeError("NoneType has no name")}))


# Stale and damaged


@pytest.mark.parametrize(
    ("encoder", "clips", "reason"),
    [
        ({"seed": 1}, {}, "weights: cached .*, given"),
        ({"gain": 2.0}, {}, "front end: gain cached 1.0, given 2.0"),
        ({"name": "other"}, {}, "encoder: cached fake, given other"),
        ({"grid": (2, 4)}, {}, r"shape: grid cached \[4, 2\], given \[2, 4\]"),
        ({}, {"count": 21}, r"data list: cached fakes with 20 .* with 21; 1 new \(such as fakes-0020\)"),
        ({}, {"count": 18}, r"2 gone \(such as fakes-0018\)"),
        ({}, {"seed": 1}, "with other labels"),
        ({}, {"samples": 30}, "the same ids: their sound, order, splits or settings differ"),
    ],
)
def test_a_stale_cache_is_refused_with_what_differs(cache, encoder, clips, reason):
    with pytest.raises(StaleCacheError, match=reason):
        TokenCache.open(cache.folder, FakeEncoder(**encoder), fake_clips(**clips))
    with pytest.raises(StaleCacheError, match=reason):
        make(cache.folder, FakeEncoder(**encoder), fake_clips(**clips))
    assert len(TokenCache.open(cache.folder, FakeEncoder(), fake_clips(), verify=True)) == 20


def test_an_unfinished_cache_goes_on_only_with_its_own_layout(tmp_path):
    broken = {"fakes-0019": TypeError("a fault of the code")}
    with pytest.raises(TypeError):
        make(tmp_path, clips=fake_clips(broken=broken))
    with pytest.raises(StaleCacheError, match="begun with batch=4, not batch=5; go on with batch=4"):
        make(tmp_path, batch=5)


def test_another_dtype_is_another_cache(cache):
    with pytest.raises(StaleCacheError, match="begun with dtype='float16', not dtype='float32'"):
        make(cache.folder, dtype="float32")


@pytest.mark.filterwarnings("ignore:1 of 20 clips")
def test_the_fingerprint_tells_caches_apart(cache, tmp_path):
    again = make(tmp_path / "again", shard_clips=5)
    assert again.fingerprint == cache.fingerprint
    others = [
        make(tmp_path / "a", FakeEncoder(seed=1)),
        make(tmp_path / "b", clips=fake_clips(seed=1)),
        make(tmp_path / "c", dtype="float32"),
    ]
    for clip in ("fakes-0003", "fakes-0007"):
        others.append(make(tmp_path / clip, clips=fake_clips(broken={clip: OSError("not there")})))
    others += [cache.split("train"), cache.split("test"), others[3].split("train")]
    assert len({found.fingerprint for found in (cache, *others)}) == 9
    made_from = (cache.meta[part]["fingerprint"] for part in ("encoder", "clips"))
    assert cache.fingerprint == maps_digest(*made_from, "float16"), "as a grid knows it before it is made"
    assert again.split("test").fingerprint == cache.split("test").fingerprint


def _remove(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize("harm", [_remove, _cut])
@pytest.mark.parametrize("name", ["shards/00001.npy", "shards/00002.npy", "targets.npy", "index.parquet"])
def test_a_damaged_cache_is_refused_and_repaired(tmp_path, name, harm):
    make(tmp_path)
    whole = tree(tmp_path)
    harm(tmp_path / name)
    with pytest.raises(
        DamagedCacheError, match=rf"{name} (is missing|has .* bytes instead of).*TokenCache.create"
    ):
        TokenCache.open(tmp_path)
    make(tmp_path, batch=16, shard_clips=32)  # the repair keeps the layout that is there
    assert tree(tmp_path) == whole


def test_changed_bytes_are_found_by_verify(tmp_path):
    make(tmp_path)
    path = tmp_path / "shards/00001.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert len(TokenCache.open(tmp_path)) == 20  # the cheap check sees sizes only
    with pytest.raises(DamagedCacheError, match=r"00001.npy does not match its checksum; `protoviz cache"):
        TokenCache.open(tmp_path, verify=True)


def test_a_folder_that_is_no_cache_is_left_alone(tmp_path):
    with pytest.raises(CacheError, match="no token cache at"):
        TokenCache.open(tmp_path / "nowhere")
    (tmp_path / "thesis.part").write_text("years of work")
    with pytest.raises(CacheError, match=r"holds thesis\.part"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.part"]


@pytest.mark.parametrize(
    ("text", "reason"), [("{", "meta.json is damaged"), ('{"format": 99}', "has cache format 99")]
)
def test_a_meta_file_that_cannot_be_understood_is_refused(tmp_path, text, reason):
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(CacheError, match=reason):
        TokenCache.open(tmp_path)


class Unread(FakeReader):
    def read(self, row: pd.Series) -> np.ndarray:
        pytest.fail("a clip was read")


def test_paths_may_be_paths_and_a_table_that_cannot_be_kept_is_refused_at_once(tmp_path):
    plain = fake_clips(4)
    names = [f"{clip}.wav" for clip in plain.table["clip"]]
    told = replace(plain, table=plain.table.assign(path=[Path(names[0]), *names[1:]]))
    assert make(tmp_path / "a", clips=told).table.path.tolist() == names
    strange = fake_clips(4, reader=Unread)
    strange = replace(strange, table=strange.table.assign(place=["here", 1, object(), None]))
    with pytest.raises(CacheError, match=r"the table of fakes cannot be written as Parquet \(.*place"):
        make(tmp_path / "b", clips=strange)


def test_what_cannot_make_a_cache_is_refused_at_once(tmp_path):
    with pytest.raises(CacheError, match="is in training mode"):
        make(tmp_path / "a", FakeEncoder().train())
    with pytest.raises(CacheError, match="holds no clip"):
        make(tmp_path / "a", clips=fake_clips(0))
    with pytest.raises(CacheError, match=r"dtype 'bfloat16'.*float16 or float32"):
        make(tmp_path / "a", dtype="bfloat16")
    with pytest.raises(CacheError, match="batch=0"):
        make(tmp_path / "a", batch=0)
    assert not (tmp_path / "a").exists()
