"""What lies on the spectrogram as columns of its sources: true event boxes, numbered cells, their tags."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from protoviz.audio import FilterBank
from protoviz.audio.picture import mel_row
from protoviz.figures.labels import Picture, place_labels, place_tags
from protoviz.figures.style import place, plain, shortened, spoken, stretch
from protoviz.scenes import Event

# Beside the tools, also on a phone.
BOXES = "green frames: true events"
TIMES = "green frames: true, time only"
LABELS = "labels known, not their times"


def places_told(events: Mapping, cells: Mapping, begin: float = 0.0) -> str:
    """Return in words where these columns of events and cells lie, as HTML; begin: the picture's, seconds."""
    ends = zip(map(plain, events["label"]), events["left"], events["right"], strict=True)
    known = ", ".join(f"{name} {begin + left:.1f} to {begin + right:.1f} s" for name, left, right in ends)
    ranks = zip(cells["rank"], cells["left"], strict=True)
    found = ", ".join(f"{rank} at {begin + left:.1f} s" for rank, left in ranks)
    told = [f"True events: {known}."] * bool(known) + [f"Numbered cells: {found}."] * bool(found)
    return " ".join(told)


def knowledge(events: Sequence[Event], bank: FilterBank, labelled: bool = False) -> str:
    """Return what the frames on a picture say of the truth; "" where nothing is known.

    labelled: the clip has labels, though no event.
    """
    if not events:
        return LABELS if labelled else ""
    return TIMES if all(timed_only(event, bank) for event in events) else BOXES


def timed_only(event: Event, bank: FilterBank) -> bool:
    """Return whether an event reaches over all frequencies: its table told only when it sounds."""
    return event.low_hz <= 0 and event.high_hz >= bank.top_hz


def rows_of(hertz, bank: FilterBank) -> np.ndarray:
    """Return the mel rows of frequencies on a bank's picture."""
    return np.atleast_1d(mel_row(hertz, bank.mels, bank.low_hz, bank.top_hz))


def event_columns(
    events: Sequence[Event],
    bank: FilterBank,
    picture: Picture,
    chosen: str = "",
    looped: int = -1,
    offset: float = 0.0,
) -> dict[str, list]:
    """Return boxes and names of events; the looped one is filled.

    Those of the chosen class have a heavier line. offset: of the picture in its file, seconds, for the tips.
    """
    low, high = rows_of([e.low_hz for e in events], bank), rows_of([e.high_hz for e in events], bank)
    labels = [spoken(event.label) for event in events]
    boxes = [(e.onset, e.offset, lo, hi) for e, lo, hi in zip(events, low, high, strict=True)]
    names = [shortened(label, picture.letters) for label in labels]
    spots = place_labels(boxes, names, picture)
    widths = [3.0 if event.label == chosen else 1.5 for event in events]
    return {
        "left": [event.onset for event in events],
        "right": [event.offset for event in events],
        "bottom": low.tolist(),
        "top": high.tolist(),
        "width": [4.5 if i == looped else width for i, width in enumerate(widths)],
        "fill": [0.16 if i == looped else 0.0 for i in range(len(events))],
        "label": names,
        "x": [x for x, _, _ in spots],
        "y": [y for _, y, _ in spots],
        "anchor": [anchor for _, _, anchor in spots],
        "tip": [
            f"<b>{plain(label)}</b>, true event<br>{_where(event, bank, offset)}"
            for label, event in zip(labels, events, strict=True)
        ],
    }


def cell_columns(
    strongest: pd.DataFrame,
    step: float,
    chosen: int,
    silent: Collection[int] = (),
    hits: bool = False,
    offset: float = 0.0,
) -> dict[str, list]:
    """Return the cells of `strongest_prototypes`, `step` mel rows high; see `Spectrogram.show_cells`."""
    rows = list(strongest.itertuples(index=False))
    return {
        "left": [row.onset for row in rows],
        "right": [row.offset for row in rows],
        "bottom": [row.f * step for row in rows],
        "top": [(row.f + 1) * step for row in rows],
        "prototype": [int(row.prototype) for row in rows],
        "rank": [int(row.rank) for row in rows],
        "alpha": [_strength(row.prototype, chosen, silent) for row in rows],
        "width": [3.5 if row.prototype == chosen else 2.0 for row in rows],
        "dash": ["dashed" if hits and _missed(row.hit) else "solid" for row in rows],
        "tip": [_cell_tip(row, offset) for row in rows],
    }


def tag_columns(
    strongest: pd.DataFrame, step: float, picture: Picture, events: Mapping[str, list]
) -> dict[str, list]:
    """Return one tag a cell, with the ranks of all prototypes in it; events: the columns below."""
    spots = zip(*(events[name] for name in ("x", "y", "anchor", "label")), strict=True)
    tags = place_tags(strongest, step, picture, [picture.area(*spot) for spot in spots])
    return {
        "text": [text for text, _ in tags],
        "x": [x for _, (x, _, _) in tags],
        "y": [y for _, (_, y, _) in tags],
        "anchor": [anchor for _, (_, _, anchor) in tags],
    }


def _strength(prototype: int, chosen: int, silent: Collection[int]) -> float:
    """How much a cell is filled."""
    if prototype in silent:
        return 0.0
    return 0.55 if prototype == chosen else 0.18


def _missed(hit) -> bool:
    return not pd.isna(hit) and not hit


def _where(event: Event, bank: FilterBank, offset: float) -> str:
    if timed_only(event, bank):
        return f"{stretch(event.onset + offset, event.offset + offset)}; its frequencies are not known"
    return place(event, offset)


def _cell_tip(row, offset: float) -> str:
    hit = {True: "on a true event of the class", False: "beside every true event of the class"}
    where = "" if pd.isna(row.hit) else f"<br>{hit[bool(row.hit)]}"
    return (
        f"<b>{row.rank}</b> prototype {row.prototype}<br>similarity {row.score:.3f}<br>"
        f"adds {row.contribution:+.3g} to the logit<br>{place(row, offset)}{where}"
    )
