"""Which clip is shown: of the data set, a listed recording or a window into an own file; its reading."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from io import BytesIO

import numpy as np
import param

from protoviz.audio import AudioError, audio_info
from protoviz.explorer.background import Steps, Work
from protoviz.explorer.limits import LIMITS
from protoviz.explorer.reading import Reading
from protoviz.explorer.sound import MEAN, Taken, open_sound
from protoviz.explorer.text import moment, stretch
from protoviz.explorer.workbench import Workbench
from protoviz.figures.style import as_written

MAX_FILE_MB = LIMITS.upload_mb
MAX_FILE_SECONDS = 3600
FIRST_FRESH_SEED = 9_000_001  # data sets start at ten million, pre-training near one million
KEPT_WINDOWS = 4  # of an own file, about 3 MB each
# The parameters that say which clip, and how it is heard
PLACE = ("source", "clip", "recording", "file", "start", "channel", "normalise")
AS_IT_IS = {"channel": MEAN, "normalise": False}  # how another clip is heard at first
MICROPHONE = "Recording"  # what a clip from the microphone is called


@dataclass(frozen=True)
class OwnFile:
    """A file that a user brought: its name as given and its bytes."""

    name: str
    data: bytes

    def stream(self) -> BytesIO:
        """Return the bytes as an open file that carries its name, so that messages call it by that."""
        stream = BytesIO(self.data)
        stream.name = self.name
        return stream

    @cached_property
    def seconds(self) -> float:
        """Its length, as its header says. Raise AudioError if there is no sound."""
        return audio_info(self.stream()).seconds


class ClipState(param.Parameterized):
    """The clip that every page shows, and its `Reading`.

    Own sound is read in the background where `works` have somebody to deliver to (see `Work`): the choice
    changes at once, `reading` when the work is done, and where it fails or is cancelled the choice goes back.
    A subclass says in `_settle` what else changes with the clip.
    """

    source = param.Selector(
        default="clip",
        objects=["clip", "recording", "file"],
        doc="A clip of the data set, a recording of the list, or an own file.",
    )
    clip = param.String(default="", doc="The clip, by its id in the data set; a scene's says how it is made.")
    recording = param.Selector(default="", objects=[""], doc="The recording, by its place in the list.")
    file = param.String(default="", doc="Digest of the own file; its bytes stay in this session.")
    start = param.Number(
        default=0.0, bounds=(0, None), doc="Where the window into an own file starts, seconds."
    )
    channel = param.Integer(
        default=MEAN, bounds=(MEAN, None), doc="Of a recording or an own file, from 0; -1: the mean of all."
    )
    normalise = param.Boolean(
        default=False, doc="A recording or own file at the level of the training scenes, window by window."
    )
    message = param.String(default="", doc="What went wrong with the last request; empty: nothing.")
    reading = param.ClassSelector(
        class_=Reading, doc="What follows for the clip: sound, picture, explanations."
    )

    def __init__(self, workbench: Workbench, **choices):
        self.workbench = workbench
        self.works = {name: Work() for name in ("clip", "scan", "attention")}
        self._file: OwnFile | None = None
        self._fresh = FIRST_FRESH_SEED
        # Own sound is kept by this session only; the key holds the file's digest.
        self._windows: dict[tuple, Reading] = {}
        self._place: dict = {}  # of the reading that is shown
        self._returning = False
        super().__init__()
        self._offer()
        with param.parameterized.discard_events(self):
            self.param.update(**choices)

    def _offer(self) -> None:
        """What can be chosen depends on the workbench; only now are the parameters this session's own."""
        self.param.recording.objects = ["", *self.workbench.recordings.recording]

    # -- the reading follows the choice

    @param.depends(*PLACE, watch=True)
    def _read_clip(self) -> None:
        """Everything that hangs on the clip changes in one step."""
        if self._returning:
            return
        if self.source == "file":
            if self._file is None:
                self.source = "clip"  # a link names a file that only its owner has
                return
            self._read_file()
            return
        self.works["clip"].forget()
        try:
            if self.source == "recording" and self.recording:
                reading = self.workbench.recording(self.recording, self.channel, self.normalise)
            else:
                reading = self.workbench.reading(self.clip)
        except ValueError as error:
            self._refuse(self.title, error)
            return
        self._show(reading)

    def _read_file(self) -> None:
        key, file = (self.file, self.start, self.channel, self.normalise), self._file
        if key in self._windows:
            self.works["clip"].forget()
            self._show(self._windows[key])
            return

        def done(reading: Reading) -> None:
            self._keep(key, reading)
            self._show(reading)

        label = f"Reading {file.name}, {stretch(self.start, self.start + self.workbench.seconds)}"
        window = self._window(file, *key[1:])
        self.works["clip"].run(label, window, done, self._stopped(file.name))

    def _show(self, reading: Reading) -> None:
        self._place = {name: getattr(self, name) for name in PLACE}
        self.param.update(reading=reading, message="", **self._settle(reading))

    def _stopped(self, name: str) -> Callable[[Exception | None], None]:
        return lambda error: self._refuse(name, error)

    def _refuse(self, name: str, error: Exception | None) -> None:
        """Back to what is shown; the message says why (nothing, where somebody cancelled)."""
        self._returning = True
        try:
            self.param.update(**self._place)
        finally:
            self._returning = False
        text = "" if error is None else str(error).removeprefix("clip 0 ")  # the file's name stands before
        self.message = text if not text or text.startswith(name) else f"{name}: {text}"

    def _settle(self, reading: Reading) -> dict:
        """The other parameters that a new clip changes, and their values."""
        return {}

    # -- choices

    def choose_clip(self, clip: str) -> None:
        """Show a clip of the data set by its id; where it cannot be shown, `message` says why."""
        self.param.update(source="clip", recording="", clip=clip, **AS_IT_IS)

    def mix(self, polyphony: int) -> None:
        """Show the scene of the same seed with so many events, or where none is shown a new one."""
        if self.scene:
            self.choose_clip(self.workbench.clip_of(self.scene[0], polyphony))
        else:
            self.new_scene(polyphony)

    def choose_recording(self, recording: str) -> None:
        """Show a recording of the list; ValueError for any other name."""
        self.param.update(source="recording", recording=recording, **AS_IT_IS)

    def new_scene(self, polyphony: int | None = None) -> None:
        """Show another scene of so many events (None: as many as now) that no probe was trained on."""
        if not self.workbench.can.mix:
            self.message = self.workbench.lacks("mix")
            return
        self._fresh, seed = self._fresh + 1, self._fresh
        count = min(max(polyphony or self.polyphony, 1), self.workbench.most)
        self.choose_clip(self.workbench.clip_of(seed, count))

    def open_file(self, name: str, data: bytes) -> bool:
        """Show the first window of an own sound file; True if it is shown now.

        Where it cannot be, `message` says why and what to do, and everything else stays as it was. In a
        served session the work goes on in the background.
        """
        if not self.workbench.can.encode:
            self.message = self.workbench.lacks("encoder")
            return False

        def done(found: tuple[OwnFile, str, Reading]) -> None:
            self._file, digest, reading = found
            self._keep((digest, 0.0, *AS_IT_IS.values()), reading)
            self.message = ""
            self.param.update(source="file", recording="", file=digest, start=0.0, **AS_IT_IS)

        self.works["clip"].run(f"Opening {name}", self._opening(name, data), done, self._stopped(name))
        return self._file is not None and self._file.data is data

    def _opening(self, name: str, data: bytes) -> Steps:
        file = _checked(name, data)
        digest = sha256(data).hexdigest()[:16]
        yield 0.1
        reading = yield from self._window(file, 0.0, **AS_IT_IS)
        return file, digest, reading

    def _window(self, file: OwnFile, start: float, channel: int, normalise: bool) -> Steps:
        """The `Reading` of the window that starts at `start` seconds, heard in this way."""
        wave, taken = self.sound_of_file(file, start, channel, normalise)
        yield 0.3
        return self.workbench.read(wave, taken=taken)

    def sound_of_file(
        self, file: OwnFile, start: float, channel: int, normalise: bool
    ) -> tuple[np.ndarray, Taken]:
        """Return what `open_sound` makes of the window that starts at `start` seconds. Raise AudioError."""
        bench = self.workbench
        return open_sound(file.stream(), bench.sample_rate, bench.seconds, start, channel, normalise)

    def _keep(self, key: tuple, reading: Reading) -> None:
        self._windows.pop(key, None)
        self._windows[key] = reading
        while len(self._windows) > KEPT_WINDOWS:
            del self._windows[next(iter(self._windows))]

    # -- what is shown

    @property
    def scene(self) -> tuple[int, int] | None:
        """(seed, polyphony) of the chosen clip; None where it is no scene."""
        return self.workbench.scene_of(self.clip)

    @property
    def polyphony(self) -> int:
        """Events in the chosen scene; of another clip, in it."""
        return self.scene[1] if self.scene else len(self.reading.events)

    @property
    def own_file(self) -> OwnFile | None:
        """The own file that is shown."""
        return self._file if self.source == "file" else None

    @property
    def last_start(self) -> float:
        """The latest start of a window into the own file, seconds; 0 for a file that fits as a whole."""
        return max(0.0, (self._file.seconds if self._file else 0.0) - self.workbench.seconds)

    @property
    def title(self) -> str:
        """What the clip is, in a few words; plain text."""
        if self.source == "file":
            whole = self._file.seconds
            end = min(self.start + self.workbench.seconds, whole)
            of = f" of {moment(whole)}" if self.last_start else ""
            return f"{as_written(self._file.name)}, {stretch(self.start, end)}{of}{self._how}"
        if self.source == "recording" and self.recording:
            return self.workbench.title_of_recording(self.recording) + self._how
        return self.workbench.title_of(self.clip)

    @property
    def _how(self) -> str:
        """What a title says of a clip that is not heard as it is."""
        channel = "" if self.channel == MEAN else f", channel {self.channel + 1}"
        return f"{channel}, normalised" if self.normalise else channel


def _checked(name: str, data: bytes) -> OwnFile:
    if len(data) > MAX_FILE_MB * 2**20:
        raise AudioError(f"larger than {MAX_FILE_MB} MB; cut it or save it as FLAC or MP3")
    if not data:
        raise AudioError("the file is empty (0 bytes); choose another, or save it again")
    file = OwnFile(name, data)
    if file.seconds > MAX_FILE_SECONDS:
        raise AudioError(
            f"{file.seconds / 60:.0f} minutes long, the limit is {MAX_FILE_SECONDS // 60}; cut it"
        )
    return file
