"""Where words go on the spectrogram so that they cover each other least. Seconds along, mel rows up.

Sizes are estimated for a picture about 700 pixels wide and 300 high; on a narrower one words may touch.
"""

import numpy as np
import pandas as pd

LETTER, LINE = 0.11, 7.5  # a letter in seconds, a line in mel rows
SECONDS, ROWS = 10.24, 128.0

Rectangle = tuple[float, float, float, float]  # left, right, bottom, top
Spot = tuple[float, float, str]  # x, y and Bokeh's name for the corner of the text that lies there


def place_labels(boxes: list[tuple[float, float, float]], labels: list[str]) -> list[Spot]:
    """Return spots of the labels of boxes (onset, low row, high row): above a box, below it, or inside."""
    taken: list[Rectangle] = []
    spots = []
    for (onset, low, high), label in zip(boxes, labels, strict=True):
        width = LETTER * (len(label) + 1)
        late = onset + width > SECONDS  # the last label ends where the picture does
        x, left, side = (SECONDS, SECONDS - width, "right") if late else (onset, onset, "left")
        choices = [(high, "bottom"), (low, "top"), (high, "top"), (low, "bottom")]
        areas = [_area(left, width, y, edge) for y, edge in choices]
        best = _least_covered(areas, taken)
        taken.append(areas[best])
        spots.append((x, choices[best][0], f"{choices[best][1]}_{side}"))
    return spots


def place_tags(cells: pd.DataFrame, step: float) -> list[tuple[str, Spot]]:
    """Return (ranks, spot) of one tag a cell with the ranks of all prototypes in it: above the cell, or
    below.

    cells: a frame of `strongest_prototypes`; step: mel rows in a cell.
    """
    groups = [(t, f, group) for (t, f), group in cells.groupby(["t", "f"], sort=False)]
    firsts = [group.iloc[0] for _, _, group in groups]
    taken = [(c.onset, c.offset, c.f * step, (c.f + 1) * step) for c in firsts]
    tags = []
    for (_, f, group), cell in zip(groups, firsts, strict=True):
        text = " ".join(map(str, group["rank"]))
        width = LETTER * (len(text) + 1)
        x = (cell.onset + cell.offset) / 2
        choices = [((f + 1) * step, "bottom"), (f * step, "top")]
        areas = [_area(x - width / 2, width, y, edge) for y, edge in choices]
        best = _least_covered(areas, taken)
        taken.append(areas[best])
        tags.append((text, (x, float(choices[best][0]), f"{choices[best][1]}_center")))
    return tags


def _area(left: float, width: float, y: float, edge: str) -> Rectangle:
    """The area of a line whose bottom or top edge lies at y."""
    return (left, left + width, y, y + LINE) if edge == "bottom" else (left, left + width, y - LINE, y)


def _least_covered(areas: list[Rectangle], taken: list[Rectangle]) -> int:
    """The first area that shares least with what is taken and leaves the picture least."""
    costs = []
    for left, right, bottom, top in areas:
        shared = sum(
            max(0.0, min(right, r) - max(left, a)) * max(0.0, min(top, t) - max(bottom, b))
            for a, r, b, t in taken
        )
        costs.append(shared + 10 * (max(0.0, -bottom) + max(0.0, top - ROWS)))
    return int(np.argmin(costs))
