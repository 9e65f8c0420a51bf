"""Where words go on a picture of a clip so that they cover each other least. Seconds along, mel rows up.

Every spectrogram takes its places from here: of notebooks, pages and the explorer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

LETTER, LINE = 7.5, 17.6  # pixels that a letter is wide and a line high, in bold words of 14 pixels

Rectangle = tuple[float, float, float, float]  # left, right, bottom, top
Spot = tuple[float, float, str]  # x, y and Bokeh's name for the corner of the text that lies there


@dataclass(frozen=True)
class Picture:
    """What words are placed on. On a picture with fewer pixels than it says they may touch."""

    seconds: float = 10.24
    rows: float = 128.0
    width: float = 700  # pixels
    height: float = 300

    def area(self, x: float, y: float, anchor: str, text: str) -> Rectangle:
        """Return what a line of text covers."""
        edge, side = anchor.split("_")
        width = LETTER * (len(text) + 1) * self.seconds / self.width
        left = x - width * {"left": 0, "center": 0.5, "right": 1}[side]
        bottom = y if edge == "bottom" else y - self.line
        return left, left + width, bottom, bottom + self.line

    @property
    def line(self) -> float:
        """The height of a line in mel rows."""
        return LINE * self.rows / self.height


def place_labels(
    boxes: Sequence[tuple[float, float, float]], labels: Sequence[str], picture: Picture = Picture()
) -> list[Spot]:
    """Return spots of the labels of boxes (onset, low row, high row): above a box, below it, or inside."""
    taken: list[Rectangle] = []
    spots = []
    for (onset, low, high), label in zip(boxes, labels, strict=True):
        late = picture.area(onset, low, "top_left", label)[1] > picture.seconds
        x, side = (picture.seconds, "right") if late else (onset, "left")  # the last ends with the picture
        edges = [(high, "bottom"), (low, "top"), (high, "top"), (low, "bottom")]
        choices = [(x, float(y), f"{edge}_{side}") for y, edge in edges]
        spots.append(_freest(choices, label, taken, picture))
    return spots


def place_tags(cells: pd.DataFrame, step: float, picture: Picture = Picture()) -> list[tuple[str, Spot]]:
    """Return (ranks, spot) of one tag a cell with the ranks of all prototypes in it: above the cell, or
    below.

    cells: a frame of `strongest_prototypes`; step: mel rows in a cell.
    """
    groups = [(f, group) for (_, f), group in cells.groupby(["t", "f"], sort=False)]
    taken = [(g.onset.iloc[0], g.offset.iloc[0], f * step, (f + 1) * step) for f, g in groups]
    tags = []
    for f, group in groups:
        text, x = " ".join(map(str, group["rank"])), (group.onset.iloc[0] + group.offset.iloc[0]) / 2
        choices = [(x, float((f + 1) * step), "bottom_center"), (x, float(f * step), "top_center")]
        tags.append((text, _freest(choices, text, taken, picture)))
    return tags


def _freest(choices: list[Spot], text: str, taken: list[Rectangle], picture: Picture) -> Spot:
    """The first spot that shares least with what is taken and leaves the picture least; it is then taken."""
    areas = [picture.area(*spot, text) for spot in choices]
    best = int(np.argmin([_cost(area, taken, picture) for area in areas]))
    taken.append(areas[best])
    return choices[best]


def _cost(area: Rectangle, taken: list[Rectangle], picture: Picture) -> float:
    left, right, bottom, top = area
    shared = sum(
        max(0.0, min(right, r) - max(left, a)) * max(0.0, min(top, t) - max(bottom, b))
        for a, r, b, t in taken
    )
    return shared + 10 * (max(0.0, -bottom) + max(0.0, top - picture.rows))
