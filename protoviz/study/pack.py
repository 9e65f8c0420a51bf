"""A study as one file: a plain zip, the same bytes for the same study, unpacked with care."""

import errno
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from uuid import uuid4

from protoviz.files import digest_of, write_whole
from protoviz.paths import cache_folder
from protoviz.study.form import FACTS, README, SETTINGS, StudyError, read_facts
from protoviz.study.places import without_places

MOST_BYTES = 64 << 30  # of an unpacked study: 40,000 clips' maps of a base encoder take half of it
MOST_FILES = 200_000
MOST_GAINED = 20, 64 << 20  # bytes unpacked for one that is packed, beyond a start: no study comes near it
STORED = (".npy", ".flac", ".safetensors", ".parquet")  # nothing is gained by packing these
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, IndexError)
# A place before the file's begin, and names that are none or also a folder's.
UNUSABLE = (errno.EINVAL, errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR)
TIME = (1980, 1, 1, 0, 0, 0)  # of every entry, so that the same study gives the same bytes


def pack_study(folder: str | Path, target: str | Path) -> Path:
    """Write a study into one zip file, and return the file. Token caches and finished cells stay out.

    So do the places where weights and clips lie on this machine: see `without_places`. Raises StudyError if
    the folder holds no study, or a link to a file that is elsewhere.
    """
    folder, target = Path(folder), Path(target)
    read_facts(folder)
    for path in study_files(folder):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise StudyError(f"{path} is a link out of the study: put the file itself there, or remove it")

    def write(beside: Path) -> None:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in study_files(folder):
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), TIME)
                entry.compress_type = zipfile.ZIP_STORED if path.suffix in STORED else zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                with _opened(path) as source, archive.open(entry, "w", force_zip64=True) as place:
                    shutil.copyfileobj(source, place, 1 << 20)

    write_whole(target, write)
    return target


def _opened(path: Path) -> BinaryIO:
    """A file of a study as it is packed."""
    if path.name != SETTINGS:
        return path.open("rb")
    return BytesIO(without_places(path.read_text(encoding="utf-8"), str(path)).encode())


def study_files(folder: Path) -> Iterator[Path]:
    """Yield every file of a study, in a fixed order; what else lies in the folder is no part of it."""
    yield from (folder / name for name in (FACTS, SETTINGS, README) if (folder / name).is_file())
    yield from sorted(path for path in folder.glob("*.parquet") if path.is_file())
    for room in ("results", "probes", "clips"):
        yield from sorted(
            path for path in (folder / room).rglob("*") if path.is_file() and path.name[0] != "."
        )


def unpacked_folder() -> Path:
    """Return where packed studies lie unpacked."""
    return cache_folder() / "studies"


def unpacked(file: Path) -> Path:
    """Return the folder of a packed study, unpacked now if it is not there yet.

    The folder is named after the file's content. Names that lead elsewhere, more than MOST_BYTES or
    MOST_FILES, and damaged entries are refused with StudyError.
    """
    place = unpacked_folder() / digest_of(file)[:16]
    if place.is_dir():
        return place
    beside = place.with_name(f".{uuid4().hex[:16]}.part")
    try:
        _extract(file, beside)
        beside.rename(place)
    except FileExistsError:
        pass  # another process was quicker
    except OSError:
        if not place.is_dir():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def _extract(file: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if FACTS not in archive.namelist():
                raise StudyError(f"{file} is not a packed study: it has no {FACTS}")
            total = sum(entry.file_size for entry in entries)
            times, start = MOST_GAINED
            most = min(MOST_BYTES, start + times * file.stat().st_size)
            if total > most or len(entries) > MOST_FILES:
                raise StudyError(
                    f"{file} unpacks to {total:,} bytes in {len(entries):,} files, too much for a study"
                )
            for entry in entries:
                name = PurePosixPath(entry.filename)
                if (
                    name.is_absolute()
                    or ".." in name.parts
                    or "\\" in entry.filename
                    or ":" in entry.filename
                ):
                    raise StudyError(f"{file}: the entry {entry.filename!r} leads out of the study")
                if entry.is_dir():
                    continue
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise StudyError(f"{file}: the entry {entry.filename!r} is packed as no study is")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as source, target.open("wb") as place:
                    _copy(source, place, entry.file_size)
    except StudyError:
        raise
    except DAMAGED as error:
        raise StudyError(f"{file} is not a packed study, or damaged ({error}): pack it again") from error
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        raise StudyError(f"{file} is damaged ({error}): pack it again") from error


def _copy(source, place, size: int) -> None:
    """Copy an entry; an archive may hold more than it states."""
    left = size
    while block := source.read(min(1 << 20, left + 1)):
        left -= len(block)
        if left < 0:
            raise zipfile.BadZipFile("an entry is longer than stated")
        place.write(block)
