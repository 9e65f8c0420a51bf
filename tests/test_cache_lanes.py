"""Batches side by side, half precision, devices: faster, and the same cache or one that says otherwise."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from cache_fakes import FakeEncoder, FakeReader, fake_clips
from hypothesis import given
from hypothesis import strategies as st
from small_encoders import ARCHITECTURES, small
from torch.utils._python_dispatch import TorchDispatchMode
from typer.testing import CliRunner
from waiting import PATIENCE

from protoviz.cache import CacheError, StaleCacheError, TokenCache
from protoviz.cache.grouping import ALIKE, alike
from protoviz.cache.lanes import ON_ACCELERATOR, lanes_for, side_by_side
from protoviz.cli import app
from protoviz.encoders import EncoderError
from protoviz.encoders.devices import device_named, has_bfloat16, own_threads
from protoviz.encoders.mini import MiniConfig, MiniEncoder, frozen, random_mini, start_weights

CPU = torch.device("cpu")
SHORT = MiniConfig(width=48, depth=2, heads=3, frames=64)
needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(CPU), reason="this processor has no bfloat16")


def make(folder, encoder=None, clips=None, **options) -> TokenCache:
    layout = {"shard_clips": 8, "batch": 2, "progress": False} | options
    return TokenCache.create(folder, encoder or FakeEncoder(), clips or fake_clips(), **layout)


def tree(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


class Uneven(FakeEncoder):
    """Its tokens show how many clips were encoded together, and early batches take longest."""

    def encode(self, waveforms, **options):
        time.sleep(0.02 if float(waveforms[0][0]) > 0 else 0)
        return super().encode(waveforms, **options)

    def features(self, waveforms):
        return super().features(waveforms) + len(waveforms)


@pytest.mark.filterwarnings("ignore:.*clips were skipped")
def test_any_number_of_lanes_writes_the_same_bytes(tmp_path):
    broken = {"fakes-0002": ValueError("cut short"), "fakes-0013": np.full(32, 3e38, np.float32)}
    for lanes in (1, 2, 3):
        make(tmp_path / str(lanes), Uneven(), fake_clips(broken=broken), lanes=lanes)
    assert tree(tmp_path / "1") == tree(tmp_path / "2") == tree(tmp_path / "3")


def test_two_lanes_encode_at_the_same_time(tmp_path):
    both = threading.Barrier(2, timeout=PATIENCE)

    class Meeting(FakeEncoder):
        def forward(self, features, **options):
            both.wait()  # one batch at a time would wait here in vain
            return super().forward(features, **options)

    assert len(make(tmp_path, Meeting(), lanes=2, batch=1)) == 20


def test_lanes_share_the_threads_and_give_them_back():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with side_by_side(lambda _: torch.get_num_threads(), iter(range(6)), 2) as results:
            assert list(results) == [2] * 6
        assert torch.get_num_threads() == 4
        with pytest.raises(ZeroDivisionError), side_by_side(lambda x: 1 / x, iter([0]), 2) as results:
            list(results)
        assert torch.get_num_threads() == 4
        assert (lanes_for(CPU), lanes_for(CPU, 3)) == (4, 3)
        assert lanes_for(torch.device("cuda")) == ON_ACCELERATOR
    finally:
        torch.set_num_threads(before)


def test_a_worker_keeps_its_threads_whatever_others_set():
    before = torch.get_num_threads()
    with ThreadPoolExecutor(1, initializer=own_threads, initargs=(2,)) as pool:
        pool.submit(int).result()  # the worker is there and has computed nothing
        torch.set_num_threads(3)
        try:
            assert pool.submit(torch.get_num_threads).result() == 2
        finally:
            torch.set_num_threads(before)


def test_no_more_is_read_than_lanes_need(tmp_path):
    """What is read ahead lies in memory."""
    read, encoded = [], []

    class Counting(FakeReader):
        def read(self, row):
            read.append(row["clip"])
            return super().read(row)

    class Slow(FakeEncoder):
        def forward(self, features, **options):
            time.sleep(0.01)
            encoded.append(len(read))
            return super().forward(features, **options)

    make(tmp_path, Slow(), fake_clips(60, reader=Counting), lanes=1, batch=2)
    assert all(ahead - 2 * done <= 2 * (2 + 2) for done, ahead in enumerate(encoded))


# Half precision


@needs_bfloat16
def test_bfloat16_is_close_and_another_cache(tmp_path):
    encoder = random_mini(config=SHORT)
    clips = fake_clips(6, samples=9000)
    exact, half = (
        make(tmp_path / "a", encoder, clips),
        make(tmp_path / "b", encoder, clips, precision="bfloat16"),
    )
    wanted, found = exact.read(range(6)).tokens.float(), half.read(range(6)).tokens.float()
    off = (found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
    assert 1e-3 < off < 2e-2  # bfloat16 rounds by up to 1/256, float16 by 1/2048
    assert half.read([0]).cls.dtype == torch.float32
    assert exact.fingerprint != half.fingerprint
    with pytest.raises(StaleCacheError, match="precision='bfloat16', not precision='float32'"):
        make(tmp_path / "b", encoder, clips)


def test_a_cache_from_before_precision_is_one_of_float32(tmp_path):
    cache = make(tmp_path)
    meta = json.loads((tmp_path / "meta.json").read_text())
    assert meta["layout"].pop("precision") == "float32"
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    assert make(tmp_path).fingerprint == cache.fingerprint


def test_bfloat16_is_refused_where_it_is_only_imitated(tmp_path, monkeypatch):
    monkeypatch.setattr("protoviz.cache.encode.has_bfloat16", lambda device: False)
    with pytest.raises(CacheError, match=r"cpu does not multiply in bfloat16 itself.*precision='float32'"):
        make(tmp_path, precision="bfloat16")
    with pytest.raises(CacheError, match="float32 or bfloat16"):
        make(tmp_path, precision="float8")


# Devices


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == device_named("cpu") == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named("auto") == torch.device("cuda")
    for name in ("toaster", "meta", "xla", "cpu:7", "cuda:99", ""):
        with pytest.raises(
            EncoderError, match=rf"device \(--device\) '{name}' is not here: choose cpu.* auto"
        ):
            device_named(name)


TINY = MiniConfig(width=8, depth=1, heads=1)


def test_the_command_moves_the_encoder_there_first(tmp_path, monkeypatch):
    moved = []

    class Moving(MiniEncoder):
        def to(self, device):
            moved.append(device)
            return super().to(device)

    monkeypatch.setattr(
        "protoviz.encoders.load_encoder",
        lambda name, *_, **__: frozen(start_weights(Moving(TINY), 0)),
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    counts = ("--train", "3", "--validation", "1", "--test", "1")
    done = CliRunner().invoke(app, ["encode", "scenes", "fake", str(tmp_path / "tokens"), *counts])
    assert done.exit_code == 0, done.output
    assert moved == [CPU]
    assert "5 token maps" in done.output


# Work that is not done


class Operations(TorchDispatchMode):
    """Names of what torch was asked to compute."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(func.name())
        return func(*args, **(kwargs or {}))


