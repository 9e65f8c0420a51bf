"""Sound files in, waveforms, filter banks and cells out."""

from protoviz.audio.cells import Box, CellGrid
from protoviz.audio.filterbank import (
    FilterBank,
    band_edges,
    hertz_to_mel,
    log_mel,
    mel_edges_hz,
    mel_to_hertz,
    mel_triangles,
    window_samples,
)
from protoviz.audio.reading import fit_length

__all__ = [
    "Box",
    "CellGrid",
    "FilterBank",
    "band_edges",
    "fit_length",
    "hertz_to_mel",
    "log_mel",
    "mel_edges_hz",
    "mel_to_hertz",
    "mel_triangles",
    "window_samples",
]
