"""The training loop: repeatable, best epoch kept, and able to learn what needs a maximum over cells."""

import hashlib
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from protoviz.cache import TokenBatch
from protoviz.metrics import mean_average_precision
from protoviz.probes import build_probe
from protoviz.training import FitConfig, TokenData, TrainingError, epoch_seed, fit, predict

GRID, D, C = (6, 4), 16, 3
BATCH_NORM = {"batch_norm": True, "prototypes_per_class": 8}
QUICK = FitConfig(epochs=3, batch_size=16)


def planted(count, seed, single=False):
    """Clips of noise in which a class, where present, fills one random cell with its own direction."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(C, D))
    tokens = rng.normal(size=(count, GRID[0] * GRID[1], D))
    targets = np.eye(C)[rng.integers(C, size=count)] if single else (rng.random((count, C)) < 0.4) * 1.0
    for i, c in zip(*np.nonzero(targets), strict=True):
        tokens[i, rng.integers(tokens.shape[1])] = 2.5 * directions[c] + 0.3 * rng.normal(size=D)
    return TokenData(torch.tensor(tokens, dtype=torch.float16), None, None, targets)


def built(name, seed=0, **hyper):
    torch.manual_seed(seed)
    return build_probe(name, D, C, GRID, **hyper)


@pytest.fixture(scope="module")
def data():
    return planted(300, 1), planted(120, 2)


def test_a_maximum_over_cells_finds_what_a_mean_token_misses(data):
    test = planted(200, 3)
    score = {}
    for name, hyper in {"linear": {}, "protobin": BATCH_NORM, "protofloat": BATCH_NORM}.items():
        probe = built(name, **hyper)
        untrained = mean_average_precision(predict(probe, test), test.targets()).value
        fit(probe, *data, FitConfig(epochs=8, batch_size=32))
        score[name] = mean_average_precision(predict(probe, test), test.targets()).value
        assert score[name] > untrained
    assert score["protobin"] > score["linear"] + 0.15
    assert score["protofloat"] > score["linear"] + 0.15


def test_the_same_seeds_give_the_same_run(data):
    runs = [(probe := built("protobin"), fit(probe, *data, QUICK)) for _ in range(2)]
    (one, first), (other, second) = runs
    assert first.history.equals(second.history)
    assert all(torch.equal(first.state[key], second.state[key]) for key in first.state)
    np.testing.assert_array_equal(predict(one, data[1]), predict(other, data[1]))
    reordered = fit(built("protobin"), *data, replace(QUICK, seed=1))
    assert not reordered.history.equals(first.history)


def test_the_best_epoch_is_what_remains(data):
    probe = built("protobin", batch_norm=True)
    seen = []
    result = fit(probe, *data, replace(QUICK, epochs=5), lambda *row: seen.append(row))
    history = result.history
    assert list(history.columns) == ["epoch", "loss", "score", "lr"]
    assert history.epoch.tolist() == [1, 2, 3, 4, 5]
    assert seen == list(history[["epoch", "loss", "score"]].itertuples(index=False, name=None))
    assert result.best_score == history.score.max()
    assert result.best_epoch == history.epoch[history.score.idxmax()]
    assert not probe.training
    again = mean_average_precision(predict(probe, data[1]), data[1].targets()).value
    assert again == result.best_score
    assert all(torch.equal(probe.state_dict()[key], result.state[key]) for key in result.state)


def test_the_rate_falls_along_a_cosine_to_zero(data):
    rates = fit(built("linear"), *data, replace(QUICK, epochs=4, lr=0.01)).history.lr
    expected = 0.01 * (1 + np.cos(np.pi * np.arange(1, 5) / 4)) / 2
    np.testing.assert_allclose(rates, expected, atol=1e-9)


def test_prototypes_move_at_their_own_rate(data):
    moved = {}
    for rate in (None, 0.0):
        probe = built("protofloat")
        before = probe.vectors.detach().clone()
        fit(probe, *data, replace(QUICK, epochs=1, lr=1e-3, prototype_lr=rate))
        moved[rate] = float((probe.vectors.detach() - before).abs().max())
    assert moved[0.0] == 0
    assert moved[None] > 0


def test_the_penalty_of_proto_is_trained(data):
    def overlap(weight):
        probe = built("proto", prototypes_per_class=4, orthogonality=weight)
        fit(probe, *data, replace(QUICK, epochs=6))
        probe.orthogonality = 1.0
        return probe.penalty().item()

    assert overlap(100.0) < 0.5 * overlap(0.0)


def test_single_labels_by_cross_entropy_and_accuracy():
    config = FitConfig(epochs=10, batch_size=32, loss="cross_entropy")
    result = fit(built("protofloat", batch_norm=True), planted(300, 1, True), planted(100, 2, True), config)
    assert result.best_score > 0.8


def test_a_last_batch_of_one_clip_is_trained_on(data):
    result = fit(built("linear", batch_norm=True), planted(33, 1), data[1], replace(QUICK, batch_size=32))
    assert np.isfinite(result.history.loss).all()


def test_faults_name_their_cure(data):
    with pytest.raises(TrainingError, match="smaller learning rate"):
        fit(built("mlp"), *data, replace(QUICK, lr=1e30))
    silent = TokenData(torch.randn(4, 24, D), None, None, torch.zeros(4, C))
    with pytest.raises(TrainingError, match="validation clips hold none"):
        fit(built("linear"), data[0], silent, QUICK)
    with pytest.raises(TrainingError, match="nothing to train on"):
        fit(built("linear"), planted(0, 1), data[1], QUICK)
    with pytest.raises(TrainingError, match="asl, cross_entropy"):
        fit(built("linear"), *data, replace(QUICK, loss="hinge"))
    with pytest.raises(TrainingError, match="map"):
        fit(built("linear"), *data, replace(QUICK, score="f1"))
    for wrong in ({"epochs": 0}, {"batch_size": 0}, {"patience": 0}):
        (name,) = wrong
        with pytest.raises(TrainingError, match=f"{name} 0: give at least 1"):
            FitConfig(**wrong)


def test_data_in_memory_has_the_face_of_a_cache(data):
    train = data[0]
    batches = list(train.batches(128))
    assert [len(batch.targets) for batch in batches] == [128, 128, 44]
    assert all(isinstance(batch, TokenBatch) and batch.mask.all() for batch in batches)
    np.testing.assert_array_equal(torch.cat([b.targets for b in batches]), train.targets())
    torch.testing.assert_close(batches[0].cls, batches[0].tokens.float().mean(1))
    once, again = (torch.cat([b.tokens for b in train.batches(64, seed=5)]) for _ in range(2))
    assert torch.equal(once, again)
    assert not torch.equal(once, torch.cat([b.tokens for b in train.batches(64, seed=6)]))
    same_clips = torch.cat([b.targets for b in train.batches(64, seed=6)]).sum(0)
    np.testing.assert_array_equal(same_clips, train.targets().sum(0))
    assert len(TokenData(*batches[2])) == 44
    with pytest.raises(ValueError, match="as many"):
        TokenData(batches[0].tokens, None, None, batches[2].targets)


def test_padding_never_reaches_training(data):
    def run(extra):
        def widened(source):
            batch = next(source.batches(1000))
            junk = torch.full((len(batch.tokens), extra, D), torch.nan, dtype=torch.float16)
            mask = torch.cat([batch.mask, torch.zeros(len(junk), extra, dtype=torch.bool)], 1)
            return TokenData(torch.cat([batch.tokens, junk], 1), None, mask, batch.targets)

        return fit(built("mhca", heads=4), *(widened(part) for part in data), QUICK).history

    np.testing.assert_allclose(run(0), run(8), rtol=1e-4)


def test_every_epoch_has_its_own_order():
    assert len({epoch_seed(seed, epoch) for seed in range(5) for epoch in range(30)}) == 150


def bits():
    """The digest of protobin after three steps whose calls are large (`cosine_max.LARGE`)."""
    make = torch.Generator().manual_seed(0)
    tokens = torch.randn(24, 512, 192, generator=make).half()
    data = TokenData(tokens, None, None, torch.rand(24, 12, generator=make) < 0.3)
    torch.manual_seed(0)
    probe = build_probe("protobin", 192, 12)
    fit(probe, data, data, FitConfig(epochs=3, batch_size=24))
    return hashlib.sha256(b"".join(value.numpy() for value in probe.state_dict().values())).hexdigest()


def test_another_process_clock_and_number_of_threads_change_no_bit():
    other = f"from {__name__} import lie, bits; lie(); print(bits())"
    place = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    told = subprocess.check_output([sys.executable, "-c", other], env=place, text=True)
    assert told.strip() == bits()


def lie():
    """Let three threads compute, and every clock say anything."""
    torch.set_num_threads(3)
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, random.Random(name).random)
