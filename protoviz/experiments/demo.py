"""The study that is shipped as data/demo, rebuilt from seeds: probes, held-out scenes, measured tables.

    scenes -> token maps (work folder) -> poolings compared -> probes, clips and results
                                                              -> nearest clips and maps

Token maps and sound of its clips are not kept: encoder and scenes travel with the package. Nothing is chosen
by hand: the scenes of the page are the first of each polyphony in the test split, the shipped probe of each
method is the first seed at its best rates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd

from protoviz.analysis.neighbours import need_umap
from protoviz.audio import CellGrid
from protoviz.cache import TokenCache
from protoviz.datasets import ClipSet, scene_clips
from protoviz.encoders import Encoder, load_encoder
from protoviz.experiments.adding import AddConfig, Material, add_tables
from protoviz.experiments.comparison import CompareConfig, compare, epochs_of
from protoviz.experiments.facts import clip_table, dataset_facts, encoder_facts
from protoviz.experiments.grid import DatasetEntry, EncoderEntry, Grid
from protoviz.experiments.writing import readme
from protoviz.experiments.written import as_toml
from protoviz.kept import write_bytes, write_frame, write_json
from protoviz.probes import Method, load_probe, save_probe, titles
from protoviz.probes.prototype import PrototypeProbe
from protoviz.progress import progress_bar
from protoviz.study import open_study
from protoviz.study.form import CLIPS, FORM, README, SETTINGS, Facts, clips_folder, probe_file, write_facts
from protoviz.training import TokenSource, score_many

NAME, COMMAND = "demo", "protoviz demo"
MIXED = "mixed"  # its data set: scenes of mixed polyphony
FIXED_RATES = """\
# What was run, as `protoviz benchmark` would run it; [search] is that command's. Here the few rates of each
# method were tried in short runs, which results/search.parquet lists.
"""
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
    """Write a study of some probes and scenes, with its nearest clips and maps, into `folder`.

    Token maps and finished runs stay in `work`: a stopped rebuild goes on where it was. Raises
    MissingPackageError before anything else where maps are asked for without umap-learn.
    """
    config = config or DemoConfig()
    if config.maps:
        need_umap()
    clips, encoder = _mixed(config), load_encoder(config.encoder)
    cache = TokenCache.create(work / "tokens", encoder, clips)
    methods = [Method.named(title) for title in config.methods]
    keep = {method.title: probe_file(folder, MIXED, config.encoder, method.title) for method in methods}
    tables = folder / "results"
    for name, frame in zip(
        ("search", "results"), _compared(cache, methods, config.compare, work / "runs", keep), strict=True
    ):
        write_frame(tables / f"{name}.parquet", frame.assign(dataset=MIXED, encoder=config.encoder))
    write_json(tables / "results.json", {"name": NAME, "command": COMMAND, **asdict(config)})
    add_mean_scores(keep.values(), cache.split("train"), [method.found for method in methods])
    write_study(folder, config, clips, encoder, cache.made_by["weights"])
    build_maps(folder, cache, clips, encoder.cell_grid(), config)


def write_study(folder: Path, config: DemoConfig, clips: ClipSet, encoder: Encoder, weights: str) -> None:
    """Write what makes a study of the demo's probes and tables: settings, facts, shown clips, README."""
    chosen = _page_rows(clips, config.clips_per_polyphony)
    seconds = [len(clips.read(row)) / clips.sample_rate for row in chosen]
    write_frame(clips_folder(folder, MIXED) / CLIPS, clip_table(clips, chosen, seconds))
    facts = Facts(
        FORM,
        NAME,
        COMMAND,
        {config.encoder: encoder_facts(config.encoder, encoder, weights)},
        {MIXED: dataset_facts("scenes", clips, encoder.sample_rate, clips.fingerprint())},
        {title: Method.named(title).probe for title in config.methods},
    )
    write_facts(folder, facts)
    write_bytes(folder / SETTINGS, (FIXED_RATES + as_toml(_grid(config))).encode())
    write_bytes(folder / README, readme(open_study(folder)).encode())


def _grid(config: DemoConfig) -> Grid:
    """The demo as a grid."""
    sizes = {name: getattr(config, name) for name in ("train", "validation", "test")}
    return Grid(
        NAME,
        (DatasetEntry(MIXED, "scenes", {**sizes, "seed": config.scene_seed}, config.compare.loss),),
        (EncoderEntry(config.encoder, config.encoder),),
        tuple(_with_count(Method.named(title), config) for title in config.methods),
        config.compare.seeds,
        config.compare.epochs,
    )


def _with_count(method: Method, config: DemoConfig) -> Method:
    if "prototypes_per_class" not in method.found.options():
        return method
    count = {"prototypes_per_class": config.compare.prototypes_per_class}
    return replace(method, options={**count, **method.options})


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
    """Write the tables nearest, map-prototypes and map-tokens of the study in `folder`.

    cache: the token maps of `clips`; grid: the encoder's cells. The maps are left out without `config.maps`.
    """
    kinds = ("nearest", "projections") if config.maps else ("nearest",)
    allow = [Method.named(title).found for title in config.methods]
    material = Material(clips, cache.split("test"), grid, config.compare.loss)
    settings = AddConfig(nearest=config.nearest)
    add_tables(open_study(folder), kinds, lambda *_: material, config=settings, allow=allow)


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


def _page_rows(clips: ClipSet, per_polyphony: int) -> list[int]:
    test = clips.table[clips.table.split == "test"]
    chosen = test.groupby("polyphony", sort=True).head(per_polyphony)
    return chosen.sort_values("polyphony", kind="stable").index.tolist()
