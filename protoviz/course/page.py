"""The first cell of a notebook."""

import os
import warnings


def setup(threads: int = 2) -> None:
    """Nothing; figures now appear in the notebook without a network, and torch keeps to `threads` cores.

    Bokeh's script goes into the notebook itself: its usual place is a server that a class may not reach.
    """
    import holoviews as hv
    import torch

    hv.extension("bokeh", inline=True, logo=False)
    torch.set_num_threads(min(threads, os.cpu_count() or 1))
    warnings.filterwarnings("ignore", category=DeprecationWarning)
