"""A grid in one small TOML file: data sets, encoders, probes, seeds and budgets."""

import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from protoviz.cache import CacheConfig
from protoviz.datasets import DATASETS
from protoviz.encoders import ENCODERS
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.encoders.published import LoadOptions
from protoviz.files import folder_name, refuse_alike
from protoviz.losses import LOSSES
from protoviz.probes import ALIASES, PROBES
from protoviz.search import SearchConfig, Space


class GridError(ValueError):
    """A grid file that cannot be used; the text says where and what to write."""


@dataclass(frozen=True)
class DatasetEntry:
    """One data set of a grid."""

    name: str
    use: str  # a name in DATASETS, or module:function that returns a ClipSet
    options: dict = field(default_factory=dict)  # of its loader; a path may hold $VARIABLES
    loss: str | None = None  # None: the published task's, else what suits the labels
    hyper: dict = field(default_factory=dict)  # probe -> options that differ on this data set (J of AudioSet)


@dataclass(frozen=True)
class EncoderEntry:
    """One encoder of a grid."""

    name: str
    use: str  # a name in ENCODERS, or module:Name as for `protoviz check-encoder`
    weights: str | None = None
    options: dict = field(default_factory=dict)  # of `load_encoder`


@dataclass(frozen=True)
class ProbeEntry:
    """One probe of a grid."""

    name: str  # the row's title: "protobin + BatchNorm"
    use: str  # a name in PROBES
    hyper: dict = field(default_factory=dict)
    space: Space = field(default_factory=Space)


@dataclass(frozen=True)
class Grid:
    """All that a benchmark is, from one file."""

    name: str
    datasets: tuple[DatasetEntry, ...]
    encoders: tuple[EncoderEntry, ...]
    probes: tuple[ProbeEntry, ...]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # the paper retrains its best setting with five
    epochs: int = 30  # paper, of the final runs
    search: SearchConfig = field(default_factory=SearchConfig)
    dtype: str = "float16"  # of the token maps
    precision: str = "float32"  # of the encoder's forward pass
    device: str = "auto"  # a GPU where there is one
    retries: int = 1  # of a task that raised: a file system may hiccup, a fault of code repeats itself
    slurm: dict = field(default_factory=dict)  # options of dask_jobqueue.SLURMCluster

    def __post_init__(self):
        if self.epochs < 1:
            raise GridError(f"epochs of the final runs have to be at least 1, not {self.epochs}")

    @property
    def folder(self) -> Path:
        """Where its files go if nobody names a folder: runs/NAME."""
        return Path("runs") / folder_name(self.name)


_TOP = ("name", "seeds", "epochs", "dtype", "precision", "device", "retries")
_LISTS = ("datasets", "encoders", "probes")


def read_grid(path: str | Path) -> Grid:
    """The Grid in a TOML file; GridError names what is wrong in it. `benchmarks/minis.toml` shows the form.

    datasets, encoders and probes are each a list of names, or a table with one table a name, in which `use`
    says what the name stands for where it is not that itself. A data set's own options stand in its table, or
    in `options` there; a name that it does not know is refused.
    """
    path = Path(path)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise GridError(f"there is no grid file {path}") from error
    except tomllib.TOMLDecodeError as error:
        raise GridError(f"{path} is no TOML: {error}") from error
    try:
        return _grid(told, path.stem)
    except (GridError, TypeError, ValueError) as error:
        raise GridError(f"{path}: {error}") from error


