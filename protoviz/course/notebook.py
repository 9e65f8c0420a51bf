"""What a notebook begins with, the scenes it looks at, and the numbers of its prose."""

import os
import warnings
from decimal import Decimal
from math import isnan
from pathlib import Path

from protoviz.paths import data_folder
from protoviz.scenes import Scene, make_scene
from protoviz.study import Study, StudyError, open_study

_opened: list[Path] = []  # studies of this notebook, the last one's numbers are computed


def setup(study: str | Path | None = None, threads: int = 2) -> Study | None:
    """Return the study of a notebook, where it names one. Let figures appear without a network, and keep
    torch to `threads` cores.

    Bokeh's script goes into the notebook itself: its usual place is a server that a class may not reach. The
    wheel scrolls the notebook, over figures too: a figure zooms and pans once its toolbar is asked to.
    """
    import holoviews as hv
    import torch

    hv.extension("bokeh", inline=True, logo=False)
    from holoviews.plotting.bokeh import ElementPlot

    ElementPlot.active_tools = []
    torch.set_num_threads(min(threads, os.cpu_count() or 1))
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    if study is None:
        return None
    found = open_study(study)
    _opened.append(found.folder)
    return found


def study_scenes(study: Study | None = None) -> list[Scene]:
    """Return the scenes that a study shows, the demo if absent: its 32, four of each polyphony from 1 to 8.

    Made anew from their seeds: no probe of the study was trained on them. Raises StudyError for a study of
    other data.
    """
    study = study or open_study("demo")
    made = [clips for name, clips in study.clips.items() if study.datasets[name].made]
    if not made:
        raise StudyError(
            f"{study.folder} shows no scenes, whose every event is known: this part of the course needs a "
            'study of the data set "scenes"; STUDY = "demo" is one'
        )
    clips = made[0].table
    return [make_scene(int(seed), int(k)) for seed, k in zip(clips.seed, clips.polyphony, strict=True)]


def stated(text: str, value: float, what: str) -> str:
    """Return a line "what: text", once `value` rounds to `text`, the number as the notebook's prose prints
    it; of another study than the demo the line says both, or that the study lacks it (`value` is nan).

    Raises ValueError where it does not, so that a notebook whose prose is out of date does not run through.
    A test holds the other side: the bold numbers of the prose are the ones stated. A percent sign in `text`
    multiplies by 100; a thousands comma is allowed.

    >>> stated("62.8 %", 0.6284, "gap closed")
    'gap closed: 62.8 %'
    """
    number = text.replace(",", "").replace("\N{MINUS SIGN}", "-").removesuffix("%").strip()
    try:
        digits = -int(Decimal(number).as_tuple().exponent)
    except ArithmeticError as error:
        raise ValueError(
            f"{text!r} is not a number: write it as the prose does, like '14.41' or '63 %'"
        ) from error
    scaled = float(value) * (100 if text.endswith("%") else 1)
    if f"{scaled:.{max(0, digits)}f}" != f"{float(number):.{max(0, digits)}f}":
        if _opened and not _opened[-1].samefile(data_folder() / "demo"):
            if isnan(value):
                return f"{what}: not in this study ({text} in the demo)"
            unit = " %" if text.endswith("%") else ""
            return f"{what}: {scaled:.{max(0, digits)}f}{unit} ({text} in the demo)"
        raise ValueError(f"{what}: the text says {text}, the cell computed {scaled:.{max(0, digits) + 2}f}")
    return f"{what}: {text}"
