"""Files that appear whole or not at all, also where several processes write the same one; their names."""

import json
import os
from io import BytesIO
from pathlib import Path

import pandas as pd

from protoviz.files import slug, write_whole

__all__ = ["slug", "write_bytes", "write_frame", "write_json"]


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
