"""AudioSet's balanced training set (as20k) and evaluation set: segment lists, clips named by video."""

from collections.abc import Iterator
from pathlib import Path

from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import (
    MISSING,
    RATE,
    SHORTEST,
    Row,
    Skip,
    Window,
    clip_set,
    held_out,
    sound_index,
)
from protoviz.datasets.spec import DatasetSpec
from protoviz.datasets.texts import records

LABELS = "class_labels_indices.csv"
LISTS = {"train": "balanced_train_segments.csv", "test": "eval_segments.csv"}
COLUMNS = ("YTID", "start_seconds", "end_seconds", "positive_labels")


def load(
    root: Path,
    *,
    seconds: float = 10.0,
    sample_rate: int = RATE,
    validation: float = 0.1,
    seed: int = 0,
    shortest: float = SHORTEST,
) -> ClipSet:
    """Return AudioSet balanced: train, a held-out share of it as validation, and the evaluation set as test.

    The three published CSV files lie in `root`; clips anywhere below it, cut to their segment, named ID
    or YID, of any kind of sound, with or without the segment's times behind (ID_30.000, ID_30_40,
    ID_30000_40000). Videos that YouTube no longer has are listed as missing. How many of the 22,160
    training clips the paper had: 18.6 to 18.7 thousand. validation: the share of training clips kept for
    choosing, by the hash of their id; not stated in the paper.
    """
    names = classes(root / LABELS)
    found = {Path(name).stem: path for name, path in sound_index(root).items()}
    rows, skips = [], []
    for split, file in LISTS.items():
        listed = list(segments(root / file))
        chosen = held_out((row["YTID"] for row in listed), validation, seed) if split == "train" else set()
        for row in listed:
            part = "validation" if row["YTID"] in chosen else split
            labels = [mid.strip() for mid in row["positive_labels"].split(",") if mid.strip()]
            if unknown := [mid for mid in labels if mid not in names]:
                skips.append(
                    Skip(row["YTID"], part, "unknown label", f"{', '.join(unknown)}: not in {LABELS}")
                )
            elif path := next(filter(None, map(found.get, stems(row))), None):
                labels = [names[mid] for mid in labels]
                rows.append(Row(row["YTID"], part, labels, path, group=row["YTID"]))
            else:
                skips.append(Skip(row["YTID"], part, MISSING, f"no sound file {row['YTID']}.* below {root}"))
    return clip_set(
        SPEC.name, list(names.values()), rows, Window(seconds, sample_rate, shortest), skips, SPEC.licence
    )


def classes(path: Path) -> dict[str, str]:
    """Return machine ids -> display names, in the order of their index; a name that comes twice is its id."""
    rows = sorted(records(path, ("index", "mid", "display_name")), key=lambda row: int(row["index"]))
    names = [row["display_name"] for row in rows]
    return {
        row["mid"]: name if names.count(name) == 1 else f"{name} ({row['mid']})"
        for row, name in zip(rows, names, strict=True)
    }


def segments(path: Path) -> Iterator[dict[str, str]]:
    """Return the rows of a segment list: its column names stand in a comment, its labels in quotes."""
    return records(path, COLUMNS, names=COLUMNS)


def stems(row: dict[str, str]) -> list[str]:
    """Return how the common downloaders call the file of a segment, without its suffix."""
    name, start, end = row["YTID"], float(row["start_seconds"]), float(row["end_seconds"])
    times = [
        "",
        f"_{start:.3f}",
        f"_{start:.3f}_{end:.3f}",
        f"_{start:.1f}_{end:.1f}",
        f"_{start:.0f}",
        f"_{start:.0f}_{end:.0f}",
        f"_{start * 1000:.0f}",
        f"_{start * 1000:.0f}_{end * 1000:.0f}",
    ]
    return [lead + name + time for time in times for lead in ("", "Y")]


SPEC = DatasetSpec(
    name="as20k",
    title="AudioSet, balanced training and evaluation segments",
    classes=527,
    task="multi-label",
    licence="lists CC BY 4.0; the sound belongs to its uploaders",
    size="42,500 clips, 13 GB as 16 kHz WAV",
    page="https://research.google.com/audioset/download.html (lists; clips by a YouTube downloader)",
    load=load,
    layouts=((LABELS, *LISTS.values()),),
    folders=("AudioSet", "audioset"),
)
