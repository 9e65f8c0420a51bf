"""A study as large as they come, of random numbers: `write_large(folder)`, for pages, tests and benchmarks.

`python -m benchmarks large` makes one and measures the pages with it, as `page` does with the demo.
The numbers are drawn from a seed and mean nothing, and each part fits the others: what a probe says of a
shown clip is computed from its token map, the nearest clips lie in the histograms of their prototypes.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from protoviz import kept
from protoviz.analysis.neighbours import BINS, drawn_ranks, favourite_classes
from protoviz.experiments.adding import write_part
from protoviz.experiments.keeping import write_array
from protoviz.experiments.opening import add_to_study
from protoviz.experiments.projections import BOX, NEAREST, PROTOTYPES, small
from protoviz.files import digest_of
from protoviz.probes import Probe, build_probe, save_probe
from protoviz.probes.prototype import PrototypeProbe
from protoviz.study.form import (
    CLIPS,
    FORM,
    TOKENS,
    DatasetFacts,
    EncoderFacts,
    Facts,
    clips_folder,
    probe_file,
    write_facts,
)

DATA = "sounds"
LONGEST = 65  # letters of a class: as many as AudioSet's longest
COLUMNS = ["dataset", "encoder", "method"]
SPREAD = 0.036  # of the cosine of random directions in 768 dimensions


@dataclass(frozen=True)
class Size:
    """How large a study is. The defaults are AudioSet's classes, and 10 and 20 prototypes of each."""

    classes: int = 527
    per_class: tuple[int, ...] = (10, 20)  # prototypes of each class; a method each
    clips: int = 2_000
    shown: int = 24
    encoders: int = 1
    grid: tuple[int, int] = (64, 8)
    width: int = 768
    maps: tuple[int, int] = (12, 12)  # of attention: layers, heads
    sample_rate: int = 32_000
    seconds: float = 10.0

    @property
    def names(self) -> tuple[str, ...]:
        """The classes; some have names as long as there are."""
        short = [f"class {number}" for number in range(self.classes)]
        long = ", a sound whose name is as long as the longest one of AudioSet"
        return tuple(name + long[: LONGEST - len(name)] * (i % 9 == 4) for i, name in enumerate(short))

    @property
    def methods(self) -> dict[str, tuple[str, dict[str, int]]]:
        """Title -> (the probe's name, its options)."""
        sizes = {f"protobin, {one * self.classes:,} prototypes": one for one in self.per_class}
        binary = {title: ("protobin", {"prototypes_per_class": one}) for title, one in sizes.items()}
        return {"linear": ("linear", {}), **binary}

    @property
    def facts(self) -> EncoderFacts:
        """What the study says of each encoder."""
        given = (self.grid, self.width, self.sample_rate, self.seconds)
        return EncoderFacts("eat", "", *given, high_hz=self.sample_rate / 2)


LARGEST = Size(per_class=(20,), clips=40_000, shown=64, encoders=9)  # a whole paper's encoders side by side
SMALL = Size(9, (2, 4), 60, 6, grid=(8, 2), width=16, maps=(2, 2), sample_rate=8_000, seconds=2.0)


def write_large(folder: Path, size: Size | None = None) -> Path:
    """Write the study of a size into a folder, and return the folder; facts.json comes last."""
    size, draw = size or Size(), np.random.default_rng(0)
    encoders = tuple(f"encoder {number}" for number in range(size.encoders))
    ids = np.array([f"clip {number}" for number in range(size.clips)])
    _write_runs(folder, size, draw, list(product([DATA], encoders, size.methods)))
    clips = _shown(size, draw, ids)
    kept.write_frame(clips_folder(folder, DATA) / CLIPS, clips)
    for encoder in encoders:
        place, arrays = clips_folder(folder, DATA, encoder), _arrays(size, draw)
        for name, array in arrays.items():
            write_array(place / f"{name}.npy", array)
        write_part(folder, TOKENS, _token_map(draw, clips, arrays), DATA, encoder)
        for seed, title in enumerate(size.methods):
            cell = DATA, encoder, title
            probe = _write_probe(size, draw, seed, title, probe_file(folder, *cell))
            for name, frame in _tables(size, draw, probe, ids, arrays):
                write_part(folder, name, frame, *cell)
    data = DatasetFacts("folder", size.names, size.clips, "labels")
    digests = {path.relative_to(folder).as_posix(): digest_of(path) for path in sorted(folder.rglob("*.npy"))}
    methods = {title: use for title, (use, _) in size.methods.items()}
    told = "large", "python -m benchmarks study", dict.fromkeys(encoders, size.facts), {DATA: data}, methods
    write_facts(folder, Facts(FORM, *told, digests=digests))
    return folder


