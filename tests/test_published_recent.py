"""Encoders that came after the paper: each against a second implementation, and at its full size."""

import json
import math

import numpy as np
import plain_encoders as plain
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from protoviz.encoders import audiomae, beats, eat, load_encoder
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.encoders.check import assert_encoder
from protoviz.encoders.layouts import recognised
from protoviz.encoders.options import LoadOptions

TOKENS = 2e-5
SMALL = {"embed": 24, "kernel": 16, "groups": 4, "buckets": 32}
CFG = {"num_buckets": 32, "max_distance": 40, "encoder_embed_dim": 32, "deep_norm": True}
ESP = [name for name in PUBLISHED if name.startswith("esp-aves2")]


def picture(frames, seed=1):
    return torch.randn(frames, 128, generator=torch.Generator().manual_seed(seed))


def near(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=TOKENS, rtol=0)


@pytest.mark.parametrize("name", ["bird-mae", "bird-mae-large", "bird-mae-huge"])
def test_bird_mae(tmp_path, name):
    """From both of its layouts; its decoder, and the norm of classifiers, are left out."""
    tensors = plain.seeded(plain.bird_mae_shapes(48, 2, rows=4), seed=2)
    save_file(tensors, str(tmp_path / "hub.safetensors"))
    trained = {f"encoder.{key}": value for key, value in tensors.items() if "fc_norm" not in key}
    decoder = {"decoder.mask_token": torch.zeros(1, 1, 16), "decoder.decoder_norm.bias": torch.zeros(16)}
    torch.save({"state_dict": trained | decoder, "epoch": 3}, tmp_path / "lightning.ckpt")
    features = picture(64)
    theirs = plain.vit(tensors, features, heads=6, post=False)
    for file in ("hub.safetensors", "lightning.ckpt"):
        encoder = load_encoder(name, tmp_path / file)
        assert (encoder.sample_rate, encoder.grid, encoder.config.heads) == (32000, (4, 8), 6)
        made = encoder(features[None])
        near(made.cls[0], theirs[0])
        near(made.tokens[0], theirs[1:])


def test_front_end_of_bird_mae(golden, tmp_path):
    """Five seconds of 32 kHz; a shorter clip ends in silence, all in the clip's least value."""
    sound, rate = soundfile.read(golden("fbank/synth_32k_5s.wav"), dtype="float32")
    save_file(plain.seeded(plain.bird_mae_shapes(32, 2)), str(tmp_path / "model.safetensors"))
    assert_encoder(load_encoder("bird-mae", tmp_path, seconds=2))
    encoder = load_encoder("bird-mae", tmp_path)
    logs = torch.from_numpy(np.load(golden("fbank/reference.npz"))["birdmae"])  # by torchaudio, 498 frames
    theirs = torch.cat([logs, logs.min().expand(14, 128)])
    features = encoder.features(sound)[0]
    torch.testing.assert_close(2 * 4.43 * features - 7.2, theirs, atol=2e-3, rtol=0)
    short = 2 * 4.43 * encoder.features(sound[: 2 * rate])[0] - 7.2
    torch.testing.assert_close(short[:198], logs[:198], atol=2e-3, rtol=0)
    torch.testing.assert_close(short[200:], torch.full((312, 128), np.log(2.0**-23)), atol=1e-4, rtol=0)
    assert encoder.mask([2 * rate]).sum() == 13 * 8
    assert encoder.mask([5 * rate]).all()


@pytest.mark.parametrize("name", [name for name in ESP if "beats" not in name])
def test_eat_of_earth_species(tmp_path, golden, name):
    """Its classifier stands beside the network; its log-mel values have a mean and a spread of their own."""
    tensors = plain.seeded(plain.esp_eat_shapes(48, 2, rows=4), seed=3)
    save_file(tensors, str(tmp_path / f"{name}.safetensors"))
    encoder = load_encoder(name, tmp_path)
    assert set(encoder.beside) == {"classifier.weight", "classifier.bias"}
    features = picture(48)
    theirs = plain.vit(plain.timm_names("backbone.model.", tensors), features, heads=6, post=True)
    made = encoder(features[None])
    near(made.cls[0], theirs[0])
    near(made.tokens[0], theirs[1:])
    clip = 0.1 * np.random.default_rng(0).standard_normal(8000, dtype=np.float32)
    logs = 2 * 4.569 * load_encoder("eat", golden("eat"), seconds=0.5).features(clip)[0] - 4.268
    scaled = load_encoder(name, tmp_path, seconds=0.5).features(clip)[0]
    torch.testing.assert_close(2 * 4.606 * scaled - 5.553, logs, atol=1e-4, rtol=0)
    assert load_encoder(name, tmp_path, mean=-4.0).config.mean == -4.0


