"""Notebooks that were run or copied, and are looked at again."""

import os
from pathlib import Path

from benchmarks.damage.kind import Kind

CELLS = """# %% [markdown]
# # One

# %%
1 + 1
"""


def _lesson(folder: Path):
    from protoviz.export.sources import find_lessons

    (lesson,) = find_lessons(folder / "course")
    return lesson


def notebooks(folder: Path) -> None:
    """A small course, a copy to work in, and what its run gave."""
    from protoviz.export.sources import paired

    source = folder / "course" / "py" / "01_one.py"
    source.parent.mkdir(parents=True)
    source.write_text(CELLS)
    (folder / "course" / "01_one.ipynb").write_text(paired(source))
    copied(folder)
    executed(folder)


def copied(folder: Path) -> list[str]:
    from protoviz.export import own_copies

    kept = own_copies(folder / "own", folder / "course")
    print(kept)
    return [path.read_text(errors="replace") for path in sorted((folder / "own").glob("*.ipynb"))]


def executed(folder: Path) -> list:
    from protoviz.export.running import executed as run

    os.environ.setdefault("PROTOVIZ_DATA", str(folder / "none"))  # what a run depends on, made small
    made = run(_lesson(folder), kept=folder / "kept")
    return [[cell.source, cell.get("outputs")] for cell in made.notebook.cells]


KINDS = [
    Kind(
        "notebook copies",
        notebooks,
        ("own/*",),
        (copied,),
        "a notebook of yours: what you wrote cannot be told from damage",
    ),
    Kind("kept notebooks", notebooks, ("kept/*",), (executed,)),
]
