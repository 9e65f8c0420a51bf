"""What a cell is made of, loaded from the grid's entries: an encoder, its clips, an untrained probe, keys."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

import protoviz
from protoviz.cache import StaleCacheError, TokenCache
from protoviz.cache.key import maps_digest
from protoviz.cache.layout import kept_layers
from protoviz.datasets import DATASETS, ClipSet, find_spec, load_dataset
from protoviz.datasets.views import Views, with_views
from protoviz.encoders import Encoder, is_published, load_encoder
from protoviz.experiments.grid import DatasetEntry, EncoderEntry, Grid, GridError
from protoviz.experiments.marks import events_of, events_told
from protoviz.files import slug
from protoviz.named import is_place
from protoviz.probes import Method, Probe, seeded_probe
from protoviz.probes.layers import listed
from protoviz.probes.methods import own_code
from protoviz.scenes import Event
from protoviz.training import TuneConfig

RECIPE_VERSION = 1  # raised when the same settings give other results; finished cells are then made anew


def digest(*parts) -> str:
    """Return sha256 (hex) of plain values, whatever the order of keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class EncoderFacts:
    """What a cell's key and size need of an encoder, so that only encoding holds one in memory."""

    name: str
    fingerprint: str
    grid: tuple[int, int]
    dim: int
    sample_rate: int
    depth: int | None


@dataclass(frozen=True)
class ClipFacts:
    """The same of a clip set."""

    fingerprint: str
    classes: tuple[str, ...]
    splits: dict[str, int]  # clips of each
    single: bool  # every clip has exactly one label
    labelled: dict[str, int]  # clips of each split that have a label
    odd: dict[str, str]  # split -> its first clip without a label or with several


def fitting(name: str, seconds: float | None = None, sample_rate: int | None = None) -> dict:
    """Return options with which `load_encoder` fits a published encoder to clips of a length and rate; none
    for any other, whose weight file says everything.
    """
    wanted = {"seconds": seconds, "sample_rate": sample_rate} if is_published(name) else {}
    return {option: value for option, value in wanted.items() if value is not None}


def open_encoder(
    entry: EncoderEntry, seconds: float | None = None, sample_rate: int | None = None
) -> Encoder:
    """Return the encoder of an entry, on the CPU; seconds, sample_rate: of the clips, as in `fitting`."""
    options = {**fitting(entry.use, seconds, sample_rate), **entry.options}
    return load_encoder(entry.use, entry.weights, **options)


@lru_cache(maxsize=2)
def _encoder(told: str, *clips: float | None) -> Encoder:
    return open_encoder(EncoderEntry(**json.loads(told)), *clips)


@lru_cache
def _encoder_facts(told: str, *clips: float | None) -> EncoderFacts:
    found = _encoder(told, *clips)
    sizes = tuple(found.grid), found.dim, found.sample_rate, found.depth
    return EncoderFacts(found.name, found.fingerprint(), *sizes)


@lru_cache(maxsize=2)
def _clips(told: str, sample_rate: int) -> ClipSet:
    return open_clips(DatasetEntry(**json.loads(told)), sample_rate)


@lru_cache
def _clip_facts(told: str, sample_rate: int) -> ClipFacts:
    found = _clips(told, sample_rate)
    held = found.table.assign(count=found.table.labels.map(len))
    splits, labelled = (part["split"].value_counts().to_dict() for part in (held, held[held["count"] > 0]))
    odd = held[held["count"] != 1].drop_duplicates("split").set_index("split")["clip"].to_dict()
    return ClipFacts(found.fingerprint(), tuple(found.classes), splits, found.single, labelled, odd)


@lru_cache
def _views_fingerprint(told: str, sample_rate: int, views: Views) -> str:
    return with_views(_clips(told, sample_rate), views).fingerprint()


def open_clips(entry: DatasetEntry, sample_rate: int) -> ClipSet:
    """Return the clips of an entry, at an encoder's sample rate."""
    options = dict(entry.options)
    if not is_place(entry.use) and DATASETS[entry.use].sample_rate is None:
        options.setdefault("sample_rate", sample_rate)
    return load_dataset(entry.use, options.pop("root", None), **options)


