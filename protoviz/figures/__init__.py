"""The figures of notebooks, explorer, pages and README: one function a figure; each returns what it drew.

What is clicked in the explorer is drawn with Bokeh, what is only looked at with HoloViews. HoloViews is
imported when the first figure is drawn, Bokeh when one that needs it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from protoviz.figures.by_layer import classes_by_layer, scores_by_layer, tokens_by_layer
from protoviz.figures.cells import cell_map, waveform_curve
from protoviz.figures.colours import (
    ENCODER_COLOURS,
    FAMILY_COLOURS,
    INK,
    PAPER,
    SIDE_COLOURS,
    TRUTH_COLOUR,
    diverging_palette,
    encoder_colours,
    ink_palette,
    probe_colour,
    wash_palette,
)
from protoviz.figures.critical import critical_diagram
from protoviz.figures.curves import learning_curves, loss_curves, per_class_curves, views_curves
from protoviz.figures.detection import detections
from protoviz.figures.diagram import protobin_diagram, straight_through
from protoviz.figures.polyphony import places_by_polyphony, polyphony_curves, recall_by_loudness
from protoviz.figures.poolings import hit_curves, mean_and_max, overlap_curves
from protoviz.figures.prototypes import cosine_histogram, cosine_map, storage_bars, weight_map
from protoviz.figures.pruning import prototypes_needed, pruning_curves
from protoviz.figures.ranks import bump_chart, gain_bars, gap_bars, score_intervals, win_matrix

if TYPE_CHECKING:
    from protoviz.figures.attention import attention_maps, diffusion_by_layer
    from protoviz.figures.clip import similarity_map, spectrogram
    from protoviz.figures.decision import change_bars, class_bars, logit_steps

__all__ = [
    "ENCODER_COLOURS",
    "FAMILY_COLOURS",
    "INK",
    "PAPER",
    "SIDE_COLOURS",
    "TRUTH_COLOUR",
    "attention_maps",
    "bump_chart",
    "cell_map",
    "change_bars",
    "class_bars",
    "classes_by_layer",
    "cosine_histogram",
    "cosine_map",
    "critical_diagram",
    "detections",
    "diffusion_by_layer",
    "diverging_palette",
    "encoder_colours",
    "gain_bars",
    "gap_bars",
    "hit_curves",
    "ink_palette",
    "learning_curves",
    "logit_steps",
    "loss_curves",
    "mean_and_max",
    "overlap_curves",
    "per_class_curves",
    "places_by_polyphony",
    "polyphony_curves",
    "probe_colour",
    "protobin_diagram",
    "prototypes_needed",
    "pruning_curves",
    "recall_by_loudness",
    "score_intervals",
    "scores_by_layer",
    "similarity_map",
    "spectrogram",
    "storage_bars",
    "straight_through",
    "tokens_by_layer",
    "views_curves",
    "wash_palette",
    "waveform_curve",
    "weight_map",
    "win_matrix",
]

_WITH_BOKEH = {
    "attention": ("attention_maps", "diffusion_by_layer"),
    "clip": ("similarity_map", "spectrogram"),
    "decision": ("change_bars", "class_bars", "logit_steps"),
}


def __getattr__(name: str):
    for home, names in _WITH_BOKEH.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
