"""The tables of `make bench` about training: the plain forms compute the same, and the rows are whole."""

import pytest
import torch

from benchmarks import together, training
from benchmarks.memory import peak_mb
from benchmarks.naive import NAIVE, NAIVE_LAYERS

SMALL = training.Size(clips=3, grid=(4, 2), dim=96, classes=3, rounds=1)


@pytest.mark.parametrize("method", NAIVE)
def test_what_no_form_can_do_without_is_computed(method):
    training.Problem(SMALL, method, 0).floor()()


@pytest.mark.parametrize("method", NAIVE_LAYERS)
def test_the_plain_form_takes_the_same_step(method):
    """Those of one layer are in test_probes."""
    problem = training.Problem(SMALL, method, 3)
    probe = problem.probe()
    logits = problem.naive_logits(dict(probe.named_parameters()))
    tokens, cls, _, _ = problem.batch
    torch.testing.assert_close(logits, probe(tokens, cls), rtol=1e-4, atol=1e-5)
    problem.floor()()


def test_rows_of_the_steps(monkeypatch):
    monkeypatch.setattr(training, "choose", lambda width: None)  # small products need no choice
    size = training.Size(**{**vars(SMALL), "methods": ("linear", "protobin")})
    linear, protobin = training.rows(size)
    assert (linear["method"], linear["weights"]) == ("linear", 96 * 3 + 3)
    assert protobin["weights"] == 60 * 96 + 60 * 3 + 3
    (cgp,) = training.layered_rows(training.Size(**{**vars(SMALL), "layered": (("cgp", 3),)}))
    assert cgp["clip_bytes"] == 3 * (8 * 96 * 2 + 96 * 4 + 8)
    rows = linear, protobin, cgp
    assert all(row[key] > 0 for row in rows for key in ("ms", "of_naive", "of_floor"))


def test_memory_is_that_of_the_step_alone():
    def prepare():
        held = torch.zeros(4 * 2**20)  # 16 MB
        return lambda: held.repeat(4).sum()

    peak = peak_mb(prepare)
    if peak is None:
        pytest.skip("no fork on this system")
    assert 60 < peak < 80


def test_rows_of_groups_and_precisions():
    world = together.World(grid=(4, 2), dim=96, classes=3)
    groups = together.grouped_rows(world, clips=32, epochs=1)
    assert [row["runs"] for row in groups] == list(together.GROUPS)
    assert all(row["equal"] and row["ratio"] > 0 for row in groups)
    world = together.World(grid=(4, 2), dim=32, classes=3, present=0.3, cells=1, strength=1.0)
    maps = together.Maps(*(world.clips(40, seed) for seed in range(3)), world.build)
    rows = together.precision_rows(maps, seeds=2, epochs=2)
    assert [row["precision"] for row in rows][:3] == ["float32", "auto", "bfloat16"]
    assert rows[0]["difference"] == 0
