"""HoloViews figures for notebooks, pages and README: one function a figure; each returns what it drew.

HoloViews is imported when the first figure is drawn.
"""

from protoviz.figures.attention import attention_maps, diffusion_by_layer
from protoviz.figures.clip import class_bars, spectrogram
from protoviz.figures.colours import (
    FAMILIES,
    FAMILY_COLOURS,
    INK,
    PAPER,
    SIDE_COLOURS,
    TRUTH_COLOUR,
    diverging_palette,
    ink_palette,
    probe_colour,
    wash_palette,
)
from protoviz.figures.prototypes import cosine_histogram, cosine_map, weight_map

__all__ = [
    "FAMILIES",
    "FAMILY_COLOURS",
    "INK",
    "PAPER",
    "SIDE_COLOURS",
    "TRUTH_COLOUR",
    "attention_maps",
    "class_bars",
    "cosine_histogram",
    "cosine_map",
    "diffusion_by_layer",
    "diverging_palette",
    "ink_palette",
    "probe_colour",
    "spectrogram",
    "wash_palette",
    "weight_map",
]
