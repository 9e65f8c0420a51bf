"""A grid in one small TOML file: data sets, encoders, probes, seeds and budgets."""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from protoviz.cache import CacheConfig
from protoviz.datasets import DATASETS
from protoviz.datasets.views import Views
from protoviz.encoders import ENCODERS, is_published, is_registered
from protoviz.encoders.options import LoadOptions
from protoviz.experiments.finishing import Recipe, recipe_class
from protoviz.experiments.rates import KINDS, Rates, SearchConfig, epochs_of
from protoviz.experiments.scoring import ScoreEntry, ScorerError, scorer_class
from protoviz.files import folder_name, refuse_alike, slug
from protoviz.losses import LOSSES
from protoviz.named import is_place
from protoviz.probes import Method, ProbeError, Space, probe_class, titles
from protoviz.probes.prototype import PrototypeProbe
from protoviz.settings import checked, read_toml
from protoviz.training import TuneConfig


class GridError(ValueError):
    """A grid file that cannot be used; the text says where and what to write."""


@dataclass(frozen=True)
class DatasetEntry:
    """One data set of a grid."""

    name: str
    use: str  # a name in DATASETS, or module:function that returns a ClipSet
    options: dict = field(default_factory=dict)  # of its loader; a path may hold $VARIABLES
    loss: str | None = None  # where none is named: the published task's, else what suits the labels
    hyper: dict = field(default_factory=dict)  # probe -> options that differ on this data set (J of AudioSet)


@dataclass(frozen=True)
class EncoderEntry:
    """One encoder of a grid."""

    name: str
    use: str  # a name in ENCODERS, hf:owner/name, or module:Name
    weights: str | None = None
    options: dict = field(default_factory=dict)  # of `load_encoder`


@dataclass(frozen=True)
class KeepConfig:
    """What a study keeps of its clips."""

    show: int = 64  # test clips a data set: 50 MB with a base encoder, enough to look at for an hour
    attention: bool = True  # of every layer and head: a fifth of the bytes with a base encoder
    sound: bool = False  # of data sets that are not this project's: their licence is yours to check
    seed: int = 0  # of the order in which clips are looked at

    def __post_init__(self) -> None:
        if self.show < 1:
            raise ValueError(f"show={self.show} clips show nothing: give at least 1")


@dataclass(frozen=True)
class Grid:
    """All that a benchmark is, from one file."""

    name: str
    datasets: tuple[DatasetEntry, ...]
    encoders: tuple[EncoderEntry, ...]
    probes: tuple[Method, ...]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # the paper retrains its best setting with five
    epochs: int = 30  # paper, of the final runs
    steps: int | None = None  # of the optimiser, in place of epochs: as many on few clips as on many
    search: Rates = field(default_factory=SearchConfig)
    keep: KeepConfig = field(default_factory=KeepConfig)
    scores: tuple[ScoreEntry, ...] = ()  # scorers, beside the score of all test clips and that of each class
    prototypes_per_class: int | None = None  # of probes that have some; where none is named: the class's
    views: Views = field(default_factory=Views)  # of training clips, each as many bytes; a step draws one
    fine_tune: TuneConfig | None = None  # the reference beside linear: with one seed, hours on a processor
    dtype: str = "float16"  # of the token maps: half the bytes of float32
    precision: str = "float32"  # of the encoder's forward pass: that of the published code
    device: str = "auto"  # a GPU where there is one
    threads: int | None = None  # of torch in each task, where bits are to be the same; None: what there are
    retries: int = 1  # of a task that raised: a file system may hiccup, a fault of code repeats itself
    recipe: Recipe | None = None  # what is written of the finished grid beside its own tables
    slurm: dict = field(default_factory=dict)  # options of dask_jobqueue.SLURMCluster

    def __post_init__(self):
        if self.epochs < 1:
            raise GridError(f"epochs of the final runs have to be at least 1, not {self.epochs}")
        few = {name: getattr(self, name) for name in ("steps", "threads", "prototypes_per_class")}
        if wrong := [name for name, value in few.items() if value is not None and value < 1]:
            raise GridError(f"{wrong[0]} has to be at least 1, or left out")
        if self.retries < 0:
            raise GridError(f"retries have to be at least 0, not {self.retries}")
        if wrong := [seed for seed in self.seeds if not 0 <= seed < 2**32]:
            raise GridError(f"seeds have to be 0 to {2**32 - 1:,}, not {wrong[0]}")

    def epochs_of(self, clips: int) -> int:
        """Return the epochs of a final run on so many training clips."""
        return epochs_of(self.epochs, self.steps, clips, self.search.batch_size)

    @property
    def folder(self) -> Path:
        """Where its files go if nobody names a folder: runs/NAME."""
        return Path("runs") / folder_name(self.name)


