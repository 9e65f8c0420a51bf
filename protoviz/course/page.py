"""The first cell of a notebook."""

import os
import warnings


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
