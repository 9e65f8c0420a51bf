"""Imports run only downwards through the rooms: torch stays below the pictures, panel above them."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "protoviz"
# Earlier rooms know nothing of later ones. Rooms on one line do not import each other.
ORDER = [
    ("arguments", "files", "named", "paths", "processes", "progress", "settings"),
    ("kept",),
    ("tensors",),
    ("audio",),
    ("scenes",),
    ("datasets",),
    ("encoders",),
    ("pretraining",),
    ("cache",),
    ("probes",),
    ("losses", "metrics"),
    ("training",),
    ("study",),
    ("analysis",),
    ("experiments",),
    ("figures",),
    ("report",),
    ("course",),
    ("explorer",),
    ("app",),
    ("export",),
    ("cli",),
    ("__main__",),
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere in it, with relative imports made absolute."""
    package = ["protoviz", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "protoviz" else {module}
    return found


def _faults(path: Path) -> Iterator[str]:
    """What a file imports against the rules."""
    room = _room(path)
    for module in sorted(_imports(path)):
        first, *inside = module.split(".")
        if first == "protoviz" and inside and inside[0] != room:
            if inside[0] not in LEVEL:
                yield f"{module}, which is no room"
            elif LEVEL[inside[0]] >= LEVEL[room]:
                yield f"{module}, which is no earlier room"
        if first in {"torch", "safetensors"} and LEVEL[room] >= LEVEL["figures"] and room != "course":
            yield f"{module}: pictures take arrays and frames"  # the course sets a notebook's threads
        if first in {"panel", "panel_material_ui", "bokeh"} and LEVEL[room] < LEVEL["figures"]:
            yield f"{module}: the library works without pages"


def test_every_room_has_its_place():
    assert {_room(path) for path in FILES} == set(LEVEL)


def test_imports_run_downwards():
    assert [f"{path.relative_to(PACKAGE)} imports {fault}" for path in FILES for fault in _faults(path)] == []


def test_analysis_takes_arrays_and_frames_only():
    for path in (PACKAGE / "analysis").glob("*.py"):
        assert not {m.split(".")[0] for m in _imports(path)} & {"torch", "panel", "holoviews"}, path.name


def test_importing_the_package_and_the_command_line_is_light():
    heavy = "{'torch', 'panel', 'holoviews', 'umap', 'sklearn'}"
    code = f"import sys, protoviz, protoviz.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "a student waits for these at every --help"


def test_the_map_of_the_house_names_every_room():
    table = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)/?`", "".join(rows))) == sorted(set(LEVEL) - {"__main__"})
