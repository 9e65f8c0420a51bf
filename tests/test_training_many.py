"""Runs that share their passes: each ends as if it had been alone, and the data is read once."""

import weakref
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from training_data import QUICK, Source, built, clips, same

from protoviz.probes import titles
from protoviz.training import FitConfig, TrainingError, fit, fit_many, predict, predict_many, score_many


class Counted(Source):
    """Data that keeps count of the batches it was asked for."""

    read = 0

    def passed(self, batch):
        self.read += 1
        return batch


@pytest.fixture(params=[False, True], ids=["all tokens real", "padded"])
def data(request):
    return clips(50, 1, request.param), clips(20, 2, request.param)


def mixed():
    """Every method; and runs that differ in rates, decay, first weights, order, batches, epochs, end."""
    runs = [(built(name), QUICK) for name in titles()]
    runs += [
        (built("protobin"), replace(QUICK, lr=3e-2, prototype_lr=None)),
        (built("protobin", batch_norm=True), replace(QUICK, weight_decay=0.1, decay_prototypes=True)),
        (built("protobin", seed=1), QUICK),
        (built("proto", focal=True), QUICK),
        *((built(name, centre="clip"), QUICK) for name in ("protobin", "mhca", "freq_concat")),
        *((built(name, centre="train"), QUICK) for name in ("protobin", "proto", "linearc")),
        (built("linear", batch_norm=True), replace(QUICK, seed=3)),
        (built("ep"), replace(QUICK, seed=3)),
        (built("mlp", seed=2), replace(QUICK, epochs=5)),
        (built("protofloat", seed=2), replace(QUICK, epochs=2, batch_size=20)),
        (built("abmilp"), replace(QUICK, epochs=6, patience=1)),
    ]
    return runs


def test_each_run_is_bit_for_bit_a_lone_one(data):
    lone = [fit(probe, *data, config) for probe, config in mixed()]
    runs = mixed()
    for alone, together in zip(lone, fit_many(runs, *data), strict=True):
        same(alone, together)
    for (probe, _), alone in zip(runs, lone, strict=True):
        assert not probe.training
        assert all(torch.equal(alone.state[key], value) for key, value in probe.state_dict().items())


@pytest.mark.parametrize("way", ["mm", "onednn", "screened"])
def test_the_ways_of_large_calls_keep_every_bit_too(data, monkeypatch, way):
    kernel = import_module("protoviz.probes.cosine_max")
    monkeypatch.setattr(kernel, "LARGE", 0)
    monkeypatch.setattr(kernel, "choose", lambda *_: way)
    names = ("protobin", "protofloat", "proto")
    lone = [fit(built(name), *data, QUICK) for name in names]
    for one, other in zip(lone, fit_many([(built(name), QUICK) for name in names], *data), strict=True):
        same(one, other)


def test_runs_of_one_order_share_every_batch():
    train, validation = Counted(clips(50, 1)), Counted(clips(20, 2))
    probes = [built("protobin", seed) for seed in range(3)] + [built("mhca")]
    fit_many([(probe, QUICK) for probe in probes], train, validation)
    assert train.read == QUICK.epochs * 4  # 50 clips in batches of 16
    assert validation.read == QUICK.epochs


def test_poolings_without_weights_read_the_maps_once():
    train, validation = Counted(clips(50, 1)), Counted(clips(20, 2))
    runs = [
        (built(name), replace(QUICK, seed=seed)) for seed in (0, 1) for name in ("linear", "mlp", "linearc")
    ]
    fit_many(runs, train, validation)
    assert (train.read, validation.read) == (1, 1)


def test_an_order_is_told_by_the_seed(data):
    histories = [r.history for r in fit_many([(built("ep"), replace(QUICK, seed=s)) for s in (0, 1)], *data)]
    assert not histories[0].equals(histories[1])


def test_patience_ends_a_run_early(data):
    config = FitConfig(epochs=9, batch_size=16, lr=0.0, prototype_lr=0.0, patience=2)
    calls = []
    stopped, full = fit_many(
        [(built("protobin"), config), (built("protobin"), replace(config, patience=None))],
        *data,
        lambda *row: calls.append(row[:2]),
    )
    assert stopped.history.epoch.tolist() == [1, 2, 3]  # nothing moves, so the first epoch stays the best
    assert full.history.epoch.tolist() == list(range(1, 10))
    assert stopped.history.equals(full.history[:3])
    assert calls == [(run, epoch) for epoch in range(1, 10) for run in (0, 1) if run or epoch < 4]


