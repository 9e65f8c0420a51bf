"""A whole own file, window by window: what every probe says of each, encoded in the background."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
import param

from protoviz.analysis.loudness import SILENCE, judged
from protoviz.analysis.prototypes import sigmoid
from protoviz.audio import level_of
from protoviz.explorer.background import Steps

if TYPE_CHECKING:
    from protoviz.explorer.clip import OwnFile
    from protoviz.explorer.session import ExplorerState

HEARD = ("file", "channel", "normalise")


class Scan(param.Parameterized):
    """Logits of all windows of the own file that is shown; another file, or another channel, begins anew.

    Windows follow each other without a gap. The last one ends with the file and so overlaps the one before: a
    short rest, padded with silence, would not be comparable. Each is normalised by itself, where the clip is.
    """

    in_link: ClassVar[dict[str, str]] = {}  # own sound is not in a link

    filled = param.Integer(default=0, bounds=(0, None), doc="Windows that are encoded.")

    def __init__(self, root: "ExplorerState"):
        super().__init__()
        self._root = root
        self._heard: tuple = ()  # which file, and how
        self._logits: dict[str, np.ndarray] = {}  # probe -> (w c), nan: not yet encoded
        self._judged = np.empty(0, dtype=object)  # (w,) of `judged`
        self.work = root.works["scan"]
        self.work.param.watch(lambda *_: self._count(), "progress")
        root.param.watch(lambda *_: self._follow(), ["source", *HEARD])

    @property
    def possible(self) -> bool:
        """The clip is an own file of more than one window."""
        return self._root.source == "file" and self._root.last_start > 0

    @property
    def starts(self) -> np.ndarray:
        """Where the windows start, (w,) seconds."""
        length, last = self._root.workbench.encoder.seconds, self._root.last_start
        return np.minimum(np.arange(np.ceil(last / length) + 1) * length, last)

    def begin(self) -> None:
        """Encode every window that is not encoded yet; after `cancel` it goes on where it stopped."""
        root = self._root
        if not self.possible or self.work.running:
            return
        starts, count = self.starts, len(root.workbench.classes)
        if not self._logits:
            self._logits = {name: np.full((len(starts), count), np.nan) for name in root.workbench.probes}
            self._judged = np.full(len(starts), "", dtype=object)
        label = f"Scanning {root.own_file.name}: {len(starts)} windows"
        steps = self._steps(root.own_file, starts, self._logits, self._judged, root.channel, root.normalise)
        self.work.run(label, steps, lambda _: self._count(), self._stopped)

    def cancel(self) -> None:
        """Stop; what is encoded stays."""
        self.work.cancel()

    def window_at(self, seconds: float) -> float:
        """Return where the window starts that stands for this time of the file."""
        length = self._root.workbench.encoder.seconds
        window = int(np.clip(seconds // length, 0, len(self.starts) - 1))
        return float(self.starts[window])

    def strip(self) -> pd.DataFrame:
        """Return probability of the chosen class in every window: columns probe, left,
        right (seconds), probability.

        probability is nan where a window is not encoded, or silent. A window stands for the time up to the
        next one.
        """
        root = self._root
        columns = ["probe", "left", "right", "probability"]
        if not self.possible or not self._logits:
            return pd.DataFrame({name: [] for name in columns})
        length, whole = root.workbench.encoder.seconds, root.own_file.seconds
        left = np.arange(len(self.starts)) * length
        right = np.minimum(left + length, whole)
        row, silent = root.workbench.classes.index(root.class_name), self._judged == SILENCE
        frames = [
            pd.DataFrame(
                {
                    "probe": name,
                    "left": left,
                    "right": right,
                    "probability": np.where(silent, np.nan, sigmoid(self._logits[name][:, row])),
                }
            )
            for name in root.panels
        ]
        return pd.concat(frames, ignore_index=True)

    def judged(self) -> dict[str, int]:
        """Return how many of the encoded windows are silent, quiet or loud
        (`analysis.loudness`): word -> count.
        """
        words, counts = np.unique(self._judged[self._judged != ""].astype(str), return_counts=True)
        return dict(zip(words.tolist(), counts.tolist(), strict=True))

    def _steps(
        self,
        file: "OwnFile",
        starts: np.ndarray,
        logits: dict[str, np.ndarray],
        verdicts: np.ndarray,
        channel: int,
        normalise: bool,
    ) -> Steps:
        root = self._root
        for window, start in enumerate(starts):
            if np.isnan(next(iter(logits.values()))[window, 0]):
                wave, _ = root.sound_of_file(file, float(start), channel, normalise)
                verdicts[window] = judged(level_of(wave, root.workbench.encoder.sample_rate))
                found = root.workbench.logits(wave)
                for name, row in reversed(found.items()):  # the first probe last: it says what is complete
                    logits[name][window] = row
            yield (window + 1) / len(starts)

    def _follow(self) -> None:
        heard = tuple(getattr(self._root, name) for name in HEARD) if self._root.source == "file" else ()
        if heard != self._heard:
            self.work.forget()
            self._heard, self._logits, self._judged = heard, {}, np.empty(0, dtype=object)
            self._count()

    def _stopped(self, error: Exception | None) -> None:
        if error is not None:
            self._root.message = str(error)
        self._count()

    def _count(self) -> None:
        done = next(iter(self._logits.values()), np.empty((0, 1)))[:, 0]
        self.filled = int((~np.isnan(done)).sum())
