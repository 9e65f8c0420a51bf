"""ESC-50: 2,000 clips of five seconds in five folds, one label each."""

from pathlib import Path

from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import RATE, SHORTEST, Row, Window, clip_set
from protoviz.datasets.spec import DatasetSpec, LayoutError
from protoviz.datasets.texts import number, records
from protoviz.scenes.groups import split_groups

META = "meta/esc50.csv"
FOLDS = (1, 2, 3, 4, 5)


def load(
    root: Path,
    *,
    test_fold: int = 5,
    validation: float = 0.1,
    seed: int = 0,
    seconds: float = 5.0,
    sample_rate: int = RATE,
    shortest: float = SHORTEST,
) -> ClipSet:
    """Return ESC-50 with one fold as test; four folds are the paper's 1.6 thousand training clips.

    test_fold: 1 to 5; which one the paper takes, or whether it takes all in turn, is not stated. validation:
    the share of source recordings (Freesound ids) of the other folds that is kept for choosing; not stated
    in the paper either. A source recording is in one split only, and the share is drawn alike for every class
    (`split_groups`). Raises LayoutError for a copy without a clip of the test fold.
    """
    if test_fold not in FOLDS:
        raise ValueError(f"test_fold={test_fold}: ESC-50 has the folds {', '.join(map(str, FOLDS))}")
    listed = list(records(root / META, ("filename", "fold", "category", "src_file")))
    folds = {row["filename"]: int(number(row, "fold", root / META)) for row in listed}
    if test_fold not in folds.values():
        raise LayoutError(
            f"{root / META}: no clip of fold {test_fold}; there are folds {sorted(set(folds.values()))}"
        )
    sources = {row["filename"]: row["src_file"] or row["filename"] for row in listed}
    train = [
        (sources[row["filename"]], [row["category"]]) for row in listed if folds[row["filename"]] != test_fold
    ]
    parts = split_groups(train, {"train": 1 - validation, "validation": validation}, seed)
    rows = [
        Row(
            row["filename"],
            "test" if folds[row["filename"]] == test_fold else parts[sources[row["filename"]]],
            [row["category"]],
            root / "audio" / row["filename"],
            group=sources[row["filename"]],
        )
        for row in listed
    ]
    return clip_set(
        SPEC.name,
        sorted({row["category"] for row in listed}),
        rows,
        Window(seconds, sample_rate, shortest),
        licence=SPEC.licence,
    )


SPEC = DatasetSpec(
    name="esc50",
    title="ESC-50, environmental sounds",
    classes=50,
    task="single-label",
    licence="CC BY-NC 3.0",
    size="2,000 clips, 0.9 GB",
    page="https://github.com/karolpiczak/ESC-50",
    load=load,
    layouts=((META, "audio"),),
    folders=("ESC-50-master", "ESC-50"),
    seconds=5.12,
)