TOP = ("name", "seeds", "epochs", "steps", "prototypes_per_class")
TOP += ("dtype", "precision", "device", "threads", "retries")
COMPARED = "compared"  # in a list of probes: all that a comparison takes, before the variants named with it
TABLES = ("results", "per-class", "search", "lacking")
_LISTS, _OWN = ("datasets", "encoders", "probes"), ("search", "recipe", "fine_tune")
_TABLES = ("keep", "views", "slurm", *_OWN)


def read_grid(path: str | Path, small: bool = False, changes: dict | None = None) -> Grid:
    """Return the Grid in a TOML file; GridError names what is wrong in it. `benchmarks/minis.toml` shows the
    form.

    small: with what the file's table [small] says otherwise, for a rehearsal; changes: the same of a caller's
    own. Tables are changed key by key, all else as a whole.
    datasets, encoders and probes are each a list of names, or a table with one table a name, in which `use`
    says what the name stands for where it is not that itself. A data set's own options stand in its table, or
    in `options` there. A name that nobody knows is refused, and a value of another type than its name's.
    """
    path = Path(path)
    told = read_toml(path, cure="`benchmarks/minis.toml` shows the form", error=GridError)
    try:
        reduced = told.pop("small", {})
        for other in (reduced if small else {}, changes or {}):
            told = _changed(told, other)
        return grid_of(told, path.stem)
    except (GridError, TypeError, ValueError) as error:
        raise GridError(f"{path}: {error}") from error


def _changed(told: dict, other: dict) -> dict:
    """The table with what another one says; a table in both is changed in the same way."""
    _refuse_type(other, dict, "small")
    both = {key for key in other if isinstance(told.get(key), dict) and isinstance(other[key], dict)}
    return {**told, **other, **{key: _changed(told[key], other[key]) for key in both}}


def grid_of(told: dict, name: str) -> Grid:
    """Return the Grid that a parsed file says; name: where it has none. Raise GridError for what is wrong."""
    hints = {**get_type_hints(Grid), **dict.fromkeys((*_LISTS, "scores", *_OWN), Any)}
    _refuse_unknown(told, {key: hints[key] for key in (*TOP, *_LISTS, "scores", *_TABLES)}, "the file")
    makers = zip((*_LISTS, "scores"), (_dataset, _encoder, _probe, _score), strict=True)
    parts = {kind: _entries(told.get(kind) or {}, kind, make) for kind, make in makers}
    settings = {key: told[key] for key in TOP if key in told}
    settings["seeds"] = tuple(settings.get("seeds", Grid.seeds))
    if not settings["seeds"] or len(set(settings["seeds"])) < len(settings["seeds"]):
        raise GridError("seeds have to be different numbers, at least one")
    CacheConfig(dtype=settings.get("dtype", Grid.dtype), precision=settings.get("precision", Grid.precision))
    names = [method.title for method in parts["probes"]]
    refuse_alike(names, "probes")
    if twice := [name for name in names if names.count(name) > 1]:
        raise GridError(f"two probes are called {twice[0]!r}: name one of them otherwise, with use = ...")
    options = {method.title: method.found.options() for method in parts["probes"]}
    for entry in parts["datasets"]:
        _refuse_unknown(entry.hyper, tuple(options), f"datasets.{entry.name}.hyper")
        for method, hyper in entry.hyper.items():
            _refuse_unknown(hyper, options[method], f"datasets.{entry.name}.hyper.{method}")
    for part, form in (("keep", KeepConfig), ("views", Views)):
        settings[part] = checked(told.get(part, {}), form, part, error=GridError)
    settings["fine_tune"] = _fine_tune(told.get("fine_tune", False))
    settings["recipe"] = _recipe(told["recipe"]) if "recipe" in told else None
    settings |= {"search": _search(told.get("search", {})), "slurm": told.get("slurm", {})}
    found = Grid(**{"name": name, **settings}, **parts)
    return found.recipe.spread(found) if found.recipe else found


