"""The studies that a server shows, and which of them, with which data set and encoder, a page asks for."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from protoviz.explorer.opened import open_bench
from protoviz.explorer.recordings import FOLDER_VARIABLE
from protoviz.explorer.text import distinct
from protoviz.explorer.workbench import BenchError, Workbench
from protoviz.paths import data_folder
from protoviz.study import Study, open_study
from protoviz.study.form import FACTS, SETTINGS, add_command, run_command

VARIABLE = "PROTOVIZ_STUDIES"  # places of studies, as in PATH
ENCODERS_VARIABLE = "PROTOVIZ_ENCODERS"  # NAME=FILE, as in PATH: weights for sounds that no study keeps
ALLOW_VARIABLE = "PROTOVIZ_ALLOW"  # modules whose code may run, commas between
DEMO_COMMAND = "protoviz demo"
KEPT = 4  # workbenches in a process: an encoder, its probes and the clips that were looked at, 0.1 to 0.7 GB
WHICH = ("study", "data", "encoder")  # what a link says of it; absent for the first of each


class Choice(NamedTuple):
    """One encoder on one data set of a study, by their names."""

    study: str
    data: str
    encoder: str


class Studies:
    """Studies by name, in the order in which they are offered. One is opened when it is first shown.

    places: folders, or files of `protoviz study pack`. weights: encoder -> its weight file. allow: modules
    whose code may run. recordings: a folder whose recordings are listed beside the clips.
    """

    def __init__(
        self,
        places: Iterable[str | Path],
        weights: Mapping[str, str] | None = None,
        allow: Collection[str] = (),
        recordings: str = "",
    ):
        titles = distinct({place: _called(place) for place in map(str, places)})
        self.places = {title: Path(place).expanduser() for place, title in titles.items()}
        self.weights, self._settings = dict(weights or {}), (tuple(allow), recordings)
        self._open = lru_cache(maxsize=64)(lambda place, stamp: open_study(place))
        self._bench = lru_cache(maxsize=KEPT)(self._opened)

    def study(self, name: str) -> Study:
        """Return a study by its name here; nothing but its facts is read. Raise BenchError, with the cure,
        for a damaged one or one that was not run.
        """
        place = self.places[name]
        if place == data_folder() / "demo" and not (place / FACTS).is_file():
            raise BenchError(f"the demo is not there: `{DEMO_COMMAND}` makes it")
        files = [path for path in (place, place / FACTS, place / SETTINGS) if path.is_file()]
        try:
            found = self._open(place, tuple(path.stat().st_mtime_ns for path in files))
        except (ValueError, OSError) as error:
            raise BenchError(f"{'' if str(place) in str(error) else f'{place}: '}{error}") from error
        if not found.encoders:
            raise BenchError(f"{place} is not run yet: {run_command(found.folder)} runs it")
        return found

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """Return (data set, encoder) of all that can be shown of a study. Raise BenchError as `study`."""
        study = self.study(name)
        trained = {(data, encoder) for data, encoder, _ in study.probes}
        pairs = [(data, one) for data in study.clips for one in study.encoders]
        shown = [study.datasets[data].made or one in study.clips[data].encoders for data, one in pairs]
        found = [pair for pair, there in zip(pairs, shown, strict=True) if there and pair in trained]
        if not found:
            cure = f"{add_command(study.folder)} keeps those of a finished run"
            raise BenchError(f"{study.folder} keeps no clips with probes: {cure}")
        return found

    def faults(self) -> dict[str, str]:
        """Return why studies cannot be shown, with the cure: name -> text."""
        found = {}
        for name in self.places:
            try:
                self.pairs(name)
            except ValueError as error:
                found[name] = str(error)
        return found

    def choose(self, asked: Mapping[str, str], now: Choice | None = None) -> tuple[Choice, list[str]]:
        """Return what words of WHICH ask for, and the words that ask for what is not here.

        now: what is shown, of which the rest is kept where it can be. Raises BenchError where no study can be
        shown.
        """
        faults = self.faults()
        names = [name for name in self.places if name not in faults]
        if not names:
            raise BenchError("; ".join(faults.values()))
        refused = [key for key in WHICH[:1] if asked.get(key, names[0]) not in names]
        study = names[0] if refused or "study" not in asked else asked["study"]
        pairs, wanted = self.pairs(study), {}
        for place, key in enumerate(WHICH[1:]):
            offered = [pair[place] for pair in pairs]
            word = asked.get(key, now[place + 1] if now else offered[0])
            refused += [key] if key in asked and word not in offered else []
            wanted[key] = word if word in offered else offered[0]
        best = max(pairs, key=lambda pair: (pair[0] == wanted["data"]) + 2 * (pair[1] == wanted["encoder"]))
        return Choice(study, *best), refused

    def in_turn(self, asked: Mapping[str, str]) -> Iterator[Choice]:
        """Yield what is asked for, then a choice of each other study: for where one turns out to be damaged.
        Raise BenchError as `choose`.
        """
        wished, _ = self.choose(asked)
        yield wished
        faults = self.faults()
        for name in self.places:
            if name not in faults and name != wished.study:
                yield self.choose({"study": name})[0]

    def first(self) -> Workbench:
        """Return what a page shows that asks for nothing. Raise BenchError as `choose` and `bench`."""
        return self.bench(self.choose({})[0])

    def words(self, choice: Choice) -> dict[str, str]:
        """Return what a link says of a choice."""
        first = next(iter(name for name in self.places if name not in self.faults()))
        pairs = self.pairs(choice.study)
        usual = first, *pairs[0]
        return {key: value for key, value, one in zip(WHICH, choice, usual, strict=True) if value != one}

    def bench(self, choice: Choice) -> Workbench:
        """Return the workbench of a choice, of which the last few are kept for all. Raise as `open_bench`."""
        return self._bench(choice, self.study(choice.study))

    def _opened(self, choice: Choice, study: Study) -> Workbench:
        allow, recordings = self._settings
        weights = self.weights.get(choice.encoder)
        bench = open_bench(study, choice.data, choice.encoder, weights, allow, recordings)
        bench.address = self.words(choice)
        return bench


def _called(place: str) -> str:
    """What a study is called in the header and in links: its folder, or its file without the ending."""
    return Path(place).expanduser().resolve().name.removesuffix(".zip")


def asked_in(query: str) -> dict[str, str]:
    """Return the words of WHICH in a link's query."""
    return {key: word for key, word in parse_qsl(query.lstrip("?")) if key in WHICH}


def served_studies(places: Iterable[str] = ()) -> Studies:
    """Return the studies in these places, or where PROTOVIZ_STUDIES says, or the demo; the same object for
    the same settings.

    PROTOVIZ_ENCODERS, PROTOVIZ_ALLOW and PROTOVIZ_RECORDINGS say the rest.
    """
    told = partial(os.environ.get)
    given = tuple(places) or tuple(filter(None, told(VARIABLE, "").split(os.pathsep)))
    variables = (told(name, "") for name in (ENCODERS_VARIABLE, ALLOW_VARIABLE, FOLDER_VARIABLE))
    return _served(given or (str(data_folder() / "demo"),), *variables)


@lru_cache(maxsize=2)
def _served(places: tuple[str, ...], encoders: str, allow: str, recordings: str) -> Studies:
    weights = dict(one.split("=", 1) for one in encoders.split(os.pathsep) if "=" in one)
    return Studies(places, weights, tuple(filter(None, allow.split(","))), recordings)
