"""The search: its trials are lone runs, halved as said, and a search killed anywhere ends the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_data import built, clips

from benchmarks import search as bench
from benchmarks import together
from protoviz.experiments.journal import Journal
from protoviz.experiments.search import SearchConfig, search
from protoviz.probes import PROBES, Space
from protoviz.training import FitConfig, TrainingError, fit

SMALL = SearchConfig(sobol=8, tpe=4, epochs=4, rungs=(1, 2), reduction=2, tpe_round=2, batch_size=16)
OWN = Space(lr=(1e-3, 1e-1), prototype_lr=(1e-4, 1e-2))
COLUMNS = ["number", "sampler", "state", "lr", "weight_decay", "prototype_lr", "score", "epochs"]


@pytest.fixture(scope="module")
def data():
    return clips(48, 1), clips(24, 2)


def found(folder, data, config=SMALL, space=OWN, name="study", probe=None):
    probe = probe or built("protobin", prototypes_per_class=2)
    return search(name, folder / "studies.journal", probe, *data, space, config)


def lone(row, data, config=SMALL):
    """The history of one trial's settings, trained alone and whole."""
    rates = {name: row[name] for name in ("lr", "weight_decay", "prototype_lr")}
    settings = FitConfig(config.epochs, config.batch_size, **rates, seed=config.seed)
    torch.manual_seed(config.seed)
    return fit(built("protobin", config.seed, prototypes_per_class=2), *data, settings).history