def operations(encoder, clips, attention):
    with Operations() as seen:
        encoder.encode(clips, attention=attention)
    return seen.names


@pytest.mark.parametrize("name", [*ARCHITECTURES, "mini"])
@pytest.mark.parametrize("lengths", [(10_000, 10_000), (10_000, 6_000)])
def test_attention_is_fused_unless_maps_are_asked_for(name, lengths):
    """No softmax of n x n is built, with a mask or without: only the fused kernel runs."""
    encoder = small(name)
    clips = [
        np.random.default_rng(i).standard_normal(count).astype(np.float32) for i, count in enumerate(lengths)
    ]
    names = operations(encoder, clips, attention=False)
    assert any("scaled_dot_product" in name for name in names), names
    assert not any("softmax" in name for name in names), names
    assert any("softmax" in name for name in operations(encoder, clips, attention=True))


def test_a_mini_computes_only_rows_that_some_clip_fills():
    """Half a clip is half the tokens in every block; what comes out has the whole grid."""
    encoder, seen = random_mini(config=SHORT), []
    encoder.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    noise = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    short = encoder.encode([noise[:3000]], attention=True, layers=[0])
    whole = encoder.encode([noise[:3000], noise], attention=True, layers=[0])
    rows = int(short.mask.sum()) // 8
    assert seen == [1 + rows * 8, 1 + 32]
    assert rows == 2
    assert short.tokens.shape == (1, 32, 48)
    assert short.grid == encoder.grid == (4, 8)
    torch.testing.assert_close(short.tokens[0], whole.tokens[0], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(short.attention[1][0], whole.attention[1][0], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(short.layers[0][0], whole.layers[0][0], atol=2e-5, rtol=1e-4)


def test_clips_of_like_length_are_encoded_together(tmp_path):
    """A short clip beside a long one would be computed at the long one's length; the order stays."""
    lengths = [32, 8, 30, 7, 32, 31, 8, 16]
    sounds = {f"fakes-{i:04d}": np.full(count, i + 1.25, np.float32) for i, count in enumerate(lengths)}
    together = []

    class Seeing(FakeEncoder):
        def encode(self, waveforms, **options):
            together.append([len(clip) for clip in waveforms])
            return super().encode(waveforms, **options)

    cache = make(tmp_path, Seeing(), fake_clips(8, broken=sounds), batch=8, lanes=1)
    assert together == [[32, 32, 31, 30], [16], [8, 8, 7]]
    for i, sound in enumerate(sounds.values()):
        alone = FakeEncoder().encode([sound])
        stored = cache.read([i])
        torch.testing.assert_close(stored.tokens[0], alone.tokens[0].half(), rtol=1e-3, atol=1e-3)
        assert torch.equal(stored.mask[0], alone.mask[0])


@given(st.lists(st.integers(1, 200), min_size=1, max_size=40))
def test_groups_hold_every_clip_once_and_only_like_lengths(lengths):
    groups = alike(lengths)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    for group in groups:
        sizes = [lengths[i] for i in group]
        assert min(sizes) >= ALIKE * max(sizes)
