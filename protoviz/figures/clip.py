"""Figures of one clip: its spectrogram, and a prototype's similarity, with events and cells."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from protoviz.audio import FilterBank, log_mel, mono
from protoviz.audio.picture import hertz_ticks, mel_picture, mel_row, quiet_top
from protoviz.figures.colours import (
    FAMILY_COLOURS,
    PAPER,
    TAG,
    TRUTH_COLOUR,
    ink_palette,
    wash_palette,
)
from protoviz.figures.engine import holoviews
from protoviz.figures.labels import Picture, Spot, place_labels, place_tags
from protoviz.figures.style import FONT, dressed, spoken

AXIS = 60  # pixels of a figure's height below its picture
QUIET_SCALE = "dB, 0 = the loudest of a quiet scene"  # where the clip itself is quieter


def spectrogram(
    waveform=None,
    events: Iterable = (),
    cells: pd.DataFrame | None = None,
    bank: FilterBank | None = None,
    seconds: float = 10.24,
    dark: bool = False,
    picture: tuple[np.ndarray, float] | None = None,
):
    """Return an overlay: mel spectrogram (dB, 0 = loudest), true event boxes with labels, numbered max
    locations.

    The scale of a quiet clip ends at the level of a scene, and the key says so: silence is paper.
    waveform (s,) at `bank.sample_rate`; events with label, onset, offset, low_hz, high_hz; cells: a frame of
    `strongest_prototypes`. Prototypes that share a cell share its numbers: "1 3". dark: for a dark page.
    picture: bytes and span of `mel_picture`, which a study keeps, in place of the waveform.
    """
    hv = holoviews()
    bank = bank or FilterBank()
    if picture is None:
        frames = round(seconds * 1000 / bank.frame_shift_ms)
        picture = mel_picture(log_mel(mono(waveform), bank).numpy(), frames, quiet_top(bank.frame_samples))
    pixels, span = picture
    level = (pixels[::-1].astype(np.float32) / 255 - 1) * span
    image = hv.Image(level, kdims=["seconds", "mel row"], vdims=["dB"], bounds=(0, 0, seconds, bank.mels))
    image = image.opts(
        cmap=list(ink_palette(dark)),
        clim=(-span, 0),
        clabel="dB, 0 = loudest" if pixels.max() == 255 else QUIET_SCALE,
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
    picture = Picture(image.bounds.lbrt()[2], bank.mels, height=height - AXIS)
    layers = [image, *event_layers(list(events), bank, picture, dark)]
    if cells is not None and len(cells):
        layers += _cell_layers(cells, bank, picture, dark)
    return dressed(hv.Overlay(layers), dark, height)


def event_layers(events: list, bank: FilterBank, picture: Picture, dark: bool) -> list:
    """Return true event boxes and their names, which lie where they cover each other least."""
    if not events:
        return []
    hv = holoviews()
    low, high = (
        mel_row([getattr(event, end) for event in events], *_axis(bank)) for end in ("low_hz", "high_hz")
    )
    boxes = [(e.onset, lo, e.offset, hi) for e, lo, hi in zip(events, low, high, strict=True)]
    names = [spoken(event.label) for event in events]
    spots = place_labels([(onset, lo, hi) for onset, lo, _, hi in boxes], names, picture)
    colour = TRUTH_COLOUR[dark]
    return [
        hv.Rectangles(boxes).opts(fill_alpha=0, line_color=colour, line_width=2),
        _placed(names, spots).opts(text_color=colour, background_fill_color=PAPER[dark]),
    ]


def _cell_layers(cells: pd.DataFrame, bank: FilterBank, picture: Picture, dark: bool) -> list:
    hv = holoviews()
    colour = FAMILY_COLOURS["prototype"][dark]
    first = cells.drop_duplicates(["t", "f"])
    low, high = (mel_row(first[end], *_axis(bank)) for end in ("low_hz", "high_hz"))
    boxes = list(zip(first.onset, low, first.offset, high, strict=True))
    numbers, spots = zip(*place_tags(cells, float(high[0] - low[0]), picture), strict=True)
    return [
        hv.Rectangles(boxes).opts(fill_color=colour, fill_alpha=0.3, line_color=colour, line_width=2),
        _placed(numbers, spots).opts(
            text_color=PAPER[dark], background_fill_color=TAG[dark], background_fill_alpha=1
        ),
    ]


def _placed(texts: Sequence[str], spots: Sequence[Spot]):
    """Labels at their spots, on a ground of their own."""
    hv = holoviews()
    corners = [anchor.split("_") for _, _, anchor in spots]
    rows = [(x, y, text, *corner) for (x, y, _), text, corner in zip(spots, texts, corners, strict=True)]
    return hv.Labels(rows, ["x", "y"], ["text", "edge", "side"]).opts(
        text_align=hv.dim("side"),
        text_baseline=hv.dim("edge"),
        text_font_size=FONT,
        text_font_style="bold",
        background_fill_alpha=0.75,
    )


def _axis(bank: FilterBank) -> tuple[int, float, float]:
    return bank.mels, bank.low_hz, bank.top_hz
