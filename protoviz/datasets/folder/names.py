"""Which sound file a table means by a name: exactly that one, or none."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from protoviz.audio import is_foreign, is_sound, nfc
from protoviz.datasets.clips import split_named
from protoviz.datasets.files import MISSING, Fault

AMBIGUOUS = "ambiguous"
XENO_CANTO = re.compile(r"xc\d+(?!\w)")  # "XC123 - Eurasian Jay.mp3" is number 123 of its lists
OWN = re.compile(r"(.*?)[\W_]*(?:labels?|annotations?|events?|selections?|label ?track)", re.IGNORECASE)


class Match(NamedTuple):
    """The file that a name means. whole: all of the name, folders too, is the end of the file's path."""

    path: Path
    whole: bool


class SoundNames:
    """The sound files below a root, by what tables may call them.

    A name may be a path below the table's folder or the root, a path of another machine, a bare name, in
    other capitals, with other accents, with backslashes, without its suffix or with that from before a
    conversion. Where several files fit equally, those nearest to the table, then those in the row's split
    count; if there are still several, none does.
    """

    def __init__(self, root: Path, sounds: Iterable[Path]):
        self.root = root
        self.sounds = tuple(sounds)
        self._parts = {path: _parts(path.relative_to(root).as_posix()) for path in self.sounds}
        self._named, self._stems = defaultdict(list), defaultdict(list)
        for path, parts in self._parts.items():
            self._named[parts[-1].casefold()].append(path)
            stem = _stem(parts[-1]).casefold()
            self._stems[stem].append(path)
            if (number := XENO_CANTO.match(stem)) and number[0] != stem:
                self._stems[number[0]].append(path)

    def knows(self, name: str) -> bool:
        """Return whether some file has this name, whatever its folder."""
        return bool(self._candidates(_parts(name)))

    def find(self, name: str, beside: Path, split: str = "") -> Match | Fault:
        """Return the file that a row of a table in a folder means; kind and reason where it means none."""
        parts = _parts(name)
        found = self._candidates(parts)
        if not found:
            return MISSING, "no sound file of that name"
        below = _parts(beside.relative_to(self.root).as_posix())
        from_table = _parts(os.path.normpath("/".join((*below, *parts))))

        def fit(path: Path) -> tuple:
            here = self._parts[path]
            ends = [_ends(here, asked) for asked in (from_table, parts)]
            direct = any(
                n == len(here) == len(asked) for n, asked in zip(ends, (from_table, parts), strict=True)
            )
            return (
                direct,
                ends[1],
                here[-1] == parts[-1],
                here[-1].casefold() == parts[-1].casefold(),
                here[: len(below)] == below and not len(below) < 1,
                bool(split) and split in map(split_named, here[:-1]),
            )

        best = max(map(fit, found))
        same = [path for path in found if fit(path) == best]
        if len(same) > 1:
            shown = " and ".join(path.relative_to(self.root).as_posix() for path in same[:2])
            return AMBIGUOUS, f"it may be {shown}; write the path below {self.root.name or 'the folder'}"
        return Match(same[0], best[0] or best[1] == len(parts))

    def own(self, table: Path) -> Match | Fault:
        """Return the file whose name a table has: NAME.txt, NAME_labels.txt, NAME.Table.1.selections.txt.

        labels.txt, annotations.csv are that of the one sound in their folder.
        """
        name, fault = table.name, (MISSING, "no sound file of that name")
        while "." in name:
            name = name.rpartition(".")[0]
            found = self.find(name, table.parent)
            if isinstance(found, Match) or found[0] == AMBIGUOUS:
                return found
        if named := OWN.fullmatch(name):
            beside = [path for path in self.sounds if path.parent == table.parent]
            if named[1]:
                return self.find(named[1], table.parent)
            if len(beside) == 1:
                return Match(beside[0], True)
        return fault

    def _candidates(self, parts: tuple[str, ...]) -> list[Path]:
        if not parts:
            return []
        last = parts[-1].casefold()
        named = self._named.get(last) or self._stems.get(last)
        if not named and last.isdigit():
            named = self._stems.get(f"xc{last}")
        return named or (self._stems.get(_stem(last), []) if is_sound(last) or is_foreign(last) else [])


def _parts(name: str) -> tuple[str, ...]:
    text = nfc(name.strip()).replace("\\", "/").removeprefix("file:")
    return tuple(part for part in text.split("/") if part not in ("", "."))


def _stem(name: str) -> str:
    return PurePosixPath(name).stem if is_sound(name) or is_foreign(name) else name


def _ends(here: tuple[str, ...], asked: tuple[str, ...]) -> int:
    """How many parts, from the last on, two paths have in common; the last counts without its suffix."""
    count = 1
    while count < min(len(here), len(asked)) and here[-1 - count].casefold() == asked[-1 - count].casefold():
        count += 1
    return count
