"""Events from recordings: labelled clips, cut to where they sound, split by recording.

Three folder layouts are known: a folder with `manifest.csv` and `events.csv`, ESC-50 (`audio/` and
`meta/esc50.csv`), and one folder a label. Recordings at 16 kHz give the same scenes everywhere; others are as
exact as the resampler.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.audio import AudioError, audio_info, nfc, read_audio, sounds_below
from protoviz.files import counted
from protoviz.scenes.exact import RATE, Draw, faded, samples
from protoviz.scenes.groups import groups_of

SPLITS = ("train", "test")
SHORTEST = 0.05  # seconds: less is a click at a cut, no event
LONGEST_FILE = 300.0  # seconds: files are decoded whole and some are kept in memory


@dataclass(frozen=True)
class Region:
    """A stretch of a recording in which its label sounds, onset and offset in seconds."""

    path: str
    source: str
    label: str
    onset: float
    offset: float


@dataclass(frozen=True)
class RecordedSources:
    """Sources for `make_scene` from one split of a folder of recordings; `recorded_sources` builds them.

    `skipped` lists (path, reason) of every file that could not be used; its length is their count.
    """

    split: str
    classes: tuple[str, ...]
    regions: dict[str, tuple[Region, ...]]
    skipped: tuple[tuple[str, str], ...]
    content: str  # digest of labels, regions and decoded sound: the same wherever the folder lies
    longest: float

    @property
    def recordings(self) -> frozenset[str]:
        """The ids of the recordings that events are cut from; train and test share none."""
        return frozenset(region.source for regions in self.regions.values() for region in regions)

    def sound(self, label: str, draw: Draw) -> np.ndarray:
        """Return one event (s,) of the label at 16 kHz, float64: a drawn region, cropped
        by the draw if it is long.

        Raises AudioError, naming the file, if it has become unreadable since the sources were built.
        """
        region = draw.pick(self.regions[label])
        place = draw.between(0.0, 1.0)
        sound = _decoded(region.path)[samples(region.onset) : samples(region.offset)]
        kept = min(len(sound), samples(self.longest))
        start = int(place * (len(sound) - kept + 1))
        return faded(sound[start : start + kept].astype(np.float64), 0.01, 0.02)

    def fingerprint(self) -> str:
        """Return a text that changes whenever the events of a seed change."""
        return f"recordings {self.split} up to {self.longest} s: {self.content}"


@lru_cache(maxsize=64)  # 64 clips of 5 s are 20 MB
def _decoded(path: str) -> np.ndarray:
    """The waveform (s,) float32 of a file at 16 kHz, on the grid k/32768."""
    seconds = audio_info(path).seconds
    if seconds > LONGEST_FILE:
        raise AudioError(
            f"{path}: {seconds:.0f} s is too long for a source; cut it to {LONGEST_FILE:.0f} s or less"
        )
    return np.rint(read_audio(path, RATE) * 32768.0).astype(np.float32) / np.float32(32768.0)


def active_regions(waveform: np.ndarray, merge: float = 0.2) -> list[tuple[float, float]]:
    """Return onsets and offsets, in seconds, of the stretches of a 16 kHz waveform (s,) that sound.

    A frame of 25 ms (every 5 ms) sounds when its energy is within 30 dB of the loudest frame and 6 dB above
    the quietest tenth; within 30 dB alone where the quietest tenth is within 6 dB of the loudest frame, which
    means a steady sound. Gaps shorter than `merge` seconds are bridged, stretches shorter than 50 ms are
    dropped. A silent waveform has none.
    """
    window, hop = samples(0.025), samples(0.005)
    if len(waveform) < window:
        return []
    squares = np.add.accumulate(np.concatenate([[0.0], waveform.astype(np.float64) ** 2]))
    energy = (squares[window:] - squares[:-window])[::hop]
    if energy.max() <= 0.0:
        return []
    limit = energy.max() * 1e-3
    floor = np.quantile(energy, 0.1) * 4.0
    frames = np.flatnonzero(energy >= (max(limit, floor) if floor < energy.max() * 0.25 else limit))
    breaks = np.flatnonzero(np.diff(frames) * hop > samples(merge))
    first, last = frames[np.r_[0, breaks + 1]], frames[np.r_[breaks, len(frames) - 1]]
    found = [(int(a) * hop / RATE, (int(b) * hop + window) / RATE) for a, b in zip(first, last, strict=True)]
    return [(onset, offset) for onset, offset in found if offset - onset >= SHORTEST]


def recorded_sources(
    folder: str | Path,
    split: str = "train",
    *,
    labels: tuple[str, ...] | None = None,
    test_share: float = 0.4,
    test_folds: tuple[int, ...] = (5,),
    longest: float = 4.0,
    group: str | None = None,
) -> RecordedSources:
    """Return events of one split ("train" or "test") of a folder of labelled recordings.

    folder: `manifest.csv` (path, label, src_id, suggested_split), `events.csv` (path, onset, offset), where
    clips without a suggested split are left out; or ESC-50's layout, where `test_folds` are the test split
    and the source is the Freesound id; or one folder a label, where the source is the file's stem and about
    `test_share` of each label's sources, chosen by their hash, are the test split.
    labels: use these only. longest: seconds; longer regions are cropped by the seed of the scene. group: in
    folders of labels, a pattern that finds the source in a file's name (see `group_by`), so that pieces of
    one recording stay together.
    Every file is read once, here: what cannot be read, or is silent, is listed in `.skipped`.
    Raises ValueError for an unknown layout, a test fold that is empty, a label without recordings, or a
    recording in both splits.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown; a folder of recordings has {' and '.join(SPLITS)}")
    folder = Path(folder)
    clips = _clips(folder, test_share, test_folds, group)
    both = set(clips.source[clips.split == "train"]) & set(clips.source[clips.split == "test"])
    if both:
        raise ValueError(
            f"{folder}: recordings {sorted(both)[:5]} are in train and in test; give each one split"
        )
    if labels is not None:
        clips = clips[clips.label.isin(labels)]
    classes = tuple(labels or sorted(clips.label.unique(), key=counted))
    return _read_all(clips[clips.split == split], classes, split, folder, longest)


