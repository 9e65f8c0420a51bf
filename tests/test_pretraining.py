"""Pre-training: scenes rendered once, masks that hide, runs that survive a kill, a card that is true."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from protoviz import pretraining
from protoviz.encoders import load_encoder
from protoviz.encoders.mini import MiniConfig, MiniEncoder, start_weights
from protoviz.pretraining import (
    PretrainConfig,
    PretrainError,
    StoreConfig,
    learning_rate,
    pretrain,
    render_scenes,
)
from protoviz.pretraining.labels import FromLabels
from protoviz.pretraining.loop import FLOOR, Trainer, augmented
from protoviz.pretraining.masked import MaskedAutoencoder, MaskedConfig
from protoviz.scenes import SCENE_CLASSES, make_scene

TINY = PretrainConfig(
    most_events=8,
    unnamed=0,
    encoder=MiniConfig(width=24, depth=1, heads=3),
    scenes=10,
    held_out=2,
    steps=6,
    batch=4,
    objective=MaskedConfig(decoder_width=16, decoder_depth=1, normalise=False),
    precision="fp32",
    checkpoint_every=2,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return render_scenes(tmp_path_factory.mktemp("scenes"), replace(TINY.store, shard=4), workers=1)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The weight file of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return pretrain("mini-mae", folder, TINY, progress=False, out=folder / "out")


def test_stored_frames_are_the_encoders_own(store):
    encoder = MiniEncoder(TINY.encoder)
    for i in (0, 9):
        wanted = encoder.log_mels([make_scene(1_000_000 + i).waveform])[0, :1022]
        assert (store.read([i])[0] - wanted).abs().max() < 2e-2, "half precision, no more"


def test_statistics_are_those_of_the_frames(store):
    everything = store.read(range(len(store)))
    mean, std = store.statistics()
    assert abs(mean - everything.double().mean()) < 1e-4
    assert abs(std - everything.double().std()) < 1e-4


def test_an_interrupted_store_is_completed_and_does_not_depend_on_the_processes(store, tmp_path):
    def files(folder):
        return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}

    seen = []
    render_scenes(tmp_path, store.config, workers=2, progress=seen.append)
    assert sum(event.done for event in seen) == len(store)
    assert files(tmp_path) == files(store.folder)
    (tmp_path / "mels-00001.npy").unlink()
    (tmp_path / "mels-00002.tmp").write_bytes(b"left by a kill")
    render_scenes(tmp_path, store.config, workers=1)
    (tmp_path / "mels-00002.tmp").unlink()
    assert files(tmp_path) == files(store.folder)


def test_two_runs_may_fill_one_store(store, tmp_path, monkeypatch):
    """The other run writes the same files after the first one wrote a file and before it renames it."""
    rename, others = os.replace, []

    def render_beside_another():
        others.append("waits")
        render_scenes(tmp_path, store.config, workers=1)

    def replace_after_the_other(path, target):
        if others:
            others.clear()
            render_scenes(tmp_path, store.config, workers=1)
        return rename(path, target)

    monkeypatch.setattr(os, "replace", replace_after_the_other)
    render_beside_another()  # at store.json
    (tmp_path / "mels-00001.npy").unlink()
    render_beside_another()  # at a shard
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in store.folder.iterdir()}


def test_scenes_of_other_settings_are_refused(store):
    with pytest.raises(PretrainError, match=r"first_seed.*delete that folder"):
        render_scenes(store.folder, replace(store.config, first_seed=5))


def test_scenes_for_pretraining_are_in_no_data_set():
    assert StoreConfig(count=1).first_seed >= 1_000_000


def test_sounds_of_no_class_are_heard_but_are_no_labels():
    named, unnamed = StoreConfig(count=40), StoreConfig(count=40, unnamed=24)
    seeds = np.arange(1_000_000, 1_000_040)
    heard = {label for labels in unnamed.labels(seeds) for label in labels}
    assert 10 < len(heard - set(SCENE_CLASSES)) <= 24
    assert len(heard & set(SCENE_CLASSES)) > 10
    assert not np.array_equal(named.waveform(seeds[0]), unnamed.waveform(seeds[0]))
    assert named.describe() != unnamed.describe()  # so that neither goes on in the other's folder
    targets = FromLabels(MiniEncoder(TINY.encoder)).targets(unnamed.labels(seeds))
    assert targets.sum(1).tolist() == [len(set(x) & set(SCENE_CLASSES)) for x in unnamed.labels(seeds)]


def test_what_is_hidden_cannot_be_seen():
    model = start_weights(MaskedAutoencoder(MiniEncoder(TINY.encoder), TINY.objective), 0).eval()
    patches, order = torch.randn(2, 512, 256), torch.stack([torch.randperm(512) for _ in range(2)])
    seen, hidden = order[:, :100], order[:, 100:]

    def redraw(patches):
        chosen = torch.stack([clip[places] for clip, places in zip(patches, seen, strict=True)])
        with torch.no_grad():
            return model.redraw_hidden(model.encode_seen(chosen, seen), seen, hidden)

    first, other = redraw(patches), patches.clone()
    for clip, places in zip(other, hidden, strict=True):
        clip[places] = 7.0
    assert torch.equal(redraw(other), first)
    other[0, seen[0, 0]] += 1.0
    assert not torch.equal(redraw(other)[0], first[0])
    assert torch.equal(redraw(other)[1], first[1]), "clips do not hear each other"


def test_the_loss_counts_hidden_patches_only():
    encoder = MiniEncoder(TINY.encoder)
    model = MaskedAutoencoder(encoder, TINY.objective)
    with torch.no_grad():
        model.redraw.weight.zero_()
        model.redraw.bias.zero_()
    features = torch.zeros(1, 1024, 128)
    features[:, :16] = 3.0  # the first 8 patches
    order = torch.arange(512)[None]
    patches = model.patches(features)
    assert model.error(patches, order[:, :8], order[:, 8:]).item() == 0
    turned = order.flip(1)
    assert model.error(patches, turned[:, :8], turned[:, 8:]).item() == pytest.approx(9 * 8 / 504)
    noise = model.patches(torch.randn(1, 1024, 128) * 5 + 2)
    unit = MaskedAutoencoder(encoder, replace(TINY.objective, normalise=True))
    unit.load_state_dict(model.state_dict())
    error = unit.error(noise, order[:, :100], order[:, 100:]).item()
    assert error == pytest.approx(1, abs=0.02), "normalised targets vary by 1"


def test_every_clip_is_seen_once_an_epoch_and_the_held_out_never(store):
    trainer = Trainer(TINY, store)
    epochs = [[trainer._clips_of(step) for step in (first, first + 1)] for first in (0, 2)]
    for epoch in epochs:
        assert sorted(np.concatenate(epoch)) == list(range(8))
    assert not np.array_equal(epochs[0], epochs[1])


def test_a_step_sees_a_window_of_columns_anywhere_in_the_clip(store, monkeypatch):
    trainer, orders = Trainer(replace(TINY, objective=replace(TINY.objective, window=5)), store), []
    error = MaskedAutoencoder.error
    monkeypatch.setattr(
        MaskedAutoencoder,
        "error",
        lambda self, x, seen, hidden: (
            orders.append(torch.cat([seen, hidden], 1)) or error(self, x, seen, hidden)
        ),
    )
    for _ in range(6):
        trainer.train()
    places = torch.cat(orders)
    first = places.min(dim=1).values
    assert torch.equal(places.sort(dim=1).values, first[:, None] + torch.arange(5 * 8))
    assert (first % 8 == 0).all(), "whole columns"
    assert len(first.unique()) > 8
    assert places.max() < 512


def test_augmentation_rolls_and_scales_but_keeps_silence():
    frames = torch.randn(3, 50, 4)
    frames[:, :, 1] = -15.945
    rolled = augmented(frames, np.random.default_rng(0), gain_db=0.0)
    assert not torch.equal(rolled, frames)
    torch.testing.assert_close(rolled.sort(dim=1).values, frames.sort(dim=1).values)
    louder = augmented(frames, np.random.default_rng(0), gain_db=20.0)
    assert torch.equal(louder[:, :, 1], frames[:, :, 1])
    change = (louder - rolled)[:, :, [0, 2, 3]].flatten(1)
    torch.testing.assert_close(change, change[:, :1].expand_as(change), atol=1e-5, rtol=1e-4)
    quiet = augmented(torch.full((1, 5, 2), FLOOR + 0.1), np.random.default_rng(1), gain_db=60.0)
    assert quiet.min() >= FLOOR


def test_the_rate_rises_then_falls_to_nothing():
    config = replace(TINY, steps=200, warmup=0.1)
    rates = [learning_rate(step, config) for step in range(200)]
    assert np.argmax(rates) in (19, 20)
    assert max(rates) == pytest.approx(config.lr)
    assert all(a < b for a, b in pairwise(rates[:20]))
    assert all(a > b for a, b in pairwise(rates[20:]))
    assert rates[-1] < 1e-3 * config.lr


def test_training_lowers_the_loss(store):
    trainer = Trainer(replace(TINY, steps=40, lr=3e-3, gain_db=0.0), store)
    losses = [trainer.train() for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_bf16_learns_the_same_as_fp32(store):
    first = [Trainer(replace(TINY, precision=precision), store).train() for precision in ("fp32", "bf16")]
    assert first[0] == pytest.approx(first[1], rel=0.01)


def trainer_scale(weights: Path) -> tuple[float, float]:
    return render_scenes(weights.parents[1] / "scenes", TINY.store).statistics()


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from protoviz.pretraining import loop, pretrain
torch.set_num_threads(int(sys.argv[2]))
sys.path.insert(0, sys.argv[3])
from test_pretraining import TINY
plain = loop.Trainer.train
def train(self):
    if self.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(self)
loop.Trainer.train = train
pretrain("mini-mae", sys.argv[1], TINY, progress=False, out=Path(sys.argv[1]) / "out")
"""


