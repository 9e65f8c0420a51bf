"""A training that was stopped, however rudely, ends as one that was not."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from training_data import QUICK, Source, built, clips, same

from protoviz.kept import DamagedFileWarning
from protoviz.training import checkpoint, fit, fit_many

LONG = replace(QUICK, epochs=6)


@pytest.fixture(autouse=True)
def _every_epoch_is_written(monkeypatch):
    monkeypatch.setattr(checkpoint, "INTERVAL", 0)


@pytest.fixture
def data():
    return clips(50, 1), clips(20, 2)


class Interrupted(Exception):
    pass


def stop_at(limit):
    """Progress that ends the training when any run reaches that epoch."""

    def progress(run, epoch, loss, score):
        if epoch == limit:
            raise Interrupted

    return progress


def runs(epochs=6):
    config = replace(LONG, epochs=epochs)
    return [
        (built("protobin", batch_norm=True), config),
        (built("mhca"), replace(config, seed=1, epochs=epochs - 2)),
        (built("linear"), config),
        (built("proto"), replace(config, patience=1)),
        (built("protofloat", centre="train"), config),
    ]


@pytest.mark.parametrize("limit", [1, 3, 5])
def test_an_interrupted_group_goes_on(data, tmp_path, limit):
    undisturbed = fit_many(runs(), *data)
    with pytest.raises(Interrupted):
        fit_many(runs(), *data, stop_at(limit), folder=tmp_path)
    told = []
    resumed = fit_many(runs(), *data, lambda *row: told.append(row[:2]), folder=tmp_path)
    for one, other in zip(undisturbed, resumed, strict=True):
        same(one, other)
    assert min(epoch for _, epoch in told) == limit + 1


def test_runs_at_different_epochs_and_new_ones_join(data, tmp_path):
    for number, limit in enumerate((4, 2)):
        probe, config = runs()[number]
        with pytest.raises(Interrupted):
            fit_many([(probe, config)], *data, stop_at(limit), folder=tmp_path)
    for one, other in zip(fit_many(runs(), *data), fit_many(runs(), *data, folder=tmp_path), strict=True):
        same(one, other)


def test_a_finished_run_is_only_read(data, tmp_path):
    first = fit(built("protobin"), *data, QUICK, folder=tmp_path)
    probe, told = built("protobin"), []
    again = fit(probe, *data, QUICK, lambda *row: told.append(row), folder=tmp_path)
    same(first, again)
    assert not told
    assert not probe.training
    assert (probe.latent.detach() == first.state["latent"]).all()


def test_another_run_never_takes_up_a_file(data, tmp_path):
    def trained(seed=0, validation=data[1], **changes):
        config = replace(QUICK, **changes)
        return fit(built("protobin", seed), data[0], validation, config, folder=tmp_path)

    results = [trained(), trained(seed=1), trained(lr=0.1), trained(validation=clips(20, 3))]
    assert len(list(tmp_path.iterdir())) == len(results)
    assert len({result.history.to_json() for result in results}) == len(results)


class Louder(Source):
    """Data whose tokens are multiplied."""

    def __init__(self, data, factor):
        super().__init__(data)
        self.factor = factor

    def passed(self, batch):
        return batch._replace(tokens=batch.tokens * self.factor)


def test_tokens_tell_sources_apart_that_have_no_fingerprint(data, tmp_path):
    def trained(factor):
        sources = [Louder(part, factor) for part in data]
        return fit(built("abmilp"), *sources, QUICK, folder=tmp_path)

    first, other, again = trained(1), trained(2), trained(1)
    assert not first.history.equals(other.history)
    same(first, again)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_file_is_set_aside_and_its_run_begins_anew(data, tmp_path):
    whole = fit(built("linear"), *data, QUICK, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    written = path.read_bytes()
    flipped = bytearray(written)
    flipped[-9] ^= 4  # a weight
    for number, damaged in enumerate((b"", written[:100], written[:-7], bytes(flipped), written + b"{}"), 1):
        path.write_bytes(damaged)
        with pytest.warns(DamagedFileWarning, match=f"{path.name} is damaged"):
            same(whole, fit(built("linear"), *data, QUICK, folder=tmp_path))
        assert len(list(tmp_path.glob("*.damaged"))) == number
        same(whole, fit(built("linear"), *data, QUICK, folder=tmp_path))


def test_a_file_of_the_version_before_is_gone_on_from(data, tmp_path):
    (old,) = (Path(__file__).parent / "written" / "training").iterdir()
    shutil.copy(old, tmp_path)
    told = []
    fit(built("linear"), *data, QUICK, lambda *row: told.append(row), folder=tmp_path)
    assert not told, "it was trained anew"


KILLED = """
import os, signal, sys
import torch
from test_training_resume import runs
from training_data import clips
from protoviz.training import TokenData, checkpoint, fit_many

class Deadly(TokenData):
    read = 0
    def batches(self, size, seed):
        for batch in super().batches(size, seed):
            Deadly.read += 1
            if Deadly.read == 12:  # in the middle of an epoch
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

torch.set_num_threads(1)
checkpoint.INTERVAL = 0
data = clips(50, 1)
data.__class__ = Deadly
fit_many(runs()[:2], data, clips(20, 2), folder=sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_process_loses_nothing_that_was_written(data, tmp_path):
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=place)
    assert killed.returncode == -signal.SIGKILL
    told = []
    resumed = fit_many(runs()[:2], *data, lambda *row: told.append(row[1]), folder=tmp_path)
    assert min(told) == 2
    for one, other in zip(fit_many(runs()[:2], *data), resumed, strict=True):
        same(one, other)
