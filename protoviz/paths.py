"""Where the shipped files are: the checkout's data/, or the copy inside an installed wheel."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder() -> Path:
    """The folder that holds `encoders/` and `demo/`.

    Order: the environment variable PROTOVIZ_DATA, the copy inside an installed wheel, the checkout's data/.
    """
    if chosen := os.environ.get("PROTOVIZ_DATA"):
        return Path(chosen).expanduser()
    packaged = _PACKAGE / "data"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "data"


DATA = data_folder()