def _grid(told: dict, name: str) -> Grid:
    _refuse_unknown(told, (*_TOP, *_LISTS, "search", "slurm"), "the file")
    parts = {}
    for kind, make in zip(_LISTS, (_dataset, _encoder, _probe), strict=True):
        entries = told.get(kind) or {}
        entries = {key: {} for key in entries} if isinstance(entries, list) else entries
        if not entries:
            raise GridError(f"it names no {kind}: write {kind} = [...] or tables [{kind}.NAME]")
        if strange := [key for key in entries if not isinstance(key, str)]:
            raise GridError(f"{kind} are names, in quotes, and {strange[0]!r} is none")
        refuse_alike(entries, kind)
        parts[kind] = tuple(make(title, dict(given)) for title, given in entries.items())
    settings = {key: told[key] for key in _TOP if key in told}
    if not isinstance(settings.get("name", name), str):
        raise GridError(f"name has to be a text, in quotes, not {settings['name']!r}")
    settings["seeds"] = tuple(settings.get("seeds", Grid.seeds))
    if not settings["seeds"] or len(set(settings["seeds"])) < len(settings["seeds"]):
        raise GridError("seeds have to be different numbers, at least one")
    CacheConfig(dtype=settings.get("dtype", Grid.dtype), precision=settings.get("precision", Grid.precision))
    methods = {entry.name for entry in parts["probes"]}
    for entry in parts["datasets"]:
        _refuse_unknown(entry.hyper, methods, f"datasets.{entry.name}.hyper")
    grid = Grid(**{"name": name, **settings}, **parts, search=_search(told.get("search", {})))
    return replace(grid, slurm=dict(told.get("slurm", {})))


def _search(given: dict) -> SearchConfig:
    known = [one.name for one in fields(SearchConfig) if one.name != "loss"]  # the data set decides the loss
    _refuse_unknown(given, known, "[search]")
    return SearchConfig(**{key: tuple(value) if key == "rungs" else value for key, value in given.items()})


def _dataset(title: str, given: dict) -> DatasetEntry:
    use, own, where = given.pop("use", title), ("use", "options", "loss", "hyper"), f"datasets.{title}"
    known = _options_of(use, where)
    direct = {key: given.pop(key) for key in list(given) if known and key in known and key not in own}
    _refuse_unknown(given, (*own, *(known or ())), where)
    options = {**given.get("options", {}), **direct}
    if known:
        _refuse_unknown(options, known, f"{where}.options")
    options = {key: _expanded(value) for key, value in options.items()}
    if given.get("loss") not in (None, *LOSSES):
        raise GridError(f"datasets.{title}: loss {given['loss']!r} is unknown; there are {', '.join(LOSSES)}")
    return DatasetEntry(title, use, options, given.get("loss"), given.get("hyper", {}))


def _options_of(use: str, where: str) -> tuple[str, ...] | None:
    """The names of a data set's options; None: a function's, which are its own affair."""
    if ":" in use:
        return None
    if use not in DATASETS:
        raise GridError(f"{where}: there is no data set {use!r}; there are {', '.join(DATASETS)}")
    return ("root", *DATASETS[use].options)


def _encoder(title: str, given: dict) -> EncoderEntry:
    where, use = f"encoders.{title}", given.get("use", title)
    _refuse_unknown(given, ("use", "weights", "options"), where)
    if ":" not in use and use not in ENCODERS:
        raise GridError(f"{where}: there is no encoder {use!r}; there are {', '.join(ENCODERS)}")
    if options := given.get("options", {}):
        takes = [one.name for one in fields(LoadOptions)] if use in PUBLISHED else []
        if not takes:
            raise GridError(f"{where}: {use} takes no options, and {', '.join(options)} is given")
        _refuse_unknown(options, takes, f"{where}.options")
    weights = _expanded(given["weights"]) if "weights" in given else None
    return EncoderEntry(title, use, weights, given.get("options", {}))


def _probe(title: str, given: dict) -> ProbeEntry:
    _refuse_unknown(given, ("use", "hyper", "ranges"), f"probes.{title}")
    use = given.get("use", title.split(" + ")[0])
    use = ALIASES.get(use, use)
    if use not in PROBES:
        raise GridError(f"probes.{title}: there is no probe {use!r}; there are {', '.join(PROBES)}")
    ranges = given.get("ranges", {})
    _refuse_unknown(ranges, [one.name for one in fields(Space)], f"probes.{title}.ranges")
    space = replace(Space.of(use), **{key: tuple(span) for key, span in ranges.items()})
    return ProbeEntry(title, use, given.get("hyper", {}), space)


def _refuse_unknown(given: dict, known, where: str) -> None:
    if strange := [key for key in given if key not in known]:
        raise GridError(f"{where} has {', '.join(map(repr, strange))}; known are {', '.join(known)}")


def _expanded(value):
    return os.path.expanduser(os.path.expandvars(value)) if isinstance(value, str) else value  # noqa: PTH111