def _entries(entries: list | dict, kind: str, make: Callable[[str, dict], Any]) -> tuple:
    if not isinstance(entries, (list, dict)) or (kind in _LISTS and not entries):
        raise GridError(f"it names no {kind}: write {kind} = [...] or tables [{kind}.NAME]")
    if strange := [key for key in entries if not isinstance(key, str)]:
        raise GridError(f"{kind} have to be names in quotes, not {strange[0]!r}")
    if isinstance(entries, list):
        if kind == "probes" and COMPARED in entries:
            entries = list(titles(*(title for title in entries if title != COMPARED)))
        if twice := [key for key in entries if entries.count(key) > 1]:
            raise GridError(f"{kind} names {twice[0]!r} twice")
        entries = {key: {} for key in entries}
    refuse_alike(entries, kind)
    for title, given in entries.items():
        _refuse_type(given, dict, f"{kind}.{title}")
    return tuple(make(title, dict(given)) for title, given in entries.items())


def _search(given: dict) -> Rates:
    _refuse_type(given, dict, "search")
    kind = given.get("kind", "optuna")
    if kind not in KINDS:
        raise GridError(f"search.kind {kind!r} is unknown; there are {', '.join(KINDS)}")
    given, form = {key: value for key, value in given.items() if key != "kind"}, KINDS[kind]
    _refuse_unknown(given, _types(form, "loss"), "search")  # the data set decides the loss
    return form(**given)


def _fine_tune(given: dict | bool) -> TuneConfig | None:
    if not isinstance(given, bool):
        _refuse_unknown(given, _types(TuneConfig, "loss", "seed"), "fine_tune")  # the probes' decide
        return checked(given, TuneConfig, "fine_tune", error=GridError)
    return TuneConfig() if given else None


def _recipe(given: dict) -> Recipe:
    _refuse_type(given, dict, "recipe")
    form = recipe_class(given.get("use", ""))
    given = {key: value for key, value in given.items() if key != "use"}
    return checked(given, form, "recipe", error=GridError)


def _score(title: str, given: dict) -> ScoreEntry:
    where, use = f"scores.{title}", given.pop("use", title)
    _refuse_type(use, str, f"{where}.use")
    try:
        form = scorer_class(use)
    except ScorerError as error:
        raise GridError(f"{where}: {error}") from error
    _refuse_unknown(given, _types(form), where)
    if slug(title) in TABLES:
        raise GridError(f"{where}: {', '.join(TABLES)} are tables that every grid has: name it otherwise")
    options = {key: _expanded(value) for key, value in given.items()}
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    entry = ScoreEntry(title, use, tuple(options.items()))
    entry.scorer  # noqa: B018 - what it refuses is told here
    return entry


