"""Static pages of the course: notebooks run once, shown without a server and without a network."""

from protoviz.export.copies import own_copies
from protoviz.export.course import Exported, export_course
from protoviz.export.sources import ExportError, Lesson, find_lessons, paired

__all__ = ["ExportError", "Exported", "Lesson", "export_course", "find_lessons", "own_copies", "paired"]
