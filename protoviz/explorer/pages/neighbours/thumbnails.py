"""Small spectrograms of clips, made from their sound when they are first looked at."""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np

from protoviz.explorer.workbench import Workbench
from protoviz.scenes import Event

KEPT = 512  # 16 kB each
ROWS, COLUMNS = 64, 256  # about as many pixels as a thumbnail has on the screen


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A clip at a glance; sessions share it."""

    picture: (
        np.ndarray
    )  # uint8, at most (ROWS, COLUMNS), row 0 lowest, read-only; as `mel_picture`, but coarser
    events: tuple[Event, ...]


class Thumbnails:
    """The thumbnails of this process, the most recently seen ones kept.

    Making one takes about 20 ms (mixing a scene, its spectrogram), so a page asks `known` first and has the
    rest made after it has drawn. One of a clip without sound is blank.
    """

    def __init__(self, bench: Workbench):
        self._picture = bench.glance
        self._kept: OrderedDict[str, Thumbnail] = OrderedDict()
        self._lock = Lock()  # sessions may be served by several threads

    def known(self, clip: str) -> Thumbnail | None:
        """Return that of a clip, where it was made before."""
        with self._lock:
            found = self._kept.get(clip)
            if found is not None:
                self._kept.move_to_end(clip)
            return found

    def make(self, clip: str) -> Thumbnail:
        """Return that of a clip."""
        found = self.known(clip)
        if found is None:
            picture, events = self._picture(clip)
            found = Thumbnail(coarser(picture), events)
            with self._lock:
                self._kept[clip] = found
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return found


def coarser(picture: np.ndarray) -> np.ndarray:
    """Return the picture (rows frames) in ROWS by COLUMNS means at most, rounded to uint8; read-only."""
    sizes = [min(pair) for pair in zip((ROWS, COLUMNS), picture.shape, strict=True)]
    edges = [np.arange(n) * size // n for n, size in zip(sizes, picture.shape, strict=True)]
    counts = [np.diff([*edge, size]) for edge, size in zip(edges, picture.shape, strict=True)]
    sums = np.add.reduceat(np.add.reduceat(picture.astype(float), edges[0], 0), edges[1], 1)
    small = np.rint(sums / np.outer(*counts)).astype(np.uint8)
    small.setflags(write=False)
    return small
