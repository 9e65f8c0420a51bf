"""The data sets by name: the paper's fourteen, one of events, a folder of your own, and procedural scenes."""

import os
from pathlib import Path

from protoviz.arguments import in_order
from protoviz.datasets import (
    audioset,
    birdset,
    dcase2016,
    desed,
    esc50,
    folder,
    fsd50k,
    spass,
    speech_commands,
    urban,
)
from protoviz.datasets.clips import ClipSet
from protoviz.datasets.scenes import mixed_clips
from protoviz.datasets.spec import ROOTS, DatasetSpec, in_words
from protoviz.named import find, is_place
from protoviz.scenes import SceneConfig

SCENES = DatasetSpec(
    name="scenes",
    title="procedural scenes of this project, made when they are read",
    classes=24,
    task=None,
    licence="MIT",
    size="as many as you ask for",
    page="protoviz.scene_clips",
    load=mixed_clips,
    sample_rate=SceneConfig.sample_rate,
)

DATASETS: dict[str, DatasetSpec] = {
    "as20k": audioset.SPEC,
    "fsd50k": fsd50k.SPEC,
    "desed": desed.SPEC,
    "spass": spass.SPEC,
    "urban": urban.SPEC,
    **birdset.SPECS,
    "esc50": esc50.SPEC,
    "sc2": speech_commands.SPEC,
    "dcase2016-task2": dcase2016.SPEC,
    "folder": folder.SPEC,
    "scenes": SCENES,
}


@in_order
def load_dataset(name: str, root: str | Path | None = None, **options) -> ClipSet:
    """Return the clips of a data set, a key of DATASETS or module:function; sound is read when a clip is
    asked for.

    A module:function of your own is imported and called with root, where it is given, and the options.
    root: the copy's folder, or one that holds it by name; None: PROTOVIZ_DATASETS. options: those of the
    data set's loader, such as seconds, sample_rate, or the splits' shares. Raises ValueError for an unknown
    name, and LayoutError that says what is missing and where to get it.
    """
    if name not in DATASETS and str(root) in DATASETS:
        raise ValueError(f"no data set {name!r}: the order is load_dataset(name, root)")
    return find_spec(name).open(root, **options)


def find_spec(name: str) -> DatasetSpec:
    """Return the DatasetSpec of a name in DATASETS, or module:function. Raise ValueError with the names."""
    if is_place(name):
        load = find(name, ClipSet, ValueError, "my_clips")
        if not callable(load):
            raise ValueError(f"{name} is a {type(load).__name__}: name a function that gives a ClipSet")
        return DatasetSpec(name, "clips of your own", None, None, "your own licence", "", name, load)
    if name not in DATASETS:
        raise ValueError(f"no data set {name!r}; there are {', '.join(DATASETS)}, or module:function")
    return DATASETS[name]


def rows(root: str | Path | None = None) -> list[dict]:
    """Return what there is to say on each data set, unread; `here`: yes, no, or what it lacks."""
    return [
        {
            "name": name,
            "title": spec.title,
            "classes": spec.classes,
            "task": spec.task or "as labelled",
            "metric": spec.metric,
            "licence": spec.licence,
            "size": spec.size,
            "here": _here(spec, root),
        }
        for name, spec in DATASETS.items()
    ]


def _here(spec: DatasetSpec, root: str | Path | None) -> str:
    if spec.name == "scenes":
        return "always"
    if spec.name == "folder":
        return "yours"
    given = root or os.environ.get(ROOTS)
    named = spec.named(Path(given).expanduser()) if given else []
    gaps = min((spec.lacking(folder) for folder in named), key=len, default=None)
    if gaps is None or gaps in spec.layouts:  # no such folder, or one that holds nothing of it
        return "no"
    return f"lacks {in_words(gaps[:1])}" if gaps else "yes"
