"""What there is to say on a data set before it is read: title, size, licence, source, layout, loader."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, Literal, get_type_hints

from protoviz.audio import is_hidden
from protoviz.datasets.clips import ClipSet
from protoviz.named import is_place

METRICS = {"multi-label": "mAP", "single-label": "accuracy"}
LOSSES = {"multi-label": "asl", "single-label": "cross_entropy"}
ROOTS = "PROTOVIZ_DATASETS"  # the environment variable that names the folder of all data sets


# Options that mean the same in every loader, and why their defaults are what they are.
WHY = {
    "root": "the copy's folder, or one that holds it by name",
    "seconds": "of a clip: as published, or what fills the grid of most encoders",
    "sample_rate": "Hz; the encoder's where none is named",
    "shortest": "s; below it there is not one cell of 16 frames of 10 ms and their windows",
    "train": "clips to train on, or the publisher's parts that are",
    "validation": "what rates are chosen on; a share is of the training clips, and not stated in the paper",
    "test": "what is reported; a share is of all clips",
    "shares": "train and validation; the rest is test",
    "seed": "of what is drawn",
    "test_fold": "which fold the paper takes is not stated",
}


class LayoutError(ValueError):
    """A copy that is not laid out as published; the text says what is missing and where to get it."""


@dataclass(frozen=True)
class Hub:
    """Where a data set lies on the Hugging Face Hub, and which of its files are needed."""

    repository: str
    files: tuple[str, ...]  # patterns
    revision: str | None = None


def in_words(patterns: tuple[str, ...]) -> str:
    """Return patterns of a layout as a person reads them: a "?" there is a space or an underscore."""
    return ", ".join(pattern.removeprefix("**/").replace("?", " ") for pattern in patterns)


def visible(root: Path, *patterns: str) -> list[Path]:
    """Return what lies below a folder by some patterns, in order of path, without what systems hide there."""
    found = {path for pattern in patterns for path in root.glob(pattern)}
    return sorted(path for path in found if not any(map(is_hidden, path.relative_to(root).parts)))


@dataclass(frozen=True)
class DatasetSpec:
    """One data set. All but `load` are published facts; sizes are rounded."""

    name: str
    title: str
    classes: int | None  # None: as many as the copy names
    task: Literal["multi-label", "single-label"] | None  # None: what the labels are (`task_of`)
    licence: str
    size: str
    page: str  # where a person gets it
    load: Callable[..., ClipSet]  # (root, **options); without `root` where nothing is read
    layouts: tuple[tuple[str, ...], ...] = ()  # patterns below the root; a copy has something for all of one
    folders: tuple[str, ...] = ()  # how the publisher's archive calls its folder, beside `name`
    seconds: float = 10.24  # what a clip fills in an encoder's grid (512 frames for ESC-50, 128 for words)
    hub: Hub | None = None
    rules: tuple[str, ...] = ()  # options that `load` hands on: fields of a dataclass of its own
    sample_rate: int | None = None  # Hz of clips that come at this rate only; None: they are read at any

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the loader's options."""
        found = signature(self.load).parameters.values()
        named = [one.name for one in found if one.kind is not one.VAR_KEYWORD and one.name != "root"]
        return (*named, *self.rules)

    @property
    def types(self) -> dict[str, Any]:
        """The annotations of the loader's own arguments; `root` is a text wherever one is written down."""
        load = self.load.func if isinstance(self.load, partial) else self.load
        return {**get_type_hints(load), "root": str}

    @property
    def seeded(self) -> bool:
        """Whether the loader draws something: it has an option `seed`."""
        return "seed" in self.options

    def task_of(self, single: bool) -> str:
        """Return the publisher's task, or what the labels are; single: `ClipSet.single` of the copy."""
        return self.task or ("single-label" if single else "multi-label")

    def metric_of(self, single: bool) -> str:
        """Return what the paper reports of the task: mean average precision, or accuracy."""
        return METRICS[self.task_of(single)]

    def loss_of(self, single: bool) -> str:
        """Return the loss (a key of `protoviz.losses.LOSSES`) that suits the task."""
        return LOSSES[self.task_of(single)]

    @property
    def loss(self) -> str:
        """The loss of the publisher's task; that of clips with any number of labels where none decides it."""
        return self.loss_of(False)

    @property
    def metric(self) -> str:
        """The metric of the publisher's task; both where none decides it."""
        return METRICS[self.task] if self.task else " or ".join(METRICS.values())

    def lacking(self, root: Path) -> tuple[str, ...]:
        """Return what `root` lacks of the published layout that it is nearest to; empty: nothing."""

        def gap(layout: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(part for part in layout if not visible(root, part))

        # By share, not by number: a layout of one pattern would be the nearest to every broken copy.
        nearest = min(self.layouts, key=lambda layout: len(gap(layout)) / len(layout), default=())
        return gap(nearest)

    def find(self, root: str | Path | None = None) -> Path | None:
        """Return the folder of this copy: below `root` (else PROTOVIZ_DATASETS) by its name, or `root`."""
        given = root or os.environ.get(ROOTS)
        if not given:
            return None
        base = Path(given).expanduser()
        named = self.named(base)
        whole = [folder for folder in (*named, base) if folder.is_dir() and not self.lacking(folder)]
        return (whole or named or ([base] if root is not None else []) or [None])[0]

    def named(self, base: Path) -> list[Path]:
        """Return the folders below `base` that are called as this data set."""
        return [base / folder for folder in (self.name, *self.folders) if (base / folder).is_dir()]

    def open(self, root: str | Path | None = None, **options) -> ClipSet:
        """Return the clips of the copy that `find` finds; options: those of the loader.

        Raises LayoutError where there is no copy or a part of the published layout is missing.
        """
        if is_place(self.name):
            clips = self.load(**({} if root is None else {"root": root}), **options)
            if not isinstance(clips, ClipSet):
                raise ValueError(f"{self.name} gives a {type(clips).__name__} and not a ClipSet")
            return clips
        if strange := [name for name in options if name not in self.options]:
            raise ValueError(f"{self.name} has no option {strange[0]!r}; it has {', '.join(self.options)}")
        if not 0 < options.get("seconds", self.seconds) < math.inf:
            raise ValueError(f"{self.name}: seconds={options['seconds']} is no length; give more than 0")
        if "root" not in signature(self.load).parameters:
            return self.load(**options)  # made, not read
        folder = self.find(root)
        if folder is None:
            raise LayoutError(f"no copy of {self.name}: pass its folder, or set {ROOTS}.\n{self.source}")
        if not folder.is_dir():
            raise LayoutError(f"{folder}: no such folder, so no copy of {self.name}.\n{self.source}")
        if gaps := self.lacking(folder):
            raise LayoutError(
                f"{folder} is not laid out as {self.name} is published: it lacks {in_words(gaps)}.\n"
                f"{self.source}"
            )
        return self.load(folder, **options)

    @property
    def source(self) -> str:
        """Where to get it, in a sentence: name, size, licence."""
        return f"Get {self.title} ({self.size}; {self.licence}) from {self.page}"
