"""Files that appear whole or not at all, also where several processes write the same one."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Nothing; `write(beside)` writes a file beside `path`, which then takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid4().hex[:12]}.part")  # each writer its own
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