def file_sources(files: Sequence[str | Path], label: str, longest: float = 4.0) -> RecordedSources:
    """Return events of one label from sound files that hold nothing else, each cut to where it sounds.

    Raises ValueError where none of them can be used.
    """
    rows = [(str(Path(file).resolve()), label, str(file), "train", None) for file in files]
    clips = pd.DataFrame(rows, columns=["path", "label", "source", "split", "regions"], dtype=object)
    return _read_all(clips, (label,), "train", Path(), longest)


def _read_all(
    clips: pd.DataFrame, classes: tuple, split: str, folder: Path, longest: float
) -> RecordedSources:
    regions: dict[str, list[Region]] = {label: [] for label in classes}
    skipped, digest = [], hashlib.sha256()
    for clip in clips.sort_values("path").itertuples():
        path = folder / clip.path
        try:
            sound = _decoded(str(path))
        except AudioError as error:
            skipped.append((str(path), str(error)))
            continue
        found = active_regions(sound) if clip.regions is None else _audible(clip.regions, sound)
        if not found:
            skipped.append((str(path), "no region of it sounds"))
        regions[clip.label] += [Region(str(path), clip.source, clip.label, *region) for region in found]
        digest.update(f"{clip.path}|{clip.label}|{clip.source}|{found}|".encode() + sound.tobytes())
    empty = [label for label, found in regions.items() if not found]
    if empty or not regions:
        raise ValueError(
            f"{folder}: no readable {split} recording of {', '.join(map(repr, empty)) or 'any label'} "
            f"({len(skipped)} files skipped); add recordings or leave the label out with labels=..."
        )
    kept = {label: tuple(found) for label, found in regions.items()}
    return RecordedSources(split, classes, kept, tuple(skipped), digest.hexdigest(), longest)