@dataclass(frozen=True, eq=False)
class Pair:
    """One data set seen by one encoder."""

    grid: Grid
    dataset: DatasetEntry
    encoder_entry: EncoderEntry
    _keys: dict[str, str] = field(default_factory=dict)  # of searches: each takes a probe to tell

    @cached_property
    def _asked(self) -> tuple[str, float | None, int | None]:
        """The encoder's entry as text; seconds that its grid is to hold; a rate that clips cannot leave."""
        spec = find_spec(self.dataset.use)
        seconds = self.dataset.options.get("seconds", spec.seconds)
        return json.dumps(asdict(self.encoder_entry)), seconds, spec.sample_rate

    @property
    def encoder(self) -> Encoder:
        """The encoder; the last two that were asked for are kept."""
        return _encoder(*self._asked)

    @property
    def clips(self) -> ClipSet:
        """The clips; the last two sets that were asked for are kept."""
        return _clips(*self._named)

    @property
    def _named(self) -> tuple[str, int]:
        return json.dumps(asdict(self.dataset)), self.facts.sample_rate

    @property
    def encoded_clips(self) -> ClipSet:
        """The clips as its token cache has them: those for training in the views that the grid names."""
        return with_views(self.clips, self.grid.views)

    @property
    def source(self) -> str:
        """What a study calls its clips: the entry's `use`, but recordings in scenes are not made again."""
        recorded = self.dataset.use == "scenes" and self.dataset.options.get("recordings")
        return "scenes of recordings" if recorded else self.dataset.use

    @property
    def recipe(self) -> dict:
        """How encoder and clips are opened, as the token cache keeps it for `protoviz cache repair`."""
        _, seconds, rate = self._asked
        entry = self.encoder_entry
        options = {**fitting(entry.use, seconds, rate), **entry.options}
        views = {"views": asdict(self.grid.views)} if self.grid.views.count > 1 else {}
        return {
            "encoder": {"use": entry.use, "weights": entry.weights, "options": options},
            "dataset": {"use": self.dataset.use, "options": self.dataset.options},
            **views,
        }

    @property
    def facts(self) -> EncoderFacts:
        """Fingerprint, grid, width and sample rate of the encoder."""
        return _encoder_facts(*self._asked)

    @property
    def clip_facts(self) -> ClipFacts:
        """Fingerprint, classes and splits of the clips; GridError if their labels allow no score."""
        found = _clip_facts(*self._named)
        name = self.dataset.name
        if bare := [split for split in found.splits if not found.labelled.get(split)]:
            raise GridError(
                f"{name}: none of its {found.splits[bare[0]]:,} {bare[0]} clips has a label: nothing can be "
                "learned from them or scored on them; give a split that has labels"
            )
        if found.odd and self._loss(found) == "cross_entropy":
            split, clip = next(iter(found.odd.items()))
            raise GridError(
                f"{name}: {clip} ({split}) has no label or several, and accuracy needs clips of one: leave "
                "it out, or write loss = 'asl' for mean average precision"
            )
        if self.grid.views.mixture and self._loss(found) == "cross_entropy":
            raise GridError(
                f"{name}: a mixture has two labels, and accuracy needs clips of one: leave it out"
            )
        return found

    def _loss(self, facts: ClipFacts) -> str:
        if self.dataset.loss:
            return self.dataset.loss
        spec = DATASETS.get(self.dataset.use, DATASETS["folder"])  # as a folder's: what the labels are
        return spec.loss_of(facts.single)

    @property
    def loss(self) -> str:
        """The loss that the entry asks for, the published task's, or what suits the labels."""
        return self._loss(self.clip_facts)

    @cached_property
    def layers(self) -> list[int] | None:
        """The layers that the token cache holds: all that some method reads; None: the last alone."""
        asked = [self._hyper(method).get("layers") for method in self.grid.probes]
        named = {layer for one in asked for layer in listed(one, -1)}
        return kept_layers(self.facts, None if named == {-1} else sorted(named))

    @cached_property
    def maps_key(self) -> str:
        """The fingerprint that the token cache has, or will have where no clip is skipped."""
        return self._maps_key(self.layers)

    def _maps_key(self, layers: list[int] | None) -> str:
        self.clip_facts  # noqa: B018 - refuses labels that allow no score
        fingerprints = self.facts.fingerprint, _views_fingerprint(*self._named, self.grid.views)
        return maps_digest(*fingerprints, self.grid.dtype, self.grid.precision, layers=layers)

    def _hyper(self, method: Method) -> dict:
        own = self.dataset.hyper.get(method.title, {})
        return method.hyper(self.grid.prototypes_per_class) | own

    @property
    def layout(self) -> dict:
        """How its token cache is laid out, as `TokenCache.create` takes it."""
        return {"dtype": self.grid.dtype, "precision": self.grid.precision, "layers": self.layers}

    @property
    def place(self) -> Path:
        """Where its files lie below the grid's folder."""
        return Path(slug(self.dataset.name)) / slug(self.encoder_entry.name)

    def tokens(self, folder: Path) -> Path:
        """Return the folder of its token cache."""
        return folder / "tokens" / self.place / self.maps_key[:16]

    def cache(self, folder: Path) -> TokenCache:
        """Return its finished token cache; CacheError if the folder holds another encoder's or data set's."""
        cache = TokenCache.open(self.tokens(folder))
        if cache.whole_fingerprint != self.maps_key:
            made = f"{cache.made_by['name']} {cache.made_by['shape']} {cache.made_by['front_end']}"
            raise StaleCacheError(
                f"{cache.folder} does not hold the token maps of this cell (they are of {made}, clips "
                f"{cache.meta['clips']['name']}, {cache.meta['layout']}); delete it, and it is made again"
            )
        return cache

    def events(self, folder: Path, clips: Sequence[str]) -> list[tuple[Event, ...]]:
        """Return the events of some clips, by their ids; see `events_of` for what is kept below `folder`."""
        name = f"{slug(self.dataset.name)}-{digest(self.clip_facts.fingerprint)[:16]}.parquet"
        return events_of(self.clips, self._rows(clips), folder / "events" / name)

    def _rows(self, clips: Sequence[str]) -> np.ndarray:
        return pd.Index(self.clips.table["clip"]).get_indexer(clips)

    @cached_property
    def events_key(self) -> list[str]:
        """What decides its events beside its clips; nothing where they follow from them."""
        told = events_told(self.clips)
        return [digest(told)] if told else []

    def frame_targets(self, folder: Path, clips: Sequence[str]) -> np.ndarray:
        """Return what each frame of some clips holds (b t c), by their ids; GridError if it is not known."""
        if self.loss == "cross_entropy":
            raise GridError(f"{self.dataset.name}: frames may hold any number of classes: write loss = 'asl'")
        marks = self.events(folder, clips)
        if not any(marks):
            raise GridError(
                f"{self.dataset.name}: none of its clips has an event with its times: leave out the methods "
                "that answer by frame and the scorer of frames, or give a data set with events"
            )
        try:
            return self.clips.frame_targets(self.encoder.cell_grid(), self._rows(clips), marks)
        except ValueError as error:
            raise GridError(str(error)) from error

    def probe(self, method: Method) -> Probe:
        """Return the probe of a method, untrained."""
        facts, classes = self.facts, len(self.clip_facts.classes)
        return seeded_probe(0, method.probe, facts.dim, classes, facts.grid, **self._hyper(method))

    def search_key(self, method: Method) -> str:
        """Return what decides a search: code, token maps, probe, ranges, budget, loss."""
        if method.title not in self._keys:
            code = [protoviz.__version__, RECIPE_VERSION, *own_code(method.found)]
            settings = {**self.probe(method).settings, "grid": list(self.facts.grid)}
            settings |= {} if method.first is None else {"first": method.first}
            rates = [*self.grid.search.decides(method)]  # what is tried, and the budget
            rates += self.events_key if method.found.frame_wise else []
            # The settings name the layers: a cache that holds more of them for other methods changes nothing.
            self._keys[method.title] = digest(code, self._maps_key(None), settings, *rates, self.loss)
        return self._keys[method.title]

    @property
    def tuning(self) -> TuneConfig:
        """How the encoder is fine-tuned on the clips, by the grid's first seed."""
        return replace(self.grid.fine_tune, loss=self.loss, seed=self.grid.seeds[0])

    @property
    def tune_key(self) -> str:
        """What decides the fine-tuned reference: code, encoder and clips, settings."""
        return digest([protoviz.__version__, RECIPE_VERSION], self._maps_key(None), asdict(self.tuning))

    def seed_key(self, method: Method, seed: int) -> str:
        """Return what decides one final run: its search, epochs, seed."""
        steps = [] if self.grid.steps is None else [self.grid.steps]
        return digest(self.search_key(method), self.grid.epochs, seed, *steps)
