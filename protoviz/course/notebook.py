"""What a notebook begins with, the scenes it looks at, and the numbers of its prose."""

import os
import warnings
from decimal import Decimal

from protoviz.paths import DATA
from protoviz.scenes import Scene, make_scene
from protoviz.study import open_study


def setup(threads: int = 2) -> None:
    """Let figures appear in the notebook without a network, and keep torch to `threads` cores.

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


def demo_scenes() -> list[Scene]:
    """Return the 32 scenes of the demo, four of each polyphony from 1 to 8, in the order of its table; held
    out.

    Made anew from their seeds: no shipped probe was trained on them.
    """
    clips = next(iter(open_study(DATA / "demo").clips.values())).table
    return [make_scene(int(seed), int(k)) for seed, k in zip(clips.seed, clips.polyphony, strict=True)]


def stated(text: str, value: float, what: str) -> str:
    """Return a line "what: text", once `value` rounds to `text`, the number as the notebook's prose prints
    it.

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
        raise ValueError(f"{what}: the text says {text}, the cell computed {scaled:.{max(0, digits) + 2}f}")
    return f"{what}: {text}"
