"""Lists of classes: tables that give the numbers, which other tables have as labels, their names."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from protoviz.audio import nfc
from protoviz.datasets.folder.cells import is_text
from protoviz.datasets.folder.columns import plain, rank, role_of
from protoviz.datasets.folder.sheets import Sheet
from protoviz.datasets.folder.statements import Statement, Table


def class_list(path: Path, sheet: Sheet) -> Table | None:
    """Return a list of classes: a column of different whole numbers, and one of names; else None."""
    columns = [[row[p] if p < len(row) else "" for row in sheet.rows] for p in range(len(sheet.header))]
    numbers = [p for p, cells in enumerate(columns) if all(map(str.isdigit, cells))]
    numbers = [p for p in numbers if len(set(columns[p])) == len(columns[p])]
    texts = [p for p, cells in enumerate(columns) if all(cells) and any(map(is_text, cells))]
    named = [p for p in texts if role_of(sheet.header[p]) == "label" or len(texts) == 1]
    named += [p for p in texts if plain(sheet.header[p]) == "name"]
    if len(numbers) != 1 or not named:
        return None
    best = min(named, key=lambda p: rank(sheet.header[p]))
    names = dict(zip(columns[numbers[0]], map(nfc, columns[best]), strict=True))
    used = {"number": (sheet.header[numbers[0]],), "name": (sheet.header[best],)}
    return Table(path, "names of classes", (), used, names=names)


def with_names(tables: list[Table]) -> list[Table]:
    """Return the tables with names for class numbers, where just one list of classes has all the numbers."""
    said = {label for table in tables for row in table.rows for label in _labels(row)}
    lists = [table.names for table in tables if table.names and said and said <= set(table.names)]
    if len(lists) != 1:
        return tables
    return [replace(table, rows=tuple(_renamed(row, lists[0]) for row in table.rows)) for table in tables]


def _labels(row: Statement) -> tuple[str, ...]:
    return (*(row.labels or ()), *((row.event.label,) if row.event and row.event.label else ()))


def _renamed(row: Statement, names: Mapping[str, str]) -> Statement:
    labels = row.labels and tuple(names[label] for label in row.labels)
    event = row.event and replace(row.event, label=names.get(row.event.label, ""))
    return row._replace(labels=labels, event=event)