def main() -> dict | None:
    """Print what `page` does of this study; gives its rates."""
    from benchmarks import page

    with tempfile.TemporaryDirectory() as place:
        folder = write_large(Path(place) / "large")
        add_to_study(folder, "cosines")
        return page.main(folder)


def _write_runs(folder: Path, size: Size, draw: np.random.Generator, cells: list) -> None:
    """A grid's own tables: five seeds of each cell, 50 trials."""
    runs = pd.DataFrame(np.repeat(cells, 5, axis=0), columns=COLUMNS).assign(seed=[*range(5)] * len(cells))
    scored = runs.assign(polyphony=0, metric="mAP", score=draw.random(len(runs)))
    kept.write_frame(folder / "results.parquet", scored.assign(chance=0.01, clips=size.clips))
    classes = runs.loc[runs.index.repeat(size.classes)].assign(**{"class": size.names * len(runs)})
    classes = classes.assign(average_precision=draw.random(len(classes)))
    kept.write_frame(folder / "per-class.parquet", classes)
    trials = pd.DataFrame(np.repeat(cells, 50, axis=0), columns=COLUMNS)
    kept.write_frame(folder / "search.parquet", trials.assign(score=draw.random(len(trials))))


def _shown(size: Size, draw: np.random.Generator, ids: np.ndarray) -> pd.DataFrame:
    labels = [list(draw.choice(size.names, 3, replace=False)) for _ in range(size.shown)]
    known = {"split": "test", "polyphony": 0, "seed": -1, "licence": "", "sound": False}
    frame = pd.DataFrame({"clip": ids[: size.shown], "labels": labels, "duration": size.seconds})
    return frame.assign(**known, events=[[]] * size.shown)


def _arrays(size: Size, draw: np.random.Generator) -> dict[str, np.ndarray]:
    count, cells = size.shown, size.grid[0] * size.grid[1]
    rows, itself = draw.random((count, *size.maps, cells)) ** 8, draw.random((count, *size.maps)) / 2
    rows *= ((1 - itself) / rows.sum(-1))[..., None]  # a softmax: what [cls] keeps and gives is 1
    tokens = draw.standard_normal((count, cells, size.width), np.float32)
    halves = {"tokens": tokens, "cls": tokens.mean(1), "attention": rows, "cls_to_cls": itself}
    return {name: array.astype(np.float16) for name, array in halves.items()} | {
        "mask": np.ones((count, cells), bool),
        "pictures": draw.integers(0, 256, (count, 128, 1000), np.uint8),
        "spans": np.full(count, 80, np.float32),
    }


def _token_map(draw: np.random.Generator, clips: pd.DataFrame, arrays: dict) -> pd.DataFrame:
    row, cell = np.nonzero(arrays["mask"])
    x, y = draw.standard_normal((2, len(row)), np.float32)
    frame = pd.DataFrame({"clip": clips["clip"].to_numpy()[row], "cell": cell.astype(np.int32)})
    return frame.assign(label=pd.Series(pd.NA, frame.index, "string"), x=x, y=y)


