"""Sources side by side: some classes from one place, others from another."""

import numpy as np

from protoviz.scenes.exact import Draw
from protoviz.scenes.mixer import Sources


class JoinedSources:
    """Sources for `make_scene` that hold the classes of several; a class comes from one of them only.

    Raises ValueError where two hold the same class.
    """

    def __init__(self, *sources: Sources):
        self.sources = sources
        names = [name for source in sources for name in source.classes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the classes {twice} come from several sources: take them from one")
        self.classes = tuple(sorted(names))
        self._of = {name: source for source in sources for name in source.classes}

    def sound(self, label: str, draw: Draw) -> np.ndarray:
        """Return one event (s,) of the class at 16 kHz, float64, from its own source."""
        return self._of[label].sound(label, draw)

    def fingerprint(self) -> str:
        """Return a text that changes whenever the events of a seed change."""
        return " + ".join(source.fingerprint() for source in self.sources)
