"""FSD50K: Freesound clips of 0.3 to 30 seconds, labels from AudioSet's ontology with their parents."""

from pathlib import Path
from typing import TypedDict

from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import RATE, SHORTEST, Row, Skip, Window, clip_set
from protoviz.datasets.spec import DatasetSpec, LayoutError
from protoviz.datasets.texts import records
from protoviz.settings import read_json

TRUTH = "FSD50K.ground_truth"
PARTS = {"dev": "FSD50K.dev_audio", "eval": "FSD50K.eval_audio"}
SPLITS = {"train": "train", "val": "validation"}  # of the column `split` of dev.csv; eval is the test


class _Clip(TypedDict, total=False):
    """What FSD50K.metadata says of a clip, as far as it is read."""

    license: str


def load(
    root: Path, *, seconds: float = 10.0, sample_rate: int = RATE, shortest: float = SHORTEST
) -> ClipSet:
    """Return FSD50K: dev with its published train and validation part, and eval as test.

    The paper counts 40.9 to 41 thousand training clips, which is dev with its validation part. seconds: a
    longer clip is cut after its first `seconds`, a shorter one is not padded; how the paper cuts or pads is
    not stated. The licence of each clip is taken from FSD50K.metadata where that folder is there.
    """
    classes = vocabulary(root)
    rows, skips = [], []
    for part, folder in PARTS.items():
        needed = ("fname", "labels", "split") if part == "dev" else ("fname", "labels")
        licences = _licences(root, part)
        for row in records(root / TRUTH / f"{part}.csv", needed):
            clip, labels = f"{part}/{row['fname']}", row["labels"].split(",")
            split = SPLITS.get(row["split"]) if part == "dev" else "test"
            if split is None:
                raise LayoutError(f"{root / TRUTH}/dev.csv: {row['split']!r} of {clip} is not train or val")
            if unknown := [label for label in labels if label not in classes]:
                reason = f"{', '.join(map(repr, unknown))}: not in vocabulary.csv"
                skips.append(Skip(clip, split, "unknown label", reason))
                continue
            path = root / folder / f"{row['fname']}.wav"
            rows.append(Row(clip, split, labels, path, licence=licences.get(row["fname"], "")))
    return clip_set(SPEC.name, classes, rows, Window(seconds, sample_rate, shortest), skips, SPEC.licence)


def vocabulary(root: Path) -> list[str]:
    """Return the 200 classes in published order; vocabulary.csv has no header."""
    path = root / TRUTH / "vocabulary.csv"
    return [row["label"] for row in records(path, ("label",), names=("index", "label", "mid"))]


def _licences(root: Path, part: str) -> dict[str, str]:
    path = root / "FSD50K.metadata" / f"{part}_clips_info_FSD50K.json"
    if not path.is_file():
        return {}
    cure = "fetch FSD50K.metadata again, or remove that folder"
    told = read_json(path, dict[str, _Clip], cure, LayoutError)
    return {name: info.get("license", "") for name, info in told.items()}


SPEC = DatasetSpec(
    name="fsd50k",
    title="FSD50K, Freesound clips",
    classes=200,
    task="multi-label",
    licence="CC BY 4.0; each clip its own CC licence",
    size="51,197 clips, 34 GB unpacked",
    page="https://zenodo.org/records/4060432",
    load=load,
    layouts=((*(f"{TRUTH}/{name}.csv" for name in ("vocabulary", "dev", "eval")), *PARTS.values()),),
    folders=("FSD50K",),
)
