"""Sound files opened, with every fault that shows at opening as one AudioError: file, fault, cure."""

import errno
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import soundfile

LOST_SECONDS = 0.1  # a sound may end this much before its header says: MP3 encoders pad and round
UNKNOWN_FRAMES = 2**62  # libsndfile offers more than this where a header does not say how long the sound is
CURE = "convert it to WAV, FLAC, OGG, MP3 or AIFF (for example: ffmpeg -i IN OUT.wav)"
DAMAGED = "fetch or export it again"
# Headers that promise more bytes than the file holds, as libsndfile words it for WAV, AIFF, AU, RF64 and W64
SHORTENED = re.compile(r"^\s*(?:data|SSND|Data Size|Riff size|riff)\s*: (\d+) \(should be (\d+)\)", re.M)
STREAMED = 0x7FFF0000  # sizes from here on stand for "not known when the header was written" (pipes)

Source = str | Path | BinaryIO


class AudioError(ValueError):
    """A sound that cannot be read as asked; the message names the file, what is wrong and the cure."""


class Decoder(soundfile.SoundFile):
    """A sound file that is decoded straight on.

    soundfile seeks after every read where it can. That restarts an MP3 decoder, which drops what it had kept
    of earlier frames: now and then a block began with a click.
    """

    def seekable(self) -> bool:
        """Return False, so that a read does not seek; `seek` itself still works."""
        return False


def source_name(source: Source) -> str:
    """Return how messages call a source: its path, or an open file's name where it has one."""
    if isinstance(source, str | Path):
        return str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name else "the sound in memory"


@contextmanager
def opened(source: Source) -> Iterator[soundfile.SoundFile]:
    """Yield the decoder of a source that holds a sample or more; a file that the caller opened stays open."""
    name = source_name(source)
    if isinstance(source, str | Path):
        _check_path(name, Path(source))
        target = str(source)
    else:
        _rewind(name, source)
        target = source
    try:
        file = Decoder(target)
    except (soundfile.SoundFileError, TypeError, OSError) as error:  # TypeError: a file called *.raw
        _blame_disk(name, source)
        raise AudioError(f"{name}: no sound that can be decoded ({_reason(error)}); {CURE}") from error
    try:
        with file:
            if file.frames <= 0:
                raise AudioError(f"{name}: holds no sound (0 samples); {DAMAGED}")
            yield file
    except AudioError:
        _blame_disk(name, source)
        raise


def promised_frames(file: soundfile.SoundFile) -> float:
    """Return frames that a header promises: more than `file.frames` where the file was cut off."""
    found = SHORTENED.search(file.extra_info)
    if found is None:
        return file.frames
    promised, there = int(found[1]), int(found[2])
    if promised >= STREAMED or promised <= there or there == 0:
        return file.frames
    frames = round(file.frames * promised / there)
    return frames if frames - file.frames > LOST_SECONDS * file.samplerate else file.frames


def length_known(file: soundfile.SoundFile) -> bool:
    """Return whether the header says how long the sound is (a FLAC written to a pipe does not)."""
    return file.frames < UNKNOWN_FRAMES


def _blame_disk(name: str, source: Source) -> None:
    """Raise the disk's error if the file's bytes cannot be read; else the sound is at fault (libsndfile does
    not say which).
    """
    if not isinstance(source, str | Path):
        return
    try:
        with Path(source).open("rb") as file:
            while file.read(1 << 20):
                pass
    except OSError as error:
        raise AudioError(f"{name}: the disk fails to read it ({error.strerror}); try again") from error


def _check_path(name: str, path: Path) -> None:
    try:
        path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise AudioError(f"{name}: no such file; check the path") from error
        raise AudioError(f"{name}: cannot be reached ({error.strerror}); check path and disk") from error
    if path.is_dir():
        raise AudioError(f"{name}: is a folder, not a sound; pass one file in it")
    if not path.is_file():  # a pipe would wait for ever
        raise AudioError(f"{name}: is not a regular file; save the sound to a file first")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise AudioError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from error
    if empty:
        raise AudioError(f"{name}: the file is empty (0 bytes); {DAMAGED}")


def _rewind(name: str, source: BinaryIO) -> None:
    try:
        size = source.seek(0, io.SEEK_END)
        source.seek(0)
        text = isinstance(source.read(0), str)
    except (AttributeError, OSError, ValueError) as error:
        raise AudioError(
            f"{name}: not an open binary file that can seek; pass a path or io.BytesIO(data)"
        ) from error
    if text:
        raise AudioError(f"{name}: was opened as text; open it with mode 'rb'")
    if size == 0:
        raise AudioError(f"{name}: the file is empty (0 bytes); {DAMAGED}")


def _reason(error: Exception) -> str:
    """libsndfile's own words, without the file's name that stands in front already."""
    text = getattr(error, "error_string", None) or str(error)
    return text.removeprefix("Error : ").strip().rstrip(".") or type(error).__name__
