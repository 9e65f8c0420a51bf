"""What every notebook begins with and is checked by; sums and figures live in the other rooms."""

from protoviz.course.checks import Verdict, check
from protoviz.course.notebook import demo_scenes, setup, stated
from protoviz.course.what_if import WhatIfPanel, what_if_panel

__all__ = ["Verdict", "WhatIfPanel", "check", "demo_scenes", "setup", "stated", "what_if_panel"]
