"""The event that is listened to over and over: which one, and whether in its band alone."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import param

from protoviz.audio import Box, box_sound, box_span
from protoviz.scenes import Event

if TYPE_CHECKING:
    from protoviz.explorer.session import ExplorerState

NO_EVENT = -1


class Selection(param.Parameterized):
    """One of the clip's true events, looped by the player until it is released. Another clip releases it."""

    in_link: ClassVar[dict[str, str]] = {"loop": "event", "loop_band": "band"}

    event = param.Integer(
        default=NO_EVENT, bounds=(NO_EVENT, None), doc="Its place in the clip's list; -1: none."
    )
    band = param.Boolean(
        default=False, doc="Only its band of frequencies, not all that sounds in its stretch."
    )

    def __init__(self, root: "ExplorerState"):
        super().__init__()
        self._root = root
        root.param.watch(lambda *_: self.release(), "reading")

    @property
    def chosen(self) -> Event | None:
        """The event that is looped; None: none, or a link named one that the clip does not have."""
        events = self._root.reading.events
        return events[self.event] if 0 <= self.event < len(events) else None

    def choose(self, event: int) -> None:
        """Loop over this event, or stop if it is looped already."""
        self.event = NO_EVENT if event == self.event else event

    def step(self) -> None:
        """Choose the next event in the clip's list; after the last, none."""
        following = self.event + 1
        self.event = following if following < len(self._root.reading.events) else NO_EVENT

    def release(self) -> None:
        """Stop the loop."""
        self.event = NO_EVENT

    def sound(self) -> tuple[np.ndarray, float]:
        """Return the sound (s,) float32 of the chosen event, and where in the clip its
        first sample lies, seconds.

        Everything in its stretch of time, the samples as they are; or `box_sound` of its box, as loud as it
        is in the clip. Raises ValueError where no event is chosen.
        """
        event, reading = self.chosen, self._root.reading
        if event is None:
            raise ValueError("no event is chosen: choose one first")
        wave, rate = reading.waveform, reading.sample_rate
        box = Box(event.onset, event.offset, event.low_hz, event.high_hz)
        if self.band:
            first, _ = box_span(len(wave), rate, box)
            return box_sound(wave, rate, box), first / rate
        first, last = box_span(len(wave), rate, box, fade=0.0, shortest=0.0)
        return wave[first:last], first / rate
