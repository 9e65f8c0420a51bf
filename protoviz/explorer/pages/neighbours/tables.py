"""What a study tells of prototypes across clips, ordered for a look-up of one of them; sessions share it."""

from functools import lru_cache

import numpy as np
import pandas as pd

from protoviz.analysis.neighbours import PARTS, score_bins
from protoviz.explorer.workbench import Workbench

KEPT_PROBES = 8


class AcrossTables:
    """The tables "nearest", "scores" and "map-prototypes" of a workbench, a probe at a time.

    Each gives None where there is no such table (see `protoviz.experiments.projections`).
    """

    def __init__(self, bench: Workbench):
        self._table = bench.table
        self.described = lru_cache(KEPT_PROBES)(lambda probe: self._of("map-prototypes", probe))
        self._nearest = lru_cache(KEPT_PROBES)(self._ordered)
        self._scores = lru_cache(KEPT_PROBES)(lambda probe: self._of("scores", probe))

    def _of(self, name: str, probe: str) -> pd.DataFrame | None:
        table = self._table(name)
        return None if table is None else table[table["probe"] == probe]

    def _ordered(self, probe: str) -> pd.DataFrame | None:
        rows = self._of("nearest", probe)
        if rows is None:
            return None
        rows = rows if "part" in rows else rows.assign(part=PARTS[0])
        return rows.sort_values(["prototype", "rank"], kind="stable", ignore_index=True)

    def nearest(self, probe: str, prototype: int, part: str) -> pd.DataFrame | None:
        """Return the rows of one part of a prototype's clips by rank, numbered from 1 in `number`."""
        rows = self._nearest(probe)
        if rows is None:
            return None
        own = rows.iloc[slice(*np.searchsorted(rows.prototype.to_numpy(), [prototype, prototype + 1]))]
        own = own[own["part"] == part]
        return own.assign(number=np.arange(1, len(own) + 1))

    def keeps(self, probe: str, part: str) -> bool:
        """Return whether the clips of a part are in the table: a study of before has the top alone."""
        rows = self._nearest(probe)
        return rows is not None and bool((rows["part"] == part).any())

    def spread(self, probe: str, prototype: int) -> pd.DataFrame | None:
        """Return `score_bins` of a prototype over all test clips."""
        rows = self._scores(probe)
        return None if rows is None else score_bins(rows[rows["prototype"] == prototype])
