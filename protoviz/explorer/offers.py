"""What a page gives away: sounds, tables and figures, each a file that is made when somebody asks for it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from bokeh.models import UIElement

from protoviz.audio import write_wav_bytes
from protoviz.datasets.folder import FORMS, as_events, event_table
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import spoken
from protoviz.files import slug

File = tuple[str, bytes]  # its name and what is in it
SIGNS = {"raven": "Raven", "audacity": "Audacity", "csv": "CSV"}


@dataclass(frozen=True)
class Offer:
    """One line of the menu: what it is, in plain text, and its files by what their buttons say.

    figure: a Bokeh figure on the page, which the browser saves as PNG and SVG, called `stem`.
    """

    words: str
    files: Mapping[str, Callable[[], File]] = field(default_factory=dict)
    figure: UIElement | None = None
    stem: str = ""


def sound(words: str, stem: str, make: Callable[[], tuple[np.ndarray, int]]) -> Offer:
    """Return the offer of a waveform (s,) at a rate, as WAV."""
    return Offer(words, {"WAV": lambda: (f"{stem}.wav", write_wav_bytes(*make()))})


def places(words: str, stem: str, rows: Callable[[], pd.DataFrame], file: str) -> Offer:
    """Return the offer of rows of `event_table` about a sound file, in every form."""

    def written(form: str) -> Callable[[], File]:
        return lambda: (f"{stem}{FORMS[form]}", event_table(rows(), form, file).encode())

    return Offer(words, {SIGNS[form]: written(form) for form in FORMS})


def drawn(words: str, figure: UIElement, table: Callable[[], pd.DataFrame]) -> Offer:
    """Return the offer of a figure and the table behind it."""
    stem = slug(words)
    files = {"CSV": lambda: (f"{stem}.csv", table().to_csv(index=False).encode())}
    return Offer(words, files, figure, stem)


def clip_offers(state: ExplorerState, strongest: pd.DataFrame | None = None) -> Iterator[Offer]:
    """Yield the clip's sound, that of the chosen cell (the first if none is), its events and numbered cells.

    Times count from the start of the file that the clip is a window of, as the tables name that file.
    """
    reading, stem = state.reading, clip_stem(state)
    there = len(reading.waveform) > 0  # else the study keeps the picture alone
    numbered = [] if strongest is None else strongest.prototype.tolist()
    if there:
        yield sound("The clip", stem, lambda: (reading.waveform, reading.sample_rate))
    if there and numbered:
        prototype = int(state.prototype if state.prototype in numbered else numbered[0])
        cell = f"The cell of prototype {prototype}"
        yield sound(cell, f"{stem}-{slug(cell)}", lambda: (state.sound_of(prototype)[0], reading.sample_rate))
    if reading.events:
        known = pd.DataFrame(reading.events)
        yield places(
            "True events", f"{stem}-events", lambda: as_events(known, None, reading.origin), sound_file(state)
        )
    if numbered:
        name = state.class_name
        yield places(
            f"Cells of {spoken(name)}",
            f"{stem}-{slug(name)}",
            lambda: as_events(strongest, name, reading.origin),
            sound_file(state),
        )


def clip_stem(state: ExplorerState) -> str:
    """Return what files of the clip are called."""
    return slug(state.title.replace("–", "-").replace(":", "."))


def sound_file(state: ExplorerState) -> str:
    """Return the file that a table of the clip is about: the visitor's own, else the clip's WAV."""
    return Path(state.own_file.name).name if state.own_file else f"{clip_stem(state)}.wav"