def test_openbeats(tmp_path):
    """Its constants are left out; the file says how far distances reach, and which mean and spread."""
    tensors = plain.seeded(plain.openbeats_shapes(32, 2, 4, **SMALL), seed=4)
    torch.save({"cfg": CFG | {"fbank_mean": 15.3, "fbank_std": 5.9}, "model": tensors}, tmp_path / "epoch.pt")
    encoder = load_encoder("openbeats", tmp_path)
    assert (encoder.config.mean, encoder.config.std) == (15.3, 5.9)
    features = picture(80)
    theirs = plain.beats(tensors, features, heads=4, depth=2, buckets=32, most=40, groups=4)
    near(encoder(features[None]).tokens[0], theirs)


@pytest.mark.parametrize("name", [name for name in ESP if "beats" in name])
def test_beats_of_earth_species(tmp_path, name):
    """Neither its parent's head nor the classifier beside it is taken for its own."""
    tensors = plain.seeded(plain.esp_beats_shapes(32, 2, 4, **SMALL), seed=5)
    save_file(tensors, str(tmp_path / f"{name}.safetensors"))
    (tmp_path / f"{name}.json").write_text(json.dumps(CFG))
    encoder = load_encoder(name, tmp_path)
    assert not hasattr(encoder, "head")
    assert "backbone.predictor.weight" in encoder.left_out
    assert "classifier.weight" in encoder.beside
    features, older = picture(80), {}
    for key, value in plain.without("backbone.", tensors).items():
        older[key.replace(".parametrizations.weight.original0", ".weight_g")] = value
        older[key.replace(".parametrizations.weight.original1", ".weight_v")] = value
    theirs = plain.beats(older, features, heads=4, depth=2, buckets=32, most=40, groups=4)
    near(encoder(features[None]).tokens[0], theirs)


def built(name, shapes, architecture, **settings):
    """The encoder of a file with these shapes, without memory."""
    tensors = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    root = {"model": tensors, **settings} if settings else tensors
    checkpoint = recognised(root, architecture.layouts["student"], name)
    return architecture.build(checkpoint, name, LoadOptions())


@pytest.mark.parametrize(
    ("name", "width", "depth", "heads"),
    [("bird-mae", 768, 12, 12), ("bird-mae-large", 1024, 24, 16), ("bird-mae-huge", 1280, 32, 16)],
)
def test_full_size_bird_mae(name, width, depth, heads):
    shapes = plain.bird_mae_shapes(width, depth)
    encoder = built(name, shapes, audiomae.BIRD)
    config = encoder.config
    assert (config.width, config.depth, config.heads, config.hidden) == (width, depth, heads, 4 * width)
    assert (encoder.grid, encoder.seconds, encoder.crop) == ((32, 8), 5.12, 160_000)
    assert PUBLISHED[name].source.megabytes == round(4e-6 * sum(map(math.prod, shapes.values())))


def test_full_size_encoders_of_earth_species():
    encoder = built("esp", plain.esp_eat_shapes(768, 12), eat.ARCHITECTURE)
    assert (encoder.grid, encoder.config.depth, encoder.config.heads) == ((64, 8), 12, 12)
    encoder = built("esp", plain.esp_beats_shapes(768, 12, 12), beats.ARCHITECTURE)
    assert (encoder.grid, encoder.config.depth, encoder.config.heads) == ((62, 8), 12, 12)
    assert (encoder.config.max_distance, encoder.config.classes) == (800, 0)


@pytest.mark.parametrize(("width", "depth", "heads"), [(768, 12, 12), (1024, 24, 16)])
def test_full_size_openbeats(width, depth, heads):
    shapes = plain.openbeats_shapes(width, depth, heads)
    encoder = built("openbeats", shapes, beats.ARCHITECTURE, cfg={"max_distance": 800})
    assert (encoder.dim, encoder.config.depth, encoder.config.heads) == (width, depth, heads)
    assert (encoder.config.buckets, encoder.config.groups, encoder.config.max_distance) == (320, 16, 800)
