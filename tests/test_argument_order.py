"""Arguments in the wrong order are told by name and order; what merely looks like another type is taken."""

from pathlib import Path

import numpy as np
import pytest
from cache_fakes import FakeEncoder, fake_clips
from training_data import clips

import protoviz
from protoviz.arguments import in_order
from protoviz.cache import TokenCache
from protoviz.probes import build_probe, save_probe
from protoviz.training import FitConfig, fit, predict

ENCODER, CLIPS, PROBE = FakeEncoder(), fake_clips(4), build_probe("linear", 8, 3)
DATA = clips(4, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TokenCache.create("x", CLIPS, ENCODER), ("encoder", "ClipSet", "create(folder, encoder,")),
        (lambda: TokenCache.create(ENCODER, CLIPS, "x"), ("folder", "FakeEncoder", "create(folder, ")),
        (lambda: TokenCache.open("x", CLIPS, ENCODER), ("encoder", "ClipSet", "open(folder, encoder,")),
        (lambda: fit(DATA, DATA, PROBE), ("validation", "LinearProbe", "fit(probe, train, ")),
        (lambda: fit(PROBE, FitConfig(), DATA, DATA), ("train", "FitConfig", "fit(probe, train, ")),
        (lambda: predict(DATA, PROBE), ("data", "LinearProbe", "predict(probe, data")),
        (lambda: save_probe("x.safetensors", PROBE), ("probe", "str", "save_probe(probe, path")),
        (lambda: build_probe(8, "linear", 3), ("name", "int", "build_probe(name, dim, ")),
        (lambda: build_probe("linear", 8, (4, 2), 3), ("classes", "tuple", "build_probe(name, dim, ")),
        (lambda: protoviz.load_encoder(Path("x.pt"), "eat"), ("name", "load_encoder(name, weights")),
        (lambda: protoviz.load_encoder("x.pt", "eat"), ("x.pt", "load_encoder(name, weights")),
        (lambda: protoviz.load_dataset("/data/ESC-50", "esc50"), ("ESC-50", "load_dataset(name, root")),
        (lambda: protoviz.read_audio(16_000, "x.wav"), ("path", "int", "read_audio(path, sample_rate")),
    ],
)  # fmt: skip
def test_a_wrong_order_is_named(call, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as said:  # noqa: PT011 - what it says is asked below
        call()
    assert all(word in str(said.value) for word in words), said.value
    assert not list(tmp_path.iterdir())


def test_other_types_are_left_to_the_function():
    @in_order
    def both(name: str, count: int, any_of=None):
        return name, count, any_of

    for given in [("a", np.int64(3)), (b"a", 1), ("a", 1, "b"), ("a", 1, 2), (None, 1.5), ("a", "b")]:
        assert both(*given)[: len(given)] == given
    with pytest.raises(TypeError, match=r"both\(name, count, any_of\)"):
        both(3, "a")
    with pytest.raises(TypeError, match="unexpected"):
        both(nothing=3)
