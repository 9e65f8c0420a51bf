"""DESED: domestic sounds, synthetic soundscapes and AudioSet clips, most with the time of every event."""

from collections.abc import Sequence
from pathlib import Path

from protoviz.datasets import hub
from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import RATE, SHORTEST, Row, Window, clip_set, event
from protoviz.datasets.spec import DatasetSpec, Hub, LayoutError
from protoviz.datasets.texts import number, records

CLASSES = (
    "Alarm_bell_ringing", "Blender", "Cat", "Dishes", "Dog",
    "Electric_shaver_toothbrush", "Frying", "Running_water", "Speech", "Vacuum_cleaner",
)  # fmt: skip
# Part -> its table and its sounds, below one of BASES: the archives unpack to folders of different depth.
PARTS = {
    "synthetic21_train": (
        "metadata/train/synthetic21_train/soundscapes.tsv",
        "audio/train/synthetic21_train/soundscapes",
    ),
    "weak": ("metadata/train/weak.tsv", "audio/train/weak"),
    "audioset_strong": ("metadata/train/audioset_strong.tsv", "audio/train/strong_label_real"),
    "synthetic21_validation": (
        "metadata/validation/synthetic21_validation/soundscapes.tsv",
        "audio/validation/synthetic21_validation/soundscapes",
    ),
    "validation": ("metadata/validation/validation.tsv", "audio/validation/validation"),
    "public": ("metadata/eval/public.tsv", "audio/eval/public"),
}
BASES = ("", "dataset", "dcase_synth", "dataset/dcase_synth")


def load(
    root: Path,
    *,
    train: Sequence[str] = ("synthetic21_train", "weak"),
    validation: Sequence[str] = ("validation",),
    test: Sequence[str] = ("public",),
    seconds: float = 10.0,
    sample_rate: int = RATE,
    shortest: float = SHORTEST,
) -> ClipSet:
    """Return DESED as published for DCASE task 4: the named parts (keys of PARTS) are the splits.

    Which parts make up the paper's 20 thousand training clips is not stated; the defaults, about 11.6
    thousand, are the synthetic soundscapes and the weakly labelled clips, with the recorded validation and
    public evaluation sets to choose and to report on. A folder of Parquet files (the authors' copy on the
    hub) is read in its own splits, without event times.
    """
    if not any(_found(root, table) for table, _ in PARTS.values()):
        return hub.parquet_clips(SPEC, root, seconds=seconds, sample_rate=sample_rate)
    parts = [(part, "train") for part in train] + [(part, "validation") for part in validation]
    parts += [(part, "test") for part in test]
    if strange := [part for part, _ in parts if part not in PARTS]:
        raise ValueError(f"DESED has no part {strange[0]!r}; it has {', '.join(PARTS)}")
    if gaps := [PARTS[part][0] for part, _ in parts if not _found(root, PARTS[part][0])]:
        raise LayoutError(f"{root}: lacks {', '.join(gaps)}; leave that part out.\n{SPEC.source}")
    rows = [row for part, split in parts for row in _part(root, part, split, sample_rate)]
    return clip_set(SPEC.name, CLASSES, rows, Window(seconds, sample_rate, shortest), licence=SPEC.licence)


def _part(root: Path, part: str, split: str, sample_rate: int) -> list[Row]:
    """The clips of one part: a strong table has a row an event, a weak one a row a clip."""
    table, sounds = (_found(root, place) or root / place for place in PARTS[part])
    found: dict[str, list] = {}
    weak: dict[str, set[str]] = {}
    for row in records(table, ("filename",), delimiter="\t"):
        events = found.setdefault(row["filename"], [])
        labels = weak.setdefault(row["filename"], set())
        if "event_labels" in row:
            labels |= {label for label in row["event_labels"].split(",") if label}
        elif row.get("event_label"):  # a clip without events has a row with its name alone
            times = (number(row, column, table) for column in ("onset", "offset"))
            events.append(event(row["event_label"], *times, sample_rate))
            labels.add(row["event_label"])
        if unknown := labels - set(CLASSES):
            raise LayoutError(f"{table}: DESED has no label {', '.join(sorted(unknown))}; fetch it again")
    return [
        Row(f"{part}/{name}", split, sorted(weak[name]), sounds / name, events=tuple(events))
        for name, events in found.items()
    ]


def _found(root: Path, place: str) -> Path | None:
    return next((root / base / place for base in BASES if (root / base / place).exists()), None)


SPEC = DatasetSpec(
    name="desed",
    title="DESED, domestic sound events",
    classes=10,
    task="multi-label",
    licence="each part its own; synthetic and public sets CC BY 4.0",
    size="13,500 clips in the default parts, 12 GB",
    page="https://project.inria.fr/desed (synthetic: Zenodo 6026841, public: 3588172, AudioSet by script)",
    load=load,
    layouts=(
        ("**/metadata/**/*.tsv", "**/audio"),
        *hub.LAYOUTS,
    ),
    folders=("DESED",),
    hub=Hub("lrauch/desed", ("*.parquet",)),
)
