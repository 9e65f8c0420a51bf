"""Where an optional package is missing, the error says how to install it, in a checkout and with a wheel."""

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from protoviz.datasets import find_spec
from protoviz.datasets.hub import fetch
from protoviz.experiments.engine import cluster_client, slurm_cluster
from protoviz.export.sources import needed


def _cluster():
    with cluster_client("local", 1, SimpleNamespace()):
        pytest.fail("there is no Dask")


@pytest.mark.parametrize(
    ("absent", "extra", "call"),
    [
        ("optuna", "benchmark", lambda: import_module("protoviz.experiments.search")),
        ("distributed", "benchmark", _cluster),
        ("dask_jobqueue", "slurm", lambda: slurm_cluster(SimpleNamespace(slurm={}))),
        ("huggingface_hub", "hub", lambda: fetch(find_spec("spass"), Path("nowhere"))),
        ("jupytext", "notebooks", lambda: needed("jupytext")),
    ],
)
def test_a_missing_package_is_answered_with_its_extra(absent, extra, call, monkeypatch):
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(
        sys.modules, "protoviz.experiments.search", raising=False
    )  # it asks when it is imported
    with pytest.raises((RuntimeError, ValueError)) as raised:
        call()
    assert f"pip install 'protoviz[{extra}]'" in str(raised.value)
