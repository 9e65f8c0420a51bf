"""The figures of the house, each by its name from a study: with the table behind it, and saved as a file.

    protoviz.figure(study, "bump_chart").save("ranks.svg")
    protoviz.figure(study, "spectrogram", clip="test-16000007", label="bell").table

A figure is a function (study, asked, further options) -> (drawn, table), and one line of FIGURES. The class
of `asked`, one of `protoviz.figures.asked`, says which of the common options it takes.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from protoviz.figures import across_of_study, clip_of_study, probe_of_study, scores_of_study
from protoviz.figures.asked import Asked
from protoviz.figures.probe_of_study import Made
from protoviz.figures.saving import save_figure
from protoviz.study import Study, StudyError

FIGURES: dict[str, Callable[..., Made]] = {
    "bump_chart": scores_of_study.ranking,
    "score_intervals": scores_of_study.scores,
    "gain_bars": scores_of_study.gained,
    "gap_bars": scores_of_study.closed,
    "win_matrix": scores_of_study.wins,
    "critical_diagram": scores_of_study.critical,
    "polyphony_curves": scores_of_study.by_polyphony,
    "recall_by_loudness": scores_of_study.by_loudness,
    "places_by_polyphony": scores_of_study.places,
    "per_class_curves": scores_of_study.by_prototypes,
    "pruning_curves": scores_of_study.pruned,
    "prototypes_needed": scores_of_study.needed,
    "learning_curves": scores_of_study.by_training,
    "views_curves": scores_of_study.by_views_kept,
    "tokens_by_layer": scores_of_study.by_layer,
    "scores_by_layer": scores_of_study.scored_by_layer,
    "classes_by_layer": scores_of_study.classes_read,
    "cosine_histogram": probe_of_study.histogram,
    "cosine_map": probe_of_study.cosines,
    "weight_map": probe_of_study.weights,
    "storage_bars": probe_of_study.storage,
    "protobin_diagram": probe_of_study.steps,
    "nearest_clips": across_of_study.nearest,
    "score_histogram": across_of_study.scores,
    "prototype_map": across_of_study.places,
    "waveform_curve": clip_of_study.waveform,
    "spectrogram": clip_of_study.mel,
    "similarity_map": clip_of_study.similarity,
    "class_bars": clip_of_study.classes,
    "logit_steps": clip_of_study.logit,
    "change_bars": clip_of_study.muted,
    "attention_maps": clip_of_study.attention,
    "diffusion_by_layer": clip_of_study.diffusion_of,
}


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure of a study. A notebook whose cell ends with it shows it."""

    name: str
    drawn: object  # `Drawn` with Bokeh, or of HoloViews
    table: pd.DataFrame  # the numbers that it draws

    def save(self, path: str | Path, width: int = 900) -> Path:
        """Write it as HTML, PNG or SVG, or its table as CSV, by the suffix; see `save_figure`."""
        return save_figure(self.drawn, path, width, self.table)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.drawn._repr_mimebundle_(include, exclude)


def figure(study: Study, name: str, **options) -> Figure:
    """Return a figure of a study by its name, one of FIGURES; dark=True: for a dark page.

    Raises StudyError for another name or option, and for what the study lacks, with the command that adds it.
    """
    if name not in FIGURES:
        raise StudyError(f"there is no figure {name!r}; there are {', '.join(FIGURES)}")
    known = options_of(name)
    if wrong := [option for option in options if option not in known]:
        raise StudyError(f"the figure {name} takes no {wrong[0]!r}; it takes {', '.join(known)}")
    kind, common = _asked(name)
    asked = kind(**{option: options.pop(option) for option in common if option in options})
    return Figure(name, *FIGURES[name](study, asked, **options))


def options_of(name: str) -> list[str]:
    """Return the options that a figure of FIGURES takes."""
    _, common = _asked(name)
    return [*common[1:], *list(inspect.signature(FIGURES[name]).parameters)[2:], common[0]]


def _asked(name: str) -> tuple[type[Asked], list[str]]:
    """The class of what a figure is asked for, and its options."""
    kind = list(inspect.signature(FIGURES[name]).parameters.values())[1].annotation
    return kind, [field.name for field in fields(kind)]
