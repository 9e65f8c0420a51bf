"""The course's notebooks: copied, run, and written as pages that need no server; a study as such a page."""

from protoviz.export.copies import own_copies
from protoviz.export.course import export_course
from protoviz.export.running import Exported, run_notebooks
from protoviz.export.sources import ExportError, Lesson, find_lessons, paired
from protoviz.export.study_page import export_page, study_page

__all__ = [
    "ExportError",
    "Exported",
    "Lesson",
    "export_course",
    "export_page",
    "find_lessons",
    "own_copies",
    "paired",
    "run_notebooks",
    "study_page",
]
