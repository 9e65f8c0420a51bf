"""The course's notebooks: copied to work in, run, and written as pages that need no server and no network."""

from protoviz.export.copies import own_copies
from protoviz.export.course import export_course
from protoviz.export.running import Exported, run_notebooks
from protoviz.export.sources import ExportError, Lesson, find_lessons, paired

__all__ = [
    "ExportError",
    "Exported",
    "Lesson",
    "export_course",
    "find_lessons",
    "own_copies",
    "paired",
    "run_notebooks",
]
