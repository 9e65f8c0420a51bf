"""A probe, a cache and a grid's cell know all that changes tokens, and refuse another encoder's by name."""

import shutil
from dataclasses import fields, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from cache_fakes import FakeEncoder, fake_clips
from grid_fakes import write_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from page_bench import small_bench
from small_encoders import ARCHITECTURES, small

from protoviz import build_probe, fit, load_probe, predict, save_probe
from protoviz.cache import CacheError, StaleCacheError, TokenCache
from protoviz.cache.key import encoder_key
from protoviz.encoders import EncoderError, load_encoder
from protoviz.encoders.check.subject import apart
from protoviz.encoders.mini import MiniConfig, random_mini
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.grid import read_grid
from protoviz.experiments.polyphony.strong import event_hits
from protoviz.explorer.workbench import BenchError, Workbench
from protoviz.probes import ProbeError, refuse_other
from protoviz.training import FitConfig, TokenData, score_many

SHIPPED = Path(__file__).parents[1] / "data" / "demo" / "probes" / "mixed" / "mini-mae"


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """Token caches of the same clips by encoders that differ in one option, which is in the front end."""
    made = {}
    for gain in (1.0, 2.0):
        folder = tmp_path_factory.mktemp(f"gain{gain:g}")
        made[gain] = TokenCache.create(folder, FakeEncoder(gain=gain), fake_clips(), progress=False)
    return made


@pytest.fixture(scope="module")
def trained(caches, tmp_path_factory):
    """The file of a probe that was trained on the first of them."""
    cache = caches[1.0]
    probe = build_probe("protobin", cache.dim, len(cache.classes), cache.grid, prototypes_per_class=2)
    fit(probe, cache.split("train"), cache.split("validation"), FitConfig(1, batch_size=4))
    return save_probe(probe, tmp_path_factory.mktemp("probe") / "p.safetensors", classes=list(cache.classes))


def test_it_reads_the_tokens_that_it_was_trained_on_and_no_others(caches, trained):
    own, other = caches[1.0], caches[2.0]
    probe = load_probe(trained, FakeEncoder())
    assert probe.metadata["encoder"]["front_end"]["gain"] == 1.0
    assert predict(probe, own.split("test")).shape == (len(own.split("test")), 3)
    refuse_other(probe, own)
    both = "gain the probe's 1.0, given 2.0"
    for meets in (
        lambda: predict(probe, other.split("test")),
        lambda: score_many([probe], other.split("test")),
        lambda: load_probe(trained, FakeEncoder(gain=2.0)),
        lambda: load_probe(trained, other),
        lambda: refuse_other(probe, FakeEncoder(gain=2.0)),
        lambda: event_hits(probe, FakeEncoder(gain=2.0), fake_clips(), 0),
    ):
        with pytest.raises(ProbeError, match=both):
            meets()
    with pytest.raises(ProbeError, match="weights"):
        load_probe(trained, FakeEncoder(seed=1))


def test_training_and_validation_are_of_one_encoder_and_a_new_training_is_noted(caches, trained):
    own, other = caches[1.0], caches[2.0]
    probe, quick = load_probe(trained), FitConfig(1, batch_size=4)
    with pytest.raises(ProbeError, match="gain"):
        fit(probe, own.split("train"), other.split("validation"), quick)
    fit(probe, other.split("train"), other.split("validation"), quick)
    assert probe.metadata["encoder"]["front_end"]["gain"] == 2.0
    memory = TokenData(*own.split("train").read(np.arange(4)))
    fit(probe, memory, memory, quick)
    assert "encoder" not in probe.metadata, "maps in memory do not say whose they are"
    assert len(predict(probe, other.split("test")))


def test_files_of_before_load_and_are_held_to_their_grid():
    encoder = load_encoder("mini-mae")
    files = sorted(SHIPPED.glob("*.safetensors"))
    assert files
    for file in files:
        assert load_probe(file, encoder).dim == encoder.dim
    short = random_mini(config=MiniConfig(frames=512))
    with pytest.raises(ProbeError, match=r"\(64, 8\).*\(32, 8\)"):
        load_probe(SHIPPED / "protobin.safetensors", short)
    with pytest.raises(ProbeError, match="width 192, not 24"):
        load_probe(SHIPPED / "linear.safetensors", random_mini(config=MiniConfig(width=24)))


