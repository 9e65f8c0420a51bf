"""What every notebook begins with and is checked by; sums and figures live in the other rooms."""

from protoviz.course.checks import Verdict, check
from protoviz.course.numbers import stated
from protoviz.course.page import setup

__all__ = ["Verdict", "check", "setup", "stated"]
