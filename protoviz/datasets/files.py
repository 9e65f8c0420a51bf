"""Clips in sound files: what all loaders share, from a publisher's table to a checked clip set."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from protoviz.audio import (
    AudioError,
    audio_info,
    fit_length,
    is_foreign,
    is_hidden,
    is_sound,
    nfc,
    read_audio,
    sounds_below,
)
from protoviz.audio.patience import Patience
from protoviz.datasets.clips import ClipSet, skip_table
from protoviz.datasets.spec import LayoutError
from protoviz.files import digest_of
from protoviz.scenes import Event

RATE = 16_000  # hertz: what all published encoders but one take
SHORTEST = 0.2  # seconds; `spec.WHY` says why
READERS = 8  # threads that read headers
MISSING, UNREADABLE, SHORT, TWICE = "missing", "unreadable", "too short", "listed twice"

Fault = tuple[str, str]  # kind and reason


class Mix(NamedTuple):
    """A second clip that is added to the first: where it is, and how far the first lies above it (dB)."""

    path: str
    offset: float
    decibels: float


class Row(NamedTuple):
    """One clip as a publisher lists it."""

    clip: str
    split: str
    labels: Sequence[str]
    path: Path | str
    offset: float = 0.0  # seconds into the file
    licence: str = ""
    events: tuple[Event, ...] = ()
    mix: Mix | None = None
    group: str = ""  # the source that clips have in common and that no two splits share; "": not known


class Skip(NamedTuple):
    """One clip that a publisher lists and that is left out, with the reason."""

    clip: str
    split: str
    kind: str
    reason: str


class Window(NamedTuple):
    """What is read of a file: so many seconds from its offset on; at least `shortest` make a clip."""

    seconds: float
    sample_rate: int = RATE
    shortest: float = SHORTEST


@dataclass(frozen=True)
class FileReader:
    """Reads the window of a row: `seconds` from its offset, or up to the end of its file."""

    seconds: float
    sample_rate: int
    places: tuple[tuple, ...]  # of each row: clip, path, offset, Mix or None
    marks: Mapping[str, tuple[Event, ...]]
    pad: bool = False  # zeros up to `seconds`; without them an encoder knows which cells hold no sound

    def read(self, row: pd.Series) -> np.ndarray:
        """Return the window's samples (s,) float32; AudioError names an unreadable file."""
        sound = self._window(row["path"], row.get("offset", 0.0))
        partner = row.get("mix_path")
        if isinstance(partner, str) and partner:
            sound = mixed(sound, self._window(partner, row["mix_offset"]), row["mix_db"])
        return fit_length(sound, round(self.seconds * self.sample_rate)) if self.pad else sound

    def _window(self, path: str, offset: float) -> np.ndarray:
        return read_audio(path, self.sample_rate, offset=float(offset), duration=self.seconds)

    def events(self, row: pd.Series) -> tuple[Event, ...]:
        """Return the events that the publisher marks in the window; empty if it marks none."""
        return self.marks.get(row["clip"], ())

    def fingerprint(self) -> str:
        """Return window, rate, and the bytes of every file, read when this is first asked; no paths."""
        return self._content

    @cached_property
    def _content(self) -> str:
        settings = f"{float(self.seconds)} s {int(self.sample_rate)} Hz pad {self.pad}"  # 5 is 5.0
        digest = hashlib.sha256(settings.encode())
        known: dict[str, str] = {}  # several clips may lie in one file
        for clip, path, offset, mix in self.places:
            for name in (path, mix.path) if mix else (path,):
                known[name] = known.get(name) or content_of(name)
            partner = (known[mix.path], mix.offset, mix.decibels) if mix else None
            digest.update(repr((clip, known[path], offset, partner)).encode())
        return digest.hexdigest()


def content_of(path: str | Path) -> str:
    """Return sha256 (hex) of a file."""
    return Patience()(lambda: digest_of(Path(path)))


def mixed(sound: np.ndarray, partner: np.ndarray, decibels: float) -> np.ndarray:
    """Return `sound` (s,) with `partner` added, scaled so that its root mean square lies `decibels` below.

    The partner is cut, or padded with zeros, to the sound's length. Where one is silent, both stay as loud
    as they are.
    """
    partner = partner[: len(sound)]
    level, other = (float(np.sqrt(np.mean(np.square(x, dtype=np.float64)))) for x in (sound, partner))
    gain = level / other * 10 ** (-decibels / 20) if level and other else 1.0
    return sound + fit_length(partner, len(sound)) * np.float32(gain)


