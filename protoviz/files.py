"""Files that appear whole or not at all, also where several processes write the same one; and their names."""

import errno
import hashlib
import os
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what a disk says that takes no more
LONGEST = 100  # letters of a name in a path: three of them and a digest fit into any system's limits
DIGITS = 8  # of the digest that keeps names apart
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}  # Windows
TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def write_whole(path: Path, write: Callable[[Path], object], beside: Path | None = None) -> None:
    """Write a file whole: `write(beside)` writes beside `path`, and the result then takes its place.

    A reader sees the old file or the new one, also after a kill or a loss of power. beside: a name for the
    only writer that there is, which then leaves no second file however often it is killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each writer its own; not named after `path`, whose name may be as long as the file system allows.
    beside = beside or path.with_name(f".{uuid4().hex[:16]}.part")
    try:
        with naming_full_disk(path.parent):
            write(beside)
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(beside, path)  # noqa: PTH105 (one call to watch in tests)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole."""
    write_whole(path, lambda beside: beside.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """Write a file whole, in UTF-8 and with the text's own line ends."""
    write_bytes(path, text.encode())


def digest_of(path: Path) -> str:
    """Return the sha256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def naming_full_disk(folder: Path) -> Iterator[None]:
    """Give a full disk's error, which names no file, the name of `folder` for the length of a `with`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL and not error.filename:
            error.filename = str(folder)
        raise


def full_disk(error: BaseException | None) -> OSError | None:
    """Return the error of a full disk that is behind an error, or None."""
    while error is not None and not (isinstance(error, OSError) and error.errno in FULL):
        error = error.__cause__ or error.__context__
    return error


def read_alike(name: str) -> str:
    """Return what two names have in common that a person, or a file system without case, takes for the same
    one.

    Case, Unicode's composed, decomposed and compatible forms, and signs that do not show make no difference.
    """
    shown = (sign for sign in unicodedata.normalize("NFKC", name) if unicodedata.category(sign) != "Cf")
    folded = unicodedata.normalize("NFKC", "".join(shown).casefold())
    return re.sub("[\ufe00-\ufe0f]", "", folded)  # variants of an emoji


def command(*words: object) -> str:
    """Return a command of ours between backquotes, each word as a shell reads it."""
    return f"`{shlex.join(['protoviz', *map(str, words)])}`"


def visible(name: str) -> str:
    """Return a name on one line with nothing in it that acts: a terminal, a list or a picture shows all of
    it.

    A control character becomes the sign for it (␀ to ␟), and one that would turn the direction of the words,
    or cannot be written at all, becomes �.
    """
    return "".join(map(_sign, name))


def _sign(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind == "Cc" and letter < "\x20":
        return chr(0x2400 + ord(letter))
    return "\N{REPLACEMENT CHARACTER}" if kind in ("Cc", "Cs", "Zl", "Zp") or letter in TURNING else letter


def counted(name: str) -> tuple:
    """Return the key by which names sort as people count: "2" before "10"; names without digits as text."""
    return tuple(
        int(part[:4000]) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name))
    ), name


@lru_cache(4096)
def slug(name: str) -> str:
    """Return a name as part of a path: "protobin + BatchNorm" -> "protobin-batchnorm", "mini-eat+" as it is.

    Safe on every file system: small ASCII letters, digits and "._+-", at most LONGEST of them, no name that
    Windows keeps for itself. A name that this would cut short or empty, or that has other letters, ends in a
    digest of itself. Names that `read_alike` have the same slug: `refuse_alike` refuses them side by side.
    """
    read = read_alike(name)
    plain = re.sub(r"( \+ |[^a-z0-9._+])+", "-", read).strip("-.")
    reserved = plain.split(".")[0] in RESERVED
    if plain and read.isascii() and len(plain) <= LONGEST and not reserved:
        return plain
    kept = (plain.replace(".", "-") if reserved else plain)[: LONGEST - DIGITS - 1].strip("-.")
    return f"{kept or 'unnamed'}-{_digest(read)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def folder_name(name: str) -> str:
    """Return the name itself where any file system keeps it, else its `slug`: never a path to elsewhere."""
    plain = re.fullmatch(r"[a-z0-9_+]([a-z0-9 _.+-]*[a-z0-9_+-])?", name, re.IGNORECASE | re.ASCII)
    usable = plain and len(name) <= LONGEST and name.lower().split(".")[0] not in RESERVED
    return name if usable else slug(name)


def refuse_alike(names: Iterable[str], kind: str) -> None:
    """Raise ValueError, which names two that do not differ, unless each name has a `slug` of its own."""
    known: dict[str, str] = {}
    for name in names:
        if known.setdefault(slug(name), name) != name:
            raise ValueError(
                f"{kind} {known[slug(name)]!a} and {name!a} would share the folder {slug(name)!r} "
                "(case, spaces and Unicode forms tell no names apart): name one of them otherwise"
            )


def slugs_apart(names: Iterable[str]) -> dict[str, str]:
    """Return name -> its `slug`; those that would share one end in a digest of the exact name."""
    found = {name: slug(name) for name in names}
    shared = [one for one in found.values() if list(found.values()).count(one) > 1]
    return {name: f"{one}-{_digest(name)}" if one in shared else one for name, one in found.items()}
