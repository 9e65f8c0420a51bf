"""study.toml for other people: what was run, without the places where weights and clips lay here."""

import json
import re
import tomllib
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from protoviz.study.form import FACTS, StudyError

REMARK = (
    f"# Packed: weights and folders stand here by their last names alone, and {FACTS} has their digests.\n"
    "# To run it again, unpack it and name yours.\n"
)
TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'")  # of one line, as TOML writes it
SLURM = re.compile(r"^\[slurm\b.*\n(?:(?!\[\w).*\n)*", re.MULTILINE)


def without_places(text: str, where: str) -> str:
    """Return the text of a study.toml with each path to elsewhere by its last name, and without [slurm].

    Comments stay. Raises StudyError, which begins with `where`, if a path stands where it cannot be changed.
    """
    wanted = _plain({name: value for name, value in tomllib.loads(text).items() if name != "slurm"})
    changed = REMARK + TEXT.sub(_named, SLURM.sub("", text + "\n"))
    try:
        if tomllib.loads(changed) == wanted:
            return changed
    except tomllib.TOMLDecodeError:
        pass
    raise StudyError(f"{where}: its paths cannot be left out; write each on one line, in plain quotes")


def _named(match: re.Match) -> str:
    try:
        value = tomllib.loads(f"value = {match[0]}")["value"]
    except tomllib.TOMLDecodeError:  # a piece of a comment, between two apostrophes
        return match[0]
    return match[0] if _plain(value) == value else json.dumps(_plain(value))


def _plain(value: Any) -> Any:
    """The value with each text that is a path to elsewhere cut to its last name."""
    if isinstance(value, dict):
        return {_plain(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, str):
        return value
    kind = PureWindowsPath if "\\" in value or PureWindowsPath(value).drive else PurePosixPath
    elsewhere = kind(value).is_absolute() or value.startswith(("~", "$")) or ".." in kind(value).parts
    return (kind(value).name or "elsewhere") if elsewhere else value
