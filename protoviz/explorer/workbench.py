"""What a page can show: a data set as an encoder sees it, probes, and what they make of one clip."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from protoviz.analysis.loudness import SILENCE, judged
from protoviz.audio import CellGrid, FilterBank, fit_length, level_of, log_mel, mono, resampled
from protoviz.audio.picture import mel_picture, quiet_top
from protoviz.cache.key import encoder_key
from protoviz.datasets import scene_id, scene_of
from protoviz.encoders import Encoder, Encoding
from protoviz.explorer.heads import head_of
from protoviz.explorer.keeping import Kept
from protoviz.explorer.reading import Explained, Reading, explained_of, read_only
from protoviz.explorer.sound import MEAN, Taken, open_sound
from protoviz.explorer.text import count, distinct
from protoviz.figures.style import as_written
from protoviz.probes import Probe, ProbeError, refuse_other
from protoviz.probes.layers import asked_of
from protoviz.probes.origin import ORIGIN
from protoviz.probes.prototype import PrototypeProbe
from protoviz.scenes import Event, Scene, SceneConfig, make_scene
from protoviz.study import Study

Shared = TypeVar("Shared")
KEPT_CLIPS = 24  # about 4 MB each: waveform, picture, similarity maps
KEPT_RECORDINGS = 24
NO_RECORDINGS = pd.DataFrame(
    {name: [] for name in ("recording", "label", "labels", "known", "title", "path")}, dtype=object
)
KEPT_SOUNDS = 16  # 0.7 MB each
AS_MADE = Taken()
SHORTEST_SCENE = 0.5  # seconds, see `SceneConfig`
MOST_EVENTS = 8  # of a scene that is made here


class BenchError(ValueError):
    """A study, or one of its encoders on one of its data sets, cannot be shown; the text says what to do."""


@dataclass(frozen=True)
class Can:
    """What can be done with the clips of a workbench.

    mix     a scene of any seed and number of events can be made
    encode  the encoder is at hand, for any sound
    knows   of where the events of a clip lie: "boxes" (time and frequency), "times", or "labels" alone
    """

    mix: bool
    encode: bool
    knows: str


class Workbench:
    """One encoder on one data set: probes (name -> probe), class names and clips. Nothing in it changes.

    encoder: None where it is not at hand; then `kept` says what there is. clips: a frame with clip (its id),
    title, labels, and of scenes seed and polyphony. note: one line on the encoder, shown on every page.
    seed: that of the probes' first weights, for those that were not saved with theirs; None: not known.
    recordings: a frame of `list_recordings`.
    tables: name -> frame, or None where there is no such table; asked once, when a page first needs it.
    kept: the clips as a study keeps them; None: procedural scenes, made when they are asked for.
    remarks: what is not as one would expect, a sentence each; plain text.
    Scenes are made for the encoder: at its rate, and no longer than it takes. Raises BenchError where encoder
    and probes do not fit together, or no scene fits the encoder.
    """

    def __init__(
        self,
        encoder: Encoder | None,
        probes: Mapping[str, Probe],
        classes: tuple[str, ...],
        clips: pd.DataFrame,
        note: str = "",
        seed: int | None = None,
        recordings: pd.DataFrame = NO_RECORDINGS,
        tables: Callable[[str], pd.DataFrame | None] = lambda name: None,
        kept: Kept | None = None,
        remarks: Sequence[str] = (),
    ):
        if not probes:
            raise BenchError("there is no probe to show")
        self.encoder, self.kept, self.remarks = encoder and encoder.eval(), kept, tuple(remarks)
        self.grid: CellGrid = kept.grid if encoder is None else encoder.cell_grid()
        facts = kept.facts if encoder is None else encoder
        self.name, self.dim = (kept or encoder).name, facts.dim
        self.sample_rate, self.seconds = facts.sample_rate, (encoder or kept).seconds
        scenes = kept is None or kept.scenes
        self.most = MOST_EVENTS if scenes else min(MOST_EVENTS, len(kept.single))  # events of a scene
        mixes = scenes or (self.most > 1 and self.seconds >= SHORTEST_SCENE)
        self.can = Can(mixes and encoder is not None, encoder is not None, kept.knows if kept else "boxes")
        self._check(probes, len(classes))
        for probe in probes.values():
            probe.eval()  # for good: threads that share a probe must not find it half way between two modes
        self.probes, self.classes, self.clips = dict(probes), tuple(classes), clips
        self._rows = {clip: row for row, clip in enumerate(clips["clip"])}
        self._scenes = {}
        if scenes:
            listed = zip(clips["seed"].astype(int), clips["polyphony"].astype(int), strict=True)
            self._scenes = dict(zip(clips["clip"], listed, strict=True))
        self._listed_scenes = {place: clip for clip, place in self._scenes.items()}
        self.recordings = recordings
        self.titles = distinct({name: probe.metadata.get("title", name) for name, probe in probes.items()})
        self.heads = {
            name: head_of(probe) for name, probe in probes.items() if isinstance(probe, PrototypeProbe)
        }
        self.note, self.seed = note, seed
        self.address: dict[str, str] = {}  # what a link says of it (see `studies`)
        # The picture spans what the cells span, whatever the encoder's own front end looks like.
        self.bank = FilterBank(self.sample_rate, low_hz=self.grid.low_hz, high_hz=self.grid.high_hz)
        self.frames = round(self.grid.seconds * self.sample_rate / self.bank.shift_samples)
        self._mixing = SceneConfig(seconds=min(SceneConfig().seconds, max(self.seconds, SHORTEST_SCENE)))
        # Keyed by a clip's id; what comes back is read-only, so every session may share it.
        self.reading = lru_cache(maxsize=KEPT_CLIPS)(self._reading)
        self.recording = lru_cache(maxsize=KEPT_RECORDINGS)(self._recording)
        self.waveform = lru_cache(maxsize=KEPT_SOUNDS)(lambda clip: read_only(self._heard(clip)[0]))
        self.table = lru_cache(maxsize=None)(tables)
        self._shared: dict[Callable, Any] = {}

    def shared(self, kind: Callable[["Workbench"], Shared]) -> Shared:
        """Return what a page keeps for all sessions over this workbench: `kind(workbench)`, made once."""
        if kind not in self._shared:
            self._shared[kind] = kind(self)
        return self._shared[kind]

    def _check(self, probes: Mapping[str, Probe], classes: int) -> None:
        """Raise BenchError if no scene fits the encoder, or a probe does not fit encoder and classes."""
        encoder, cells = self.encoder, self.grid.times * self.grid.freqs
        if self.can.mix and self.seconds < SHORTEST_SCENE:
            raise BenchError(
                f"{self.name} takes clips of {self.seconds:g} s and a scene is at least "
                f"{SHORTEST_SCENE:g} s long: load it with a longer seconds="
            )
        known = encoder is not None and any(ORIGIN in p.metadata for p in probes.values())
        made_by = encoder_key(encoder) if known else None
        for name, probe in probes.items():
            if probe.classes != classes or probe.dim != self.dim:
                raise BenchError(
                    f"probe {name!r} takes width {probe.dim} and gives {probe.classes} classes; the encoder "
                    f"gives {self.dim}, and {classes} classes have names"
                )
            try:
                if encoder is not None:
                    refuse_other(probe, made_by if ORIGIN in probe.metadata else encoder, name)
            except ProbeError as error:
                raise BenchError(str(error)) from error
            if not isinstance(probe, PrototypeProbe):
                continue
            means = probe.metadata.get("mean_scores")
            if means is not None and len(means) != probe.count:
                raise BenchError(f"probe {name!r} has {probe.count} prototypes and {len(means)} mean scores")
            if math.prod(probe.compared_grid(cells)) != cells:
                raise BenchError(
                    f"probe {name!r} compares other cells than the encoder's {cells}, and the explorer draws "
                    "those: train it without upsample"
                )

    # -- what can be done

    @property
    def study(self) -> Study | None:
        """The study that is shown; None where there is none."""
        return self.kept and self.kept.study

    def lacks(self, what: str) -> str:
        """Return in one sentence that something is not there, with its cure; "" where it is.

        what: "encoder", "mix", "sound" (of shown clips), or what `protoviz study add` adds ("nearest", ...).
        """
        if what in ("encoder", "mix"):
            if self.encoder is None:
                return self.kept.absent
            there = self.can.encode if what == "encoder" else self.can.mix
            return "" if there else "Scenes are mixed of clips with one label each whose sound travelled."
        if self.kept is None:
            return "" if what == "sound" else "This is no study, and so keeps no tables."
        return self.kept.lacks(what)

    # -- clips

    def scene_of(self, clip: str) -> tuple[int, int] | None:
        """Return (seed, polyphony) of a clip that is a scene of this workbench; None for any other."""
        if clip in self._rows or not self.can.mix:
            return self._scenes.get(clip)
        try:
            seed, polyphony = scene_of(clip)
        except ValueError:
            return None
        return (seed, polyphony) if seed < 2**31 and polyphony <= self.most else None

    def clip_of(self, seed: int, polyphony: int) -> str:
        """Return the id of the scene of this seed and polyphony: the listed one, where it is in the list."""
        return self._listed_scenes.get((seed, polyphony)) or scene_id(seed, polyphony)

    def has(self, clip: str) -> bool:
        """Return whether a clip can be shown: one of the list, or a scene that can be made."""
        return clip in self._rows or self.scene_of(clip) is not None

    def made(self, clip: str) -> Scene:
        """Return a scene by its id, at the encoder's rate and length. Raise ValueError for another clip."""
        place = self.scene_of(clip)
        if place is None:
            raise ValueError(f"{clip!r} is no clip of this data set that can be shown here")
        sources = self.kept.sources if self.kept else None
        scene, rate = make_scene(*place, sources=sources, config=self._mixing), self.sample_rate
        wave = resampled(scene.waveform, scene.sample_rate, rate)
        return replace(scene, waveform=wave, sample_rate=rate)

    def _heard(self, clip: str) -> tuple[np.ndarray, tuple[Event, ...]]:
        """Sound (s,) at the encoder's rate, empty where it did not travel, and events of a clip."""
        if self.scene_of(clip):
            scene = self.made(clip)
            return scene.waveform, scene.events
        if clip not in self._rows:
            return np.zeros(0, np.float32), ()
        return self.kept.sound(clip), self.kept.events(clip)

    def events(self, clip: str) -> tuple[Event, ...]:
        """Return the true events of a clip; none where they are not known."""
        return self._heard(clip)[1]

    def glance(self, clip: str) -> tuple[np.ndarray, tuple[Event, ...]]:
        """Return the mel picture (rows frames) and the events of a clip; a blank one where it is not kept."""
        waveform, events = self._heard(clip)
        return self._seen(clip, waveform)[0], events

    def title_of(self, clip: str) -> str:
        """Return what a clip is called; plain text."""
        if place := self.scene_of(clip):
            return f"Scene {place[0]}, {count(place[1], 'event')}"
        return str(self.clips["title"].iloc[self._rows[clip]]) if clip in self._rows else as_written(clip)

    def _reading(self, clip: str) -> Reading:
        """The `Reading` of a clip of the list, or of a scene that can be made. ValueError for any other."""
        if self.can.mix and self.scene_of(clip):
            scene = self.made(clip)
            return self.read(scene.waveform, scene.events, frozenset(scene.labels))
        if clip not in self._rows:
            raise ValueError(f"{clip!r} is none of the {len(self._rows)} clips that this study shows")
        truth = frozenset(self.clips["labels"].iloc[self._rows[clip]])
        waveform, events = self._heard(clip)
        if self.encoder is not None and asked_of(self.probes.values()):
            return self.read(waveform, events, truth)
        maps = self.kept.maps(clip)
        picture, span = self._seen(clip, waveform)
        return Reading(
            read_only(waveform),
            self.sample_rate,
            events,
            truth,
            read_only(picture),
            span,
            self._explain(lambda layers: maps),
            level_of(waveform, self.sample_rate),
            AS_MADE,
            self.kept.length(clip),
        )

    def _recording(self, name: str, channel: int = MEAN, normalise: bool = False) -> Reading:
        """The `Reading` of a listed recording, its first `seconds`; ValueError for any other name.

        Its labels are the truth where each is one of the classes; where in the clip it sounds is not known.
        channel, normalise: as in `open_sound`.
        """
        row = self._listed(name)
        wave, taken = open_sound(
            row.path, self.sample_rate, self.seconds, channel=channel, normalise=normalise
        )
        return self.read(wave, truth=row.labels if row.known else None, taken=taken)

    def title_of_recording(self, name: str) -> str:
        """Return what a listed recording is called; a label that no probe knows is said to be unknown."""
        row = self._listed(name)
        return row.title if row.known else f"{row.title} (not one of the {len(self.classes)} classes)"

    def _listed(self, name: str):
        found = self.recordings[self.recordings.recording == name]
        if found.empty:
            raise ValueError(f"{name!r} is not one of the recordings that this page lists")
        return found.iloc[0]

    # -- what encoder and probes make of a sound

    def logits(self, waveform: np.ndarray, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Return the logits (c,) of a clip (s,) by probe (None: all), read-only: `read` without maps."""
        encoding = self._encode(waveform)
        chosen = {name: self.probes[name] for name in (self.probes if names is None else names)}
        told = {
            name: one.explain(*encoding.inputs(one.layers), maps=False).numpy()
            for name, one in chosen.items()
        }
        return {name: read_only(one.logits[0]) for name, one in told.items()}

    def _encode(self, waveform: np.ndarray) -> Encoding:
        """The `Encoding` on the encoder's own grid: a clip that does not fill it leaves cells empty."""
        if self.encoder is None:
            raise ValueError(self.lacks("encoder"))
        asked = asked_of(self.probes.values())
        return self.encoder.encode(waveform, **asked).on_grid(tuple(self.encoder.grid))

    def _explain(self, inputs: Callable[[Any], tuple]) -> dict[str, Explained]:
        """Probe -> what it says of (tokens, cls, mask), given by the layers that it reads."""
        cells = self.grid.times, self.grid.freqs
        told = {name: probe.explain(*inputs(probe.layers)).numpy() for name, probe in self.probes.items()}
        return {name: explained_of(one, cells) for name, one in told.items()}

    def picture(self, waveform: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the mel picture (rows frames) of a clip (s,), and its span, dB."""
        # The picture has no shorter row than a frame: a very short clip is padded with silence.
        heard = fit_length(waveform, max(len(waveform), self.bank.frame_samples))
        return mel_picture(log_mel(heard, self.bank).numpy(), self.frames, quiet_top(self.bank.frame_samples))

    def _seen(self, clip: str, waveform: np.ndarray) -> tuple[np.ndarray, float]:
        """The picture of a clip: of its sound, or as it is kept where the sound did not travel."""
        kept = None if len(waveform) or clip not in self._rows else self.kept.picture(clip)
        return kept or self.picture(waveform)

    def read(
        self,
        waveform: np.ndarray,
        events: tuple[Event, ...] = (),
        truth: frozenset[str] | None = None,
        taken: Taken = AS_MADE,
    ) -> Reading:
        """Return the `Reading` of a clip (s,) at the encoder's rate, at most `seconds` long.

        Raises ValueError, with the cure, where the encoder is not at hand.
        """
        waveform, rate = mono(waveform), self.sample_rate
        encoding = self._encode(waveform)
        picture, span = self.picture(waveform)
        level = level_of(waveform, rate)
        if truth is None and judged(level) == SILENCE:
            truth = frozenset()  # that much is known: every class is named in error
        return Reading(
            read_only(waveform),
            rate,
            tuple(events),
            truth,
            read_only(picture),
            span,
            self._explain(encoding.inputs),
            level,
            taken,
            len(waveform) / rate,
        )
