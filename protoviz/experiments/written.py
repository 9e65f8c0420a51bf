"""A grid written down: study.toml in its folder, each default with its reason, which `read_grid` reads."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from protoviz.datasets import DATASETS
from protoviz.datasets.spec import WHY
from protoviz.datasets.views import Views
from protoviz.encoders.options import LoadOptions
from protoviz.experiments.grid import TOP, DatasetEntry, Grid, GridError, KeepConfig, read_grid
from protoviz.experiments.rates import KINDS
from protoviz.experiments.scoring import scorer_class
from protoviz.files import write_text
from protoviz.probes import Space
from protoviz.probes.base import WHY as WHY_PROBES
from protoviz.settings import Default, defaults
from protoviz.study.form import SETTINGS

HEAD = "# What is run, and why each default is what it is. `protoviz study run FOLDER` runs what is new here."


def write_settings(folder: Path, grid: Grid) -> None:
    """Write a grid as study.toml; one that says the same already stays as it was written, by whomever."""
    path = folder / SETTINGS
    with suppress(GridError):
        if path.is_file() and read_grid(path) == grid:
            return
    write_text(path, as_toml(grid))


def as_toml(grid: Grid) -> str:
    """Return a grid as TOML, with the reasons that stand beside the defaults in the code."""
    top = {name: getattr(grid, name) for name in TOP}
    lines = _lines({name: value for name, value in top.items() if value is not None}, defaults(Grid))
    search = {name: value for name, value in asdict(grid.search).items() if name != "loss"}
    kind = next(name for name, form in KINDS.items() if isinstance(grid.search, form))
    lines += _table(("search",), {"kind": kind, **search}, defaults(type(grid.search)))
    lines += _table(("keep",), asdict(grid.keep), defaults(KeepConfig))
    if grid.views != Views():
        lines += _table(("views",), asdict(grid.views), defaults(Views))
    if grid.fine_tune:
        told = {name: value for name, value in asdict(grid.fine_tune).items() if name not in ("loss", "seed")}
        lines += _table(("fine_tune",), told, defaults(type(grid.fine_tune)))
    for entry in grid.scores:
        options = {"use": entry.use, **dict(entry.options)}
        lines += _table(("scores", entry.name), options, defaults(scorer_class(entry.use)))
    for entry in grid.datasets:
        table = {"use": entry.use, "loss": entry.loss, "options": entry.options, "hyper": entry.hyper}
        known = defaults(DATASETS[entry.use].load, WHY) if entry.use in DATASETS else {}
        lines += _table(("datasets", entry.name), table, known | defaults(DatasetEntry))
    for entry in grid.encoders:
        table = {"use": entry.use, "weights": entry.weights, "options": entry.options}
        lines += _table(("encoders", entry.name), table, defaults(LoadOptions))
    for method in grid.probes:
        space = method.space or method.found.space
        table = {"use": method.probe, "first": method.first, "hyper": method.options}
        table |= {"ranges": space.spans()}
        why = defaults(Space)
        known = {name: Default(span, why[name].reason) for name, span in method.found.space.spans().items()}
        lines += _table(("probes", method.title), table, defaults(method.found.__init__, WHY_PROBES) | known)
    if grid.recipe:
        own = {"use": grid.recipe.name, **asdict(grid.recipe)}
        lines += _table(("recipe",), own, defaults(type(grid.recipe)))
    if grid.slurm:
        lines += _table(("slurm",), grid.slurm, {})
    return "\n".join([HEAD, *lines, ""])


def _table(names: tuple[str, ...], values: Mapping[str, Any], known: Mapping[str, Default]) -> list[str]:
    inner = {name: value for name, value in values.items() if isinstance(value, dict) and value}
    plain = {name: value for name, value in values.items() if not isinstance(value, dict | None)}
    lines = ["", f"[{'.'.join(map(_key, names))}]", *_lines(plain, known)]
    for name, value in inner.items():
        lines += _table((*names, name), value, known)
    return lines


def _lines(values: Mapping[str, Any], known: Mapping[str, Default]) -> list[str]:
    return [
        f"{_key(name)} = {_value(value)}{_remark(value, known.get(name))}" for name, value in values.items()
    ]


def _remark(value: Any, default: Default | None) -> str:
    """Why a default is what it is; beside another value, which default it was."""
    if default is None or not default.reason:
        return ""
    usual = "" if default.value is None else _value(default.value)
    return f"  # {f'default {usual}; ' if usual not in ('', _value(value)) else ''}{default.reason}"


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isalnum() and name.isascii() else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=True)  # texts, whole numbers and truths are the same in TOML