def _audible(regions: list[tuple[float, float]], sound: np.ndarray) -> list[tuple[float, float]]:
    """The regions cut to the file, without those shorter than 50 ms or wholly silent."""
    cut = [(max(float(onset), 0.0), min(float(offset), len(sound) / RATE)) for onset, offset in regions]
    long = [(onset, offset) for onset, offset in cut if offset - onset >= SHORTEST]
    return [(onset, offset) for onset, offset in long if sound[samples(onset) : samples(offset)].any()]


def _clips(folder: Path, test_share: float, test_folds: tuple[int, ...], group: str | None) -> pd.DataFrame:
    """One row a clip: path (relative), label, source, split, regions (seconds; None: measure them)."""
    if (folder / "manifest.csv").exists() and (folder / "events.csv").exists():
        clips = _manifest_clips(folder)
    elif (folder / "meta" / "esc50.csv").exists():
        clips = _esc_clips(folder, test_folds)
    else:
        clips = _label_folders(folder, test_share, group)
    if clips.empty:
        raise ValueError(
            f"{folder}: no labelled recordings; expected manifest.csv and events.csv, "
            "meta/esc50.csv with audio/, or one folder of sound files a label"
        )
    return clips


def _manifest_clips(folder: Path) -> pd.DataFrame:
    clips = _table(folder / "manifest.csv", "path", "label", "src_id", "suggested_split")
    clips = clips.replace({"src_id": "", "suggested_split": ""}, None)
    clips = clips[clips.suggested_split.isin(SPLITS) & ~clips.label.str.contains(";") & (clips.label != "")]
    events = _table(folder / "events.csv", "path", "onset", "offset")
    events = events.astype({"onset": float, "offset": float})
    found = {path: list(zip(rows.onset, rows.offset, strict=True)) for path, rows in events.groupby("path")}
    return pd.DataFrame(
        {
            "path": clips.path,
            "label": clips.label.map(nfc),
            "source": clips.src_id.fillna(clips.path),  # without an id a file is a recording of its own
            "split": clips.suggested_split,
            "regions": [found.get(path) for path in clips.path],
        },
        dtype=object,
    )


def _table(path: Path, *columns: str) -> pd.DataFrame:
    """A table as text, so that 007 stays 007 and the label NA a label; it has these columns at least."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := set(columns) - set(table.columns):
        raise ValueError(f"{path}: columns {', '.join(sorted(missing))} are missing")
    return table


def _esc_clips(folder: Path, test_folds: tuple[int, ...]) -> pd.DataFrame:
    meta = _table(folder / "meta" / "esc50.csv", "filename", "fold", "category", "src_file")
    meta = meta.astype({"fold": int}).replace({"src_file": ""}, None)
    if absent := sorted(set(test_folds) - set(meta.fold)):
        raise ValueError(f"{folder}: no fold {absent[0]}: choose test_folds from {sorted(set(meta.fold))}")
    return pd.DataFrame(
        {
            "path": [f"audio/{name}" for name in meta.filename],
            "label": meta.category.map(nfc),
            "source": meta.src_file.fillna(meta.filename),
            "split": ["test" if fold in test_folds else "train" for fold in meta.fold],
            "regions": None,
        },
        dtype=object,
    )


def _label_folders(folder: Path, test_share: float, group: str | None = None) -> pd.DataFrame:
    files = [path for path in sounds_below(folder) if path.parent.parent == folder]
    rows = [(path.relative_to(folder).as_posix(), nfc(path.parent.name), nfc(path.stem)) for path in files]
    clips = pd.DataFrame(rows, columns=["path", "label", "source"], dtype=object)
    if group is not None:
        clips["source"] = clips.path.map(groups_of(clips.path, group))
    test: set[str] = set()
    train: set[str] = set()
    for _, sources in clips.groupby("label").source:
        # A stem that an earlier label has placed stays there: one recording, one split, whatever its labels.
        names = sorted(set(sources), key=lambda name: hashlib.sha256(name.encode()).digest())
        wanted = math.ceil(test_share * len(names)) - len(test & set(names))
        free = [name for name in names if name not in test | train]
        test |= set(free[: max(wanted, 0)])
        train |= set(free[max(wanted, 0) :])
    clips["split"] = ["test" if source in test else "train" for source in clips.source]
    clips["regions"] = None
    return clips
