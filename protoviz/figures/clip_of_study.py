"""Figures of a clip that a study shows, by name: its picture with events and cells, what its probes say."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from protoviz.analysis.attention import coverage, diffusion, over_cells
from protoviz.analysis.prototypes import class_scores, logit_parts, strongest_prototypes
from protoviz.analysis.what_if import class_changes, linear_logits, muted_logits
from protoviz.audio import Box, CellGrid, FilterBank
from protoviz.figures.asked import OfClass, OfClip, OfData, OfMap
from protoviz.figures.attention import attention_maps, diffusion_by_layer
from protoviz.figures.cells import waveform_curve
from protoviz.figures.clip import similarity_map, spectrogram
from protoviz.figures.decision import change_bars, class_bars, logit_steps
from protoviz.figures.probe_of_study import Made, cell_of
from protoviz.scenes import Event
from protoviz.study import ShownClips, Study, StudyError
from protoviz.study.form import add_command

MOST_PROBES = 2  # whose bars stand side by side where none is named
MOST_CHANGES = 8  # classes


@dataclass(frozen=True, eq=False)
class Shown:
    """A clip of a study by one encoder, under one prototype probe; each part is read when asked for."""

    study: Study
    dataset: str
    encoder: str
    clip: str
    method: str | None = None

    @property
    def clips(self) -> ShownClips:
        """Those of its data set."""
        return self.study.clips[self.dataset]

    @property
    def classes(self) -> tuple[str, ...]:
        """Of its data set."""
        return self.study.datasets[self.dataset].classes

    @property
    def grid(self) -> CellGrid:
        """Of the encoder."""
        return self.study.encoders[self.encoder].cells

    @property
    def bank(self) -> FilterBank:
        """That of the picture."""
        return FilterBank(sample_rate=self.grid.sample_rate)

    @cached_property
    def events(self) -> list[Event]:
        """What sounds where; none where that is not known."""
        return self.clips.events(self.clip)

    @property
    def labels(self) -> list[str]:
        """What is said to sound."""
        return list(self.clips.table["labels"].iloc[self.clips.row(self.clip)])

    @property
    def picture(self) -> tuple[np.ndarray, float]:
        """Bytes and span, as `mel_picture` gives them."""
        pictures, spans = (self.array(name) for name in ("pictures", "spans"))
        return pictures, float(spans)

    @property
    def sound(self) -> tuple[np.ndarray, int]:
        """Waveform (s,) float32 and rate, Hz."""
        sound = self.clips.sound(self.clip)
        if sound is None:
            raise StudyError(
                f"the sound of {self.clip} did not travel: {add_command(self.study.folder, '--sound')} "
                "keeps it, where its licence lets you"
            )
        return sound

    @cached_property
    def explained(self):
        """What the probe says, b = 1."""
        return self.study.explain(self.method, self.clip, self.encoder, self.dataset)

    def array(self, name: str) -> np.ndarray:
        """Return one of ARRAYS of the clip. Raise StudyError, with the command, if it is not kept."""
        found = self.clips.array(name, self.encoder)
        if found is None:
            raise StudyError(
                f"{self.study.folder} keeps no {name} by {self.encoder}: "
                f"{add_command(self.study.folder, *['attention'] * (name == 'attention'))} adds them"
            )
        return np.array(found[self.clips.row(self.clip)])

    def number(self, label: str | None) -> int:
        """Return the number of a class; None: the one with the highest logit."""
        if label is None:
            return int(self.explained.logits[0].argmax())
        if label not in self.classes:
            raise StudyError(f"{self.dataset} has no class {label!r}; it has {', '.join(self.classes)}")
        return self.classes.index(label)

    def strongest(self, label: str | None, k: int = 5) -> pd.DataFrame:
        """Return `strongest_prototypes` of a class."""
        number, told = self.number(label), self.explained
        known = self.study.datasets[self.dataset].knows != "labels"
        boxes = [event for event in self.events if event.label == self.classes[number]]
        row = told.contributions[0][number]
        return strongest_prototypes(
            row, told.scores[0], told.locations[0], self.cells, k, boxes if known else None
        )

    def cell_of(self, prototype: int) -> Box:
        """Return the cell in which a prototype found its best match. Raise StudyError for none of them."""
        locations = self.explained.locations[0]
        if not 0 <= prototype < len(locations):
            raise StudyError(f"{self.method} has no prototype {prototype}: it has {len(locations)}")
        return self.cells.box(*self.cells.place(int(locations[prototype])))

    @property
    def cells(self) -> CellGrid:
        """The grid that the probe compares: finer than the encoder's where it upsamples."""
        (times, freqs), grid = self.explained.grid, self.grid
        return CellGrid(times, freqs, grid.seconds, grid.sample_rate, grid.low_hz, grid.high_hz)


def shown(study: Study, asked: OfData) -> Shown:
    """Return a clip that a study shows, by an encoder; for a class, under a probe with prototypes."""
    if not study.clips:
        raise StudyError(f"{study.folder} shows no clips: {add_command(study.folder)} adds them")
    named = next(iter(study.clips)) if asked.dataset is None else asked.dataset
    if named not in study.clips:
        raise StudyError(f"{study.folder} shows no clips of {named!r}; it shows {', '.join(study.clips)}")
    clips = study.clips[named]
    encoder = getattr(asked, "encoder", None)
    if encoder is None and clips.encoders:
        encoder = clips.encoders[0]
    if encoder not in clips.encoders:
        kept = ", ".join(clips.encoders) or "none"
        raise StudyError(f"{study.folder} keeps no maps by {encoder} of {named}; it keeps {kept}")
    probed = isinstance(asked, OfClass)
    method = cell_of(study, asked.method, encoder, named, "prototype")[2] if probed else None
    clip = getattr(asked, "clip", None)
    found = clips.table["clip"].iloc[0] if clip is None else clip
    clips.row(found)
    return Shown(study, named, encoder, found, method)


