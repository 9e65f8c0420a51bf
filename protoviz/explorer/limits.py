"""What a visitor's work may cost the machine that serves; each limit is a variable of its environment."""

import os
from collections.abc import MutableSequence
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """Whole numbers above 0; PROTOVIZ_SESSIONS, PROTOVIZ_UPLOAD_MB and PROTOVIZ_SECONDS set them."""

    sessions: int = 100  # pages open at once: 5 to 25 MB each
    upload_mb: int = 50  # an hour of MP3 or five minutes of CD; the file stays in memory for the session
    seconds: int = 600  # that one computation may work: an hour of sound takes about a minute

    @classmethod
    def of_environment(cls) -> "Limits":
        """Return the limits that hold here; raise ValueError, naming the variable, where one is no number."""
        return cls(
            **{field.name: _whole(f"PROTOVIZ_{field.name.upper()}", field.default) for field in fields(cls)}
        )


def _whole(variable: str, default: int) -> int:
    text = os.environ.get(variable, "").strip() or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{variable} is {text!r}, not a whole number above 0: set it anew, or unset it")
    return int(text)


LIMITS = Limits.of_environment()


class Seats:
    """The open pages; `LIMITS.sessions` have room, at all processes of a server together."""

    def __init__(self):
        self._sessions: set[str] = set()
        self.share([0], 0)

    def share(self, counts: MutableSequence[int], number: int) -> None:
        """Share counts with other processes: each writes its own, ours counts[number], so none need wait."""
        self._counts, self._number = counts, number

    def take(self, session: str) -> bool:
        """Return whether there was room for this session; then it has it until it leaves."""
        if sum(self._counts) >= LIMITS.sessions:
            return False
        self._sessions.add(session)
        self._counts[self._number] = len(self._sessions)
        return True

    def leave(self, session: str) -> None:
        """Give the room of this session back."""
        self._sessions.discard(session)
        self._counts[self._number] = len(self._sessions)


SEATS = Seats()
