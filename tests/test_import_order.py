"""Imports run only downwards through the rooms: torch stays below the pictures, panel above them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "protoviz"
# Earlier rooms know nothing of later ones. Rooms on one line do not import each other.
ORDER = [
    ("files", "paths", "processes"),
    ("audio",),
    ("scenes",),
    ("datasets",),
    ("encoders",),
    ("pretraining",),
    ("cache",),
    ("probes",),
    ("losses", "metrics"),
    ("training",),
    ("search",),
    ("benchmark",),
    ("analysis",),
    ("maps",),
    ("demo", "dial"),
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(path):
    room = _room(path)
    assert room in LEVEL, f"{room} is not in the list of rooms: give it a place in ORDER"
    for module in _imports(path):
        parts = module.split(".")
        if parts[0] == "protoviz" and len(parts) > 1 and parts[1] != room:
            assert parts[1] in LEVEL, f"{path.name} imports {module}, which is no room"
            assert LEVEL[parts[1]] < LEVEL[room], f"{room} imports {module}, a later room"
        if parts[0] in {"torch", "safetensors"}:
            low = LEVEL[room] < LEVEL["figures"] or room == "course"  # which sets a notebook's threads
            assert low, f"torch in {path.name}: pictures take arrays and frames"
        if parts[0] in {"panel", "panel_material_ui", "bokeh"}:
            assert LEVEL[room] >= LEVEL["figures"], (
                f"{parts[0]} in {path.name}: the library works without pages"
            )


def test_analysis_takes_arrays_and_frames_only():
    for path in (PACKAGE / "analysis").glob("*.py"):
        assert not {m.split(".")[0] for m in _imports(path)} & {"torch", "panel", "holoviews"}, path.name


def test_importing_the_package_and_the_command_line_is_light():
    heavy = "{'torch', 'panel', 'holoviews', 'umap', 'sklearn'}"
    code = f"import sys, protoviz, protoviz.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "a student waits for these at every --help"