def test_one_bad_run_need_not_end_the_others(data):
    def runs():
        return [(built("mlp"), replace(QUICK, lr=1e30)), (built("ep"), QUICK)]

    with pytest.raises(TrainingError, match="smaller learning rate"):
        fit_many(runs(), *data)
    error, result = fit_many(runs(), *data, errors="return")
    assert isinstance(error, TrainingError)
    same(result, fit(built("ep"), *data, QUICK))


def test_a_probe_can_be_trained_by_one_run_only(data):
    probe = built("linear")
    with pytest.raises(TrainingError, match="one for each"):
        fit_many([(probe, QUICK), (probe, QUICK)], *data)
    assert fit_many([], *data) == []


def test_predictions_of_many_are_those_of_each(data):
    probes = [built(name) for name in titles()]
    counted = Counted(data[1])
    for probe, logits in zip(probes, predict_many(probes, counted, 8), strict=True):
        np.testing.assert_array_equal(logits, predict(probe, data[1], 8))
        assert probe.training
    assert counted.read == 3


@pytest.mark.parametrize("name", ["linear", "mhca", "protobin"])
def test_no_clips_have_no_predictions(name):
    probe, empty = built(name), clips(0, 1)
    assert predict(probe, empty).shape == (0, probe.classes)
    if name == "protobin":
        ((scores, locations),) = score_many([probe], empty)
        assert scores.shape == locations.shape == (0, probe.count)
        some = score_many([probe], clips(3, 1))[0]
        assert (scores.dtype, locations.dtype) == tuple(part.dtype for part in some)


def test_a_bar_shows_how_far_it_is(data, capsys, tmp_path, monkeypatch):
    fit(built("linear"), *data, QUICK, progress=True)
    assert capsys.readouterr() == ("", "")  # of a terminal only
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    runs = [(built("protobin"), QUICK), (built("abmilp"), replace(QUICK, epochs=9, lr=0.0, patience=1))]
    fit_many(runs, *data, True, folder=tmp_path)
    shown = capsys.readouterr().err
    assert "2 runs, epoch 3 of 9, best score 0." in shown
    assert "100%" in shown  # although the second run ended early
    fit(built("linear"), *data, QUICK, progress=True)
    assert "linear, epoch 3 of 3" in capsys.readouterr().err
    fit(built("linear"), *data, QUICK)
    assert capsys.readouterr() == ("", "")


def test_a_precision_is_that_of_training_steps_only(data):
    used = []

    class Noted(type(built("protobin"))):
        def score(self, *inputs):
            used.append((self.precision, self.training))
            return super().score(*inputs)

    probe = built("protobin")
    probe.__class__ = Noted
    fit(probe, *data, replace(QUICK, precision="bfloat16"))
    assert set(used) == {("bfloat16", True), ("auto", False)}
    exact = fit(built("protobin"), *data, QUICK).history
    rough = fit(built("protobin"), *data, replace(QUICK, precision="bfloat16")).history
    assert not rough.equals(exact)
    np.testing.assert_allclose(rough.loss, exact.loss, rtol=0.05)
    with pytest.raises(TrainingError, match="precision 'half'"):
        fit(built("protobin"), *data, replace(QUICK, precision="half"))


def test_one_batch_is_held_at_a_time():
    alive = []

    class Watched(Counted):
        def batches(self, size=128, seed=None):
            for batch in super().batches(size, seed):
                assert not [ref for ref in alive if ref() is not None]
                alive.append(weakref.ref(batch.tokens))
                yield batch
                del batch

    runs = [(built(name), QUICK) for name in ("protobin", "proto", "mhca", "ep")]
    fit_many(runs, Watched(clips(50, 1)), Watched(clips(20, 2)))
    assert len(alive) == QUICK.epochs * 5


def test_runs_that_are_not_kept_end_and_the_others_do_not_notice(data):
    names, asked = ("protobin", "linear", "mhca"), []

    def keep(epoch, scores):
        asked.append((epoch, dict(scores)))
        return set(scores) - {epoch - 1}  # run 0 ends after epoch 1, run 1 after epoch 2

    results = fit_many([(built(name), QUICK) for name in names], *data, keep=keep)
    assert [len(result.history) for result in results] == [1, 2, 3]
    assert [(epoch, sorted(scores)) for epoch, scores in asked] == [(1, [0, 1, 2]), (2, [1, 2]), (3, [2])]
    for name, result in zip(names, results, strict=True):
        alone = fit(built(name), *data, QUICK)
        assert result.history.equals(alone.history[: len(result.history)])
        assert result.best_score == alone.history.score[: len(result.history)].max()
    assert asked[-1][1][2] == results[2].best_score


def test_what_keep_ends_cannot_be_resumed(data, tmp_path):
    with pytest.raises(TrainingError, match="folder or keep"):
        fit_many([(built("linear"), QUICK)], *data, folder=tmp_path, keep=lambda epoch, scores: scores)