def _write_probe(size: Size, draw: np.random.Generator, seed: int, title: str, path: Path) -> Probe:
    torch.manual_seed(seed)
    method, options = size.methods[title]
    probe = build_probe(method, size.width, size.classes, size.grid, **options)
    noted = {"title": title, "seed": seed, "classes": list(size.names)}
    if isinstance(probe, PrototypeProbe):
        noted["mean_scores"] = draw.normal(2 * SPREAD, 0.2 * SPREAD, probe.count).round(6).tolist()
    save_probe(probe, path, **noted)
    return probe


def _tables(
    size: Size, draw: np.random.Generator, probe: Probe, ids: np.ndarray, arrays: dict
) -> Iterator[tuple[str, pd.DataFrame]]:
    """What a study says of one probe: of the shown clips what it says indeed, of others random numbers."""
    mapped = isinstance(probe, PrototypeProbe)
    names = ("logits", "scores", "locations") if mapped else ("logits",)
    inputs = (torch.from_numpy(arrays[name]).float().split(1) for name in ("tokens", "cls"))
    told = [probe.explain(*clip, maps=False).numpy() for clip in zip(*inputs, strict=True)]
    shown = {name: [getattr(one, name)[0].tolist() for one in told] for name in names}
    yield "shown", pd.DataFrame({"clip": ids[: size.shown], **shown})
    if mapped:
        # A prototype's scores: low + (high - low) * share ** power, where the share of clips below is known.
        low, high = draw.normal((1.5 * SPREAD, 4 * SPREAD), 0.2 * SPREAD, (probe.count, 2)).T
        rule = low, high, draw.uniform(1, 4, probe.count)
        yield "nearest", _nearest(size, draw, ids, np.array(shown["locations"]), *rule)
        yield "scores", _histograms(size, *rule)
        yield "map-prototypes", _prototype_map(size, draw, probe)


def _nearest(size: Size, draw: np.random.Generator, ids, locations, low, high, power) -> pd.DataFrame:
    """Clips by rank. Each prototype goes through all clips in steps of its own, from one that is shown."""
    drawn = [(number, *one) for number in range(len(low)) for one in drawn_ranks(size.clips, 8, number)]
    frame = pd.DataFrame(drawn, columns=["prototype", "part", "rank"])
    at, place = frame.prototype.to_numpy(), frame["rank"].to_numpy() - 1
    apart = [step for step in range(1, size.clips) if np.gcd(step, size.clips) == 1]
    steps, first = draw.choice(apart, len(low)), draw.integers(0, size.shown, len(low))
    row = (first[at] + steps[at] * place) % size.clips
    known, grid = row < size.shown, size.facts.cells
    cell = draw.integers(0, size.grid[0] * size.grid[1], len(frame))
    cell[known] = locations[row[known], at[known]]
    boxes = np.array([grid.box(*grid.place(n)) for n in range(size.grid[0] * size.grid[1])])
    score = low[at] + (high - low)[at] * (1 - place / (size.clips - 1)) ** power[at]
    frame = frame.assign(clip=ids[row], score=score, cell=cell)
    frame[BOX] = boxes[cell]
    return small(frame.assign(label=pd.NA)[NEAREST])


def _histograms(size: Size, low, high, power) -> pd.DataFrame:
    edges = np.linspace(0, 1, BINS + 1)[:-1] ** (1 / power[:, None])  # shares of clips below a bin's edge
    below = np.ceil(edges * (size.clips - 1)).astype(int)
    counts = np.diff(below, axis=1, append=size.clips)
    return pd.DataFrame({"prototype": range(len(low)), "low": low, "high": high, "counts": counts.tolist()})


def _prototype_map(size: Size, draw: np.random.Generator, probe: PrototypeProbe) -> pd.DataFrame:
    frame = favourite_classes(probe.class_weights()[0].detach().numpy(), size.names)
    frame = frame.assign(label=pd.NA, purity=np.nan, chance=np.nan)
    frame[PROTOTYPES[-4:]] = draw.standard_normal((probe.count, 4), np.float32)
    return small(frame[PROTOTYPES])
