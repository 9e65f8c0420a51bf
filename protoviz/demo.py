"""What is shipped under data/demo, rebuilt from seeds: trained probes, held-out scenes, the measured tables.

    scenes -> token maps (work folder) -> poolings compared (`benchmark`) -> probes, clips and results

Nothing is chosen by hand: the scenes of the page are the first of each polyphony in the test split, the
shipped probe of each method is the first seed at its best rates.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path

import pandas as pd
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from protoviz.benchmark import METHODS, CompareConfig, Method, compare, epochs_of, write_bytes, write_json
from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet, scene_clips
from protoviz.encoders import load_encoder

ON_PAGE = ("linear", "linear + BatchNorm", "mhca", "protobin", "protobin + BatchNorm")  # probes that ship


@dataclass(frozen=True)
class DemoConfig:
    """The sizes and seeds behind data/demo."""

    encoder: str = "mini-mae"
    train: int = 2500  # the token maps of all 4,500 scenes stay below 1 GB
    validation: int = 500
    test: int = 1500
    scene_seed: int = 0
    single: tuple[int, int, int] = (1500, 300, 1000)  # train, validation, test scenes of one event each
    compare: CompareConfig = field(default_factory=CompareConfig)
    methods: tuple[str, ...] = tuple(METHODS)
    clips_per_polyphony: int = 4  # 32 scenes on the page

    @classmethod
    def small(cls) -> "DemoConfig":
        """The settings of a rehearsal: every step of the real run on a tenth of the scenes."""
        quick = CompareConfig(epochs=2, search_epochs=1, seeds=(0, 1))
        sizes = {"train": 250, "validation": 60, "test": 120, "single": (150, 50, 100)}
        return cls(**sizes, compare=quick, methods=ON_PAGE, clips_per_polyphony=1)


def build_demo(folder: Path, work: Path, config: DemoConfig | None = None) -> None:
    """Write probes/, clips.parquet, results.parquet, search.parquet and demo.json into `folder`.

    Token maps and finished runs stay in `work`: a stopped rebuild goes on where it was.
    """
    config = config or DemoConfig()
    encoder = load_encoder(config.encoder)
    mixed = scene_clips(config.train, config.validation, config.test, seed=config.scene_seed)
    single = scene_clips(*config.single, polyphony=1, seed=config.scene_seed + 1)
    methods = [METHODS[title] for title in config.methods]
    keep = {title: folder / "probes" / f"{METHODS[title].slug}.safetensors" for title in ON_PAGE}
    sets = {
        "mixed polyphony": (mixed, config.compare, keep),
        "one event": (single, replace(config.compare, loss="cross_entropy"), {}),
    }
    search, results = [], []
    for name, (clips, setting, kept) in sets.items():
        place = work / name.replace(" ", "-")
        cache = TokenCache.create(place / "tokens", encoder, clips)
        found = _compared(cache, methods, setting, place / "runs", kept)
        for frames, frame in zip((search, results), found, strict=True):
            frames.append(frame.assign(clips_of=name))
    _write_frame(folder / "search.parquet", pd.concat(search, ignore_index=True))
    _write_frame(folder / "results.parquet", pd.concat(results, ignore_index=True))
    _write_frame(folder / "clips.parquet", _page_clips(mixed, config.clips_per_polyphony))
    write_json(folder / "demo.json", {"command": "protoviz demo", **asdict(config)})


def table(folder: Path) -> str:
    """The results in `folder` as a Markdown table: test scores in %, mean ± s.d. over seeds, and chance."""
    path = Path(folder) / "results.parquet"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: `protoviz demo` makes it")
    results = pd.read_parquet(path)
    setting = json.loads((Path(folder) / "demo.json").read_text())
    shown = {
        ("mixed polyphony", 0): "mAP, k = 1-8",
        ("mixed polyphony", 4): "k = 4",
        ("mixed polyphony", 8): "k = 8",
        ("one event", 0): "accuracy, k = 1",
    }
    header = ["test, %", *shown.values(), "rates: classifier, prototypes"]
    scores = results.assign(score=100 * results.score).groupby(["method", "clips_of", "polyphony"]).score
    mean, deviation = scores.mean(), scores.std()
    rates = results[results.clips_of == "mixed polyphony"].groupby("method")[["lr", "prototype_lr"]].first()
    rows = []
    for method in results.method.unique():
        cells = [f"{mean[method, *key]:.1f} ± {deviation[method, *key]:.1f}" for key in shown]
        rows.append([method, *cells, ", ".join(f"{rate:g}" for rate in rates.loc[method].dropna())])
    chance = 100 * results.groupby(["clips_of", "polyphony"]).chance.first()
    rows.append(["chance", *(f"{chance[key]:.1f}" for key in shown), ""])
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *rows]]
    seeds = ", ".join(map(str, setting["compare"]["seeds"]))
    note = (
        f"{setting['encoder']} (a mini encoder, trained on procedural sound); {setting['test']:,} held-out "
        f"scenes of 1-8 events, {setting['single'][2]:,} of one; seeds {seeds}; `{setting['command']}`."
    )
    return "\n".join([*lines, "", note])


def _compared(
    cache: TokenCache, methods: list[Method], config: CompareConfig, work: Path, keep: dict[str, Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeRemainingColumn(), TextColumn("left")) as bar:
        task = bar.add_task("", total=epochs_of(methods, config))
        return compare(cache, methods, config, work, partial(bar.update, task), keep)


def _page_clips(clips: ClipSet, per_polyphony: int) -> pd.DataFrame:
    test = clips.table[clips.table.split == "test"]
    chosen = test.groupby("polyphony", sort=True).head(per_polyphony).sort_values("polyphony", kind="stable")
    chosen = chosen[["clip", "seed", "polyphony", "labels"]].reset_index(drop=True)
    rows = zip(chosen.polyphony, chosen.seed, strict=True)
    return chosen.assign(title=[f"{k} event{'s' if k > 1 else ''}, scene {seed}" for k, seed in rows])


def _write_frame(path: Path, frame: pd.DataFrame) -> None:
    data = BytesIO()
    frame.to_parquet(data, index=False)
    write_bytes(path, data.getvalue())
