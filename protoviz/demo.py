"""What is shipped under data/demo, rebuilt from seeds: trained probes, held-out scenes, the measured table.

    scenes -> token maps (work folder) -> learning rates by validation mAP -> five seeds on the test scenes

Nothing is chosen by hand: the scenes of the page are the first of each polyphony in the test split, the
shipped probe of each method is seed 0 at its best rates.
"""

import json
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import pandas as pd
import torch

from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet, scene_clips
from protoviz.encoders import load_encoder
from protoviz.metrics import mean_average_precision
from protoviz.probes import build_probe, save_probe
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
    batch: int = 128  # the paper's
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
    encoder = load_encoder(config.encoder)
    cache = TokenCache.create(work / "tokens", encoder, clips)
    runs = Runs(work / "runs.json", cache, config)

    search, results = [], []
    for method in METHODS:
        rows = [runs.search(method, *rates) for rates in _rates(method)]
        search += rows
        best = max(rows, key=lambda row: row["validation_mAP"])
        for seed in config.seeds:
            probe_path = (
                folder / "probes" / f"{_slug(method)}.safetensors" if seed == config.seeds[0] else None
            )
            results += runs.final(method, best["lr"], best["prototype_lr"], seed, probe_path)
    _write_frame(folder / "search.parquet", pd.DataFrame(search))
    _write_frame(folder / "results.parquet", pd.DataFrame(results))
    _write_frame(folder / "clips.parquet", _page_clips(clips, config.clips_per_polyphony))
    _write_json(folder / "demo.json", {"command": "protoviz demo", **asdict(config)})


class Runs:
    """Trains one method at one setting, or returns what an earlier, interrupted rebuild already found.

    A finished run is a line of `path`, keyed by everything that decides it.
    """

    def __init__(self, path: Path, cache: TokenCache, config: DemoConfig):
        self.path, self.cache, self.config = path, cache, config
        self.done = json.loads(path.read_text()) if path.exists() else {}

    def search(self, method: Method, lr: float, prototype_lr: float | None) -> dict:
        """One row of the search: the best validation mAP of a short run at these rates, seed 0."""
        epochs = self.config.search_epochs
        key = self._key("search", method, lr, prototype_lr, epochs, 0)
        if key not in self.done:
            _, result = self._fit(method, lr, prototype_lr, epochs, seed=0)
            row = {"method": method.title, "lr": lr, "prototype_lr": prototype_lr, "epochs": epochs}
            self._keep(key, {**row, "validation_mAP": result.best_score})
        return self.done[key]

    def final(
        self, method: Method, lr: float, prototype_lr: float | None, seed: int, probe_path: Path | None
    ) -> list[dict]:
        """The rows of one whole run: test mAP over all scenes and by polyphony; saves the probe if asked."""
        key = self._key("final", method, lr, prototype_lr, self.config.epochs, seed)
        if key not in self.done or (probe_path and not probe_path.exists()):
            probe, result = self._fit(method, lr, prototype_lr, self.config.epochs, seed)
            if probe_path:
                save_probe(probe, probe_path, classes=self.cache.classes, title=method.title, seed=seed)
            setting = {"method": method.title, "lr": lr, "prototype_lr": prototype_lr, "seed": seed}
            setting |= {"best_epoch": result.best_epoch, "validation_mAP": result.best_score}
            self._keep(key, [{**setting, **row} for row in self._test(probe)])
        return self.done[key]

    def _fit(
        self, method: Method, lr: float, prototype_lr: float | None, epochs: int, seed: int
    ) -> tuple[torch.nn.Module, FitResult]:
        torch.manual_seed(
            seed
        )  # decides the probe's first weights; FitConfig.seed decides the order of clips
        hyper = {"prototypes_per_class": self.config.prototypes_per_class} if method.prototype_rates else {}
        probe = build_probe(
            method.probe,
            self.cache.dim,
            len(self.cache.classes),
            self.cache.grid,
            batch_norm=method.batch_norm,
            **hyper,
        )
        rates = {"lr": lr, "prototype_lr": prototype_lr}
        config = FitConfig(epochs=epochs, batch=self.config.batch, seed=seed, **rates)
        label = (
            f"{method.title} lr {lr:g} {f'prototypes {prototype_lr:g} ' if prototype_lr else ''}seed {seed}"
        )
        result = fit(probe, self.cache.split("train"), self.cache.split("validation"), config, progress=label)
        return probe, result

    def _test(self, probe: torch.nn.Module) -> list[dict]:
        view = self.cache.split("test")
        logits, targets = predict(probe, view), view.targets().numpy()
        polyphony = targets.sum(axis=1).astype(int)
        rows = []
        for k in (None, *sorted(set(polyphony.tolist()))):
            chosen = slice(None) if k is None else polyphony == k
            score = mean_average_precision(logits[chosen], targets[chosen])
            chance = float(targets[chosen][:, targets[chosen].any(axis=0)].mean())
            rows.append(
                {"polyphony": k or 0, "mAP": score.value, "chance": chance, "clips": len(targets[chosen])}
            )
        return rows

    def _key(self, stage: str, method: Method, *setting) -> str:
        sizes = asdict(replace(self.config, seeds=(), clips_per_polyphony=0, epochs=0, search_epochs=0))
        return json.dumps([stage, method.title, *setting, sizes, self.cache.fingerprint], sort_keys=True)

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
