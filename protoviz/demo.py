"""What is shipped under data/demo, rebuilt from seeds: trained probes, held-out scenes, the measured table.

    scenes -> token maps (work folder) -> learning rates by validation mAP -> five seeds on the test scenes

Nothing is chosen by hand: the scenes of the page are the first of each polyphony in the test split, the
shipped probe of each method is seed 0 at its best rates.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet, scene_clips
from protoviz.encoders import load_encoder
from protoviz.metrics import mean_average_precision
from protoviz.probes import Probe, build_probe, save_probe
from protoviz.training import FitConfig, FitResult, fit, predict


@dataclass(frozen=True)
class Method:
    """One row of the table: a probe, its options, and the learning rates it is searched over."""

    title: str
    probe: str
    batch_norm: bool
    rates: tuple[float, ...]  # of the classifier
    prototype_rates: tuple[float, ...] = ()  # empty: the method has no prototypes


# A score is a cosine that moves by a few hundredths, so a classifier on raw scores needs weights in the tens,
# which AdamW reaches in 600 steps only at a large rate; behind a BatchNorm unit weights do. Hence two ranges.
METHODS = (
    Method("linear", "linear", False, (1e-3, 3e-3, 1e-2, 3e-2)),
    Method("linear + BatchNorm", "linear", True, (3e-4, 1e-3, 3e-3, 1e-2)),
    Method("protobin", "protobin", False, (1e-2, 3e-2, 1e-1, 3e-1), (1e-3, 3e-3, 1e-2, 3e-2)),
    Method("protobin + BatchNorm", "protobin", True, (1e-3, 3e-3, 1e-2), (1e-3, 3e-3, 1e-2, 3e-2)),
)


@dataclass(frozen=True)
class DemoConfig:
    """The sizes and seeds behind data/demo."""

    encoder: str = "mini-mae"
    train: int = 2500  # the token maps of all 4,500 scenes stay below 1 GB
    validation: int = 500
    test: int = 1500
    scene_seed: int = 0
    epochs: int = 30  # the paper's
    search_epochs: int = 10  # a third of a run ranks the rates; the final runs are whole
    batch_size: int = 128  # the paper's
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # the paper retrains its best setting with five
    prototypes_per_class: int = 20  # the paper's J
    clips_per_polyphony: int = 4  # 32 scenes on the page

    @classmethod
    def small(cls) -> "DemoConfig":
        """The settings of a rehearsal: every step of the real run, in about a minute."""
        return cls(
            train=250, validation=60, test=120, epochs=2, search_epochs=1, seeds=(0, 1), clips_per_polyphony=1
        )


def build_demo(folder: Path, work: Path, config: DemoConfig | None = None) -> None:
    """Write probes/, clips.parquet, results.parquet, search.parquet and demo.json into `folder`.

    The token maps stay in `work`, and so does every finished run: a stopped rebuild goes on where it was.
    """
    config = config or DemoConfig()
    clips = scene_clips(config.train, config.validation, config.test, seed=config.scene_seed)
    cache = TokenCache.create(work / "tokens", load_encoder(config.encoder), clips)
    search, results = [], []
    with _progress() as bar:
        task = bar.add_task("", total=_epochs(config))
        runs = Runs(work / "runs.json", cache, config, partial(bar.update, task))
        for method in METHODS:
            rows = [runs.search(method, *rates) for rates in _rates(method)]
            search += rows
            best = max(rows, key=lambda row: row["validation_mAP"])
            for seed in config.seeds:
                keep = folder / "probes" / f"{_slug(method)}.safetensors" if seed == config.seeds[0] else None
                results += runs.final(method, best["lr"], best["prototype_lr"], seed, keep)
    _write_frame(folder / "search.parquet", pd.DataFrame(search))
    _write_frame(folder / "results.parquet", pd.DataFrame(results))
    _write_frame(folder / "clips.parquet", _page_clips(clips, config.clips_per_polyphony))
    _write_json(folder / "demo.json", {"command": "protoviz demo", **asdict(config)})


class Runs:
    """Trains one method at one setting, or returns what an earlier, interrupted rebuild already found.

    A finished run is an entry of the file `path`, keyed by everything that decides it.
    `told(description=...)` and `told(advance=epochs)` hear how far the work is.
    """

    def __init__(self, path: Path, cache: TokenCache, config: DemoConfig, told: Callable):
        self.path, self.cache, self.config, self.told = path, cache, config, told
        self.done = json.loads(path.read_text()) if path.exists() else {}

    def search(self, method: Method, lr: float, prototype_lr: float | None) -> dict:
        """One row of the search: the best validation mAP of a short run at these rates, seed 0."""
        epochs = self.config.search_epochs
        key = self._key("search", method, lr, prototype_lr, epochs, 0)
        if key in self.done:
            self.told(advance=epochs)
        else:
            _, result = self._fit(method, lr, prototype_lr, epochs, seed=0)
            row = {"method": method.title, "lr": lr, "prototype_lr": prototype_lr, "epochs": epochs}
            self._keep(key, {**row, "validation_mAP": result.best_score})
        return self.done[key]

    def final(
        self, method: Method, lr: float, prototype_lr: float | None, seed: int, probe_path: Path | None
    ) -> list[dict]:
        """The rows of one whole run: test mAP over all scenes and by polyphony; saves the probe if asked."""
        key = self._key("final", method, lr, prototype_lr, self.config.epochs, seed)
        if key in self.done and (probe_path is None or probe_path.exists()):
            self.told(advance=self.config.epochs)
        else:
            probe, result = self._fit(method, lr, prototype_lr, self.config.epochs, seed)
            if probe_path:
                save_probe(probe, probe_path, classes=list(self.cache.classes), title=method.title, seed=seed)
            setting = {"method": method.title, "lr": lr, "prototype_lr": prototype_lr, "seed": seed}
            setting |= {"best_epoch": result.best_epoch, "validation_mAP": result.best_score}
            self._keep(key, [{**setting, **row} for row in self._test(probe)])
        return self.done[key]

    def _fit(
        self, method: Method, lr: float, prototype_lr: float | None, epochs: int, seed: int
    ) -> tuple[Probe, FitResult]:
        rates = f"{lr:g}" if prototype_lr is None else f"{lr:g}, {prototype_lr:g}"
        self.told(description=f"{method.title}, rates {rates}, seed {seed}")
        torch.manual_seed(seed)  # decides the probe's first weights; FitConfig.seed the order of clips
        hyper = {"prototypes_per_class": self.config.prototypes_per_class} if method.prototype_rates else {}
        cache, classes = self.cache, len(self.cache.classes)
        probe = build_probe(
            method.probe, cache.dim, classes, cache.grid, batch_norm=method.batch_norm, **hyper
        )
        config = FitConfig(
            epochs=epochs, batch_size=self.config.batch_size, lr=lr, prototype_lr=prototype_lr, seed=seed
        )
        train, validation = cache.split("train"), cache.split("validation")
        return probe, fit(probe, train, validation, config, progress=lambda *_: self.told(advance=1))

    def _test(self, probe: Probe) -> list[dict]:
        view = self.cache.split("test")
        logits, targets = predict(probe, view), np.asarray(view.targets())
        polyphony = targets.sum(axis=1).astype(int)
        rows = []
        for k in (0, *sorted(set(polyphony.tolist()))):  # 0: all of them
            chosen = np.full(len(targets), True) if k == 0 else polyphony == k
            score = mean_average_precision(logits[chosen], targets[chosen])
            prevalence = targets[chosen].mean(axis=0)
            row = {"polyphony": k, "mAP": score.value, "chance": float(prevalence[prevalence > 0].mean())}
            rows.append({**row, "clips": int(chosen.sum()), "classes": int((prevalence > 0).sum())})
        return rows

    def _key(self, stage: str, method: Method, *setting) -> str:
        sizes = [self.config.batch_size, self.config.prototypes_per_class]
        return json.dumps([stage, method.title, *setting, *sizes, self.cache.fingerprint])

    def _keep(self, key: str, value) -> None:
        self.done[key] = value
        _write_json(self.path, self.done)


def table(folder: Path) -> str:
    """The results in `folder` as a Markdown table: test mAP in %, mean ± s.d. over seeds, beside chance."""
    path = Path(folder) / "results.parquet"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: `protoviz demo` makes it")
    results = pd.read_parquet(path)
    setting = json.loads((Path(folder) / "demo.json").read_text())
    shown = {0: "mixed, k = 1-8", 1: "k = 1", 4: "k = 4", 8: "k = 8"}
    header = ["test mAP, %", *shown.values(), "rates: classifier, prototypes"]
    rows = []
    for method, runs in results.groupby("method", sort=False):
        scores = (100 * runs.groupby("polyphony").mAP.agg(["mean", "std"])).loc[list(shown)]
        cells = [f"{mean:.1f} ± {deviation:.1f}" for mean, deviation in scores.itertuples(index=False)]
        rates = runs[["lr", "prototype_lr"]].iloc[0].dropna()
        rows.append([method, *cells, ", ".join(f"{rate:g}" for rate in rates)])
    chance = 100 * results.groupby("polyphony").chance.first()
    rows.append(["chance", *(f"{chance[k]:.1f}" for k in shown), ""])
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    note = (
        f"{setting['encoder']} (a mini encoder, trained on procedural sound), {setting['test']:,} held-out "
        f"procedural scenes, seeds {', '.join(map(str, setting['seeds']))}; made by `{setting['command']}`."
    )
    return "\n".join([*lines, "", note])


def _epochs(config: DemoConfig) -> int:
    """Epochs of the whole rebuild, which the progress bar counts."""
    searched = sum(len(_rates(method)) for method in METHODS) * config.search_epochs
    return searched + len(METHODS) * len(config.seeds) * config.epochs


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    return Progress(*columns, TimeRemainingColumn(), TextColumn("left"))


def _rates(method: Method) -> list[tuple[float, float | None]]:
    return list(product(method.rates, method.prototype_rates or (None,)))


def _page_clips(clips: ClipSet, per_polyphony: int) -> pd.DataFrame:
    test = clips.table[clips.table.split == "test"]
    chosen = test.groupby("polyphony", sort=True).head(per_polyphony).sort_values("polyphony", kind="stable")
    chosen = chosen[["clip", "seed", "polyphony", "labels"]].reset_index(drop=True)
    titles = [
        f"{k} event{'s' if k > 1 else ''}, scene {seed}"
        for k, seed in zip(chosen.polyphony, chosen.seed, strict=True)
    ]
    return chosen.assign(title=titles)


def _slug(method: Method) -> str:
    return method.title.replace(" + ", "-").lower()


def _write_frame(path: Path, frame: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    frame.to_parquet(part, index=False)
    part.replace(path)


def _write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=1) + "\n")
    part.replace(path)