def mel(study: Study, asked: OfClass, k: int = 5) -> Made:
    """Return `spectrogram` with the k cells that argue most for a class, and those cells."""
    one = shown(study, asked)
    cells = one.strongest(asked.label, k)
    seconds = one.grid.seconds
    drawn = spectrogram(None, one.events, cells, one.bank, seconds, asked.dark, one.picture, one.cells)
    return drawn, cells


def similarity(study: Study, asked: OfClass, prototype: int | None = None) -> Made:
    """Return `similarity_map` of a prototype, by default the class's strongest; and a row a cell."""
    one = shown(study, asked)
    strongest = one.strongest(asked.label, len(one.explained.scores[0]))
    if prototype is None:
        prototype = int(strongest.prototype.iloc[0])
    one.cell_of(prototype)  # refuses another
    values, grid = one.explained.similarity[0][prototype], one.cells
    cells = strongest[strongest.prototype == prototype]
    boxes = pd.DataFrame([grid.box(*grid.place(n)) for n in range(grid.times * grid.freqs)])
    table = boxes.assign(cosine=values.ravel())
    return similarity_map(values, cells, one.events, one.bank, grid.seconds, asked.dark), table


def classes(study: Study, asked: OfMap, methods: Sequence[str] = ()) -> Made:
    """Return `class_bars` of some methods, by default the study's first and its first with prototypes."""
    one = shown(study, asked)
    there = [method for data, by, method in study.probes if (data, by) == (one.dataset, one.encoder)]
    chosen = list(methods) or list(
        dict.fromkeys([*there[:1], cell_of(study, None, one.encoder, one.dataset, "prototype")[2]])
    )
    logits = {
        method: study.explain(method, one.clip, one.encoder, one.dataset).logits[0]
        for method in chosen[: len(methods) or MOST_PROBES]
    }
    table = class_scores(one.classes, logits, set(one.labels))
    return class_bars(table, asked.dark), table


def logit(study: Study, asked: OfClass, k: int = 5) -> Made:
    """Return `logit_steps` of a class, and its summands."""
    one = shown(study, asked)
    number = one.number(asked.label)
    row = one.explained.contributions[0][number]
    table = logit_parts(row, float(one.explained.bias[number]), one.strongest(asked.label, k))
    return logit_steps(table, study.methods[one.method], asked.dark), table


def muted(study: Study, asked: OfClass, k: int = 5) -> Made:
    """Return `change_bars`: the logits once the k strongest prototypes of a class say their mean score."""
    one = shown(study, asked)
    probe = study.probe(one.method, one.encoder, one.dataset)
    weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
    means = np.array(probe.metadata.get("mean_scores", 0.0))
    scores, silent = one.explained.scores[0], one.strongest(asked.label, k).prototype.to_numpy()
    before = linear_logits(weight, bias, scores)
    table = class_changes(one.classes, before, muted_logits(weight, bias, scores, silent, means))
    most = table.loc[table.change.abs().nlargest(MOST_CHANGES).index]
    now = f"with {len(silent)} muted"
    return change_bars(most, one.labels, now, study.methods[one.method], asked.dark), table


def attention(study: Study, asked: OfMap, layer: int = -1) -> Made:
    """Return `attention_maps` of a layer (1 is the first block, -1 the last), and a row a head and cell."""
    one = shown(study, asked)
    maps, mask = one.array("attention").astype(float), one.array("mask")
    depth = len(maps)
    if not (1 <= layer <= depth or -depth <= layer <= -1):
        raise StudyError(f"{one.encoder} has no layer {layer}: choose 1 to {depth}, or -1 for the last")
    rows = maps[layer - 1 if layer > 0 else layer]
    shares = pd.DataFrame(over_cells(rows, mask).T).add_prefix("head ").rename_axis("cell").reset_index()
    return attention_maps(rows, one.grid, None, one.events, mask, one.bank, asked.dark, one.picture), shares


def waveform(study: Study, asked: OfClip) -> Made:
    """Return `waveform_curve`, and the true events."""
    one = shown(study, asked)
    table = pd.DataFrame(one.events, columns=list(Event.__dataclass_fields__))
    return waveform_curve(*one.sound, one.events, asked.dark), table


def diffusion_of(study: Study, asked: OfData) -> Made:
    """Return `diffusion_by_layer` of all shown clips by every encoder whose attention is kept."""
    first = shown(study, asked)
    frames = {}
    for encoder in first.clips.encoders:
        if first.clips.array("attention", encoder) is None:
            continue
        each = [Shown(study, first.dataset, encoder, clip) for clip in first.clips.table["clip"]]
        frames[encoder] = pd.concat([_spread(one) for one in each], ignore_index=True)
    if not frames:
        first.array("attention")  # says what adds it
    table = pd.concat([frame.assign(encoder=name) for name, frame in frames.items()], ignore_index=True)
    return diffusion_by_layer(frames, asked.dark), table


def _spread(one: Shown) -> pd.DataFrame:
    inside = coverage(one.grid, one.events).ravel() if one.events else None
    kept = one.array("cls_to_cls").astype(float)
    rows = one.array("attention").astype(float)
    return diffusion(rows, one.array("mask"), inside, kept).assign(clip=one.clip)