def clip_set(
    name: str,
    classes: Sequence[str],
    rows: Iterable[Row],
    window: Window,
    skipped: Iterable[Skip] = (),
    licence: str = "",
) -> ClipSet:
    """Return the clip set of those rows whose file is there, opens and is long enough for the window.

    licence: that of a row without one of its own. The other rows are listed in `.skipped`, after those
    given, with an id that comes twice. Ids and labels have their accents composed; an empty label is none.
    An absent file is taken from beside it with another sound's suffix. Only headers are read here: damage
    further in shows when the clip is read.
    """
    rows, skips, kept, seen = list(rows), list(skipped), [], set()
    where = stored(row.path for row in rows)
    rows = [
        row._replace(
            clip=nfc(row.clip),
            labels=[nfc(label) for label in row.labels if label.strip()],
            path=where[str(row.path)],
        )
        for row in rows
    ]
    known = lengths(row.path for row in rows)
    for row in rows:
        length, fault = _window(row, known[str(row.path)], window.shortest)
        if row.clip in seen:
            fault = (TWICE, "its id stands in the list before")
        seen.add(row.clip)
        if fault:
            skips.append(Skip(row.clip, row.split, *fault))
        else:
            kept.append((row, min(length, window.seconds)))
    if not kept:
        first = f"; {skips[0].clip}: {skips[0].reason}" if skips else ""
        raise LayoutError(f"{name}: not one of its {len(skips):,} clips can be read{first}")
    places = tuple((row.clip, str(row.path), row.offset, row.mix) for row, _ in kept)
    marks = {row.clip: row.events for row, _ in kept if row.events}
    reader = FileReader(window.seconds, window.sample_rate, places, marks)
    return ClipSet(
        name,
        tuple(dict.fromkeys(nfc(label) for label in classes if label.strip())),
        _table(kept, licence),
        reader,
        skip_table(skips),
    )


def lengths(paths: Iterable[Path | str]) -> dict[str, float | Fault]:
    """Return Path -> seconds that its header tells, or (kind, reason) where no sound is."""
    distinct = sorted({str(path) for path in paths})
    with ThreadPoolExecutor(READERS) as pool:  # opening a hundred thousand files is mostly waiting
        return dict(zip(distinct, pool.map(partial(_length, Patience()), distinct), strict=True))


def _length(patience: Patience, path: str) -> float | Fault:
    try:
        if not patience(Path(path).is_file):
            return MISSING, f"{path}: no such file"
        return patience(audio_info, path).seconds
    except (AudioError, OSError) as error:
        return UNREADABLE, str(error)


def _window(
    row: Row, length: float | tuple[str, str], shortest: float
) -> tuple[float, tuple[str, str] | None]:
    """Seconds of a row's file from its offset on, and (kind, reason) where it cannot be used."""
    if isinstance(length, tuple):
        return 0.0, length
    left = length - row.offset
    if left < shortest:
        return 0.0, (SHORT, f"{row.path}: {max(left, 0.0):.3f} s, and {shortest:g} s are needed")
    return left, None


def _table(kept: list[tuple[Row, float]], licence: str) -> pd.DataFrame:
    columns = {
        "clip": [row.clip for row, _ in kept],
        "split": [row.split for row, _ in kept],
        "labels": [sorted(set(row.labels)) for row, _ in kept],
        "polyphony": [len(row.events) for row, _ in kept],
        "seed": -1,
        "path": [str(row.path) for row, _ in kept],
        "offset": [float(row.offset) for row, _ in kept],
        "duration": [length for _, length in kept],
        "licence": [row.licence or licence for row, _ in kept],
    }
    if any(row.group for row, _ in kept):
        columns["group"] = [row.group for row, _ in kept]
    if any(row.mix for row, _ in kept):
        columns["mix_path"] = [row.mix.path if row.mix else "" for row, _ in kept]
        columns["mix_offset"] = [row.mix.offset if row.mix else 0.0 for row, _ in kept]
        columns["mix_db"] = [row.mix.decibels if row.mix else 0.0 for row, _ in kept]
    return pd.DataFrame(columns)


def sound_index(folder: Path) -> dict[str, Path]:
    """Return every sound file below a folder by its name, accents composed; of equal names the first by path.

    Files that can be read stand behind foreign ones, so that they win where suffixes are left out.
    """
    last_wins = sorted(reversed(sounds_below(folder)), key=is_sound)
    return {nfc(path.name): path for path in last_wins}


def stored(paths: Iterable[Path | str]) -> dict[str, Path | str]:
    """Return a dict: Path -> the file itself or, where it is absent, the sound beside it that differs in its
    suffix only.

    So a copy that was converted to FLAC is read as the one that was published as WAV.
    """

    @cache
    def beside(folder: Path) -> dict[str, Path]:
        if not folder.is_dir():
            return {}
        sounds = [path for path in sorted(folder.iterdir()) if is_sound(path) or is_foreign(path)]
        return {nfc(path.stem): path for path in sorted(sounds, key=is_sound) if not is_hidden(path.name)}

    distinct = {str(path): Path(path) for path in paths}
    return {
        name: path if path.is_file() else beside(path.parent).get(nfc(path.stem), path)
        for name, path in distinct.items()
    }


def held_out(ids: Iterable[str], share: float, seed: int = 0) -> set[str]:
    """Return about `share` of the distinct ids, chosen by their hash, whatever their order."""
    ranked = sorted(set(ids), key=lambda name: hashlib.sha256(f"{seed}|{name}".encode()).digest())
    return set(ranked[: round(share * len(ranked))])


def event(label: str, onset: float, offset: float, sample_rate: int = RATE) -> Event:
    """Return an event whose publisher gives times only: its band is all that the sample rate holds."""
    return Event(label, onset, offset, 0.0, sample_rate / 2)
