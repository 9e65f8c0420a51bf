"""Which clip is shown: a procedural scene or a window into an own file, and what follows from it."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from io import BytesIO

import param

from protoviz.audio import AudioError, audio_info, read_audio
from protoviz.explorer.workbench import Reading, Workbench

MAX_FILE_MB = 50  # an hour of MP3 or five minutes of CD; the file stays in memory for the session
MAX_FILE_SECONDS = 3600
FIRST_FRESH_SEED = 9_000_001  # data sets start at ten million, pre-training near one million
KEPT_WINDOWS = 4  # of an own file, about 3 MB each


@dataclass(frozen=True)
class OwnFile:
    """A file that a user brought: its name as given and its bytes."""

    name: str
    data: bytes

    def stream(self) -> BytesIO:
        """The bytes as an open file that carries its name, so that messages call it by that."""
        stream = BytesIO(self.data)
        stream.name = self.name
        return stream

    @cached_property
    def seconds(self) -> float:
        """Its length, as its header says. Raises AudioError where there is no sound."""
        return audio_info(self.stream()).seconds


class ClipState(param.Parameterized):
    """The clip that every page shows, and its `Reading`.

    A subclass says in `_settle` what else changes with the clip.
    """

    source = param.Selector(
        default="scene", objects=["scene", "file"], doc="A procedural scene or an own file."
    )
    seed = param.Integer(default=0, bounds=(0, 2**31 - 1), doc="Seed of the scene.")
    polyphony = param.Integer(default=3, bounds=(1, 8), doc="Events in the scene.")
    file = param.String(default="", doc="Digest of the own file; its bytes stay in this session.")
    start = param.Number(
        default=0.0, bounds=(0, None), doc="Where the window into an own file starts, seconds."
    )
    message = param.String(default="", doc="What went wrong with the last request; empty: nothing.")
    reading = param.ClassSelector(
        class_=Reading, doc="What follows for the clip: sound, picture, explanations."
    )

    def __init__(self, workbench: Workbench, **choices):
        self.workbench = workbench
        self._file: OwnFile | None = None
        self._fresh = FIRST_FRESH_SEED
        # Own sound is kept by this session only; the key holds the file's digest.
        self._window = lru_cache(maxsize=KEPT_WINDOWS)(self._read_window)
        super().__init__(**choices)

    @param.depends("source", "seed", "polyphony", "file", "start", watch=True)
    def _read_clip(self) -> None:
        """Everything that hangs on the clip changes in one step."""
        if self.source == "file" and self._file is None:
            self.source = "scene"  # a link names a file that only its owner has
            return
        if self.source == "scene":
            reading = self.workbench.scene(self.seed, self.polyphony)
        else:
            reading = self._window(self.file, self.start)
        self.param.update(reading=reading, message="", **self._settle(reading))

    def _settle(self, reading: Reading) -> dict:
        """The other parameters that a new clip changes, and their values."""
        return {}

    def choose_clip(self, seed: int, polyphony: int) -> None:
        """Show the scene of this seed and polyphony."""
        self.param.update(source="scene", seed=int(seed), polyphony=int(polyphony))

    def new_scene(self) -> None:
        """Show a scene of the chosen polyphony that no probe was trained on; every call another."""
        self._fresh, seed = self._fresh + 1, self._fresh
        self.choose_clip(seed, self.polyphony)

    def open_file(self, name: str, data: bytes) -> bool:
        """Show the first window of an own sound file; True where that worked.

        Where it did not, `message` says why and what to do, and everything else stays as it was.
        """
        before = self._file
        try:
            self._file = _checked(name, data)
            digest = sha256(data).hexdigest()[:16]
            self._window(digest, 0.0)
        except ValueError as error:  # AudioError and EncoderError are ValueErrors
            self._file = before
            self.message = str(error) if str(error).startswith(name) else f"{name}: {error}"
            return False
        self.message = ""
        self.param.update(source="file", file=digest, start=0.0)
        return True

    def _read_window(self, digest: str, start: float) -> Reading:
        encoder = self.workbench.encoder
        wave = read_audio(self._file.stream(), encoder.sample_rate, offset=start, duration=encoder.seconds)
        return self.workbench.read(wave[: round(encoder.seconds * encoder.sample_rate)])

    @property
    def last_start(self) -> float:
        """The latest start of a window into the own file, seconds; 0 for a file that fits as a whole."""
        return max(0.0, (self._file.seconds if self._file else 0.0) - self.workbench.encoder.seconds)

    @property
    def title(self) -> str:
        """What the clip is, in a few words; a file name as its owner wrote it (escape it before showing)."""
        if self.source == "file":
            end = min(self.start + self.workbench.encoder.seconds, self._file.seconds)
            return f"{self._file.name}, {self.start:.2f} to {end:.2f} s of {self._file.seconds:.2f} s"
        return f"Scene {self.seed}, {self.polyphony} event{'s' if self.polyphony > 1 else ''}"


def _checked(name: str, data: bytes) -> OwnFile:
    if len(data) > MAX_FILE_MB * 2**20:
        raise AudioError(f"larger than {MAX_FILE_MB} MB; cut it or save it as FLAC or MP3")
    file = OwnFile(name, data)
    if file.seconds > MAX_FILE_SECONDS:
        raise AudioError(
            f"{file.seconds / 60:.0f} minutes long, the limit is {MAX_FILE_SECONDS // 60}; cut it"
        )
    return file
