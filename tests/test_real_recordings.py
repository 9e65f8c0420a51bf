"""The whole way on real sound: ESC-10 recordings, four mixed at a time, encoded, probed on unseen ones."""

import numpy as np
import pytest
import torch

from protoviz.cache import TokenCache
from protoviz.datasets import scene_clips
from protoviz.encoders import load_encoder
from protoviz.metrics import mean_average_precision
from protoviz.probes import build_probe
from protoviz.scenes import recorded_sources
from protoviz.training import FitConfig, fit, predict

ESC10 = ("chainsaw", "clock_tick", "crackling_fire", "crying_baby", "dog")
ESC10 += ("helicopter", "rain", "rooster", "sea_waves", "sneezing")


@pytest.fixture(scope="module")
def tokens(shared, tmp_path_factory) -> TokenCache:
    """Token maps of scenes of four recordings; train and test scenes share no recording."""
    folder = shared("audio")
    sources = {split: recorded_sources(folder, split, labels=ESC10) for split in ("train", "test")}
    assert not sources["train"].recordings & sources["test"].recordings
    clips = scene_clips(120, 20, 60, polyphony=4, sources=sources)
    return TokenCache.create(
        tmp_path_factory.mktemp("esc10"), load_encoder("mini-mae"), clips, progress=False
    )


@pytest.mark.parametrize(("name", "rates"), [("linear", (0.03, None)), ("protobin", (0.3, 1e-3))])
def test_probes_beat_chance_on_unseen_recordings(tokens, name, rates):
    torch.manual_seed(0)
    probe = build_probe(name, tokens.dim, len(tokens.classes), tokens.grid)
    config = FitConfig(epochs=10, batch_size=32, lr=rates[0], prototype_lr=rates[1])
    fit(probe, tokens.split("train"), tokens.split("validation"), config)

    logits, targets = predict(probe, tokens.split("test")), np.asarray(tokens.split("test").targets())
    score = mean_average_precision(logits, targets).value
    assert targets.sum(axis=1).tolist() == [4] * 60
    # Chance is what shuffled scenes give: the same logits, answered for other clips.
    generator = np.random.default_rng(0)
    shuffled = [mean_average_precision(logits, generator.permutation(targets)).value for _ in range(200)]
    print(f"{name}: mAP {score:.3f}, chance {np.mean(shuffled):.3f}")
    assert score > max(shuffled), f"mAP {score:.3f} against at most {max(shuffled):.3f} by chance"
