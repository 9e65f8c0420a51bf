"""Small spectrograms of clips, made from their sound when they are first looked at."""

from collections import OrderedDict
from threading import Lock

from protoviz.explorer.workbench import Workbench
from protoviz.figures.nearest import Thumbnail, coarser

KEPT = 512  # 16 kB each


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
