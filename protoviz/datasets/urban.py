"""URBAN-SED: ten-second soundscapes mixed from UrbanSound8K, with the time of every event."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

from protoviz.audio import sounds_below
from protoviz.datasets import hub
from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import RATE, SHORTEST, Row, Skip, Window, clip_set, event
from protoviz.datasets.folder import audacity
from protoviz.datasets.spec import DatasetSpec, Hub, LayoutError, visible
from protoviz.scenes import Event
from protoviz.settings import checked, read_json

CLASSES = (
    "air_conditioner", "car_horn", "children_playing", "dog_bark", "drilling",
    "engine_idling", "gun_shot", "jackhammer", "siren", "street_music",
)  # fmt: skip
FOLDERS = {"train": "train", "validate": "validation", "test": "test"}


class _Seen(TypedDict):
    time: float
    duration: float
    value: Any


class _Annotation(TypedDict):
    data: list[_Seen]


class _Jams(TypedDict):
    """A file of JAMS, as far as it is read."""

    annotations: list[_Annotation]


def load(
    root: Path, *, seconds: float = 10.0, sample_rate: int = RATE, shortest: float = SHORTEST
) -> ClipSet:
    """Return URBAN-SED in its published splits of 6,000, 2,000 and 2,000, which are the paper's 6 thousand.

    Events come from the tab-separated annotations or, where those are absent, from the JAMS files, whose
    background is left out. A folder of Parquet files (the authors' copy on the hub) is read too, without
    event times.
    """
    if not (root / "annotations").is_dir():
        return hub.parquet_clips(SPEC, root, seconds=seconds, sample_rate=sample_rate)
    rows, skips = [], []
    for folder, split in FOLDERS.items():
        marked = {path.stem: path for path in visible(root / "annotations" / folder, "*.jams")}
        marked |= {path.stem: path for path in visible(root / "annotations" / folder, "*.txt")}
        for stem, path in sorted(marked.items()):
            clip, sound = f"{folder}/{stem}", root / "audio" / folder / f"{stem}.wav"
            events = tuple(sorted(_events(path, sample_rate), key=lambda found: found.onset))
            labels = {found.label for found in events}
            if unknown := labels - set(CLASSES):
                raise LayoutError(f"{path}: URBAN-SED has no label {', '.join(sorted(unknown))}")
            rows.append(Row(clip, split, sorted(labels), sound, events=events))
        for sound in sounds_below(root / "audio" / folder):
            if sound.stem not in marked:
                reason = f"{sound}: no annotation of that name"
                skips.append(Skip(f"{folder}/{sound.stem}", split, "not annotated", reason))
    return clip_set(SPEC.name, CLASSES, rows, Window(seconds, sample_rate, shortest), skips, SPEC.licence)


def _events(path: Path, sample_rate: int) -> Iterator[Event]:
    if path.suffix == ".txt":
        yield from audacity(path, sample_rate)
        return
    for annotation in read_json(path, _Jams, "fetch the annotations again", LayoutError)["annotations"]:
        for seen in annotation["data"]:
            value = seen["value"]
            if isinstance(value, dict) and value.get("role") == "foreground":
                checked(value.get("label"), str, f"{path}: the label at {seen['time']} s", error=LayoutError)
                # The duration in `value` is that before time stretching.
                yield event(value["label"], seen["time"], seen["time"] + seen["duration"], sample_rate)


SPEC = DatasetSpec(
    name="urban",
    title="URBAN-SED v2.0.0, synthetic urban soundscapes",
    classes=10,
    task="multi-label",
    licence="CC BY 4.0",
    size="10,000 clips, 9 GB",
    page="https://zenodo.org/records/1324404",
    load=load,
    layouts=(
        tuple(f"{part}/{folder}" for part in ("annotations", "audio") for folder in FOLDERS),
        *hub.LAYOUTS,
    ),
    folders=("URBAN-SED_v2.0.0", "urban-sed"),
    hub=Hub("lrauch/urban-sed", ("*.parquet",)),
)