def test_a_killed_run_ends_as_the_undisturbed_one(undisturbed, tmp_path):
    """kill -9 after step 3, between two checkpoints; then the same call again."""
    arguments = [
        sys.executable,
        "-c",
        KILLED,
        str(tmp_path),
        str(torch.get_num_threads()),
        str(Path(__file__).parent),
    ]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert not (tmp_path / "out").exists()
    again = pretrain("mini-mae", tmp_path, TINY, progress=False, out=tmp_path / "out")
    assert again.read_bytes() == undisturbed.read_bytes()
    curve = pd.read_parquet(again.with_name("mini-mae-loss.parquet"))
    pd.testing.assert_frame_equal(curve, pd.read_parquet(undisturbed.with_name("mini-mae-loss.parquet")))


def test_a_run_leaves_an_encoder_a_curve_and_a_card(undisturbed):
    encoder = load_encoder("mini-mae", undisturbed)
    start = start_weights(MaskedAutoencoder(MiniEncoder(encoder.config), TINY.objective), TINY.seed).encoder
    assert not torch.allclose(encoder.cls_token, start.cls_token), "[cls] is trained through attention"
    measured = trainer_scale(undisturbed)
    assert (encoder.config.mean, encoder.config.std) == measured
    curve = pd.read_parquet(undisturbed.with_name("mini-mae-loss.parquet"))
    assert list(curve.columns) == ["step", "loss", "held_out", "learning_rate"]
    assert list(curve.step) == [1, 2, 3, 4, 5, 6]
    assert curve.loss.between(0.05, 2).all()
    assert list(curve.held_out.notna()) == [False, True] * 3
    card = undisturbed.with_suffix(".md").read_text()
    for words in (
        "10 procedural scenes",
        "75% hidden",
        f"last 50 {curve.loss.mean():.4f}",
        "not the usual settings",
    ):
        assert words in card
    assert sorted(path.name for path in undisturbed.parent.iterdir()) == [
        "mini-mae-loss.parquet",
        "mini-mae.md",
        "mini-mae.safetensors",
    ]


