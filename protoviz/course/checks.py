"""Answers to the notebooks' exercises: right, or a hint that does not give the answer away."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True)
class Case:
    """Answers that are told the same. says: a hint; None: they are right."""

    answer: str | tuple[float | None, ...]  # a word, or numbers; None: any
    says: str | None = None
    within: float = 0.0  # of each number


@dataclass(frozen=True)
class Cases:
    """A judge of answers: the first case that fits, else the hint `otherwise`.

    It is data, so an exported page judges as `check` does. cases: computed when a first answer is judged.
    """

    cases: Callable[[], Sequence[Case]]
    otherwise: str

    def __call__(self, answer: Any) -> str | None:
        """Return None when it is right, else a hint. Raise TypeError or ValueError for another form."""
        cases = self.cases()
        given = _form(answer, cases[0].answer)
        return next((case.says for case in cases if _fits(given, case)), self.otherwise)

    def told(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {"cases": [asdict(case) for case in self.cases()], "otherwise": self.otherwise}


def _form(answer: Any, like: str | tuple[float | None, ...]) -> str | tuple[float, ...]:
    if isinstance(like, str):
        return str(answer).strip().lower()
    numbers = (float(answer),) if len(like) == 1 else tuple(float(part) for part in answer)
    if len(numbers) != len(like):
        raise ValueError(f"{len(like)} numbers are asked for, not {len(numbers)}")
    return numbers


def _fits(given: str | tuple[float, ...], case: Case) -> bool:
    if isinstance(given, str) or isinstance(case.answer, str):
        return given == case.answer
    pairs = zip(given, case.answer, strict=True)
    return all(asked is None or abs(value - asked) <= case.within for value, asked in pairs)


def number(right: Callable[[], float], within: float, hint: str) -> Cases:
    """Return a judge of numbers: right within `within` (absolute) of what `right()` computes."""
    return Cases(lambda: [Case((right(),), within=within)], hint)


def choice(right: str, hints: dict[str, str]) -> Cases:
    """Return a judge of one word among `right` and the keys of `hints`, which say what speaks against it."""
    wrong = [Case(word, hint) for word, hint in hints.items()]
    return Cases(lambda: [Case(right), *wrong], f"Choose one of: {', '.join(sorted([right, *hints]))}.")
