"""Answers to the notebooks' exercises: right, or a hint that does not give the answer away."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

RIGHT, NOT_YET = "Right.", "Not yet."


@dataclass(frozen=True)
class Exercise:
    """A question of the course and how an answer is judged."""

    asks: str  # one sentence, as in the notebook
    hint: Callable[[Any], str | None]  # of an answer: None when it is right, else what to think about


@dataclass(frozen=True)
class Verdict:
    """What `check` found; a notebook shows it as one coloured line."""

    right: bool | None  # None: not answered yet
    says: str

    def __str__(self) -> str:
        return self.says

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour, mark = {True: ("#1b7f5c", "✓"), False: ("#b4540a", "→"), None: ("#5b6472", "…")}[self.right]
        style = f"border-left:4px solid {colour};padding:6px 12px;font-size:15px"
        return f'<div style="{style}"><b style="color:{colour}">{mark}</b> {escape(self.says)}</div>'


def check(key: str, answer: Any = ...) -> Verdict:
    """Return the `Verdict` on an answer to exercise `key`, like "03.1"; `...` is no answer yet.

    Raises ValueError for a key that no notebook has.
    """
    from protoviz.course.exercises import EXERCISES

    if key not in EXERCISES:
        raise ValueError(f"there is no exercise {key!r}; there are {', '.join(EXERCISES)}")
    exercise = EXERCISES[key]
    if answer is ...:
        return Verdict(None, f"{exercise.asks} Put your answer in the place of the three dots.")
    try:
        hint = exercise.hint(answer)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        hint = f"That answer has another form than the question asks for ({error})."
    return Verdict(True, RIGHT) if hint is None else Verdict(False, f"{NOT_YET} {hint}")


def number(right: Callable[[], float], within: float, hint: str) -> Callable[[Any], str | None]:
    """Return a judge of numbers: right within `within` (absolute) of what `right()` computes."""
    return lambda answer: None if abs(float(answer) - right()) <= within else hint


def choice(right: str, hints: dict[str, str]) -> Callable[[Any], str | None]:
    """Return a judge of one word among `right` and the keys of `hints`, which say what speaks against
    each.
    """

    def judge(answer: Any) -> str | None:
        word = str(answer).strip().lower()
        if word == right:
            return None
        return hints.get(word, f"Choose one of: {', '.join(sorted([right, *hints]))}.")

    return judge
