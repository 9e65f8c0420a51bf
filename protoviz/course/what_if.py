"""The prototype what-if of one clip as a piece of page that needs neither Python nor a network."""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from protoviz.analysis.prototypes import strongest_prototypes
from protoviz.analysis.what_if import chance_of_hit
from protoviz.audio import CellGrid, FilterBank, box_sound, log_mel, mono
from protoviz.audio.picture import hertz_ticks, mel_picture, mel_row, quiet_top
from protoviz.figures.colours import ABOVE, BELOW, FAMILY_COLOURS, INK, PAPER, TRUTH_COLOUR, ink_palette
from protoviz.figures.style import LINE, QUIET, spoken

SCRIPT = Path(__file__).with_suffix(".js")
LISTED = 9  # prototypes a class, one for each number key; the explorer lists as many
PEAK = 0.5  # every cell is made equally loud, as in the explorer: as quiet as in the clip, no ear finds it
COLOURS = {
    "ink": INK,
    "paper": PAPER,
    "quiet": QUIET,
    "line": LINE,
    "truth": TRUTH_COLOUR,
    "prototype": FAMILY_COLOURS["prototype"],
    "above": ABOVE,
    "below": BELOW,
}


@dataclass(frozen=True, eq=False)
class WhatIfPanel:
    """What `what_if_panel` found; a notebook and a static page show it as the same panel.

    told: everything that the panel's script knows, as it is written into the page. The weights are float64
    in base64, little-endian, row by row; the panel computes W s + b of them in float64.
    """

    told: dict

    def __repr__(self) -> str:
        classes, prototypes = len(self.told["classes"]), len(self.told["scores"])
        return f"WhatIfPanel({self.told['title']!r}, {classes} classes, {prototypes} prototypes)"

    def _repr_html_(self) -> str:
        return self.html

    @cached_property
    def html(self) -> str:
        """The panel as HTML with its script and everything else inside."""
        data = script_data(self.told)
        key = hashlib.sha256(data.encode()).hexdigest()[:16]
        absent = (
            "The what-if is a small program, and none runs here: run the cell again, or trust the notebook."
        )
        return (
            f'<div class="protoviz-what-if" data-key="{key}"><p>{escape(absent)}</p></div>'
            f"<script>(() => {{\n{SCRIPT.read_text()}\n"
            f"const hosts = document.querySelectorAll('.protoviz-what-if[data-key=\"{key}\"]')\n"
            f"for (const host of hosts) {{ if (!host.shadowRoot) {{ whatIf(host, {data}) }} }}\n"
            "})()</script>"
        )


