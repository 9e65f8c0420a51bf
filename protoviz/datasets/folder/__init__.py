"""The data set `folder`: sound files of one's own, with labels in tables of any common form or as folders.

A table file becomes cells (`sheets`); its columns get roles (`columns`, `reading`); its rows become
statements about sound files (`statements`, `names`); all tables of a folder are merged (`merging`) into one
clip table (`loading`, `windows`).
"""

from protoviz.datasets.folder.loading import SPEC, event_tables, folder_clips, folder_table
from protoviz.datasets.folder.sheets import SUFFIXES
from protoviz.datasets.folder.tables import audacity, read_table
from protoviz.datasets.folder.windows import windows
from protoviz.datasets.folder.writing import FORMS, as_events, event_table, form_of, write_events

__all__ = [
    "FORMS",
    "SPEC",
    "SUFFIXES",
    "as_events",
    "audacity",
    "event_table",
    "event_tables",
    "folder_clips",
    "folder_table",
    "form_of",
    "read_table",
    "windows",
    "write_events",
]
