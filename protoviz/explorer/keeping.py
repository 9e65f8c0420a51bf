"""The clips of a study as one of its encoders saw them: sound, events, maps and pictures that it keeps."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from protoviz.audio import CellGrid, resampled
from protoviz.scenes import Event, JoinedSources, Sources, file_sources
from protoviz.study import Study
from protoviz.study.form import EncoderFacts, add_command
from protoviz.study.study import ShownClips


@dataclass(frozen=True, eq=False)
class Kept:
    """A data set of a study, as one of its encoders saw it. absent: why that is not at hand; "": it is."""

    study: Study
    dataset: str
    name: str  # of the encoder
    absent: str = ""

    @property
    def facts(self) -> EncoderFacts:
        """What the study says of the encoder."""
        return self.study.encoders[self.name]

    @property
    def clips(self) -> ShownClips:
        """The clips that the study shows."""
        return self.study.clips[self.dataset]

    @property
    def scenes(self) -> bool:
        """Whether a clip is a scene that is made from its id."""
        return self.study.datasets[self.dataset].made

    @cached_property
    def single(self) -> dict[str, list[str]]:
        """Label -> files that hold nothing else, of which scenes can be mixed; {} where a clip has several
        labels, or its sound did not travel.
        """
        table, found = self.clips.table, {}
        if self.scenes or not (table["sound"].all() and (table["labels"].map(len) == 1).all()):
            return {}
        for row, labels in enumerate(table["labels"]):
            found.setdefault(labels[0], []).append(str(self.clips.folder / "sound" / f"{row}.flac"))
        return found

    @cached_property
    def sources(self) -> Sources | None:
        """What scenes are mixed from; None: procedural sounds."""
        parts = [file_sources(files, label) for label, files in self.single.items()]
        return JoinedSources(*parts) if parts else None

    @property
    def knows(self) -> str:
        """What is known of events: "boxes", "times" or "labels"."""
        return self.study.datasets[self.dataset].knows

    @cached_property
    def grid(self) -> CellGrid:
        """Where each kept token lies."""
        grid = self.facts.cells
        return replace(grid, times=round(grid.times * self._longer), seconds=grid.seconds * self._longer)

    @property
    def seconds(self) -> float:
        """Length of a clip that the encoder took here."""
        return self.facts.seconds * self._longer

    @cached_property
    def _longer(self) -> float:
        """How many times as long: an encoder may have seen other clips in another data set."""
        if not self.clips.keeps(self.name):
            return 1.0
        times, freqs = self.facts.grid
        return self.clips.array("mask", self.name).shape[1] / (times * freqs)

    def lacks(self, what: str) -> str:
        """Return that the study does not keep something, with the command that adds it."""
        if what == "sound":
            told = "The sound of this clip did not travel with the study"
            return f"{told}: {add_command(self.study.folder, '--sound')} keeps it, where its data is."
        return f"This study holds none yet: {add_command(self.study.folder, what)} adds it."

    def maps(self, clip: str) -> tuple:
        """Return tokens (1 n d), [cls] (1 d) and mask (1 n) of a clip, as tensors."""
        return self.clips.maps(clip, self.name)

    def picture(self, clip: str) -> tuple[np.ndarray, float] | None:
        """Return the mel picture (rows frames) of a clip and its span, dB; None if it is not kept."""
        pictures, spans = (self.clips.array(name, self.name) for name in ("pictures", "spans"))
        if pictures is None or spans is None:
            return None
        row = self.clips.row(clip)
        return pictures[row], float(spans[row])

    def attention(self, clip: str) -> tuple[np.ndarray, np.ndarray | None, np.ndarray] | None:
        """Return attention (l h n), cls_to_cls (l h) or None, and mask (n) of a clip; None if not kept."""
        rows = self.clips.array("attention", self.name)
        if rows is None:
            return None
        row, own = self.clips.row(clip), self.clips.array("cls_to_cls", self.name)
        mask = np.array(self.clips.array("mask", self.name)[row])
        return np.array(rows[row], np.float32), None if own is None else np.array(own[row], np.float32), mask

    def sound(self, clip: str) -> np.ndarray:
        """Return the sound (s,) of a clip at the encoder's rate; empty where it did not travel."""
        found = self.clips.sound(clip)
        if found is None:
            return np.zeros(0, np.float32)
        sound = resampled(found[0], found[1], self.facts.sample_rate)
        return sound[: round(self.seconds * self.facts.sample_rate)]

    def events(self, clip: str) -> tuple[Event, ...]:
        """Return the true events of a clip; none where they are not known."""
        return tuple(self.clips.events(clip))

    def length(self, clip: str) -> float:
        """Return the seconds of a clip, as far as the encoder hears it."""
        return min(float(self.clips.table["duration"].iloc[self.clips.row(clip)]), self.seconds)