def script_data(told: Any) -> str:
    """Return data as a script of a page takes it: JSON that ends no element."""
    return json.dumps(told, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def what_if_panel(
    probe,
    explanation,
    waveform,
    events: Iterable,
    grid: CellGrid,
    *,
    class_name: str | None = None,
    title: str = "",
    bank: FilterBank | None = None,
    labels: Sequence[str] | None = None,
    pixels: np.ndarray | None = None,
    listed: int = LISTED,
    classes_listed: int | None = None,
    sound: Callable[[np.ndarray, int], str] | None = None,
) -> WhatIfPanel:
    """Return the what-if of one clip: mute and solo of a class's strongest prototypes, and every class's
    logit.

    probe        a prototype probe that was saved with its class names
    explanation  `probe.explain(...)` of the clip, a batch of one; numpy or torch
    waveform     (s,) at the grid's sample rate; events its true events; () where they are not known
    grid         the encoder's `CellGrid`; class_name chosen first: by default the first event's
    labels       what sounds, where it is known and where is not; by default the events' labels
    pixels       the clip's picture as a study keeps it; then the waveform may be None, and nothing is heard
    listed       prototypes a class; classes_listed: beside the present classes so many have them (None: all)
    sound        gives the clip's sound an address; by default `sound_address`

    A muted prototype scores its mean over the training clips where the probe was saved with them, else 0
    (see `protoviz.analysis.what_if`). Raises ValueError for a probe without prototypes or class names.
    """
    if getattr(explanation, "scores", None) is None:
        raise ValueError(f"probe {probe.name!r} has no prototypes to mute: take protobin or another of them")
    if "classes" not in probe.metadata:
        raise ValueError("the probe does not know its classes' names: save it with classes=[...]")
    explained, events = explanation.numpy(), list(events)
    bank = bank or FilterBank(sample_rate=grid.sample_rate)
    weight, bias = (part.detach().cpu().double().numpy() for part in probe.folded_classifier())
    classes, means = list(probe.metadata["classes"]), probe.metadata.get("mean_scores")
    waveform = None if waveform is None else mono(waveform)
    labels = [event.label for event in events] if labels is None else list(labels)
    present = [classes.index(label) for label in labels if label in classes]
    shown = _shown(explained.logits[0], present, classes_listed)
    rows, cells = _strongest(classes, explained, grid, events, listed, shown)
    address = sound or sound_address
    return WhatIfPanel(
        {
            "title": title,
            "classes": [spoken(name) for name in classes],
            "present": sorted(set(present)),
            "chosen": classes.index(class_name) if class_name else (present or shown)[0],
            "weight": base64.b64encode(weight.astype("<f8").tobytes()).decode(),
            "bias": bias.tolist(),
            "scores": explained.scores[0].astype(float).tolist(),
            "means": means,
            "listed": rows,
            "cells": [_cell(t, f, waveform, grid, bank) for t, f in cells],
            "events": [_box(event, grid.seconds, bank) | {"label": event.label} for event in events],
            "clip": None if waveform is None else address(waveform, grid.sample_rate),
            **_picture(_pixels(waveform, grid, bank) if pixels is None else pixels, grid, bank),
            "colours": [{name: pair[dark] for name, pair in COLOURS.items()} for dark in (0, 1)],
            "palettes": [list(ink_palette(bool(dark))) for dark in (0, 1)],
        }
    )


def _shown(logits: np.ndarray, present: Sequence[int], most: int | None) -> list[int]:
    """The numbers of the classes that list prototypes: the present ones, and so many likely ones."""
    if most is None:
        return list(range(len(logits)))
    likely = np.argsort(-logits, kind="stable")[:most]
    return list(dict.fromkeys([*present, *map(int, likely)]))


def _strongest(
    classes: Sequence[str], explained, grid: CellGrid, events: list, most: int, shown: Sequence[int]
) -> tuple[list[dict], list[tuple[int, int]]]:
    """For each class its strongest prototypes and chance of a hit, and the cells (t, f) that they name.

    Classes that are not shown name no prototypes.
    """
    cells: dict[tuple[int, int], int] = {}
    listed = []
    for number, name in enumerate(classes):
        if number not in shown:
            listed.append({"rows": [], "chance": None, "left_out": True})
            continue
        boxes = [event for event in events if event.label == name]
        row = explained.contributions[0][number]
        frame = strongest_prototypes(
            row, explained.scores[0], explained.locations[0], grid, most, boxes if events else None
        )
        rows = [
            {
                "prototype": int(one.prototype),
                "contribution": float(one.contribution),
                "cell": cells.setdefault((int(one.t), int(one.f)), len(cells)),
                "hit": None if not events else bool(one.hit),
            }
            for one in frame.itertuples()
        ]
        listed.append({"rows": rows, "chance": chance_of_hit(grid, boxes) if boxes else None})
    return listed, list(cells)


def _cell(t: int, f: int, waveform: np.ndarray | None, grid: CellGrid, bank: FilterBank) -> dict:
    """A cell's place in the picture, in words, and its sound."""
    box = grid.box(t, f)
    where = f"{box.onset:.2f}–{box.offset:.2f} s, {box.low_hz:,.0f}–{box.high_hz:,.0f} Hz"
    told = _box(box, grid.seconds, bank) | {"where": where, "sound": None}
    if waveform is not None:
        sound = box_sound(waveform, grid.sample_rate, box, peak=PEAK)
        told["sound"] = sound_address(sound, grid.sample_rate)
    return told


def _box(box, seconds: float, bank: FilterBank) -> dict:
    """A box as shares of the picture: left and width of its length, bottom and height of its mel axis."""
    low, high = mel_row([box.low_hz, box.high_hz], 1, bank.low_hz, bank.top_hz)
    left, right = np.clip([box.onset / seconds, box.offset / seconds], 0, 1)
    shares = {"left": left, "width": right - left, "bottom": low, "height": high - low}
    return {name: round(float(share), 5) for name, share in shares.items()}


def _pixels(waveform: np.ndarray, grid: CellGrid, bank: FilterBank) -> np.ndarray:
    """The spectrogram as bytes, row 0 lowest."""
    frames = round(grid.seconds * 1000 / bank.frame_shift_ms)
    return mel_picture(log_mel(waveform, bank).numpy(), frames, quiet_top(bank.frame_samples))[0]


def _picture(pixels: np.ndarray, grid: CellGrid, bank: FilterBank) -> dict:
    """The spectrogram as a grey PNG (the page colours it by its theme), its ticks and its length."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[::-1])).save(file, "PNG", optimize=True)
    ticks = hertz_ticks(1, bank.low_hz, bank.top_hz)
    return {
        "picture": _address("image/png", file.getvalue()),
        "seconds": grid.seconds,
        "hertz": [{"at": round(at, 5), "label": label} for at, label in ticks.items()],
    }


def sound_address(waveform: np.ndarray, sample_rate: int) -> str:
    """Return a sound (s,) as an address that holds it: FLAC, for every browser, a third of a WAV's size."""
    file = io.BytesIO()
    soundfile.write(file, waveform, sample_rate, format="FLAC", subtype="PCM_16")
    return _address("audio/flac", file.getvalue())


def small_sound_address(waveform: np.ndarray, sample_rate: int) -> str:
    """Return a sound (s,) as an address that holds it: MP3, a tenth of a WAV; FLAC at rates MP3 has not."""
    file = io.BytesIO()
    try:
        soundfile.write(file, waveform, sample_rate, format="MP3", subtype="MPEG_LAYER_III")
    except (RuntimeError, ValueError):  # also where libsndfile was built without it
        return sound_address(waveform, sample_rate)
    return _address("audio/mpeg", file.getvalue())


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
