"""Where the shipped files are, where results may go, and where the package keeps what it can make again."""

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder() -> Path:
    """Return the project's own data folder: the copy inside an installed wheel, or the checkout's data/."""
    return _shipped("data")


def shipped_notebooks() -> Path:
    """Return the course's notebooks: the copy inside an installed wheel, or the checkout's notebooks/."""
    return _shipped("notebooks")


def _shipped(name: str) -> Path:
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


def data_folder() -> Path:
    """Return the folder that holds `encoders/` and the study `demo/`: PROTOVIZ_DATA, or the shipped one."""
    if chosen := os.environ.get("PROTOVIZ_DATA"):
        return Path(chosen).expanduser()
    return shipped_folder()


def cache_folder() -> Path:
    """Return where what can be made again is kept: PROTOVIZ_CACHE, or `protoviz` in the user's own cache."""
    if chosen := os.environ.get("PROTOVIZ_CACHE"):
        return Path(chosen).expanduser()
    places = {"darwin": "~/Library/Caches", "win32": os.environ.get("LOCALAPPDATA") or "~/AppData/Local"}
    users = os.environ.get("XDG_CACHE_HOME") or places.get(sys.platform, "~/.cache")
    return Path(users).expanduser() / "protoviz"


def writable(folder: Path) -> bool:
    """Return whether a folder, which need not be there yet, takes files; an installed package never does."""
    folder = Path(folder).absolute()
    if (_PACKAGE / "data").is_dir() and folder.is_relative_to(_PACKAGE):
        return False
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK)


DATA = data_folder()
