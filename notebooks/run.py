"""Pair every notebook with its source and run it into build/notebooks; a cell that fails fails the run.

The source of truth is notebooks/py/NAME.py, which reads well in a review. notebooks/NAME.ipynb is what a
student gets: the same cells, no outputs, stable ids. notebooks/solutions holds the answers to the exercises
in the same way. `protoviz export course` takes the same runs where it is told --kept build/executed.
"""

import argparse
import sys
from pathlib import Path

from protoviz.export import (
    ExportError,
    export_course,
    find_lessons,
    own_copies,
    paired,
)
from protoviz.files import write_text
from protoviz.progress import progress_bar

BUILD = Path(__file__).resolve().parents[1] / "build"


def pair(wanted: list[str]) -> None:
    """Write the notebook of every source."""
    for lesson in find_lessons(only=wanted, solutions=True):
        text, path = paired(lesson.source), lesson.folder / f"{lesson.source.stem}.ipynb"
        write_text(path, text)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only notebooks with this in their name")
    parser.add_argument("--pair", action="store_true", help="only pair")
    parser.add_argument(
        "--again", action="store_true", help="run what has not changed, too"
    )
    parser.add_argument(
        "--copy", type=Path, metavar="FOLDER", help="only copy them, to work in"
    )
    given = parser.parse_args()
    try:
        if given.copy:
            for line in own_copies(given.copy):
                print(line)
            return
        pair(given.names)
        if not given.pair:
            options = {
                "solutions": True,
                "again": given.again,
                "kept": BUILD / "executed",
            }
            with progress_bar() as progress:
                export_course(
                    BUILD / "notebooks", given.names, progress=progress, **options
                )
    except ExportError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
