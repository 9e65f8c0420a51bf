"""Every clip that can be chosen, found by typing a part of what is known of it: label, id, split."""

from collections.abc import Iterator
from itertools import islice

from protoviz.explorer.text import spoken
from protoviz.explorer.workbench import Workbench
from protoviz.figures.style import as_written

Choice = tuple[str, str]  # ("clip", its id) or ("recording", its name)
MOST = 30  # suggestions: what a list can show, and all that is sent of forty thousand clips


class ClipIndex:
    """The clips and recordings of a workbench by their words; made once, for all sessions.

    The words of a clip are its title, what sounds in it, its id and its split, each once.
    """

    def __init__(self, bench: Workbench):
        self.choices: list[Choice] = [("clip", clip) for clip in bench.clips["clip"]]
        self.words = [_words(row) for row in bench.clips.itertuples()]
        self.choices += [("recording", name) for name in bench.recordings.recording]
        self.words += [as_written(title) for title in bench.recordings.title]
        _part(self.words)
        self._small = [words.casefold() for words in self.words]
        self._rows = {choice: row for row, choice in enumerate(self.choices)}

    def words_of(self, choice: Choice) -> str | None:
        """Return the words of a choice; None for what is not listed."""
        row = self._rows.get(choice)
        return None if row is None else self.words[row]

    def find(self, typed: str) -> dict[str, Choice]:
        """Return words -> choice of the first `MOST` whose words hold what was typed, in any case."""
        wanted = typed.strip().casefold()
        return self._offer(row for row, words in enumerate(self._small) if wanted in words)

    def after(self, choice: Choice) -> dict[str, Choice]:
        """Return the same of what is listed from a choice on; from the top, where it is not listed."""
        return self._offer(range(self._rows.get(choice, 0), len(self.words)))

    def _offer(self, rows: Iterator[int] | range) -> dict[str, Choice]:
        return {self.words[row]: self.choices[row] for row in islice(rows, MOST)}


def _words(row) -> str:
    """What a field shows of a clip, and what is searched."""
    said = as_written(row.title)
    for more in (" + ".join(spoken(as_written(one)) for one in row.labels), as_written(row.clip)):
        said += f" · {more}" if more and more not in said else ""
    split = getattr(row, "split", "")
    return said if split in said else f"{said} · {as_written(split)}"


def _part(words: list[str]) -> None:
    """Give words that were there before a number: one of two that read alike could not be chosen."""
    seen: dict[str, int] = {}
    for row, said in enumerate(words):
        seen[said] = count = seen.get(said, 0) + 1
        if count > 1:
            words[row] = f"{said} ({count})"
