"""Token caches of several layers: what is kept, read, cut down and repaired."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from cache_fakes import Deep, FakeEncoder, fake_clips
from test_cli import run

from protoviz.cache import (
    CacheError,
    DamagedCacheError,
    StaleCacheError,
    TokenCache,
    check_cache,
    cut_cache,
    estimate_bytes,
)
from protoviz.encoders.mini import MiniConfig, random_mini
from protoviz.probes import ProbeError, seeded_probe
from protoviz.training import FitConfig, fit, predict

SMALL = {"shard_clips": 16, "batch": 4, "progress": False}
LAYERS = [0, 2, 3]


def make(folder, layers=None, encoder=None, clips=None, **options):
    return TokenCache.create(
        folder, encoder or Deep(), clips or fake_clips(), **SMALL | {"layers": layers} | options
    )


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    return make(tmp_path_factory.mktemp("cache") / "several", LAYERS)


@pytest.fixture(scope="module")
def last(tmp_path_factory):
    return make(tmp_path_factory.mktemp("cache") / "last")


def test_what_is_read_is_what_the_encoder_makes(several):
    clips = fake_clips()
    made = Deep().encode([clips.read(i) for i in range(20)], layers=LAYERS)
    assert several.layers == tuple(LAYERS)
    batch = several.read(range(20), LAYERS)
    torch.testing.assert_close(batch.tokens, torch.stack([made.layers[n].half() for n in LAYERS], 1))
    torch.testing.assert_close(batch.cls, torch.stack([made.layer_cls[n] for n in LAYERS], 1))
    assert torch.equal(batch.mask, made.mask)
    for asked, number in ((2, 2), (None, 3)):
        one = several.read([7, 3], asked)
        torch.testing.assert_close(one.tokens, made.layers[number][[7, 3]].half())
        torch.testing.assert_close(one.cls, made.layer_cls[number][[7, 3]])
    assert several.read([1], [0, 3]).tokens.shape == (1, 2, 8, 8)
    with pytest.raises(CacheError, match=r"layers 0, 2, 3 and not \[1\]"):
        several.read([0], [1, 3])


def test_one_layer_costs_what_it_did(tmp_path, last):
    asked = make(tmp_path / "asked", [Deep.depth])
    assert tree(asked.folder) == tree(last.folder)
    plain = make(tmp_path / "plain", encoder=FakeEncoder())
    assert [one["bytes"] for one in plain.meta["shards"]] == [one["bytes"] for one in last.meta["shards"]]
    assert plain.layers == ("last",)
    assert last.layers == (Deep.depth,)


@pytest.mark.parametrize("layers", [None, [2], LAYERS, "all"])
def test_it_is_sized_before_it_starts(tmp_path, layers):
    cache = make(tmp_path / "tokens", layers)
    held = sum(np.load(path).nbytes for path in cache.folder.glob("shards/*.npy"))
    assert estimate_bytes(Deep(), fake_clips(), layers=layers) == held
    count = 1 if layers is None else len(cache.layers)
    assert held == count * estimate_bytes(Deep(), 20)
    most = max(len(np.load(path)) for path in cache.folder.glob("shards/*.npy"))
    assert most == 16 // count, "a shard of several layers takes no more memory"


def test_other_layers_are_refused(tmp_path, several):
    for layers in (None, [0, 2]):
        with pytest.raises(StaleCacheError, match="layers"):
            make(several.folder, layers)
    assert len(make(several.folder, [3, 0, -2])) == 20, "in any order, counted from the end too"
    for wrong, said in (([4], "layers 0 to 3"), ([], "layers"), ("last", "whole numbers")):
        with pytest.raises(ValueError, match=said):
            make(tmp_path / "tokens", wrong)
    with pytest.raises(CacheError, match="no single layers"):
        make(tmp_path / "tokens", [1], FakeEncoder())


@pytest.mark.parametrize("layers", [3, [2], [0, 3]])
def test_a_cut_is_what_encoding_would_have_given(tmp_path, several, layers):
    cut = cut_cache(tmp_path / "cut", several, layers)
    names = [layers] if isinstance(layers, int) else layers
    fresh = make(tmp_path / "fresh", layers=names, shard_clips=5 * len(names))
    assert tree(cut.folder) == tree(fresh.folder)
    assert cut.fingerprint == fresh.fingerprint != several.fingerprint
    assert check_cache(cut.folder).whole
    with pytest.raises(CacheError, match="not empty"):
        cut_cache(tmp_path / "cut", several, 3)
    with pytest.raises(CacheError, match=r"not \[1\]"):
        cut_cache(tmp_path / "other", several, 1)


def test_a_cut_to_the_last_layer_is_the_cache_that_never_had_more(tmp_path, several, last):
    cut = cut_cache(tmp_path / "cut", several, Deep.depth)
    assert cut.fingerprint == last.fingerprint
    assert torch.equal(cut.read(range(20)).tokens, last.read(range(20)).tokens)


def test_training_on_a_cache_reads_the_layers_of_each_probe(several):
    config = FitConfig(epochs=2, batch_size=4)
    train, validation = several.split("train"), several.split("validation")
    for layers in (2, [0, 3], LAYERS):
        probe = seeded_probe(0, "protobin", 8, 3, (4, 2), layers=layers)
        fit(probe, train, validation, config)
        batch = validation.read(range(len(validation)), layers)
        with torch.no_grad():
            np.testing.assert_allclose(predict(probe, validation), probe(*batch[:3]), rtol=0, atol=1e-6)
    with pytest.raises(ProbeError, match=r"\[1\].*\[0, 2, 3\]"):
        predict(seeded_probe(0, "linear", 8, 3, layers=1), several.split("test"))


def test_a_row_of_any_layer_is_checked(tmp_path):
    cache = make(tmp_path / "tokens", LAYERS)
    path = cache.folder / "shards" / "00001.npy"
    data = bytearray(path.read_bytes())
    size = cache.read([0]).tokens[0].numpy().nbytes + 8 * 4 + 8
    data[-size - 1] ^= 1  # the layer before the last, of the last clip of the shard
    path.write_bytes(data)
    cache = TokenCache.open(cache.folder)
    assert len(cache.read([9], 3).tokens) == 1
    with pytest.raises(CacheError, match="row 13"):
        cache.read([9], 2)


def test_any_changed_byte_is_an_error_and_mended_to_the_same_bytes(tmp_path, several):
    right, rng = tree(several.folder), random.Random(0)
    for name in sorted(right):
        folder = Path(shutil.copytree(several.folder, tmp_path / name.replace("/", "-")))
        data = bytearray(right[name])
        for place in (0, -1, rng.randrange(len(data))):
            data[place] ^= rng.randrange(1, 256)
        (folder / name).write_bytes(data)
        assert name in check_cache(folder).damaged
        if name != "meta.copy.json":
            with pytest.raises(DamagedCacheError, match=Path(name).name):
                TokenCache.open(folder).read(range(20), LAYERS)
        make(folder, LAYERS)
        assert tree(folder) == right


def test_a_mini_gives_its_layers_whatever_the_lengths(tmp_path):
    encoder = random_mini(config=MiniConfig(width=12, depth=2, heads=3, frames=64))
    clips = fake_clips(4, samples=round(encoder.seconds * 16000) // 2)
    cache = TokenCache.create(tmp_path / "tokens", encoder, clips, layers="all", progress=False)
    assert cache.layers == (0, 1, 2)
    tokens = cache.read([0], [0, 1, 2]).tokens[0].float()
    made = encoder.encode([clips.read(0)], layers=[0, 1, 2]).on_grid(encoder.grid)
    for place, layer in enumerate(cache.layers):
        torch.testing.assert_close(tokens[place], made.layers[layer][0], rtol=2e-3, atol=2e-3)


def test_the_commands_keep_and_cut_layers(tmp_path):
    made, cut = tmp_path / "made", tmp_path / "cut"
    few = ["--train", "2", "--validation", "1", "--test", "1"]
    run("encode", "scenes", "mini-random", str(made), "--layers", "0,3", *few)
    assert TokenCache.open(made).layers == (0, 3)
    said = run("cache", "cut", str(made), str(cut), "--layers", "3")
    assert "4 clips, layers 3" in said.output
    assert torch.equal(TokenCache.open(cut).read([1]).tokens, TokenCache.open(made).read([1], 3).tokens)
    assert "commas" in run("cache", "cut", str(made), str(cut), "--layers", "three").output
