"""The tables of a study, in one file or in parts, read when they are asked for."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from protoviz import kept
from protoviz.files import digest_of, slug, write_text
from protoviz.study.form import StudyError, probe_file, run_command, table_part


class Tables(Mapping):
    """The tables of a study by name, read when asked for: `study.results["results"]`.

    A large table lies in parts, and `part` reads those alone that are asked for.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._known = lru_cache(maxsize=None)(lambda path, *stamp: kept.read_frame(path))

    def _read(self, path: Path) -> pd.DataFrame:
        stat = path.stat()
        return self._known(path, stat.st_mtime_ns, stat.st_size)

    @property
    def files(self) -> dict[str, list[Path]]:
        """Name -> its files: one, or one a part."""
        rooms = (self._folder, self._folder / "results")
        found = {path.stem: [path] for room in rooms for path in sorted(room.glob("*.parquet"))}
        for room in sorted(path for path in rooms[1].glob("*") if path.is_dir()):
            if parts := sorted(room.rglob("*.parquet")):
                found[room.name] = [*found.get(room.name, []), *parts]
        return found

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.part(name)

    def part(
        self, name: str, dataset: str | None = None, encoder: str | None = None, method: str | None = None
    ) -> pd.DataFrame:
        """Return the rows of a table that say something of a data set, an encoder, a method; None: of all.

        Raises StudyError where there is no such table; one without such rows is empty.
        """
        files = self.files
        if name not in files:
            there = ", ".join(files) or f"none: {run_command(self._folder)} makes them"
            raise StudyError(f"{self._folder} has no table {name!r}; it has {there}")
        asked = {"dataset": dataset, "encoder": encoder, "method": method}
        frames = [self._read(path) for path in files[name] if self._holds(path, name, asked)]
        frames = frames or [self._read(files[name][0]).head(0)]
        found = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0].copy()
        for column, value in asked.items():
            if value is not None and column in found:
                found = found[found[column] == value]
        return found

    def _holds(self, path: Path, name: str, asked: dict[str, str | None]) -> bool:
        """Whether a file may hold rows of what is asked for, by its name."""
        room = self._folder / "results" / name
        if not path.is_relative_to(room):
            return True
        names = path.relative_to(room).with_suffix("").parts
        return all(
            value is None or slug(value) == part for value, part in zip(asked.values(), names, strict=False)
        )

    def current(self, name: str, *cell: str) -> bool:
        """Return whether a table says something of a probe (data set, encoder, method) as it is now."""
        part = table_part(self._folder, name, *cell)
        if part.is_file():
            return self._read(part).attrs.get("probe") == digest_of(probe_file(self._folder, *cell))
        return name in self and len(self.part(name, *cell)) > 0  # of the run itself

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def settings(self, name: str) -> dict[str, Any]:
        """Return what is known of the runs behind a table; {} where nothing is written down."""
        beside = self.files[name][0].with_suffix(".json") if name in self else None
        return kept.read_json(beside, dict[str, Any]) if beside and beside.is_file() else {}

    def to_csv(self, folder: str | Path, *names: str) -> list[Path]:
        """Write tables (all of them if none is named) as CSV into a folder, and return the files."""
        paths = []
        for name in names or self:
            path = Path(folder) / f"{name}.csv"
            write_text(path, self[name].to_csv(index=False))
            paths.append(path)
        return paths