def test_the_explorer_refuses_a_probe_of_another_encoder():
    bench = small_bench()
    probe = build_probe("linear", bench.encoder.dim, len(bench.classes), bench.encoder.grid)
    shown = {"classes": bench.classes, "clips": bench.clips}
    other = random_mini(seed=5, config=replace(bench.encoder.config, mean=1.5))

    probe.metadata["encoder"] = encoder_key(bench.encoder)
    assert Workbench(bench.encoder, {"linear": probe}, **shown).probes
    with pytest.raises(BenchError, match=r"mean the probe's .*given 1\.5"):
        Workbench(other, {"linear": probe}, **shown)


def test_a_cell_of_a_grid_refuses_a_cache_of_something_else(tmp_path):
    cells = Cells(read_grid(write_grid(tmp_path)), tmp_path / "runs")
    task = Task("encode", "bells", "tiny")
    pair = cells.of(task)
    TokenCache.create(pair.tokens(cells.folder), pair.encoder, pair.clips, progress=False)
    assert pair.cache(cells.folder).grid == (4, 2)
    shutil.rmtree(pair.tokens(cells.folder))
    TokenCache.create(
        pair.tokens(cells.folder), FakeEncoder(name="tiny", gain=3.0), pair.clips, progress=False
    )
    with pytest.raises(StaleCacheError, match=r"'gain': 3\.0"):
        pair.cache(cells.folder)
    assert not cells.done(task)


# The fingerprint


def sound(encoder, seconds=1.9):
    rng = np.random.default_rng(0)
    return rng.standard_normal(round(seconds * encoder.sample_rate)).astype(np.float32) * np.float32(0.1)


OPTIONS = [
    {"seconds": 1.92},
    {"seconds": 5.12},
    {"seconds": 10},
    {"seconds": 12.5},
    {"mean": -3.0},
    {"std": 2.0},
    {"heads": 2},
    {"sample_rate": 16000},
    {"network": "student"},
    {"network": "teacher"},
]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_moves_the_tokens_of_a_published_encoder_moves_its_fingerprint(name):
    made = {}
    for options in ({}, *OPTIONS):
        try:
            made[str(options)] = small(name, **options)
        except EncoderError:  # an option that it does not take
            continue
    assert len(made) > 4
    tokens = {told: encoder.encode(sound(encoder)).tokens for told, encoder in made.items()}
    prints = {told: encoder.fingerprint() for told, encoder in made.items()}
    for one, other in combinations(made, 2):
        same = tokens[one].shape == tokens[other].shape and apart(tokens[one], tokens[other]) < 1e-5
        assert same or prints[one] != prints[other], (one, other)
    again = small(name)
    assert again.fingerprint() == prints["{}"]


SMALL = MiniConfig(width=24, depth=2, heads=3, frames=256)
OTHERS = {
    "width": 36,
    "depth": 1,
    "heads": 6,
    "mlp_ratio": 2.0,
    "patch": 32,
    "frames": 512,
    "mels": 64,
    "sample_rate": 8000,
    "mean": 0.5,
    "std": 1.5,
    "patch_mels": 64,
    "cls": False,
}


@settings(max_examples=12)
@given(name=st.sampled_from([field.name for field in fields(MiniConfig)]))
def test_every_setting_of_a_mini_is_in_its_fingerprint(name):
    one, other = (random_mini(config=config) for config in (SMALL, replace(SMALL, **{name: OTHERS[name]})))
    assert one.fingerprint() != other.fingerprint()


def test_the_type_that_it_computes_in_is_in_the_fingerprint(tmp_path):
    """Weights that half precision holds exactly would else be told apart by nothing."""
    one = random_mini(config=SMALL).half().float()
    other = random_mini(config=SMALL).half()
    assert one.fingerprint() != other.fingerprint()
    cache = TokenCache.create(tmp_path / "c", FakeEncoder().half().float(), fake_clips(4), progress=False)
    with pytest.raises(StaleCacheError, match="float32, given float16"):
        TokenCache.open(cache.folder, FakeEncoder().half())
    assert issubclass(StaleCacheError, CacheError)
    assert torch.get_default_dtype() == torch.float32