def test_a_finished_run_is_not_run_again(undisturbed, monkeypatch):
    monkeypatch.setattr(Trainer, "train", lambda self: pytest.fail("a finished run took a step"))
    before = undisturbed.read_bytes()
    again = pretrain("mini-mae", undisturbed.parents[1], TINY, progress=False, out=undisturbed.parent)
    assert again.read_bytes() == before


def test_a_run_that_names_no_place_leaves_the_shipped_weights_alone(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_DATA", str(tmp_path / "shipped"))
    monkeypatch.chdir(tmp_path)
    scenes = undisturbed.parents[1] / "scenes"
    taste = pretrain("mini-mae", config=replace(TINY, steps=1), progress=False, scenes=scenes)
    assert taste.resolve() == tmp_path / "runs" / "mini-mae" / "mini-mae.safetensors"
    assert not (tmp_path / "shipped").exists()
    own = pretrain("mini-mae", tmp_path / "own", TINY, progress=False, scenes=scenes)
    assert own.parent == tmp_path / "own", "as on the command line"


def test_a_run_that_holds_nothing_out_says_so(undisturbed, tmp_path):
    config = replace(TINY, held_out=0, steps=1)
    scenes = undisturbed.parents[1] / "scenes"
    weights = pretrain("mini-mae", tmp_path, config, progress=False, scenes=scenes)
    assert pd.read_parquet(weights.with_name("mini-mae-loss.parquet")).held_out.isna().all()
    assert "; no scenes were held out |" in weights.with_suffix(".md").read_text()
    trainer = Trainer(config, render_scenes(scenes, config.store))
    trainer.load(tmp_path / "checkpoint.safetensors")
    assert np.isnan(trainer.judge())
    assert "held-out" not in pretraining._line(trainer, trainer.judge())


def test_progress_says_where_the_run_stands(undisturbed, capsys):
    trainer = Trainer(TINY, render_scenes(undisturbed.parents[1] / "scenes", TINY.store))
    trainer.load(undisturbed.parents[1] / "checkpoint.safetensors")
    line = pretraining._line(trainer, held_out=0.9)
    assert line.startswith("step 6/6: loss ")
    assert line.endswith(" 0 minutes left")


def test_a_run_with_other_settings_does_not_continue(undisturbed):
    with pytest.raises(PretrainError, match=r"other settings \(lr\); delete it"):
        pretrain("mini-mae", undisturbed.parents[1], replace(TINY, lr=0.5), progress=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objective": MaskedConfig(masked=1.0)}, "0 patches to see"),
        ({"objective": MaskedConfig(window=65)}, "window=65.* 64"),
        ({"precision": "fp8"}, "choose auto, bf16 or fp32"),
        ({"held_out": 7}, "7 held out"),
    ],
)
def test_impossible_settings_are_refused(change, words):
    with pytest.raises(PretrainError, match=words):
        replace(TINY, **change)


def test_unknown_recipes_are_answered_with_the_known_ones():
    with pytest.raises(PretrainError, match="mini-mae"):
        pretrain("maxi-mae")
