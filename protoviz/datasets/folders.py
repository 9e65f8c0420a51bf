"""A data set from a folder of sound files, one folder a label."""

from pathlib import Path

import pandas as pd

from protoviz.datasets.clips import SPLITS, ClipSet
from protoviz.datasets.files import FileReader
from protoviz.scenes.backgrounds import SOUND_SUFFIXES


def folder_clips(
    folder: str | Path, *, split: str = "test", seconds: float = 10.24, sample_rate: int = 16_000
) -> ClipSet:
    """A data set of the sound files in `folder`/LABEL/, each a clip of its first `seconds`.

    Where the folders are `folder`/SPLIT/LABEL/ with splits named train, validation and test, those are the
    splits; else every clip is in `split`. Files are not decoded here: a broken one shows when it is read.
    Raises ValueError where no file is found.
    """
    table = folder_table(folder, split)
    places = tuple((clip, path, 0.0, None) for clip, path in zip(table["clip"], table.path, strict=True))
    classes = tuple(sorted({labels[0] for labels in table.labels}))
    return ClipSet(Path(folder).name, classes, table, FileReader(seconds, sample_rate, places, {}, pad=True))


def folder_table(folder: str | Path, split: str = "test") -> pd.DataFrame:
    """The table of `folder_clips` alone: no file is opened. Raises ValueError where no file is found."""
    folder = Path(folder)
    splits = [name for name in SPLITS if (folder / name).is_dir()]
    rows = []
    for name, base in [(name, folder / name) for name in splits] or [(split, folder)]:
        for path in sorted(base.glob("*/*")):
            if path.suffix.lower() in SOUND_SUFFIXES:
                clip = path.relative_to(folder).as_posix()
                rows.append((clip, name, [path.parent.name], 0, -1, str(path)))
    if not rows:
        raise ValueError(f"{folder}: no sound files in folders named by label ({', '.join(SOUND_SUFFIXES)})")
    return pd.DataFrame(rows, columns=["clip", "split", "labels", "polyphony", "seed", "path"])
