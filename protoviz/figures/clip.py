"""Figures of one clip: its spectrogram, and a prototype's similarity, with events and cells."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from protoviz.audio import FilterBank, log_mel, mono
from protoviz.audio.picture import hertz_ticks, mel_picture, mel_row, quiet_top
from protoviz.figures.colours import (
    FAMILY_COLOURS,
    INK,
    PAPER,
    TRUTH_COLOUR,
    ink_palette,
    wash_palette,
)
from protoviz.figures.engine import holoviews
from protoviz.figures.style import dressed, spoken

QUIET_SCALE = "dB, 0 = the loudest of a quiet scene"  # where the clip itself is quieter


def spectrogram(
    waveform,
    events: Iterable = (),
    cells: pd.DataFrame | None = None,
    bank: FilterBank | None = None,
    seconds: float = 10.24,
    dark: bool = False,
):
    """Return an overlay: mel spectrogram (dB, 0 = loudest), true event boxes with labels, numbered max
    locations.

    The scale of a quiet clip ends at the level of a scene, and the key says so: silence is paper.
    waveform (s,) at `bank.sample_rate`; events with label, onset, offset, low_hz, high_hz; cells: a frame of
    `strongest_prototypes`. Prototypes that share a cell share its numbers: "1 3". dark: for a dark page.
    """
    hv = holoviews()
    bank = bank or FilterBank()
    frames = round(seconds * 1000 / bank.frame_shift_ms)
    mels = log_mel(mono(waveform), bank).numpy()
    picture, span = mel_picture(mels, frames, quiet_top(bank.frame_samples))
    level = (picture[::-1].astype(np.float32) / 255 - 1) * span
    image = hv.Image(level, kdims=["seconds", "mel row"], vdims=["dB"], bounds=(0, 0, seconds, bank.mels))
    image = image.opts(
        cmap=list(ink_palette(dark)),
        clim=(-span, 0),
        clabel="dB, 0 = loudest" if picture.max() == 255 else QUIET_SCALE,
    )
    return _over(image, cells, events, bank, dark, 360)


def similarity_map(
    similarity,
    cells: pd.DataFrame | None = None,
    events: Iterable = (),
    bank: FilterBank | None = None,
    seconds: float = 10.24,
    dark: bool = False,
):
    """Return an overlay: one prototype's cosine with every token (t f), true event boxes, numbered max
    location.

    Axes as in `spectrogram`, so that the two stand one above the other. The least similar cell is paper, the
    most similar one has the full colour; nan cells (padding) stay empty. cells: as for `spectrogram`.
    """
    hv = holoviews()
    bank = bank or FilterBank()
    similarity = np.asarray(similarity, dtype=np.float32)
    drawn = hv.Image(
        similarity.T[::-1], kdims=["seconds", "mel row"], vdims=["cosine"], bounds=(0, 0, seconds, bank.mels)
    )
    image = drawn.opts(
        cmap=list(wash_palette(FAMILY_COLOURS["prototype"][dark])),
        clim=(float(np.nanmin(similarity)), float(np.nanmax(similarity))),
        bgcolor=PAPER[dark],
        clabel="cosine",
    )
    return _over(image, cells, events, bank, dark, 320)


def _over(image, cells: pd.DataFrame | None, events: Iterable, bank: FilterBank, dark: bool, height: int):
    """The overlay of a picture, true event boxes and numbered cells, its frequency axis in hertz."""
    hv = holoviews()
    ticks = list(hertz_ticks(*_axis(bank)).items())
    image = image.opts(colorbar=True, ylabel="hertz (mel axis)", yticks=ticks)
    layers = [image, *_event_layers(hv, list(events), bank, dark)]
    if cells is not None and len(cells):
        layers += _cell_layers(hv, cells, bank, dark)
    return dressed(hv.Overlay(layers), dark, height)


def _event_layers(hv, events: list, bank: FilterBank, dark: bool) -> list:
    if not events:
        return []
    low = mel_row([event.low_hz for event in events], *_axis(bank))
    high = mel_row([event.high_hz for event in events], *_axis(bank))
    boxes = [(e.onset, lo, e.offset, hi) for e, lo, hi in zip(events, low, high, strict=True)]
    # Over the box, or inside where it reaches the top: a label outside the picture is cut off.
    top = 0.93 * bank.mels
    words = [(e.onset, min(hi, top), spoken(e.label)) for e, hi in zip(events, high, strict=True)]
    left = {"text_align": "left", "text_baseline": "bottom"}
    return [
        hv.Rectangles(boxes).opts(fill_alpha=0, line_color=TRUTH_COLOUR[dark], line_width=2),
        hv.Labels(words).opts(text_color=TRUTH_COLOUR[dark], text_font_size="14px", **left),
    ]


def _cell_layers(hv, cells: pd.DataFrame, bank: FilterBank, dark: bool) -> list:
    colour = FAMILY_COLOURS["prototype"][dark]
    boxes, words = [], []
    for _, group in cells.groupby(["t", "f"], sort=False):
        cell = group.iloc[0]
        low, high = mel_row([cell.low_hz, cell.high_hz], *_axis(bank))
        boxes.append((cell.onset, low, cell.offset, high))
        numbers = " ".join(map(str, group["rank"]))
        words.append(((cell.onset + cell.offset) / 2, (low + high) / 2, numbers))
    return [
        hv.Rectangles(boxes).opts(fill_color=colour, fill_alpha=0.3, line_color=colour, line_width=2),
        hv.Labels(words).opts(text_color=INK[dark], text_font_size="14px", text_font_style="bold"),
    ]


def _axis(bank: FilterBank) -> tuple[int, float, float]:
    return bank.mels, bank.low_hz, bank.top_hz
