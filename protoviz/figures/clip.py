"""Figures of one clip: its spectrogram, and a prototype's similarity, with events and cells."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from protoviz.audio import CellGrid, FilterBank, log_mel, mono
from protoviz.audio.picture import mel_picture, quiet_top
from protoviz.figures.overlay import rows_of
from protoviz.figures.picture import ClipPicture, MapLook


def spectrogram(
    waveform=None,
    events: Iterable = (),
    cells: pd.DataFrame | None = None,
    bank: FilterBank | None = None,
    seconds: float = 10.24,
    dark: bool = False,
    picture: tuple[np.ndarray, float] | None = None,
    grid: CellGrid | None = None,
) -> ClipPicture:
    """Return a `ClipPicture`: mel spectrogram (dB, 0 = loudest), true event boxes with labels, numbered max
    locations.

    The scale of a quiet clip ends at the level of a scene, and the key says so: silence is paper.
    waveform (s,) at `bank.sample_rate`; events with label, onset, offset, low_hz, high_hz; cells: a frame of
    `strongest_prototypes`. Prototypes that share a cell share its numbers: "1 3". dark: for a dark page.
    picture: bytes and span of `mel_picture`, which a study keeps, in place of the waveform. grid: of the
    encoder, by which cells are counted under the pointer; by default that of `cells`.
    """
    bank = bank or FilterBank()
    drawn = ClipPicture(grid or _grid(cells, seconds, bank), bank, dark=dark)
    drawn.show_picture(*(picture or mel_bytes(waveform, seconds, bank)))
    return _over(drawn, events, cells)


def similarity_map(
    similarity,
    cells: pd.DataFrame | None = None,
    events: Iterable = (),
    bank: FilterBank | None = None,
    seconds: float = 10.24,
    dark: bool = False,
) -> ClipPicture:
    """Return a `ClipPicture`: one prototype's cosine with every token (t f), true event boxes, numbered max
    location.

    Axes as in `spectrogram`, so that the two stand one above the other. The least similar cell is paper, the
    most similar one has the full colour; nan cells (padding) stay empty. cells: as for `spectrogram`.
    """
    bank, similarity = bank or FilterBank(), np.asarray(similarity, dtype=np.float32)
    grid = CellGrid(*similarity.shape, seconds, bank.sample_rate, bank.low_hz, bank.top_hz)
    tip = "cosine <b>@cosine{0.000}</b>"
    drawn = ClipPicture(grid, bank, MapLook("cosine", tip=tip), dark=dark, height=350)
    drawn.show_map(similarity, cosine=similarity)
    return _over(drawn, events, cells)


def mel_bytes(waveform, seconds: float, bank: FilterBank) -> tuple[np.ndarray, float]:
    """Return bytes and span of `mel_picture` of a waveform (s,), padded with silence or cut to `seconds`."""
    frames = round(seconds * 1000 / bank.frame_shift_ms)
    return mel_picture(log_mel(mono(waveform), bank).numpy(), frames, quiet_top(bank.frame_samples))


def _over(drawn: ClipPicture, events: Iterable, cells: pd.DataFrame | None) -> ClipPicture:
    drawn.show_events(list(events))
    if cells is not None and len(cells):
        drawn.show_cells(cells)
    return drawn


def _grid(cells: pd.DataFrame | None, seconds: float, bank: FilterBank) -> CellGrid:
    """The grid that has these cells; without any one cell, which nobody counts."""
    times = freqs = 1
    if cells is not None and len(cells):
        one = cells.iloc[0]
        low, high = rows_of([one.low_hz, one.high_hz], bank)
        times, freqs = round(seconds / (one.offset - one.onset)), round(bank.mels / (high - low))
    return CellGrid(times, freqs, seconds, bank.sample_rate, bank.low_hz, bank.top_hz)
