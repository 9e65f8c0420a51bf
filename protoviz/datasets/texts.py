"""The text of a table file, and the rows of one whose columns its publisher has fixed."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path

from protoviz.datasets.spec import LayoutError


def records(
    path: Path, columns: Sequence[str], *, delimiter: str = ",", names: Sequence[str] | None = None
) -> Iterator[dict[str, str]]:
    """Yield the rows of a publisher's table, values stripped, absent ones "".

    names: the columns of a file without a header. Lines that begin with # are comments before the first row,
    and among the rows where they have not the columns of one: a file's name may begin so. Raises LayoutError
    where the file or one of `columns` is missing, or where the text is not UTF-8.
    """
    lines = dropwhile(lambda line: line.startswith("#"), io.StringIO(text_of(path), newline=""))
    reader = csv.DictReader(lines, names, delimiter=delimiter, skipinitialspace=True)
    header = [name.strip() for name in reader.fieldnames or ()]
    if missing := [column for column in columns if column not in header]:
        raise LayoutError(f"{path}: lacks the columns {', '.join(missing)}; it has {', '.join(header)}")
    reader.fieldnames = header
    for row in reader:
        if (row[header[0]] or "").startswith("#") and (None in row or None in row.values()):
            continue
        yield {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}


def text_of(path: Path, utf16: bool = False) -> str:
    """Return the text of a publisher's file, or of anyone's (`utf16`: Excel's "Unicode text" is read as
    well).

    Raises LayoutError where there is no such file, or where it is not in that encoding.
    """
    if not path.is_file():
        raise LayoutError(f"{path}: no such file; check the path")
    try:
        data = path.read_bytes()
        return data.decode(_encoding(data) if utf16 else "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise LayoutError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error


def _encoding(data: bytes) -> str:
    """UTF-16 where its mark stands first or every other byte of the beginning is zero; else UTF-8."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(data) > 1 and not (data[0] and data[1]):
        return "utf-16-be" if data[1] else "utf-16-le"
    return "utf-8"


def number(row: Mapping[str, str], column: str, path: Path) -> float:
    """Return the finite number in a column of a row of `path`. Raise LayoutError, which shows the row."""
    with suppress(KeyError, ValueError):
        if math.isfinite(found := float(row[column])):
            return found
    raise LayoutError(f"{path}: {column} {row.get(column)!r} of {dict(row)} is not a number")
