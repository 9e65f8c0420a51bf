"""What a cell of a table says: its labels, a number, a time."""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence

from protoviz.datasets.spec import LayoutError

YES, NO = {"1", "1.0", "true", "yes", "x"}, {"0", "0.0", "false", "no", ""}
QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
NUMBERS = re.compile(r"[\d.\s,]*")  # as numpy prints a list of them
CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d+)?)")


def seconds_of(text: str) -> float:
    """Return a time in seconds: 1.5, 1,5 or 0:01.5; ValueError for what is none."""
    if clock := CLOCK.fullmatch(text):
        hours, minutes, rest = (float((part or "0").replace(",", ".")) for part in clock.groups())
        return 3600 * hours + 60 * minutes + rest
    return number_of(text)


def number_of(text: str) -> float:
    """Return a finite number with a point or a decimal comma; ValueError for anything else."""
    value = float(re.sub(r"^([-+]?\d*),(\d+)$", r"\1.\2", text))
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def is_switch(cells: Iterable[str]) -> bool:
    """Return whether the cells of a column are of one class: 0 and 1, true and false, or x and nothing."""
    found = {cell.lower() for cell in cells}
    return found <= YES | NO and found != {""} and bool(found)


def is_on(cell: str) -> bool:
    """Return whether a clip has the class of such a column."""
    return cell.lower() in YES


def is_text(cell: str) -> bool:
    """Return whether a filled cell holds neither a number nor a time."""
    try:
        return bool(cell) and seconds_of(cell) is None
    except ValueError:
        return True


def is_soft(cells: Sequence[str]) -> bool:
    """Return whether all numbers of a column lie in -1..1, as soft labels, and -1 for "not annotated", do."""
    return all(-1 <= number_of(cell) <= 1 for cell in cells if cell) and any(cells)


def label_reader(cells: Sequence[str], many: bool) -> Callable[[str], tuple[str, ...] | None]:
    """Return a function: a cell of this column -> its labels; None: the clip is not labelled.

    cells: all of the column; many: its name is a plural. A list as Python or JSON writes it is one in any
    column, and an empty one says that the clip has no class; an empty cell says that nobody labelled it.
    Labels are parted by ; or | where a cell of the column has one (then commas are part of a label). Else a
    comma parts them where the column's name is a plural, where no space follows it, or where a part of it
    stands alone in another row: "Käuzchen, klein" is one label in a column `label`.
    """
    texts = [cell for cell in cells if not _is_list(cell)]
    marked = any(mark in cell for cell in texts for mark in ";|")
    alone = {cell for cell in texts if "," not in cell}

    def read(cell: str) -> tuple[str, ...] | None:
        if not cell:
            return None
        if _is_list(cell):
            return _distinct(_listed(cell))
        if marked:
            return _distinct(re.split(r"[;|]", cell))
        parts = [part.strip() for part in cell.split(",")]
        if many or re.search(r",(?=\S)", cell) or set(parts) & alone:
            return _distinct(parts)
        return (cell,)

    return read


def is_vectors(cells: Iterable[str]) -> bool:
    """Return whether all filled cells are equally long lists of 0 and 1, some with one twice: no labels."""
    lists = [_listed(cell) if _is_list(cell) else [] for cell in cells if cell]
    if not lists or len({len(one) for one in lists}) > 1:
        return False
    found = [[entry.strip().lower() for entry in one] for one in lists]
    return all(set(one) <= YES | NO for one in found) and any(len(set(one)) < len(one) for one in found)


def _distinct(labels: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))


def _is_list(cell: str) -> bool:
    if cell == "set()":
        return True
    inner = cell[1:-1].strip()
    quoted = inner[:1] in ("'", '"')
    return len(cell) > 1 and cell[0] + cell[-1] in ("[]", "()", "{}") and (cell[0] == "[" or quoted)


def _listed(cell: str) -> list[str]:
    if cell == "set()":
        return []
    try:
        found = json.loads(cell, parse_int=str, parse_float=str)
        return [str(label) for label in found if label is not None]
    except RecursionError as error:
        raise LayoutError(f"the cell {cell[:40]!r}... is a list nested too deeply: write labels") from error
    except ValueError:
        inner = cell[1:-1]
    if QUOTED.search(inner):
        return [re.sub(r"\\(.)", r"\1", one or other) for one, other in QUOTED.findall(inner)]
    return re.split(r"[,\s]+" if NUMBERS.fullmatch(inner) else ",", inner)