def test_trials_are_lone_runs_halved_at_the_rungs(tmp_path, data):
    result = found(tmp_path, data)
    trials = result.trials
    assert trials.sampler.tolist() == ["sobol"] * 8 + ["tpe"] * 4
    best_so_far = np.array([lone(row, data).score.cummax() for _, row in trials.iterrows()])
    done, at_rung = [], {1: [], 2: []}
    for group in SMALL.groups():
        going = set(group)
        for rung in (1, 2):
            at_rung[rung] += [(-best_so_far[number, rung - 1], number) for number in going]
            kept = sorted(at_rung[rung])[: max(1, len(at_rung[rung]) // 2)]
            going &= {number for _, number in kept}
        done += sorted(going)
    assert trials.index[trials.state == "complete"].tolist() == done
    np.testing.assert_array_equal(trials.score[done], best_so_far[done, -1])
    winner = trials.loc[trials[trials.state == "complete"].score.idxmax()]
    assert (result.score, result.best["lr"]) == (winner.score, winner.lr)
    assert result.epochs == trials.epochs.sum() < 12 * SMALL.epochs / 1.5
    assert result.budget["sobol"] == 8
    assert result.budget["ranges"]["prototype_lr"] == [1e-4, 1e-2]


def test_sobol_points_fill_the_ranges_and_are_the_same_for_every_probe(tmp_path, data):
    config = replace(SMALL, sobol=16, tpe=0, epochs=1, rungs=())
    space = Space(lr=(1e-4, 1e-2))
    one = found(tmp_path, data, config, space, "one", built("linear")).trials
    other = found(tmp_path, data, config, space, "other", built("abmilp")).trials
    assert one.lr.tolist() == other.lr.tolist()
    for name, span in space.spans().items():
        low, high = np.log(span)
        place = np.sort((np.log(one[name]) - low) / (high - low))
        assert np.abs(place - (np.arange(16) + 0.5) / 16).max() < 1 / 16, "one point in each sixteenth"


class Killed(BaseException):
    """As a kill: nothing catches it."""


def test_a_search_killed_at_any_write_ends_as_if_it_had_not_been(tmp_path, data, monkeypatch):
    config = replace(SMALL, sobol=3, tpe=2, epochs=3)
    whole = found(tmp_path, data, config).trials
    write, writes = Journal.append_logs, []

    def counted(backend, logs):
        writes.append(1)
        if len(writes) == stop:
            raise Killed
        write(backend, logs)

    stop = 0
    monkeypatch.setattr(Journal, "append_logs", counted)
    found(tmp_path, data, config, name="counted")
    total = len(writes)
    for kill in (*range(2, total, 4), total):  # everywhere: while it asks, reports, drops and ends
        writes.clear()
        name, stop = f"killed at {kill}", kill
        with pytest.raises(Killed):
            found(tmp_path, data, config, name=name)
        stop = 0
        again = found(tmp_path, data, config, name=name).trials
        assert again[COLUMNS].equals(whole[COLUMNS]), name
    trained = len(writes)
    assert found(tmp_path, data, config, name=name).trials.equals(again)
    assert len(writes) - trained < 5, "a finished study is only read"


def test_a_trial_that_leaves_the_numbers_fails_alone_and_all_of_them_aloud(tmp_path, data):
    wide = Space(lr=(1e-3, 1e30))
    trials = found(tmp_path, data, space=wide, name="some", probe=built("mlp")).trials
    assert {"fail", "complete"} <= set(trials.state)
    with pytest.raises(TrainingError, match="smaller learning rate"):
        found(tmp_path, data, space=Space(lr=(1e29, 1e30)), name="none", probe=built("mlp"))


def test_a_study_keeps_its_budget_and_ranges_are_the_papers(tmp_path, data):
    config = replace(SMALL, sobol=2, tpe=0, epochs=1)
    found(tmp_path, data, config)
    with pytest.raises(ValueError, match="another budget"):
        found(tmp_path, data, replace(config, seed=1))
    assert PROBES["mhca"].space.lr == (1e-4, 7e-3)
    assert {PROBES[name].space.lr for name in ("proto", "protobin", "protofloat")} == {(2e-3, 8e-2)}
    assert (SearchConfig().sobol, SearchConfig().tpe, SearchConfig().epochs) == (25, 25, 30)
    with pytest.raises(ValueError, match="above 0"):
        Space(lr=(0.0, 1.0))
    with pytest.raises(ValueError, match="rise"):
        SearchConfig(rungs=(3, 3))
    with pytest.raises(ValueError, match="batch_size of a search has to be at least 1"):
        SearchConfig(batch_size=0)
    with pytest.raises(ValueError, match="tpe of a search has to be at least 0"):
        SearchConfig(tpe=-1)
    assert hash(SearchConfig(rungs=[3])) == hash(SearchConfig(rungs=(3,)))
    assert hash(Space(lr=[1e-3, 1e-2])) == hash(Space(lr=(1e-3, 1e-2)))


def test_a_study_is_of_one_probe_and_one_data_set(tmp_path, data):
    config = replace(SMALL, sobol=2, tpe=0, epochs=1)
    linear, double = built("linear"), built("protobin", prototypes_per_class=2).double()
    coarse = built("protobin", prototypes_per_class=2)
    coarse.precision = "float64"
    trials = found(tmp_path, data, config).trials
    for probe in (linear, double, coarse, built("protobin", prototypes_per_class=3)):
        with pytest.raises(ValueError, match="another probe: give this one another name"):
            found(tmp_path, data, config, probe=probe)
    with pytest.raises(ValueError, match="another training set"):
        found(tmp_path, (clips(48, 3), data[1]), config)
    with pytest.raises(ValueError, match="another validation set"):
        found(tmp_path, (data[0], clips(24, 3)), config)
    assert found(tmp_path, (clips(48, 1), clips(24, 2)), config).trials.equals(trials)


def test_expected_epochs_are_those_of_halving():
    config = SearchConfig(sobol=18, tpe=0, epochs=10, rungs=(2, 4), reduction=3)
    assert config.expected_epochs() == 18 * 2 + 6 * 2 + 2 * 6


def test_rows_of_the_benchmark():
    world = together.World(grid=(4, 2), dim=24, classes=3, present=0.4)
    config = SearchConfig(sobol=3, tpe=1, epochs=2, rungs=(1,), batch_size=16)
    (row,) = bench.rows(world, 32, config, ("linear",))
    assert row["epochs"] == (4 * 1 + 1 * 1) / 8 or row["epochs"] == (4 * 1 + 2 * 1) / 8
    assert row["ratio"] == row["search_s"] / row["whole_s"] > 0
    assert row["shared"] == row["search_s"] / row["dropped_s"]
