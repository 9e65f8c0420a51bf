"""Words that every page needs, as small pieces of HTML."""

from html import escape


def spoken(name: str) -> str:
    """A class name as words: "bird_trill" -> "bird trill"."""
    return name.replace("_", " ")


def count(number: int, noun: str) -> str:
    """ "1 event", "3 events"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain(message: str) -> str:
    """A message that may hold a file's name, safe to show."""
    return escape(message)
