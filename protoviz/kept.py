"""Small files that a later run reads again: written whole, with their own digest, and checked when read.

    write_json(path, value)   -> read_json(path)
    write_frame(path, frame)  -> read_frame(path)

A digest of JSON is of its values, so that other spaces or line ends make no difference; one of a table, or of
any file that names its own `UNSEALED`, is of its bytes. A file that holds no digest, as older versions wrote
them, is read as it is. What is damaged is set aside under another name, and said, where it can be made again.
"""

import hashlib
import json
import warnings
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from protoviz.files import write_bytes
from protoviz.settings import SettingsError, checked

MOST_BYTES = 4 << 30  # of a file, and of a table in memory; results of 40,000 clips have a hundredth
KEY = "digest"  # in a JSON file, of all else in it; the value of one that is no table stands under VALUE
VALUE = "rows"
MARK = "protoviz-sha256:"  # begins every digest, so that one is known although its key was damaged
UNSEALED = MARK + "0" * 64  # where `sealed` puts the digest of the other bytes
ASIDE = ".damaged"  # ends the name of a file that was set aside


class DamagedFileError(ValueError):
    """A file is not what was written; the text names it."""

    def __init__(self, path: Path, why: object):
        super().__init__(path, why)
        self.said = f"{path} is damaged ({why})"

    def __str__(self) -> str:
        return f"{self.said}: run again the command that wrote it"


class DamagedFileWarning(UserWarning):
    """A damaged file was set aside, and what it held is made again."""


# -- bytes


def sealed(data: bytes) -> bytes:
    """Return the bytes of a file with their digest in the place of its last `UNSEALED`."""
    before, mark, after = data.rpartition(UNSEALED.encode())
    return before + _digest(data).encode() + after if mark else data


def _digest(data: bytes) -> str:
    return MARK + hashlib.sha256(data).hexdigest()


def refuse_changed(path: Path, data: bytes) -> None:
    """Raise DamagedFileError if the bytes, read from `path`, hold another digest than their own."""
    if (begin := data.rfind(MARK.encode())) < 0:
        return
    held, end = memoryview(data), begin + len(UNSEALED)
    summed = hashlib.sha256(held[:begin])
    summed.update(UNSEALED.encode())
    summed.update(held[end:])
    if data[begin:end].decode("latin-1") != MARK + summed.hexdigest():
        raise DamagedFileError(path, "it does not match its digest")


def _read(path: Path) -> bytes:
    """The bytes of a file that is one, and no larger than any that is written here."""
    if path.exists() and not path.is_file():
        raise DamagedFileError(path, "it is a folder or a device, and no file")
    if path.is_file() and (size := path.stat().st_size) > MOST_BYTES:
        raise DamagedFileError(path, f"it has {size:,} bytes, more than any file that is written here")
    return path.read_bytes()


# -- JSON


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, at once, with its digest under KEY."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return a value as `write_json` writes it."""
    value = json.loads(json.dumps(value))  # as it will be read: keys are texts, tuples lists
    held = value if isinstance(value, dict) else {VALUE: value}
    return (json.dumps({**held, KEY: _digest_of(held)}, indent=1) + "\n").encode()


def _digest_of(held: dict) -> str:
    return _digest(json.dumps(held, sort_keys=True).encode())


def read_json(path: Path, form: Any = Any) -> Any:
    """Return what `write_json` wrote, or a file without a digest holds, of a form as in `protoviz.settings`.

    DamagedFileError where it is damaged, or of another form.
    """
    try:
        return checked(_unsealed(path), form, str(path))
    except SettingsError as error:
        raise DamagedFileError(path, str(error).removeprefix(str(path)).lstrip(": ")) from error


def _unsealed(path: Path) -> Any:
    """The value of a JSON file without its digest, which is right where there is one."""
    try:
        value = json.loads(_read(path).decode())
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(path, error) from error
    if not isinstance(value, dict):
        return value
    if not [key for key, one in value.items() if key == KEY or str(one).startswith(MARK)]:
        return value
    if value.pop(KEY, None) != _digest_of(value):
        raise DamagedFileError(path, "its values do not match their digest")
    return value[VALUE] if list(value) == [VALUE] else value


# -- tables


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as parquet, at once, with its digest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, data = pa.Table.from_pandas(frame, preserve_index=False), BytesIO()
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, "sealed": UNSEALED}), data)
    write_bytes(path, sealed(data.getvalue()))


def read_frame(path: Path) -> pd.DataFrame:
    """Return the frame of a parquet file. DamagedFileError, with the cure, where it is damaged."""
    import pyarrow.parquet as pq

    try:
        data = _read(path)
        refuse_changed(path, data)
        held = pq.ParquetFile(BytesIO(data)).metadata
        if held.num_rows * held.num_columns * 8 > MOST_BYTES:
            raise DamagedFileError(path, f"it states {held.num_rows:,} rows of {held.num_columns} columns")
        return pd.read_parquet(BytesIO(data))
    except (DamagedFileError, FileNotFoundError):
        raise
    except Exception as error:  # a table that is no parquet: pyarrow raises many kinds
        raise DamagedFileError(path, str(error).splitlines()[0]) from error


# -- what can be made again


def set_aside(path: Path, why: object) -> None:
    """Rename the file to one that ends in ASIDE, and say so with a DamagedFileWarning."""
    number, other = 1, path.with_name(path.name + ASIDE)
    while other.exists():
        number += 1
        other = path.with_name(f"{path.name}.{number}{ASIDE}")
    with suppress(FileNotFoundError):  # another process was quicker
        path.rename(other)
        said = f"{path} is damaged ({why}); it is now {other.name}, and what it cannot give is made again"
        warnings.warn(said, DamagedFileWarning, stacklevel=2)


def put_aside(folder: Path) -> list[Path]:
    """Return the files below a folder that this run, or one before, has set aside; of token maps too."""
    return sorted({*Path(folder).rglob(f"*{ASIDE}"), *Path(folder).rglob(f"{ASIDE[1:]}/*")})
