"""What a compressed file says of itself: how long its sound is, and which parts of it have no fault."""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import soundfile

from protoviz.audio import flac, mpeg
from protoviz.audio.ogg import OPUS_RATE, Stream, streams
from protoviz.audio.sources import DAMAGED, AudioError, Decoder, Source, promised_frames, source_name

MARKED = ("OGG", "MP3", "FLAC")  # formats that are looked through before they are decoded
KEPT = 4096  # files whose survey is remembered: each is looked through once, however many windows are read


@dataclass(frozen=True)
class Part:
    """A stretch of a sound without a fault, and the bytes that a file of it alone consists of."""

    first: int  # frame from which it can be decoded rightly
    stop: int  # frame at which it ends
    pieces: tuple[bytes | tuple[int, int], ...]  # new bytes, or (first, stop) byte of the file
    whole: bool = False  # the pieces are all of the file: its decoder finds the part itself


@dataclass(frozen=True)
class Survey:
    """Where the sound of a file lies. No parts: the decoder reads the file as it stands."""

    frames: int  # how long the sound is, as far as it is there
    promised: float  # how long it should be; infinite where it was cut off and nothing says where
    parts: tuple[Part, ...] = ()

    def part(self, first: int, last: float) -> Part | None:
        """Return the part that holds frames first..last, or None if they touch damage."""
        return next((part for part in self.parts if part.first <= first and last <= part.stop), None)

    def damage(self, first: float, last: float) -> tuple[int, float]:
        """Return first and last frame of the damage that frames first..last meet
        first; infinite: none is behind.
        """
        ends = [0, *(part.stop for part in self.parts)]
        begins = [*(part.first for part in self.parts), math.inf]
        gaps = [gap for gap in zip(ends, begins, strict=True) if gap[0] < gap[1]]
        return next(gap for gap in gaps if first < gap[1] and (gap[0] < last or gap is gaps[-1]))


def survey(source: Source, file: soundfile.SoundFile) -> Survey:
    """Return what the marks of an opened source say: Ogg pages with their checksums, frames of an MP3 or a
    FLAC.

    A path is looked through once and again only when its size or time changed; other formats not at all.
    """
    if file.format not in MARKED:
        return Survey(file.frames, promised_frames(file))
    asked = (file.format, file.samplerate, file.frames)
    if isinstance(source, str | Path):
        path = Path(source).absolute()
        try:
            stat = path.stat()
            return _of_path(str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino, *asked)
        except OSError as error:
            raise AudioError(f"{source}: the disk fails to read it ({error.strerror}); try again") from error
    place = source.tell()  # the decoder reads through the same file object
    try:
        return _looked_through(source, source, *asked)
    finally:
        source.seek(place)


@contextmanager
def part_opened(source: Source, part: Part) -> Iterator[tuple[soundfile.SoundFile, int]]:
    """Yield the decoder of one part alone, and the frame of the whole sound at which it starts."""
    with _file(source) as file:
        try:
            decoder = Decoder(io.BufferedReader(_Spliced(file, part.pieces)))
        except soundfile.SoundFileError as error:
            raise AudioError(f"{source_name(source)}: damaged, nothing can be decoded; {DAMAGED}") from error
        with decoder:
            yield decoder, 0 if part.whole or part.first == 0 else part.stop - decoder.frames


class _Spliced(io.RawIOBase):
    """Pieces of a file, and bytes that never were in it, as one file to read."""

    def __init__(self, file: BinaryIO, pieces: tuple[bytes | tuple[int, int], ...]):
        self.file, self.pieces, self.place = file, pieces, 0
        self.sizes = [len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in pieces]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + (0, self.place, sum(self.sizes))[whence]
        return self.place

    def readinto(self, buffer) -> int:
        begin = 0
        for piece, size in zip(self.pieces, self.sizes, strict=True):
            at = self.place - begin
            if 0 <= at < size:
                if isinstance(piece, bytes):
                    found = piece[at : at + len(buffer)]
                else:
                    self.file.seek(piece[0] + at)
                    found = self.file.read(min(len(buffer), size - at))
                buffer[: len(found)] = found
                self.place += len(found)
                return len(found)
            begin += size
        return 0


