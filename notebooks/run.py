"""Pair every notebook with its source and run it into build/notebooks; a cell that fails fails the run.

The source of truth is notebooks/py/NAME.py, which reads well in a review. notebooks/NAME.ipynb is what a
student opens: the same cells, no outputs, stable ids. notebooks/solutions holds the answers to the exercises
in the same way. `python notebooks/run.py --pair` only pairs; a part of a name runs only what has it.
"""

import sys
import time
from pathlib import Path

import jupytext
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

HERE = Path(__file__).resolve().parent
FOLDERS = (HERE, HERE / "solutions")  # of notebooks; each has its sources in a folder "py"
TARGET = HERE.parent / "build" / "notebooks"
LIMIT_S = 300  # of one notebook: the longest that a class waits


def paired(source: Path) -> str:
    """The text of the notebook (.ipynb) that belongs to a source (.py)."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem}-{number:02d}".replace("_", "-")
    notebook.metadata["language_info"] = {"name": "python"}
    return jupytext.writes(notebook, fmt="ipynb") + "\n"


def run(source: Path) -> float:
    """Seconds that one notebook took; its page is in build/notebooks."""
    notebook = jupytext.read(source)
    start = time.perf_counter()
    ExecutePreprocessor(timeout=LIMIT_S, kernel_name="python3").preprocess(
        notebook, {"metadata": {"path": str(HERE)}}
    )
    page, _ = HTMLExporter().from_notebook_node(notebook)
    target = TARGET / source.parents[1].relative_to(HERE) / source.with_suffix(".html").name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page)
    return time.perf_counter() - start


def main() -> None:
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    sources = [source for folder in FOLDERS for source in sorted((folder / "py").glob("*.py"))]
    for source in sources:
        if wanted and not any(name in source.name for name in wanted):
            continue
        (source.parents[1] / source.with_suffix(".ipynb").name).write_text(paired(source))
        if "--pair" not in sys.argv:
            seconds = run(source)
            print(f"{source.parents[1].name}/{source.stem}: {seconds:.0f} s", flush=True)
            if seconds > LIMIT_S:
                sys.exit(f"{source.stem} took {seconds:.0f} s; a class waits {LIMIT_S} s at most")


if __name__ == "__main__":
    main()
