"""What is shipped under data/demo, rebuilt from seeds: trained probes, held-out scenes, the measured tables.

    scenes -> token maps (work folder) -> poolings compared (`benchmark`) -> probes, clips and results
                                                                            -> nearest clips and maps

Nothing is chosen by hand: the scenes of the page are the first of each polyphony in the test split, the
shipped probe of each method is the first seed at its best rates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd

from protoviz.analysis.neighbours import need_umap
from protoviz.audio import CellGrid
from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet, scene_clips
from protoviz.encoders import load_encoder
from protoviz.experiments import CompareConfig, compare, epochs_of
from protoviz.experiments.projections import found_by, nearest_table, prototype_map, token_map
from protoviz.kept import write_frame, write_json
from protoviz.probes import Method, load_probe, save_probe, titles
from protoviz.probes.prototype import PrototypeProbe
from protoviz.progress import progress_bar
from protoviz.training import TokenSource, score_many

ON_PAGE = ("linear", "linear + BatchNorm", "mhca", "proto", "protobin", "protobin + BatchNorm")


@dataclass(frozen=True)
class DemoConfig:
    """The sizes and seeds behind data/demo."""

    encoder: str = "mini-mae"
    train: int = 2500  # the token maps of all 4,500 scenes stay below 1 GB
    validation: int = 500
    test: int = 1500
    scene_seed: int = 0
    single: tuple[int, int, int] = (1000, 200, 1000)  # scenes of one event, for `build_poolings`
    compare: CompareConfig = field(default_factory=CompareConfig)
    methods: tuple[str, ...] = ON_PAGE
    clips_per_polyphony: int = 4  # 32 scenes on the page
    nearest: int = 8  # clips kept for each prototype: what the page shows side by side
    maps: bool = True  # of prototypes and tokens; they need umap-learn

    @classmethod
    def small(cls) -> "DemoConfig":
        """Return the settings of a rehearsal: every step of the real run on a tenth of the scenes."""
        quick = CompareConfig(epochs=2, search_epochs=1, seeds=(0, 1))
        return cls(train=250, validation=60, test=120, compare=quick, clips_per_polyphony=1)


def build_demo(folder: Path, work: Path, config: DemoConfig | None = None) -> None:
    """Write probes/, clips.parquet, results.parquet, search.parquet and demo.json into `folder`.

    And what `build_maps` writes. Token maps and finished runs stay in `work`: a stopped rebuild goes on where
    it was. Raises MissingPackageError before anything else where maps are asked for without umap-learn.
    """
    config = config or DemoConfig()
    if config.maps:
        need_umap()
    clips, encoder = _mixed(config), load_encoder(config.encoder)
    cache = TokenCache.create(work / "tokens", encoder, clips)
    methods = [Method.named(title) for title in config.methods]
    keep = {method.title: folder / "probes" / f"{method.slug}.safetensors" for method in methods}
    search, results = _compared(cache, methods, config.compare, work / "runs", keep)
    add_mean_scores(keep.values(), cache.split("train"), [method.found for method in methods])
    write_frame(folder / "search.parquet", search)
    write_frame(folder / "results.parquet", results)
    write_frame(folder / "clips.parquet", _page_clips(clips, config.clips_per_polyphony))
    build_maps(folder, cache, clips, encoder.cell_grid(), config)
    write_json(folder / "demo.json", {"command": "protoviz demo", **asdict(config)})


def add_mean_scores(files: Iterable[Path], train: TokenSource, allow: Sequence = ()) -> None:
    """Write into the metadata of each prototype probe in `files` its mean scores over the training clips.

    They say what a prototype scores when nothing is known of a clip: the explorer puts them in the place of a
    muted score. Other probes stay as they are. allow: as in `load_probe`.
    """
    probes = {file: load_probe(file, allow=allow) for file in files}
    probes = {file: probe for file, probe in probes.items() if isinstance(probe, PrototypeProbe)}
    found = score_many(list(probes.values()), train) if probes else []
    for (file, probe), (scores, _) in zip(probes.items(), found, strict=True):
        # Six digits: a score is a cosine, and weights stay far below a thousand.
        means = scores.mean(axis=0, dtype=float)
        save_probe(probe, file, mean_scores=[round(value, 6) for value in means.tolist()])


def build_maps(folder: Path, cache: TokenCache, clips: ClipSet, grid: CellGrid, config: DemoConfig) -> None:
    """Write nearest.parquet, map-prototypes.parquet and map-tokens.parquet beside the probes in `folder`.

    cache: the token maps of `clips`; grid: the encoder's cells. The maps are left out without `config.maps`.
    """
    allow = [Method.named(title).found for title in config.methods]
    files = sorted((folder / "probes").glob("*.safetensors"))
    loaded = {path.stem: load_probe(path, allow=allow) for path in files}
    probes = {name: probe for name, probe in loaded.items() if isinstance(probe, PrototypeProbe)}
    found = found_by(probes, cache)
    nearest = nearest_table(probes, found, cache, clips, grid, config.nearest)
    write_frame(folder / "nearest.parquet", nearest)
    if config.maps:
        shown = _page_clips(clips, config.clips_per_polyphony)
        write_frame(folder / "map-prototypes.parquet", prototype_map(probes, found, nearest, clips.classes))
        write_frame(folder / "map-tokens.parquet", token_map(shown, cache, clips, grid))


def build_poolings(
    folder: Path, work: Path, config: DemoConfig | None = None, methods: Sequence[str] = ()
) -> None:
    """Write poolings.parquet, poolings-search.parquet and poolings.json into `folder`.

    On the demo's scenes and, scored by accuracy, on scenes of one event each. methods: titles as in
    `Method.named`; none: all probes that are compared, two of them also with a BatchNorm.
    Shares token maps and finished runs with `build_demo` where `work` is the same.
    """
    chosen = tuple(methods) or titles("linear + BatchNorm", "protobin + BatchNorm")
    config = replace(config or DemoConfig(), methods=chosen)
    encoder, compared = load_encoder(config.encoder), [Method.named(title) for title in chosen]
    single = scene_clips(*config.single, polyphony=1, seed=config.scene_seed + 1)
    one_label = replace(config.compare, loss="cross_entropy")
    sets = {
        "mixed": (_mixed(config), config.compare, work),
        "one event": (single, one_label, work / "one-event"),
    }
    frames = {"poolings-search": [], "poolings": []}
    for name, (clips, setting, place) in sets.items():
        cache = TokenCache.create(place / "tokens", encoder, clips)
        found = _compared(cache, compared, setting, place / "runs", {})
        for parts, frame in zip(frames.values(), found, strict=True):
            parts.append(frame.assign(scenes=name))
    for stem, parts in frames.items():
        write_frame(folder / f"{stem}.parquet", pd.concat(parts, ignore_index=True))
    write_json(folder / "poolings.json", {"command": "protoviz poolings", **asdict(config)})


def build_per_class(
    folder: Path,
    work: Path,
    counts: Sequence[int] = (1, 2, 5, 10, 20),  # up to the paper's J
    methods: Sequence[str] = ("protobin",),
    config: DemoConfig | None = None,
) -> None:
    """Write per-class.parquet and per-class.json into `folder`: prototype probes at J prototypes a class.

    On the demo's scenes, scored on all test clips, rates searched anew for every J; the column per_class is
    J. Shares token maps and finished runs with `build_demo` where `work` is the same.
    """
    config = replace(config or DemoConfig(), methods=tuple(methods))
    cache = TokenCache.create(work / "tokens", load_encoder(config.encoder), _mixed(config))
    frames = []
    for title in config.methods:
        for count in counts:
            setting = replace(config.compare, prototypes_per_class=count)
            results = _compared(cache, [Method.named(title)], setting, work / "runs", {})[1]
            # Without the column polyphony no page takes these rows for runs that it may compare with others.
            results = results[results.polyphony == 0].drop(columns="polyphony")
            frames.append(results.assign(per_class=count))
    write_frame(folder / "per-class.parquet", pd.concat(frames, ignore_index=True))
    told = {**asdict(config), "command": "protoviz per-class", "counts": list(counts)}
    write_json(folder / "per-class.json", told)


def _mixed(config: DemoConfig) -> ClipSet:
    return scene_clips(config.train, config.validation, config.test, seed=config.scene_seed)


def _compared(
    cache: TokenCache, methods: list[Method], config: CompareConfig, work: Path, keep: dict[str, Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    with progress_bar(total=epochs_of(methods, config)) as progress:
        return compare(cache, methods, config, work, progress, keep)


def _page_clips(clips: ClipSet, per_polyphony: int) -> pd.DataFrame:
    test = clips.table[clips.table.split == "test"]
    chosen = test.groupby("polyphony", sort=True).head(per_polyphony).sort_values("polyphony", kind="stable")
    chosen = chosen[["clip", "seed", "polyphony", "labels"]].reset_index(drop=True)
    rows = zip(chosen.polyphony, chosen.seed, strict=True)
    return chosen.assign(title=[f"{k} event{'s' if k > 1 else ''}, scene {seed}" for k, seed in rows])
