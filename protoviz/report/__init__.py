"""Results as tables for people: reports in three formats, and the tables inside README and docs.

Sums are `protoviz.analysis`; nothing here computes more than a mean column. No torch and no HoloViews.
"""

from protoviz.report.contents import Contents, contents
from protoviz.report.formats import html, latex, latex_document, markdown
from protoviz.report.layers import layers_table
from protoviz.report.measured import demo_table, few_shot_table, frames_table, poolings_table
from protoviz.report.regions import RegionError, check, documents, refreshed, write
from protoviz.report.tables import Cell, Column, Row, Table
from protoviz.report.tokens import tokens_table
from protoviz.report.views import views_table
from protoviz.report.writing import write_report

__all__ = [
    "Cell",
    "Column",
    "Contents",
    "RegionError",
    "Row",
    "Table",
    "check",
    "contents",
    "demo_table",
    "documents",
    "few_shot_table",
    "frames_table",
    "html",
    "latex",
    "latex_document",
    "layers_table",
    "markdown",
    "poolings_table",
    "refreshed",
    "tokens_table",
    "views_table",
    "write",
    "write_report",
]
