"""What the explorer shows, without a widget: what is chosen, and what follows from it as arrays and frames.

Pages write the parameters and draw what the methods return; a test does the same without a browser.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from io import BytesIO

import numpy as np
import pandas as pd
import param

from protoviz.analysis.prototypes import (
    class_order,
    class_scores,
    logit_parts,
    strongest_prototypes,
    what_was_missed,
)
from protoviz.audio import AudioError, Box, audio_info, box_sound, box_span, read_audio
from protoviz.explorer.workbench import Reading, Workbench
from protoviz.probes.prototype import PrototypeProbe

MAX_FILE_MB = 50  # an hour of MP3 or five minutes of CD; the file stays in memory for the session
MAX_FILE_SECONDS = 3600
FIRST_FRESH_SEED = 9_000_001  # data sets start at ten million, pre-training near one million
KEPT_WINDOWS = 4  # of an own file, about 3 MB each
NO_PROTOTYPE = -1


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


class ExplorerState(param.Parameterized):
    """Everything that is chosen: the clip, two probes, a class, a prototype, and what is drawn.

    Every choice is a plain number, word or switch, so that a page, a link or a lesson can hold it.
    """

    source = param.Selector(
        default="scene", objects=["scene", "file"], doc="A procedural scene or an own file."
    )
    seed = param.Integer(default=0, bounds=(0, None), doc="Seed of the scene.")
    polyphony = param.Integer(default=3, bounds=(1, 8), doc="Events in the scene.")
    file = param.String(default="", doc="Digest of the own file; its bytes stay in this session.")
    start = param.Number(
        default=0.0, bounds=(0, None), doc="Where the window into an own file starts, seconds."
    )
    left = param.Selector(objects=[""], doc="Probe in the left panel.")
    right = param.Selector(objects=[""], doc="Probe in the right panel.")
    class_name = param.Selector(objects=[""], doc="The class that is explained.")
    prototype = param.Integer(default=NO_PROTOTYPE, doc="The prototype looked at; -1: none.")
    shown = param.Integer(default=5, bounds=(1, 9), constant=True, doc="How many prototypes are numbered.")
    order = param.Selector(
        default="truth", objects=["truth", "probability", "name"], doc="Order of the classes."
    )
    show_events = param.Boolean(default=True, doc="Draw the true event boxes.")
    show_similarity = param.Boolean(default=False, doc="Draw the similarity map of one prototype.")
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
        names = list(workbench.probes)
        for panel in ("left", "right"):
            self.param[panel].objects = names
        self.param.class_name.objects = list(workbench.classes)
        super().__init__(**{**self._defaults(), **choices})
        self._read_clip()
        if "class_name" not in choices:
            self.class_name = self._telling_class(self.reading)

    def _defaults(self) -> dict:
        """The first prototype probe right, the first other one left, a scene of middling polyphony."""
        probes = self.workbench.probes
        placed = [name for name, probe in probes.items() if isinstance(probe, PrototypeProbe)]
        right = placed[0] if placed else list(probes)[-1]
        left = next((name for name in probes if name != right), right)
        defaults = {"left": left, "right": right, "class_name": self.workbench.classes[0]}
        clips = self.workbench.clips
        if len(clips):
            first = clips.iloc[len(clips) // 3]
            defaults |= {"seed": int(first.seed), "polyphony": int(first.polyphony)}
        return defaults

    # -- the clip

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
        keep = self.reading is None or (reading.truth and self.class_name in reading.truth)
        chosen = self.class_name if keep else self._telling_class(reading)
        self.param.update(reading=reading, class_name=chosen, prototype=NO_PROTOTYPE, message="")

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

    # -- classes

    @property
    def panels(self) -> list[str]:
        """The probes shown, left to right, each once."""
        return list(dict.fromkeys([self.left, self.right]))

    def scores(self) -> pd.DataFrame:
        """`class_scores` of the shown probes."""
        logits = {name: self.reading.explained[name].logits for name in self.panels}
        return class_scores(self.workbench.classes, logits, self.reading.truth)

    def classes_in_order(self, scores: pd.DataFrame | None = None) -> list[str]:
        """The classes as the chart lists them, top first; by the right panel's probe."""
        return class_order(self.scores() if scores is None else scores, self.order, self.right)

    def missed(self) -> dict[str, list[str]]:
        """Probe -> present classes that are not on its first k ranks (k present); {} without truth."""
        return what_was_missed(self.scores())

    def _telling_class(self, reading: Reading) -> str:
        """The class to explain first in a new clip: one that tells the two probes apart.

        That is a class which the left probe missed and the right one found; else the right probe's first
        present one; without truth the right probe's highest.
        """
        logits = {name: reading.explained[name].logits for name in self.panels}
        scores = class_scores(self.workbench.classes, logits, reading.truth)
        right = scores[scores.probe == self.right].sort_values("rank")
        if not reading.truth:
            return right["class"].iloc[0]
        missed = what_was_missed(scores)
        telling = [name for name in missed[self.left] if name not in missed[self.right]]
        return telling[0] if telling else right.loc[right.present.astype(bool), "class"].iloc[0]

    # -- prototypes

    @property
    def placed_probe(self) -> str | None:
        """The shown probe whose prototypes are numbered (the right one first); None: neither has places."""
        for name in reversed(self.panels):
            if self.reading.explained[name].locations is not None:
                return name
        return None

    def strongest(self) -> pd.DataFrame:
        """`strongest_prototypes` of the chosen class; empty where no shown probe has places."""
        if self.placed_probe is None:
            return strongest_prototypes([], [], [], self.workbench.grid)
        explained = self.reading.explained[self.placed_probe]
        row = explained.contributions[self._class]
        boxes = None
        if self.reading.truth is not None:
            boxes = [event for event in self.reading.events if event.label == self.class_name]
        grid = self.workbench.grid
        return strongest_prototypes(row, explained.scores, explained.locations, grid, self.shown, boxes)

    def parts(self, strongest: pd.DataFrame | None = None) -> pd.DataFrame:
        """`logit_parts` of the chosen class; empty where no shown probe has places."""
        if self.placed_probe is None:
            return pd.DataFrame()
        explained = self.reading.explained[self.placed_probe]
        strongest = self.strongest() if strongest is None else strongest
        return logit_parts(
            explained.contributions[self._class], float(explained.bias[self._class]), strongest
        )

    def similarity(self) -> tuple[int, np.ndarray] | None:
        """(prototype, map (t f)): of the chosen prototype if it is one of the strongest, else of the first.

        None where no prototype argues for the class.
        """
        numbered = self.strongest().prototype.tolist()
        if not numbered:
            return None
        prototype = self.prototype if self.prototype in numbered else numbered[0]
        return prototype, self.reading.explained[self.placed_probe].similarity[prototype]

    def cell_of(self, prototype: int) -> Box:
        """Seconds and hertz of the cell in which the prototype found its best match."""
        grid = self.workbench.grid
        return grid.box(*grid.place(int(self.reading.explained[self.placed_probe].locations[prototype])))

    def sound_of(self, prototype: int) -> tuple[np.ndarray, float]:
        """The sound (s,) float32 of that cell, and where in the clip its first sample lies, seconds.

        Every cell is made equally loud (peak 0.5): as quiet as it is in the clip, no ear would find it.
        """
        reading, box = self.reading, self.cell_of(prototype)
        first, _ = box_span(len(reading.waveform), reading.sample_rate, box)
        return box_sound(reading.waveform, reading.sample_rate, box, peak=0.5), first / reading.sample_rate

    @property
    def _class(self) -> int:
        return self.workbench.classes.index(self.class_name)


def _checked(name: str, data: bytes) -> OwnFile:
    if len(data) > MAX_FILE_MB * 2**20:
        raise AudioError(f"larger than {MAX_FILE_MB} MB; cut it or save it as FLAC or MP3")
    file = OwnFile(name, data)
    if file.seconds > MAX_FILE_SECONDS:
        raise AudioError(
            f"{file.seconds / 60:.0f} minutes long, the limit is {MAX_FILE_SECONDS // 60}; cut it"
        )
    return file
