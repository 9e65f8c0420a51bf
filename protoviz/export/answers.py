"""Exercises on an exported page: an input for the answer, judged by the page's own script as `check` does."""

import base64
import json
import re
from html import escape

from protoviz.course.checks import Cases
from protoviz.course.exercises import EXERCISES

ASKED = re.compile(r'^check\("([\d.]+)", answer\)', re.MULTILINE)  # in the cell that takes an answer


def answer_forms(source: str) -> str:
    """Return HTML of a form for each exercise that a cell asks; "" where it asks none.

    What is right is in the page, though not to be read at a glance. A page without scripts shows no form: the
    text above it asks.
    """
    return "".join(_form(key) for key in ASKED.findall(source))


def _form(key: str) -> str:
    judge = EXERCISES[key].hint
    if not isinstance(judge, Cases):
        told = "The answer is code: open this notebook, and its last line judges it."
        return f'<p class="answer">{told}</p>'
    data = base64.b64encode(json.dumps(judge.told()).encode()).decode()
    name = f"Your answer to exercise {escape(key)}"
    return (
        f'<form class="answer" hidden data-judge="{data}"><label>{name} '
        '<input autocomplete="off" spellcheck="false"></label> <button>Check</button><output></output></form>'
    )
