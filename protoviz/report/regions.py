"""Tables inside documents, held to the results: a marked region of Markdown is what a function says it is.

    <!-- protoviz table demo -->
    ...the table...
    <!-- end -->

`protoviz report --check` compares, `--write` refreshes; nobody copies a number by hand.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import unified_diff
from functools import partial
from pathlib import Path

from protoviz.files import write_text
from protoviz.report.layers import layers_table
from protoviz.report.measured import demo_table, few_shot_table, frames_table, poolings_table
from protoviz.report.polyphony import encoders_table, polyphony_table
from protoviz.report.scaling import SECTIONS
from protoviz.report.speed import serving_table, speed_table, steps_table
from protoviz.report.tokens import tokens_table
from protoviz.report.views import views_table

KINDS = ("procedural", "recordings")  # of scenes that `protoviz polyphony` mixes
MARK = re.compile(r"^<!-- protoviz table ([\w-]+) -->$", re.MULTILINE)
END = "<!-- end -->"


class RegionError(ValueError):
    """A document's tables are not those of the results, or its marks are wrong; the text says where."""


def makers(data: Path) -> dict[str, Callable[[], str]]:
    """Return every table that a document may hold: its name -> what makes its Markdown from a data folder."""
    return {
        "demo": partial(demo_table, data),
        "poolings": partial(poolings_table, data),
        "few-shot": partial(few_shot_table, data),
        "tokens": partial(tokens_table, data),
        "layers": partial(layers_table, data),
        "views": partial(views_table, data),
        "frames": partial(frames_table, data),
        **{f"encoders-{kind}": partial(encoders_table, data, kind) for kind in KINDS},
        **{f"polyphony-{kind}": partial(polyphony_table, data, kind, "mini-mae") for kind in KINDS},
        **SECTIONS,
        "speed": partial(speed_table, data),
        "speed-steps": partial(steps_table, data),
        "serving": partial(serving_table, data),
    }


def documents(root: Path) -> list[Path]:
    """Return README.md and docs/*.md of a checkout: those that have a mark in them."""
    found = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return [path for path in found if path.exists() and MARK.search(path.read_text(encoding="utf-8"))]


def refreshed(text: str, tables: Mapping[str, Callable[[], str]], where: str = "the document") -> str:
    """Return the text with every marked region made anew. Raise RegionError for a wrong name or mark."""
    pieces, at = [], 0
    for mark in MARK.finditer(text):
        if mark.start() < at:
            raise RegionError(f"{where}: table {mark[1]} begins inside another: {END} is missing before it")
        end = text.find(f"\n{END}", mark.end())
        if end < 0:
            raise RegionError(f"{where}: table {mark[1]} has no {END}")
        if mark[1] not in tables:
            raise RegionError(f"{where}: there is no table {mark[1]!r}: choose one of {', '.join(tables)}")
        pieces += [text[at : mark.end()], "\n", tables[mark[1]]().strip("\n")]
        at = end
    return "".join([*pieces, text[at:]])


def _refuse_none(paths: Sequence[Path]) -> None:
    """Raise RegionError if there is no document: tables that nobody looked at are not right."""
    if not paths:
        raise RegionError(
            "no document holds a table: README.md and docs/*.md of the checkout have none between "
            f"<!-- protoviz table NAME --> and {END}; --root names another checkout"
        )


def check(paths: Sequence[Path], data: Path) -> list[str]:
    """Return the names of the documents' tables, all as the results say. RegionError shows the first
    difference, or says that no document has a table.
    """
    tables, names = makers(data), []
    _refuse_none(paths)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        new = refreshed(text, tables, path.name)
        if new != text:
            lines = unified_diff(text.splitlines(), new.splitlines(), path.name, "results", "", "", 0, "")
            raise RegionError(
                f"{path.name}: its tables differ from the results (`protoviz report --write` mends that)\n"
                + "\n".join(lines)
            )
        names += MARK.findall(text)
    return names


def write(paths: Sequence[Path], data: Path) -> list[Path]:
    """Return the documents that were changed: every marked region now holds what the results say."""
    tables, changed = makers(data), []
    _refuse_none(paths)
    new = {path: refreshed(path.read_text(encoding="utf-8"), tables, path.name) for path in paths}
    for path, text in new.items():  # after all of them could be made
        if text != path.read_text(encoding="utf-8"):
            write_text(path, text)
            changed.append(path)
    return changed