def _dataset(title: str, given: dict) -> DatasetEntry:
    own, where = ("use", "options", "loss", "hyper"), f"datasets.{title}"
    _refuse_types(given, get_type_hints(DatasetEntry), where)
    use = given.pop("use", title)
    if not is_place(use) and use not in DATASETS:
        raise GridError(f"{where}: there is no data set {use!r}; there are {', '.join(DATASETS)}")
    known = ("root", *DATASETS[use].options) if use in DATASETS else ()  # a function's are its own affair
    direct = {key: given.pop(key) for key in list(given) if key in known and key not in own}
    _refuse_unknown(given, (*own, *known), where)
    options = {**given.get("options", {}), **direct}
    if twice := [key for key in direct if key in given.get("options", {})]:
        raise GridError(f"{where} says {twice[0]} twice, in options and beside them")
    if known:
        _refuse_unknown(options, known, f"{where}.options")
        _refuse_types(options, DATASETS[use].types, where)
    options = {key: _expanded(value) for key, value in options.items()}
    if given.get("loss") not in (None, *LOSSES):
        raise GridError(f"datasets.{title}: loss {given['loss']!r} is unknown; there are {', '.join(LOSSES)}")
    return DatasetEntry(title, use, options, given.get("loss"), given.get("hyper", {}))


def _encoder(title: str, given: dict) -> EncoderEntry:
    where, use = f"encoders.{title}", given.get("use", title)
    _refuse_unknown(given, _types(EncoderEntry, "name"), where)
    if not is_place(use) and not is_registered(use):
        raise GridError(f"{where}: there is no encoder {use!r}; there are {', '.join(ENCODERS)}")
    if options := given.get("options", {}):
        if not is_published(use):
            raise GridError(f"{where}: {use} takes no options, and {', '.join(options)} is given")
        _refuse_unknown(options, _types(LoadOptions), f"{where}.options")
    weights = _expanded(given["weights"]) if "weights" in given else None
    return EncoderEntry(title, use, weights, given.get("options", {}))


def _probe(title: str, given: dict) -> Method:
    where = f"probes.{title}"
    _refuse_unknown(given, {"use": str, "hyper": Any, "ranges": Any, "first": int}, where)
    if given.get("first", 1) < 1:
        raise GridError(f"{where}.first has to be at least 1 training clip, or left out")
    try:
        found = probe_class(given.get("use", title.split(" + ")[0]))
    except ProbeError as error:
        raise GridError(f"{where}: {error}") from error
    ranges, hyper = given.get("ranges", {}), given.get("hyper", {})
    _refuse_unknown(ranges, _types(Space), f"{where}.ranges")
    if "prototype_lr" in ranges and not issubclass(found, PrototypeProbe):
        raise GridError(f"{where}.ranges has prototype_lr, and {found.name} has no prototypes: leave it out")
    _refuse_unknown(hyper, found.options(), f"{where}.hyper")
    space = replace(found.space, **{key: tuple(span) for key, span in ranges.items()})
    method = Method.named(title, given.get("use"), given.get("hyper"))
    return replace(method, space=space, first=given.get("first"))


def _types(form: type, *without: str) -> dict[str, Any]:
    """The types of a dataclass's fields by their names."""
    hints = get_type_hints(form)
    return {one.name: hints[one.name] for one in fields(form) if one.name not in without}


def _refuse_unknown(given: Any, known: Collection[str] | dict[str, Any], where: str) -> None:
    """GridError unless it is a table of known names, and of their types where `known` has those."""
    _refuse_type(given, dict, where)
    if strange := [key for key in given if key not in known]:
        raise GridError(f"{where} has {', '.join(map(repr, strange))}; known are {', '.join(known)}")
    if isinstance(known, dict):
        _refuse_types(given, known, where)


def _refuse_types(given: dict, hints: dict[str, Any], where: str) -> None:
    for key, value in given.items():
        _refuse_type(value, hints.get(key, Any), f"{where}.{key}".removeprefix("the file."))


def _refuse_type(value: Any, hint: Any, where: str) -> None:
    checked(value, hint, where, error=GridError)


def _expanded(value):
    if isinstance(value, list):
        return [_expanded(one) for one in value]
    return os.path.expanduser(os.path.expandvars(value)) if isinstance(value, str) else value  # noqa: PTH111
