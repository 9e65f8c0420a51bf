"""Where words go on a picture of a clip so that they cover each other least. Seconds along, mel rows up.

Every spectrogram takes its places from here: of notebooks, pages and the explorer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

LETTER, LINE = 7.5, 17.6  # pixels that a letter is wide and a line high, in bold words of 14 pixels
ACROSS = 40  # places side by side where a word looks for a free one

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
    def letters(self) -> int:
        """How many a name may have: it takes no more than half of the width."""
        return max(6, int(0.5 * self.width / LETTER) - 1)

    @property
    def line(self) -> float:
        """The height of a line in mel rows."""
        return LINE * self.rows / self.height


def place_labels(
    boxes: Sequence[tuple[float, float, float, float]], labels: Sequence[str], picture: Picture = Picture()
) -> list[Spot]:
    """Return spots of the labels of boxes (onset, offset, low row, high row).

    A label stands above its box, below it, or inside; where others leave none of these free, at the nearest
    free place.
    """
    taken: list[Rectangle] = []
    spots = []
    for (onset, offset, low, high), label in zip(boxes, labels, strict=True):
        late = picture.area(onset, low, "top_left", label)[1] > picture.seconds
        starts = [(picture.seconds, "right")] if late else [(onset, "left"), (offset, "right")]
        edges = [(high, "bottom"), (low, "top"), (high, "top"), (low, "bottom")]
        choices = [(x, float(y), f"{edge}_{side}") for x, side in starts for y, edge in edges]
        if min(_costs(choices, label, taken, picture)) > 0:
            choices += _everywhere((onset + offset) / 2, (low + high) / 2, label, picture)
        spots.append(_freest(choices, label, taken, picture))
    return spots


def place_tags(
    cells: pd.DataFrame, step: float, picture: Picture = Picture(), names: Sequence[Rectangle] = ()
) -> list[tuple[str, Spot]]:
    """Return (ranks, spot) of one tag a cell with the ranks of all prototypes in it: above the cell, or
    below.

    cells: a frame of `strongest_prototypes`; step: mel rows in a cell; names: what other words cover.
    """
    groups = [(f, group) for (_, f), group in cells.groupby(["t", "f"], sort=False)]
    taken = [(g.onset.iloc[0], g.offset.iloc[0], f * step, (f + 1) * step) for f, g in groups]
    taken += names
    tags = []
    for f, group in groups:
        text, x = " ".join(map(str, group["rank"])), (group.onset.iloc[0] + group.offset.iloc[0]) / 2
        choices = [(x, float((f + 1) * step), "bottom_center"), (x, float(f * step), "top_center")]
        tags.append((text, _freest(choices, text, taken, picture)))
    return tags


def _everywhere(x: float, y: float, text: str, picture: Picture) -> list[Spot]:
    """Spots all over the picture, those nearest to a place first."""
    width = picture.area(0, 0, "top_left", text)[1]
    lefts = np.linspace(0, max(0.0, picture.seconds - width), ACROSS)
    tops = np.arange(picture.rows, picture.line - 1e-9, -picture.line / 2)
    spots = [(float(left), float(top), "top_left") for left in lefts for top in tops]
    across, up = picture.width / picture.seconds, picture.height / picture.rows

    def far(spot: Spot) -> float:
        return float(np.hypot((spot[0] + width / 2 - x) * across, (spot[1] - picture.line / 2 - y) * up))

    return sorted(spots, key=far)


def _freest(choices: list[Spot], text: str, taken: list[Rectangle], picture: Picture) -> Spot:
    """The first spot that shares least with what is taken and leaves the picture least; it is then taken."""
    best = int(np.argmin(_costs(choices, text, taken, picture)))
    taken.append(picture.area(*choices[best], text))
    return choices[best]


def _costs(choices: list[Spot], text: str, taken: list[Rectangle], picture: Picture) -> np.ndarray:
    """What each spot shares with what is taken, and how far it leaves the picture; 0 where it is free."""
    left, right, bottom, top = np.array([picture.area(*spot, text) for spot in choices]).T
    gone = np.maximum(0, -bottom) + np.maximum(0, top - picture.rows)
    cost = 10 * gone + 10 * (np.maximum(0, -left) + np.maximum(0, right - picture.seconds))
    for a, r, b, t in taken:
        wide, high = np.minimum(right, r) - np.maximum(left, a), np.minimum(top, t) - np.maximum(bottom, b)
        cost += np.maximum(0, wide) * np.maximum(0, high)
    return np.round(cost, 9)
