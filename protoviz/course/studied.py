"""What a notebook looks at in a study: a clip with its token map, an encoder, a probe with prototypes."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from protoviz.audio import CellGrid, FilterBank
from protoviz.encoders import Encoder, Encoding, load_encoder
from protoviz.figures import spectrogram
from protoviz.figures.probe_of_study import cell_of
from protoviz.scenes import Event, Scene, make_scene
from protoviz.study import Study, StudyError
from protoviz.study.form import add_command, refuse_own_code

if TYPE_CHECKING:
    import torch

    from protoviz.probes import Probe

SEED, EVENTS = 7, 4  # of the scene that the course looks at, where the study's data set is scenes


@dataclass(frozen=True, eq=False)
class StudyClip:
    """A clip of a study as notebooks take a `Scene`: sound, true events, labels; and its `encoding`.

    name: its id in the study, or what scene it is.
    """

    study: Study
    dataset: str
    encoder: str
    name: str
    scene: Scene | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """What is said to sound, in alphabetical order."""
        if self.scene:
            return self.scene.labels
        clips = self.study.clips[self.dataset]
        return tuple(sorted(clips.table["labels"].iloc[clips.row(self.name)]))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What sounds where; none where that is not known."""
        return self.scene.events if self.scene else tuple(self.study.clips[self.dataset].events(self.name))

    @property
    def grid(self) -> CellGrid:
        """The cells of the encoder."""
        return self.study.encoders[self.encoder].cells

    @property
    def waveform(self) -> np.ndarray:
        """The sound (s,). Raise StudyError where it did not travel."""
        return self._sound[0]

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self._sound[1]

    @cached_property
    def _sound(self) -> tuple[np.ndarray, int]:
        if self.scene:
            return self.scene.waveform, self.scene.sample_rate
        found = self.study.clips[self.dataset].sound(self.name)
        if found is None:
            add = add_command(self.study.folder, "--sound")
            raise StudyError(
                f"{self.study.folder} keeps no sound of {self.dataset}: {add} adds it, where the licence "
                "lets you"
            )
        return found

    @property
    def bank(self) -> FilterBank:
        """Mel rows at the rate of the sound."""
        return FilterBank(sample_rate=self.sample_rate)

    def probe(self, method: str) -> "Probe":
        """Return the study's probe for its data set and encoder."""
        return self.study.probe(method, self.encoder, self.dataset)

    def spectrogram(self, cells: pd.DataFrame | None = None):
        """Return the figure of its sound with true events, and numbered cells where they are given."""
        return spectrogram(self.waveform, self.events, cells, self.bank, self.grid.seconds)

    @cached_property
    def encoding(self) -> Encoding:
        """Its token map (b = 1), with attention where the study keeps that."""
        if self.scene:
            return study_encoder(self.study, self.encoder).encode(self.waveform, attention=True)
        tokens, cls, mask, attention = map(self._kept, ("tokens", "cls", "mask", "attention"))
        layers = None if attention is None else [layer[None].float() for layer in attention[0]]
        grid = self.study.encoders[self.encoder].grid
        return Encoding(tokens.float(), cls.float(), grid, mask, layers)

    @property
    def keeps_attention(self) -> bool:
        """Whether `encoding` has attention."""
        return self.scene is not None or self._kept("attention") is not None

    def _kept(self, name: str) -> "torch.Tensor | None":
        import torch

        clips = self.study.clips[self.dataset]
        found = clips.array(name, self.encoder)
        return None if found is None else torch.from_numpy(np.array(found[[clips.row(self.name)]]))


def study_clip(study: Study) -> StudyClip:
    """Return the clip that notebooks look at: scene 7 with four events, or of other data the shown clip with
    most labels, by the first encoder.
    """
    dataset, encoder = _first(study)
    if study.datasets[dataset].made:
        scene = make_scene(SEED, EVENTS)
        return StudyClip(study, dataset, encoder, f"scene {SEED}", scene)
    clips = study.clips[dataset].table
    most = int(clips["labels"].map(len).to_numpy().argmax())
    return StudyClip(study, dataset, encoder, clips["clip"].iloc[most])


def study_encoder(study: Study, name: str | None = None) -> Encoder:
    """Return the study's encoder, by default its first, ready for new sound.

    Raises EncoderError where its weights are not at hand, StudyError where it is code of somebody's own.
    """
    use = study.encoders[name or _first(study)[1]].use
    refuse_own_code([use])
    return load_encoder(use)


def study_method(study: Study) -> str:
    """Return the study's method with prototypes: protobin, or the first. Raise StudyError if it has none."""
    return cell_of(study, None, None, None, "prototype")[2]


def _first(study: Study) -> tuple[str, str]:
    """The first data set whose clips are shown, and the first encoder whose maps of them are there."""
    for dataset, clips in study.clips.items():
        if clips.encoders:
            return dataset, clips.encoders[0]
    raise StudyError(f"{study.folder} shows no clips: {add_command(study.folder)} adds them")
