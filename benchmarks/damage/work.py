"""Work that is gone on with: token maps, trainings, searches, grids, pre-training; and what they end with."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from cache_fakes import FakeEncoder, fake_clips
from grid_fakes import GRID

from benchmarks.damage.kind import Kind
from protoviz.cache import TokenCache
from protoviz.encoders.mini import MiniConfig
from protoviz.pretraining import PretrainConfig, pretrain
from protoviz.pretraining.masked import MaskedConfig
from protoviz.probes import build_probe
from protoviz.training import FitConfig, fit_many

LAYOUT = {"shard_clips": 6, "progress": False}


class _StoppedError(Exception):
    """The end of work that is to be gone on with."""


def _cache(folder: Path, encoder: FakeEncoder | None = None) -> TokenCache:
    return TokenCache.create(folder, encoder or FakeEncoder(), fake_clips(24), **LAYOUT)


def _held(cache: TokenCache) -> dict:
    batch = cache.read(range(len(cache)))
    return {
        "tokens": batch.tokens,
        "cls": batch.cls,
        "mask": batch.mask,
        "targets": batch.targets,
        "table": cache.table,
        "classes": cache.classes,
        "skipped": cache.skipped,
        "fingerprint": cache.fingerprint,
        "by": cache.made_by,
    }


def cache(folder: Path) -> None:
    """A whole token cache, and one whose writer was stopped behind two shards."""
    _cache(folder / "whole")

    class Stopping(FakeEncoder):
        calls = 0

        def features(self, waveforms):
            Stopping.calls += len(waveforms)
            if Stopping.calls > 15:
                raise _StoppedError
            return super().features(waveforms)

    try:
        TokenCache.create(folder / "begun", Stopping(), fake_clips(24), **LAYOUT, batch=2)
    except _StoppedError:
        return
    raise AssertionError("the writer was to be stopped")


def opened(folder: Path) -> dict:
    return _held(TokenCache.open(folder / "whole"))


def verified(folder: Path) -> dict:
    return _held(TokenCache.open(folder / "whole", FakeEncoder(), fake_clips(24), verify=True))


def repaired(folder: Path) -> dict:
    return _held(_cache(folder / "whole"))


def resumed(folder: Path) -> dict:
    return _held(TokenCache.create(folder / "begun", FakeEncoder(), fake_clips(24), **LAYOUT, batch=2))


def _fitted(folder: Path, cache: TokenCache, told=None) -> list:
    torch.manual_seed(0)
    grid, classes = cache.grid, len(cache.classes)
    runs = [
        (build_probe("linear", cache.dim, classes, grid), FitConfig(2, 8)),
        (build_probe("protobin", cache.dim, classes, grid, prototypes_per_class=2), FitConfig(4, 8)),
    ]
    splits = cache.split("train"), cache.split("validation")
    return fit_many(runs, *splits, told, folder=folder)


def training(folder: Path) -> None:
    """A finished run and one that was stopped in its last epochs; and the token maps."""
    held = _cache(folder / "tokens")

    def stop(run, epoch, *_):
        if epoch > 2:
            raise _StoppedError

    try:
        _fitted(folder / "runs", held, stop)
    except _StoppedError:
        return
    raise AssertionError("the training was to be stopped")


def trained(folder: Path) -> list:
    return _fitted(folder / "runs", TokenCache.open(folder / "tokens"))


def recipe(folder: Path) -> None:
    """A tiny polyphony experiment: its tables, its probes and the tables of its scorers."""
    _finished(folder)


def _finished(folder: Path) -> dict:
    from protoviz.experiments.recipe import read_recipe, run_recipe

    sizes = {"train": 6, "validation": 3, "test": 4, "nested": 2}
    made = read_recipe(
        "polyphony",
        seeds=[0],
        epochs=1,
        prototypes_per_class=1,
        search={"epochs": 1, "batch_size": 8},
        encoders=["mini-random"],
        probes=["linear", "mhca"],
        scores={"places": {"scenes": 1}},
        datasets={"procedural": {"options": sizes}},
    )
    run_recipe(made, folder / "work", folder / "results", progress=False)
    return {path.name: pd.read_parquet(path) for path in sorted((folder / "results").glob("*.parquet"))}


def finished(folder: Path) -> dict:
    return _finished(folder)


def grid(folder: Path) -> None:
    """A finished grid with all its files."""
    (folder / "tiny.toml").write_text(GRID)
    _run(folder)


def _run(folder: Path) -> dict[str, pd.DataFrame]:
    from protoviz.experiments.grid import read_grid
    from protoviz.experiments.run import run_grid

    return run_grid(read_grid(folder / "tiny.toml"), folder / "out", progress=False)


# What a run costs and what computed it differ where it is run again.
COSTS = ["encode_seconds", "search_seconds", "train_seconds", "peak_mb", "versions"]


def _without_costs(frames: dict[str, pd.DataFrame]) -> dict:
    return {name: frame.drop(columns=COSTS, errors="ignore") for name, frame in frames.items()}


def gone_on(folder: Path) -> dict:
    """The tables of a grid after its command was run again; every failure of a cell is said."""
    frames = _run(folder)
    for row in json.loads((folder / "out" / "results.json").read_text())["failed"]:
        print(row["error"])
    return _without_costs(frames)


def tables_of_grid(folder: Path) -> dict:
    from protoviz.analysis.results import results, settings
    from protoviz.kept import read_frame

    whole = read_frame(folder / "out" / "results.parquet")
    return {"whole": whole, "tidy": results(folder / "out"), "told": settings("tiny", folder / "out")}


def planned(folder: Path) -> None:
    """Nothing: what has to be run again is planned, with its time."""
    from protoviz.experiments.cells import Cells
    from protoviz.experiments.estimate import plan
    from protoviz.experiments.grid import read_grid

    cells = Cells(read_grid(folder / "tiny.toml"), folder / "out")
    plan(cells)
    cells.failures()


def probes_of_grid(folder: Path) -> list:
    from protoviz.probes import load_probe

    found = [load_probe(path) for path in sorted((folder / "out/cells").rglob("*.safetensors"))]
    return [[probe.state_dict(), probe.metadata] for probe in found]


def read_toml(folder: Path):
    from protoviz.experiments.grid import read_grid

    return read_grid(folder / "tiny.toml")


def _searched(folder: Path):
    from protoviz.experiments.search import SearchConfig, search

    held = TokenCache.open(folder / "tokens")
    torch.manual_seed(0)
    probe = build_probe("linear", held.dim, len(held.classes), held.grid)
    config = SearchConfig(sobol=3, tpe=2, epochs=2, rungs=(1,), together=3, tpe_round=2, batch_size=8)
    parts = held.split("train"), held.split("validation")
    found = search("study", folder / "studies.journal", probe, *parts, config=config)
    return replace(found, seconds=0.0)


def journal(folder: Path) -> None:
    """A finished search, and the token maps."""
    _cache(folder / "tokens")
    _searched(folder)


def searched(folder: Path):
    return _searched(folder)


TINY = PretrainConfig(
    encoder=MiniConfig(width=24, depth=1, heads=3),
    scenes=6,
    held_out=2,
    steps=4,
    batch=4,
    objective=MaskedConfig(decoder_width=16, decoder_depth=1),
    precision="fp32",
    checkpoint_every=2,
)


def pretraining(folder: Path) -> None:
    """Rendered scenes and the checkpoint of a pre-training that was stopped half way."""
    from protoviz.pretraining import loop

    judged = loop.Trainer.judge
    calls = []

    def judge(trainer):
        calls.append(trainer)
        if len(calls) > 1:
            raise _StoppedError
        return judged(trainer)

    loop.Trainer.judge = judge
    try:
        _pretrained(folder)
    except _StoppedError:
        return
    finally:
        loop.Trainer.judge = judged
    raise AssertionError("the training was to be stopped")


def _pretrained(folder: Path) -> Path:
    return pretrain("mini-mae", folder, TINY, progress=False, out=folder / "out")


def pretrained(folder: Path) -> dict:
    from protoviz.encoders.weights import read_weights

    tensors, _ = read_weights(_pretrained(folder))
    return {"tensors": tensors, "curve": pd.read_parquet(folder / "out" / "mini-mae-loss.parquet")}


TEXT = "a text of settings: another number is another setting"
KINDS = [
    Kind("cache", cache, ("whole/**/*",), (opened, verified, repaired), quick=True),
    Kind("cache begun", cache, ("begun/**/*",), (resumed,)),
    Kind("checkpoints", training, ("runs/*",), (trained,), quick=True),
    Kind("scored cells", recipe, ("work/cells/*/*/*/score-*", "work/cells/*/*/*/seed-*"), (finished,)),
    Kind("search journal", journal, ("studies.journal",), (searched,), quick=True),
    Kind("grid cells", grid, ("out/cells/**/*.json",), (gone_on, planned)),
    Kind("grid probes", grid, ("out/cells/**/*.safetensors",), (probes_of_grid,)),
    Kind("grid tables", grid, ("out/*.parquet", "out/*.json"), (tables_of_grid, gone_on)),
    Kind("grid journal", grid, ("out/studies.journal",), (gone_on,)),
    Kind("grid TOML", grid, ("tiny.toml",), (read_toml,), TEXT, quick=True),
    Kind("scene store", pretraining, ("scenes/*",), (pretrained,)),
    Kind("pre-training", pretraining, ("checkpoint.safetensors",), (pretrained,)),
]
