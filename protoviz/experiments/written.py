"""A grid written down: study.toml in its folder, which `read_grid` reads as the same grid."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from protoviz import kept
from protoviz.experiments.grid import TOP, Grid
from protoviz.study.form import SETTINGS


def write_settings(folder: Path, grid: Grid) -> None:
    """Write a grid as study.toml, which `read_grid` reads as the same grid."""
    kept.write_bytes(folder / SETTINGS, as_toml(grid).encode())


def as_toml(grid: Grid) -> str:
    """Return a grid as TOML."""
    lines = [f"{name} = {_value(getattr(grid, name))}" for name in TOP]
    search = {k: v for k, v in asdict(grid.search).items() if k != "loss" and v is not None}
    lines += _table(("search",), search)
    for entry in grid.datasets:
        hyper = {"hyper": entry.hyper} if entry.hyper else {}
        loss = {"loss": entry.loss} if entry.loss else {}
        lines += _table(
            ("datasets", entry.name), {"use": entry.use, "options": entry.options, **loss, **hyper}
        )
    for entry in grid.encoders:
        weights = {"weights": entry.weights} if entry.weights else {}
        lines += _table(("encoders", entry.name), {"use": entry.use, **weights, "options": entry.options})
    for method in grid.probes:
        ranges = method.space.spans() if method.space else {}
        table = {"use": method.probe, "hyper": method.options, "ranges": ranges}
        lines += _table(("probes", method.title), table)
    if grid.slurm:
        lines += _table(("slurm",), grid.slurm)
    return "\n".join(lines) + "\n"


def _table(names: tuple[str, ...], values: dict[str, Any]) -> list[str]:
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    inner = {name: value for name, value in values.items() if isinstance(value, dict) and value}
    lines = ["", f"[{'.'.join(map(json.dumps, names))}]"]
    lines += [f"{_key(name)} = {_value(value)}" for name, value in plain.items() if value is not None]
    for name, value in inner.items():
        lines += _table((*names, name), value)
    return lines


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=True)  # texts, whole numbers and truths are the same in TOML
