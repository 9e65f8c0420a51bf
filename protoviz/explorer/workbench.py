"""What a page can show: an encoder, probes, the demo's clips, and what they make of one clip."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from protoviz.analysis.loudness import SILENCE, judged
from protoviz.audio import CellGrid, FilterBank, fit_length, level_of, log_mel, mono, resampled
from protoviz.audio.picture import mel_picture, quiet_top
from protoviz.cache.key import encoder_key
from protoviz.encoders import Encoder, Encoding
from protoviz.explorer.reading import Reading, explained_of, read_only
from protoviz.explorer.sound import MEAN, Taken, open_sound
from protoviz.explorer.text import distinct
from protoviz.probes import Probe, ProbeError, refuse_other
from protoviz.probes.layers import asked_of
from protoviz.probes.origin import ORIGIN
from protoviz.probes.prototype import PrototypeProbe
from protoviz.scenes import Event, Scene, SceneConfig, make_scene

Shared = TypeVar("Shared")
KEPT_SCENES = 24  # about 4 MB each: waveform, picture, similarity maps
KEPT_RECORDINGS = 24
NO_RECORDINGS = pd.DataFrame(
    {name: [] for name in ("recording", "label", "labels", "known", "title", "path")}, dtype=object
)
KEPT_SOUNDS = 16  # 0.7 MB each
AS_MADE = Taken()
SHORTEST_SCENE = 0.5  # seconds, see `SceneConfig`
DEMO_COMMAND = "protoviz demo"


class DemoError(FileNotFoundError):
    """The demo is absent or does not fit together; the message names the folder and the cure."""


@dataclass(frozen=True, eq=False)
class Head:
    """How a prototype probe makes logits of its raw scores: W s + b. Read-only arrays, float64.

    `means` (j) are its mean scores over the training clips; None where the demo does not know them.
    """

    weight: np.ndarray  # (c j), a normalisation of the scores folded in
    bias: np.ndarray  # (c)
    means: np.ndarray | None


class Workbench:
    """Encoder, probes (name -> probe), class names and the table of demo clips. Nothing in it changes.

    clips: a frame with clip, seed, polyphony, title. note: one line on the encoder, shown on every page.
    seed: that of the probes' first weights, for those that were not saved with theirs; None: not known.
    recordings: a frame of `list_recordings`.
    tables: name -> frame, or None where there is no such table; asked once, when a page first needs it.
    Scenes are made for the encoder: at its rate, and no longer than it takes. Raises DemoError where encoder
    and probes do not fit together, or no scene fits the encoder.
    """

    def __init__(
        self,
        encoder: Encoder,
        probes: Mapping[str, Probe],
        classes: tuple[str, ...],
        clips: pd.DataFrame,
        note: str = "",
        seed: int | None = None,
        recordings: pd.DataFrame = NO_RECORDINGS,
        tables: Callable[[str], pd.DataFrame | None] = lambda name: None,
    ):
        if not probes:
            raise DemoError(f"there is no probe to show; `{DEMO_COMMAND}` trains some")
        self.grid: CellGrid = encoder.cell_grid()
        self._check(encoder, probes, len(classes))
        for probe in probes.values():
            probe.eval()  # for good: threads that share a probe must not find it half way between two modes
        self.encoder, self.probes, self.classes, self.clips = (
            encoder.eval(),
            dict(probes),
            tuple(classes),
            clips,
        )
        self.recordings = recordings
        self.titles = distinct({name: probe.metadata.get("title", name) for name, probe in probes.items()})
        self.heads = {
            name: _head(name, probe) for name, probe in probes.items() if isinstance(probe, PrototypeProbe)
        }
        self.note, self.seed = note, seed
        # The picture spans what the cells span, whatever the encoder's own front end looks like.
        self.bank = FilterBank(encoder.sample_rate, low_hz=self.grid.low_hz, high_hz=self.grid.high_hz)
        self.frames = round(self.grid.seconds * encoder.sample_rate / self.bank.shift_samples)
        self._mixing = SceneConfig(seconds=min(SceneConfig().seconds, encoder.seconds))
        # Keyed by two whole numbers; what comes back is read-only, so every session may share it.
        self.scene = lru_cache(maxsize=KEPT_SCENES)(self._scene)
        self.recording = lru_cache(maxsize=KEPT_RECORDINGS)(self._recording)
        self.waveform = lru_cache(maxsize=KEPT_SOUNDS)(lambda *scene: read_only(self.made(*scene).waveform))
        self.table = lru_cache(maxsize=None)(tables)
        self._shared: dict[Callable, Any] = {}

    def shared(self, kind: Callable[["Workbench"], Shared]) -> Shared:
        """Return what a page keeps for all sessions over this workbench: `kind(workbench)`, made once."""
        if kind not in self._shared:
            self._shared[kind] = kind(self)
        return self._shared[kind]

    def _check(self, encoder: Encoder, probes: Mapping[str, Probe], classes: int) -> None:
        """Raise DemoError if no scene fits the encoder, or a probe does not fit encoder and classes."""
        if encoder.seconds < SHORTEST_SCENE:
            raise DemoError(
                f"{encoder.name} takes clips of {encoder.seconds:g} s and a scene is at least "
                f"{SHORTEST_SCENE:g} s long: load it with a longer seconds="
            )
        made_by = encoder_key(encoder) if any(ORIGIN in p.metadata for p in probes.values()) else None
        cells = math.prod(encoder.grid)
        for name, probe in probes.items():
            if probe.classes != classes or probe.dim != encoder.dim:
                raise DemoError(
                    f"probe {name!r} takes width {probe.dim} and gives {probe.classes} classes; the encoder "
                    f"gives {encoder.dim}, and {classes} classes have names: run `{DEMO_COMMAND}` again"
                )
            try:
                refuse_other(probe, made_by if ORIGIN in probe.metadata else encoder, name)
            except ProbeError as error:
                raise DemoError(f"{error}\nor run `{DEMO_COMMAND}` again") from error
            if isinstance(probe, PrototypeProbe) and math.prod(probe.compared_grid(cells)) != cells:
                raise DemoError(
                    f"probe {name!r} compares other cells than the encoder's {cells}, and the explorer draws "
                    "those: train it without upsample"
                )

    def made(self, seed: int, polyphony: int) -> Scene:
        """Return the procedural scene of this seed and polyphony, at the encoder's
        rate and as long as it takes.
        """
        scene, rate = make_scene(seed, polyphony, config=self._mixing), self.encoder.sample_rate
        wave = resampled(scene.waveform, scene.sample_rate, rate)
        return replace(scene, waveform=wave, sample_rate=rate)

    def _scene(self, seed: int, polyphony: int) -> Reading:
        """The `Reading` of the procedural scene of this seed and polyphony."""
        scene = self.made(seed, polyphony)
        return self.read(scene.waveform, scene.events, frozenset(scene.labels))

    def _recording(self, name: str, channel: int = MEAN, normalise: bool = False) -> Reading:
        """The `Reading` of a listed recording, its first `encoder.seconds`; ValueError for any other name.

        Its labels are the truth where each is one of the classes; where in the clip it sounds is not known.
        channel, normalise: as in `open_sound`.
        """
        row, encoder = self._listed(name), self.encoder
        wave, taken = open_sound(
            row.path, encoder.sample_rate, encoder.seconds, channel=channel, normalise=normalise
        )
        return self.read(wave, truth=row.labels if row.known else None, taken=taken)

    def title_of(self, name: str) -> str:
        """Return what a listed recording is called; a label that no probe knows is said to be unknown."""
        row = self._listed(name)
        return row.title if row.known else f"{row.title} (not one of the {len(self.classes)} classes)"

    def _listed(self, name: str):
        found = self.recordings[self.recordings.recording == name]
        if found.empty:
            raise ValueError(f"{name!r} is not one of the recordings that this page lists")
        return found.iloc[0]

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
        asked = asked_of(self.probes.values())
        return self.encoder.encode(waveform, **asked).on_grid(tuple(self.encoder.grid))

    def read(
        self,
        waveform: np.ndarray,
        events: tuple[Event, ...] = (),
        truth: frozenset[str] | None = None,
        taken: Taken = AS_MADE,
    ) -> Reading:
        """Return the `Reading` of a clip (s,) at the encoder's rate, at most `encoder.seconds` long."""
        waveform, rate = mono(waveform), self.encoder.sample_rate
        encoding = self._encode(waveform)
        explained = {}
        for name, probe in self.probes.items():
            found = probe.explain(*encoding.inputs(probe.layers)).numpy()
            explained[name] = explained_of(found, self.encoder.grid)
        # The picture has no shorter row than a frame: a very short clip is padded with silence.
        heard = fit_length(waveform, max(len(waveform), self.bank.frame_samples))
        mels = log_mel(heard, self.bank).numpy()
        picture, span = mel_picture(mels, self.frames, quiet_top(self.bank.frame_samples))
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
            explained,
            level,
            taken,
        )


def _head(name: str, probe: PrototypeProbe) -> Head:
    weight, bias = (part.detach().cpu().double().numpy() for part in probe.folded_classifier())
    means = probe.metadata.get("mean_scores")
    if means is not None and len(means) != probe.count:
        raise DemoError(
            f"probe {name!r} has {probe.count} prototypes and {len(means)} mean scores: "
            f"run `{DEMO_COMMAND}` again"
        )
    return Head(
        read_only(weight), read_only(bias), None if means is None else read_only(np.array(means, float))
    )
