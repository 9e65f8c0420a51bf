"""A table file as cells of text, whatever its form: CSV of any separator, JSON, JSON lines."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from protoviz.audio import is_foreign, is_sound
from protoviz.datasets.folder.columns import role_of
from protoviz.datasets.spec import LayoutError
from protoviz.datasets.texts import text_of

SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json")
OTHER_SUFFIXES = (
    ".xlsx",
    ".xls",
    ".ods",
    ".parquet",
    ".feather",
    ".pkl",
    ".mat",
)  # tables for other programs
SEPARATORS = ("\t", ";", ",", "|")
csv.field_size_limit(2**24)  # labels of ten thousand events in one cell are still a table


class Sheet(NamedTuple):
    """Cells as they stand in the file. header: empty where the file has none; lines: of each row, from 1."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


def read_sheet(path: Path, is_row: Callable[[str], bool]) -> Sheet | None:
    """Return the cells of a table file; None: it holds no table (a text without separators, JSON of another
    kind).

    is_row: whether a cell names a sound: a first line that begins with one is a row, there is no header.
    Lines that begin with # are comments before the header. Raises LayoutError for text that is neither
    UTF-8 nor UTF-16, and for quotes that do not close.
    """
    text = text_of(path, utf16=True)
    if path.suffix.lower() in (".json", ".jsonl", ".ndjson"):
        return _json_sheet(path, text)
    return _text_sheet(path, text, is_row)


def _text_sheet(path: Path, text: str, is_row: Callable[[str], bool]) -> Sheet | None:
    lines = re.split(r"\r\n|\r|\n", text)
    begin, separator, comment = 0, "", ""
    while begin < len(lines) and (
        not lines[begin].strip() or lines[begin].startswith("#") or _sep(lines[begin])
    ):
        separator = _sep(lines[begin]) or separator
        comment = lines[begin].lstrip("# ") if lines[begin].startswith("#") else comment
        if comment and is_row(_cells(lines[begin], separator or _separator(lines[begin], is_row))[0]):
            break  # a file whose name begins with #
        begin += 1
    if begin == len(lines):
        return Sheet((), (), ())
    first = lines[begin]
    separator = separator or _separator(first, is_row)
    rows, numbers = _rows(path, "\n".join(lines[begin:]), separator, begin)
    if not rows:
        return Sheet((), (), ())
    bare = (is_row(rows[0][0]) and not role_of(rows[0][0])) or any(
        is_sound(cell) or is_foreign(cell) for cell in rows[0]
    )
    if bare:
        named = _cells(comment, separator)  # a header in a comment, as AudioSet's lists have it
        known = len(named) == len(rows[0]) and sum(bool(role_of(name)) for name in named) > 1
        return Sheet(tuple(named) if known else (), rows, numbers)
    return Sheet(rows[0], rows[1:], numbers[1:])


def _sep(line: str) -> str:
    """The separator that a first line names to Excel: sep=; ."""
    found = re.fullmatch(r'"?sep=(.)"?\s*', line.lstrip("\ufeff"), re.IGNORECASE)
    return found[1] if found else ""


def _separator(line: str, is_row: Callable[[str], bool]) -> str:
    """The separator by which most columns of a first line are known or sounds, or else most columns.

    A space is one where no other is in the line and the name of a sound stands before it.
    """

    def fits(separator: str) -> tuple[int, int]:
        cells = _cells(line, separator)
        return sum(bool(role_of(cell)) or is_row(cell) for cell in cells), len(cells)

    if not any(mark in line for mark in SEPARATORS) and is_row(line.split(" ")[0]) and not is_row(line):
        return " "
    return max(SEPARATORS, key=fits)


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), None) or [""]


def _rows(path: Path, text: str, separator: str, before: int) -> tuple[tuple, tuple]:
    """The rows of cells, and the line that each begins at; empty lines are none."""
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        space = separator != "\t"
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator,
            quoting=quoting,
            strict=True,
            skipinitialspace=space,
        )
        found, line = [], before + 1
        try:
            for row in reader:
                cells = tuple(cell.strip() for cell in row)
                if any(cells):
                    found.append((cells, line))
                line = before + reader.line_num + 1
        except csv.Error as error:
            if separator == "\t" and quoting == csv.QUOTE_MINIMAL:
                continue  # a quote in a table without quoting, as Raven and Audacity write them
            raise LayoutError(f"{path}, line {line}: {error}; close the quotes of that row") from error
        return tuple(row for row, _ in found), tuple(number for _, number in found)
    raise AssertionError("without quoting there is no such error")


def _json_sheet(path: Path, text: str) -> Sheet | None:
    """JSON lines, a list of objects, or an object of file -> label, labels or an object."""
    whole = path.suffix.lower() == ".json"
    numbered = [(1, text)] if whole else enumerate(text.splitlines(), 1)
    found, lines = [], []
    for number, part in numbered:
        if not part.strip():
            continue
        try:
            value = json.loads(part, parse_int=str, parse_float=str)  # 1 stays 1 and 007 is an error
        except (ValueError, RecursionError) as error:
            if whole and path.name.lower() != "metadata.json":
                return None
            raise LayoutError(f"{path}, line {number}: {error}; it is no JSON") from error
        values = [row for held in (_objects(value) if whole else [value]) for row in _exploded(held)]
        found += values
        lines += [number] * len(values)
    if not found or not all(isinstance(value, dict) for value in found):
        return None
    header = tuple(dict.fromkeys(name for value in found for name in value))
    rows = tuple(tuple(_text(value.get(name)) for name in header) for value in found)
    return Sheet(header, rows, tuple(lines))


def _objects(value: object) -> list:
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    inner = [held for held in value.values() if isinstance(held, list) and held and isinstance(held[0], dict)]
    if len(inner) == 1:
        return inner[0]  # what a service answers: {"numRecordings": 2, "recordings": [{...}, {...}]}
    if value and all(isinstance(held, dict) for held in value.values()):
        return [{"file": name, **held} for name, held in value.items()]
    return [{"file": name, "labels": held} for name, held in value.items()]


def _exploded(value: object) -> list:
    """A row for each event of a file that holds its events as objects, {"onset": 0, "label": "dog"}."""
    if not isinstance(value, dict):
        return [value]
    for name, held in value.items():
        timed = isinstance(held, list) and held and all(isinstance(one, dict) for one in held)
        if timed and any(role_of(key) in ("onset", "place in file") for one in held for key in one):
            return [{**{k: v for k, v in value.items() if k != name}, **one} for one in held]
    return [value]


def _text(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(int(value))
    if isinstance(
        value, dict
    ):  # the sound itself, as the hub's libraries write it, or a class with its number
        return next((str(value[key]) for key in ("path", "name", "label") if value.get(key)), "")
    if isinstance(value, list) and any(isinstance(held, list | dict) for held in value):
        parts = [one for held in value for one in (held if isinstance(held, list) else [held])]
        value = [_text(one) if isinstance(one, dict) else one for one in parts]
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value).strip()
