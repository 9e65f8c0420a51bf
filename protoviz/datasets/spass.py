"""SPASS: five synthetic urban scenes of 5,000 polyphonic clips of ten seconds each."""

from collections.abc import Mapping
from pathlib import Path

from protoviz.datasets import hub
from protoviz.datasets.clips import ClipSet
from protoviz.datasets.files import RATE, SHORTEST, Row, Window, clip_set, held_out
from protoviz.datasets.spec import DatasetSpec, Hub, visible
from protoviz.datasets.texts import records
from protoviz.scenes.groups import groups_of, split_groups

SCENES = ("Market", "Park", "Square", "Street", "Waterfront")
SHARES = (0.7, 0.1)  # train, validation; 70 % of 25,000 are the paper's 17.5 thousand


def load(
    root: Path,
    *,
    shares: tuple[float, float] = SHARES,
    merge: Mapping[str, str] | None = None,
    seed: int = 0,
    group: str | None = None,
    seconds: float = 10.0,
    sample_rate: int = RATE,
    shortest: float = SHORTEST,
) -> ClipSet:
    """Return SPASS from its tables N_MatrixLabelsSCENE.csv and folders "SCENE audio files" (or with
    underscores).

    The publisher gives no splits: shares of each scene are drawn by the hash of the clips' names. The paper
    counts 17.5 thousand training clips (70 %); how it draws them is not stated. The tables' classes number
    33 over all scenes where the paper counts 28; which it joins is not stated. merge: label -> the label
    that takes it in, for one's own answer. group: a pattern that finds the source of a clip in its name (see
    `group_by`): then shares of sources are drawn, by `split_groups`. The tables' other columns are not read.
    A folder of Parquet files (the authors' copy on the hub) is read in its own splits.
    """
    if not visible(root, "**/*MatrixLabels*.csv"):
        return hub.parquet_clips(SPEC, root, seconds=seconds, sample_rate=sample_rate)
    rows, classes = [], set()
    for scene in SCENES:
        labels = _labels(root, scene, merge or {})
        classes |= {label for found in labels.values() for label in found}
        sources = groups_of(labels, group) if group is not None else {}
        split_of = _splits(labels, shares, seed, sources)
        folder = next((path for path in _folders(root, scene) if path.is_dir()), root)
        for name, found in labels.items():
            place = folder / name
            rows.append(
                Row(f"{scene}/{name}", split_of[name], sorted(found), place, group=sources.get(name, ""))
            )
    return clip_set(
        SPEC.name, sorted(classes), rows, Window(seconds, sample_rate, shortest), licence=SPEC.licence
    )


def _splits(
    labels: Mapping[str, set[str]], shares: tuple[float, float], seed: int, sources: Mapping[str, str]
) -> dict[str, str]:
    """Clip -> split of one scene: by the hash of its name, or by its source where these are known."""
    if sources:
        wanted = {"train": shares[0], "validation": shares[1], "test": 1 - sum(shares)}
        drawn = split_groups(((sources[name], found) for name, found in labels.items()), wanted, seed)
        return {name: drawn[sources[name]] for name in labels}
    train = held_out(labels, shares[0], seed)
    chosen = held_out(set(labels) - train, shares[1] / (1 - shares[0]) if shares[0] < 1 else 0.0, seed)
    return {name: "train" if name in train else "validation" if name in chosen else "test" for name in labels}


def _labels(root: Path, scene: str, merge: Mapping[str, str]) -> dict[str, set[str]]:
    """The labels of each sound file of a scene; its table has one row an event."""
    found: dict[str, set[str]] = {}
    table = visible(root, f"**/*MatrixLabels{scene}.csv")[0]
    for row in records(table, ("audio_filename", "class")):
        labels = found.setdefault(row["audio_filename"], set())
        labels |= {merge.get(row["class"], row["class"])} - {""}  # a clip without events has a row of its own
    return found


def _folders(root: Path, scene: str) -> list[Path]:
    return [root / f"{scene} audio files", root / f"{scene}_audio_files"]


SPEC = DatasetSpec(
    name="spass",
    title="SPASS, synthetic polyphonic ambient sound sources",
    classes=28,
    task="multi-label",
    licence="as its record states",
    size="25,000 clips, 22 GB",
    page="Viveros-Muñoz et al., Data in Brief 50 (2023) 109552; https://huggingface.co/datasets/lrauch/spass",
    load=load,
    layouts=(
        (
            *(f"**/*MatrixLabels{scene}.csv" for scene in SCENES),
            *(f"{scene}?audio?files" for scene in SCENES),
        ),
        *hub.LAYOUTS,
    ),
    folders=("SPASS",),
    hub=Hub("lrauch/spass", ("*.parquet",)),
)
