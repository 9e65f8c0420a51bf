"""Which files are sounds, by suffix, and where they lie: the one list and the one walk of the project."""

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

# What soundfile opens. A file without a header of its own (.raw) is none: its rate is anybody's guess.
SOUND_SUFFIXES = (
    ".wav", ".wave", ".bwf", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc",
    ".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist", ".voc",
)  # fmt: skip
# Sounds that it does not open, and films that hold one: they are listed with the cure, never passed over.
FOREIGN_SUFFIXES = (
    ".m4a", ".m4b", ".mp4", ".aac", ".webm", ".weba", ".mka", ".mkv", ".mov", ".avi", ".wma", ".amr", ".3gp",
    ".ac3", ".ape", ".wv", ".tta", ".dsf", ".spx", ".ra", ".wac", ".mp2",
)  # fmt: skip
# What systems leave behind beside people's files; names that begin with a dot are left out as well.
LEFT_BEHIND = {
    "__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "__pycache__",
}  # fmt: skip


def nfc(text: str) -> str:
    """Return the text with every accent composed: names written on another system compare equal."""
    return unicodedata.normalize("NFC", text)


def is_sound(path: str | Path) -> bool:
    """Return whether a file's name ends as that of a sound which can be read, in capitals or not."""
    return Path(path).suffix.lower() in SOUND_SUFFIXES


def is_foreign(path: str | Path) -> bool:
    """Return whether a file's name ends as that of a sound which has to be converted first."""
    return Path(path).suffix.lower() in FOREIGN_SUFFIXES


def is_hidden(name: str) -> bool:
    """Return whether a system keeps a file or folder for itself (.DS_Store, ._x.wav, __MACOSX)."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def files_below(folder: str | Path) -> Iterator[Path]:
    """Yield every file below a folder, hidden ones and what is below hidden folders left out; no set order.

    Linked folders are entered; each folder is entered once, by its own path before any link to it, so that
    links in a circle end and no file comes twice.
    """
    waiting, linked, entered = [Path(folder)], [], set()
    while waiting or linked:
        here = waiting.pop() if waiting else linked.pop()
        real = os.path.realpath(here)
        if real in entered:
            continue
        entered.add(real)
        try:
            with os.scandir(here) as found:
                entries = [entry for entry in found if not is_hidden(entry.name)]
        except OSError:
            continue  # no such folder, or one that may not be looked into
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                (linked if entry.is_symlink() else waiting).append(here / entry.name)
            elif entry.is_file():
                yield here / entry.name


def sounds_below(folder: str | Path) -> list[Path]:
    """Return every sound file below a folder, in order of path: those that can be read, and foreign ones.

    A foreign file beside a readable one of its name, which was converted from it, is left out.
    """
    found = [path for path in files_below(folder) if is_sound(path) or is_foreign(path)]
    converted = {path.with_suffix("") for path in found if is_sound(path)}
    return sorted(path for path in found if is_sound(path) or path.with_suffix("") not in converted)
