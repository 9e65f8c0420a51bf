"""What every notebook begins with and is checked by; sums and figures live in the other rooms."""

from protoviz.course.checks import Verdict, check
from protoviz.course.needs import study_figure, study_results, study_with
from protoviz.course.notebook import setup, stated, study_scenes
from protoviz.course.studied import study_clip, study_encoder, study_method
from protoviz.course.what_if import WhatIfPanel, what_if_panel

__all__ = [
    "Verdict",
    "WhatIfPanel",
    "check",
    "setup",
    "stated",
    "study_clip",
    "study_encoder",
    "study_figure",
    "study_method",
    "study_results",
    "study_scenes",
    "study_with",
    "what_if_panel",
]
