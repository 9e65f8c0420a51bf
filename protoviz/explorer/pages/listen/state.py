"""What the page Listen chooses: a threshold, the event that is looped, and the scan of a whole own file."""

import numpy as np
import pandas as pd
import param

from protoviz.analysis.loudness import SILENCE, judged
from protoviz.analysis.prototypes import over_threshold, sigmoid
from protoviz.audio import Box, level_of, part_sound
from protoviz.datasets.folder import as_events
from protoviz.explorer.background import Steps
from protoviz.explorer.clip import OwnFile
from protoviz.explorer.session import ExplorerState, PageState
from protoviz.scenes import Event

NO_EVENT = -1
HEARD = ("file", "channel", "normalise")


class ListenState(PageState):
    """One threshold for all classes and both probes; one true event that the player loops; a scan.

    Another clip releases the event. The scan holds the logits of all windows of the own file that is shown;
    another file, or another channel, begins anew. Windows follow each other without a gap. The last one ends
    with the file and so overlaps the one before: a short rest, padded with silence, would not be comparable.
    Each is normalised by itself, where the clip is. Own sound is not in a link, and so neither is the scan.
    """

    in_link = ("event", "band", "threshold")

    threshold = param.Number(
        default=0.5, bounds=(0, 1), doc="Probability from which on a probe names a class."
    )
    event = param.Integer(
        default=NO_EVENT, bounds=(NO_EVENT, None), doc="Its place in the clip's list; -1: none."
    )
    band = param.Boolean(
        default=False, doc="Only its band of frequencies, not all that sounds in its stretch."
    )
    filled = param.Integer(default=0, bounds=(0, None), doc="Windows that are encoded.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self._heard: tuple = ()  # which file, and how
        self._logits: dict[str, np.ndarray] = {}  # probe -> (w c), nan: not yet encoded
        self._judged = np.empty(0, dtype=object)  # (w,) of `judged`
        self.work = session.works["scan"]
        self.work.param.watch(lambda *_: self._count(), "progress")
        session.param.watch(lambda *_: self._follow(), ["source", *HEARD])
        session.param.watch(lambda *_: self.release(), "reading")

    def decided(self, scores: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return `over_threshold` of the shown probes."""
        return over_threshold(self.session.scores() if scores is None else scores, self.threshold)

    # -- the event that is looped

    @property
    def chosen(self) -> Event | None:
        """The event that is looped; None: none, or a link named one that the clip does not have."""
        events = self.session.reading.events
        return events[self.event] if 0 <= self.event < len(events) else None

    def choose(self, event: int) -> None:
        """Loop over this event, or stop if it is looped already."""
        self.event = NO_EVENT if event == self.event else event

    def step(self) -> None:
        """Choose the next event in the clip's list; after the last, none."""
        following = self.event + 1
        self.event = following if following < len(self.session.reading.events) else NO_EVENT

    def release(self) -> None:
        """Stop the loop."""
        self.event = NO_EVENT

    def sound(self) -> tuple[np.ndarray, float]:
        """Return the sound (s,) float32 of the chosen event, and where in the clip its
        first sample lies, seconds.

        Everything in its stretch of time, the samples as they are; or `box_sound` of its box, as loud as it
        is in the clip. Raises ValueError where no event is chosen.
        """
        event, reading = self.chosen, self.session.reading
        if event is None:
            raise ValueError("no event is chosen: choose one first")
        box = Box(event.onset, event.offset, event.low_hz, event.high_hz)
        return part_sound(reading.waveform, reading.sample_rate, box, self.band, peak=None)

    # -- the scan

    @property
    def possible(self) -> bool:
        """The clip is an own file of more than one window."""
        return self.session.source == "file" and self.session.last_start > 0

    @property
    def starts(self) -> np.ndarray:
        """Where the windows start, (w,) seconds."""
        length, last = self.session.workbench.seconds, self.session.last_start
        return np.minimum(np.arange(np.ceil(last / length) + 1) * length, last)

    def begin(self) -> None:
        """Encode every window that is not encoded yet; after `cancel` it goes on where it stopped."""
        session = self.session
        if not self.possible or self.work.running:
            return
        starts, count = self.starts, len(session.workbench.classes)
        if not self._logits:
            self._logits = {name: np.full((len(starts), count), np.nan) for name in session.workbench.probes}
            self._judged = np.full(len(starts), "", dtype=object)
        label = f"Scanning {session.own_file.name}: {len(starts)} windows"
        how = session.channel, session.normalise
        steps = self._steps(session.own_file, starts, self._logits, self._judged, *how)
        self.work.run(label, steps, lambda _: self._count(), self._stopped)

    def cancel(self) -> None:
        """Stop; what is encoded stays."""
        self.work.cancel()

    def window_at(self, seconds: float) -> float:
        """Return where the window starts that stands for this time of the file."""
        length = self.session.workbench.seconds
        window = int(np.clip(seconds // length, 0, len(self.starts) - 1))
        return float(self.starts[window])

    def strip(self) -> pd.DataFrame:
        """Return probability of the chosen class in every window: columns probe, left,
        right (seconds), probability.

        probability is nan where a window is not encoded, or silent. A window stands for the time up to the
        next one.
        """
        session = self.session
        columns = ["probe", "left", "right", "probability"]
        if not self.possible or not self._logits:
            return pd.DataFrame({name: [] for name in columns})
        length, whole = session.workbench.seconds, session.own_file.seconds
        left = np.arange(len(self.starts)) * length
        right = np.minimum(left + length, whole)
        row, silent = session.workbench.classes.index(session.class_name), self._judged == SILENCE
        frames = [
            pd.DataFrame(
                {
                    "probe": name,
                    "left": left,
                    "right": right,
                    "probability": np.where(silent, np.nan, sigmoid(self._logits[name][:, row])),
                }
            )
            for name in session.panels
        ]
        return pd.concat(frames, ignore_index=True)

    def named(self) -> pd.DataFrame:
        """Return the windows in which a shown probe names the chosen class, as rows of `event_table`.

        Over all frequencies of the cells; columns probe and probability stay.
        """
        strip, grid = self.strip(), self.session.workbench.grid
        found = strip[strip.probability >= self.threshold]
        places = found.rename(columns={"left": "onset", "right": "offset"})
        return as_events(places.assign(low_hz=grid.low_hz, high_hz=grid.high_hz), self.session.class_name)

    def judged(self) -> dict[str, int]:
        """Return how many of the encoded windows are silent, quiet or loud
        (`analysis.loudness`): word -> count.
        """
        words, counts = np.unique(self._judged[self._judged != ""].astype(str), return_counts=True)
        return dict(zip(words.tolist(), counts.tolist(), strict=True))

    def _steps(
        self,
        file: OwnFile,
        starts: np.ndarray,
        logits: dict[str, np.ndarray],
        verdicts: np.ndarray,
        channel: int,
        normalise: bool,
    ) -> Steps:
        session = self.session
        for window, start in enumerate(starts):
            if np.isnan(next(iter(logits.values()))[window, 0]):
                wave, _ = session.sound_of_file(file, float(start), channel, normalise)
                verdicts[window] = judged(level_of(wave, session.workbench.sample_rate))
                found = session.workbench.logits(wave)
                for name, row in reversed(found.items()):  # the first probe last: it says what is complete
                    logits[name][window] = row
            yield (window + 1) / len(starts)

    def _follow(self) -> None:
        heard = tuple(getattr(self.session, name) for name in HEARD) if self.session.source == "file" else ()
        if heard != self._heard:
            self.work.forget()
            self._heard, self._logits, self._judged = heard, {}, np.empty(0, dtype=object)
            self._count()

    def _stopped(self, error: Exception | None) -> None:
        if error is not None:
            self.session.message = str(error)
        self._count()

    def _count(self) -> None:
        done = next(iter(self._logits.values()), np.empty((0, 1)))[:, 0]
        self.filled = int((~np.isnan(done)).sum())
