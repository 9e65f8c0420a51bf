"""Pair every notebook with its source and run it into build/notebooks; a cell that fails fails the run.

The source of truth is notebooks/py/NAME.py, which reads well in a review. notebooks/NAME.ipynb is what a
student opens: the same cells, no outputs, stable ids. notebooks/solutions holds the answers to the exercises
in the same way. `python notebooks/run.py --pair` only pairs; a part of a name runs only what has it, and
`--again` runs what has not changed since it last ran. `protoviz export course` takes the same runs.
"""

import sys
from pathlib import Path

from protoviz.export import Exported, ExportError, export_course, find_lessons, paired

TARGET = Path(__file__).resolve().parents[1] / "build" / "notebooks"


def told(page: Exported) -> None:
    print(
        f"{page.path.stem}: {page.seconds:.0f} s{'' if page.fresh else ', unchanged'}",
        flush=True,
    )


def main() -> None:
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    try:
        for lesson in find_lessons(only=wanted, solutions=True):
            (lesson.folder / f"{lesson.source.stem}.ipynb").write_text(
                paired(lesson.source)
            )
        if "--pair" not in sys.argv:
            export_course(
                TARGET, wanted, solutions=True, again="--again" in sys.argv, made=told
            )
    except ExportError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