@contextmanager
def _file(source: Source) -> Iterator[BinaryIO]:
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            yield file
    else:
        yield source


@lru_cache(KEPT)
def _of_path(path: str, size: int, time: int, number: int, kind: str, rate: int, frames: int) -> Survey:
    with _file(path) as file:
        return _looked_through(path, file, kind, rate, frames)


def _looked_through(source: Source, file: BinaryIO, kind: str, rate: int, frames: int) -> Survey:
    if kind == "MP3":
        return _of_mpeg(file, frames)
    if kind == "FLAC":
        return _of_flac(source_name(source), file, frames)
    return _of_ogg(source, streams(file), file.seek(0, io.SEEK_END), rate, frames)


def _of_mpeg(file: BinaryIO, frames: int) -> Survey:
    found = mpeg.walk(file)
    if found is None:
        return Survey(frames, frames)
    if found.whole and found.samples == frames:
        return Survey(frames, frames)
    part = Part(0, found.samples, (found.tag(), *found.spans))
    return Survey(found.samples, found.promised, (part,))


def _of_flac(name: str, file: BinaryIO, frames: int) -> Survey:
    found = flac.walk(file)
    if found is None or found.frame is None:
        return Survey(frames, frames)  # the decoder will say it
    wrong, last = found.head.contradicts(found.frame), found.runs[-1].stop
    if not wrong and found.total and last > found.total:
        wrong = f"{found.total} samples and not {last}"
    if wrong:
        raise AudioError(f"{name}: damaged: its header says {wrong}, unlike the frames behind it; {DAMAGED}")
    if len(found.runs) == 1 and found.runs[0].first == 0 and found.total in (0, last):
        return Survey(frames, frames)
    size, parts, begun = file.seek(0, io.SEEK_END), [], 0
    for run in found.runs:
        stop = run.stop - (0 if run.stop == found.total else run.last)  # a gap may begin within a frame
        if stop > max(begun, run.first):  # where a stretch is there twice, the decoder may take either
            parts.append(Part(max(begun, run.first), stop, ((0, size),), whole=True))
        begun = max(begun, run.stop)
    return Survey(parts[-1].stop if parts else 0, found.total or frames, tuple(parts) or (Part(0, 0, ()),))


def _of_ogg(source: Source, found: Stream, size: int, rate: int, frames: int) -> Survey:
    name = source_name(source)
    if found.others:
        raise AudioError(
            f"{name}: holds several sounds one after another, of which only the first could be decoded; "
            "join them (for example: ffmpeg -i IN OUT.flac)"
        )
    if not found.runs:
        raise AudioError(f"{name}: its header is damaged, so nothing can be decoded; {DAMAGED}")
    if len(found.runs) == 1 and found.closed and found.runs[0].span == (0, size):
        return Survey(frames, frames)
    unit = OPUS_RATE if found.codec == "opus" else rate
    origin, parts = found.origin, []
    for run in found.runs:
        if run.last < 0:  # pages of the head alone
            continue
        if run.starts:
            part = Part(0, 0, tuple(run.pieces))
            with part_opened(source, part) as (decoder, _):
                origin = run.last - decoder.frames * unit // rate
                parts.append(Part(0, decoder.frames, part.pieces))
        elif found.codec in ("vorbis", "opus"):  # others do not start anew behind a gap
            first, stop = -(-(run.first - origin) * rate // unit), (run.last - origin) * rate // unit
            parts.append(Part(max(1, first), stop, (*found.head, *run.pieces)))
    length = max((found.last - origin) * rate // unit, 0)
    kept = tuple(part for part in parts if part.stop > part.first)
    return Survey(length, length if found.closed else math.inf, kept or (Part(0, 0, ()),))
