"""Where the shipped files are: the checkout's data/, or the copy inside an installed wheel."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder() -> Path:
    """The project's own data folder: the copy inside an installed wheel, or the checkout's data/."""
    packaged = _PACKAGE / "data"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "data"


def data_folder() -> Path:
    """The folder that holds `encoders/`, `demo/` and `results/`: PROTOVIZ_DATA, or the shipped one."""
    if chosen := os.environ.get("PROTOVIZ_DATA"):
        return Path(chosen).expanduser()
    return shipped_folder()


DATA = data_folder()
