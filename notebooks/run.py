"""Run every notebook into build/notebooks as HTML and print how long each took; a cell that fails fails the run."""

import sys
import time
from pathlib import Path

import jupytext
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "build" / "notebooks"
LIMIT_S = 300  # of one notebook, the longest that a class waits


def run(source: Path) -> float:
    """Seconds that one notebook took; its page is in build/notebooks."""
    notebook = jupytext.read(source)
    start = time.perf_counter()
    ExecutePreprocessor(timeout=LIMIT_S, kernel_name="python3").preprocess(
        notebook, {"metadata": {"path": str(HERE)}}
    )
    page, _ = HTMLExporter().from_notebook_node(notebook)
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / source.with_suffix(".html").name).write_text(page)
    return time.perf_counter() - start


def main() -> None:
    sources = sorted((HERE / "py").glob("*.py"))
    wanted = sys.argv[1:]
    for source in sources:
        if not wanted or any(name in source.name for name in wanted):
            print(f"{source.stem}: {run(source):.0f} s", flush=True)


if __name__ == "__main__":
    main()
