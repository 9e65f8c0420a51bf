"""Mute and solo buttons, one row a listed prototype, level with the rows of `LogitBars`."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd
import param
from panel.custom import JSComponent

from protoviz.figures import TRUTH_COLOUR
from protoviz.figures.decision import LogitBars

WIDTH = 124


class Mixer(JSComponent):
    """Real buttons, so that Tab and Enter reach them; beside them whether the prototype's place is a hit.

    A press sends {"what": "mute" | "solo", "prototype": j} to Python (`on_msg`); the buttons follow `rows`.
    """

    rows = param.List(default=[], doc="Of each row: prototype, mute, solo, hit (None: no truth is known).")
    truth = param.String(default=TRUTH_COLOUR[False], doc="Colour of the mark.")
    tall = param.Integer(default=0, doc="Height of all, pixels.")
    first = param.Number(default=0, doc="Middle of the first row, pixels from the top.")
    step = param.Number(default=0, doc="From row to row, pixels.")

    _esm = Path(__file__).with_name("mixer.js")

    def __init__(self, bars: LogitBars, **params):
        first, step = bars.row_places()
        place = {"tall": bars.figure.height, "first": first, "step": step}
        super().__init__(**place, width=WIDTH, height=bars.figure.height, margin=0, **params)

    def show(self, strongest: pd.DataFrame, muted: Collection[int], solo: Collection[int]) -> None:
        """Show a row for each row of a frame of `strongest_prototypes`."""
        self.rows = [
            {
                "prototype": int(row.prototype),
                "mute": row.prototype in muted,
                "solo": row.prototype in solo,
                "hit": None if pd.isna(row.hit) else bool(row.hit),
            }
            for row in strongest.itertuples()
        ]
