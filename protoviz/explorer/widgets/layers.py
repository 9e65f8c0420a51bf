"""What lies on the spectrogram as columns of its sources: true event boxes, numbered cells, their tags."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from protoviz.explorer.text import place, plain, spoken
from protoviz.figures.labels import Picture, place_labels, place_tags
from protoviz.scenes import Event


def event_columns(
    events: Sequence[Event],
    low: np.ndarray,
    high: np.ndarray,
    chosen: str,
    looped: int,
    picture: Picture,
) -> dict[str, list]:
    """Return boxes and names of events between the mel rows low and high; the looped one is filled.

    Those of the chosen class have a heavier line.
    """
    labels = [spoken(event.label) for event in events]
    boxes = [(e.onset, lo, hi) for e, lo, hi in zip(events, low, high, strict=True)]
    spots = place_labels(boxes, labels, picture)
    widths = [3.0 if event.label == chosen else 1.5 for event in events]
    return {
        "left": [event.onset for event in events],
        "right": [event.offset for event in events],
        "bottom": low.tolist(),
        "top": high.tolist(),
        "width": [4.5 if i == looped else width for i, width in enumerate(widths)],
        "fill": [0.16 if i == looped else 0.0 for i in range(len(events))],
        "label": labels,
        "x": [x for x, _, _ in spots],
        "y": [y for _, y, _ in spots],
        "anchor": [anchor for _, _, anchor in spots],
        "tip": [
            f"<b>{plain(label)}</b>, true event<br>{place(event)}"
            for label, event in zip(labels, events, strict=True)
        ],
    }


def cell_columns(
    strongest: pd.DataFrame, step: float, chosen: int, silent: Collection[int], hits: bool
) -> dict[str, list]:
    """Return the cells of a frame of `strongest_prototypes`, `step` mel rows high; see
    `Spectrogram.show_cells`.
    """
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
        "tip": [_cell_tip(row) for row in rows],
    }


def tag_columns(strongest: pd.DataFrame, step: float, picture: Picture) -> dict[str, list]:
    """Return one tag a cell, with the ranks of all prototypes in it."""
    tags = place_tags(strongest, step, picture)
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


def _cell_tip(row) -> str:
    hit = {True: "on a true event of the class", False: "beside every true event of the class"}
    where = "" if pd.isna(row.hit) else f"<br>{hit[bool(row.hit)]}"
    return (
        f"<b>{row.rank}</b> prototype {row.prototype}<br>similarity {row.score:.3f}<br>"
        f"adds {row.contribution:+.3g} to the logit<br>{place(row)}{where}"
    )
