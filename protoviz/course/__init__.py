"""What every notebook begins with and is checked by; sums and figures live in the other rooms."""

from protoviz.course.checks import Verdict, check
from protoviz.course.numbers import stated
from protoviz.course.page import setup
from protoviz.course.scenes import demo_scenes
from protoviz.course.what_if import WhatIfPanel, what_if_panel

__all__ = ["Verdict", "WhatIfPanel", "check", "demo_scenes", "setup", "stated", "what_if_panel"]
