"""Files that appear whole or not at all, also where several processes write the same one; their names."""

import json
import os
import re
from io import BytesIO
from pathlib import Path

import pandas as pd

from protoviz.files import write_whole


def slug(name: str) -> str:
    """A name as part of a path: "protobin + BatchNorm" -> "protobin-batchnorm", "mini-eat+" as it is."""
    return re.sub(r"( \+ |[^a-z0-9._+])+", "-", name.lower()).strip("-.") or "unnamed"


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` at once: a reader sees the old file or the new one."""
    write_whole(path, lambda beside: _flushed(beside, data))


def _flushed(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value) -> None:
    """Write a value as JSON, at once."""
    write_bytes(path, (json.dumps(value, indent=1) + "\n").encode())


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as parquet, at once."""
    data = BytesIO()
    frame.to_parquet(data, index=False)
    write_bytes(path, data.getvalue())
