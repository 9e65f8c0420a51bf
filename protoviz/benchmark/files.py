"""Files that appear whole or not at all, also where several processes write the same one; their names."""

import json
import os
import re
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pandas as pd


def slug(name: str) -> str:
    """A name as part of a path: "protobin + BatchNorm" -> "protobin-batchnorm", "mini-eat+" as it is."""
    return re.sub(r"( \+ |[^a-z0-9._+])+", "-", name.lower()).strip("-.") or "unnamed"


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` at once: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")  # each writer its own
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value) -> None:
    """Write a value as JSON, at once."""
    write_bytes(path, (json.dumps(value, indent=1) + "\n").encode())


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as parquet, at once."""
    data = BytesIO()
    frame.to_parquet(data, index=False)
    write_bytes(path, data.getvalue())
