"""What caching costs: scores over the bytes of a cache that keeps training clips in several views."""

import pandas as pd

from protoviz.analysis.ranking import intervals

ANEW = "anew"  # in place of a number of views: of views encoded anew in every pass, which no cache holds


def by_views(runs: pd.DataFrame) -> pd.DataFrame:
    """Return views ("1", "2", ..., ANEW), method, score, low, high, bytes: means and intervals.

    runs: the table "views" of `python -m benchmarks views`, a row a run; bytes: of the cache of all clips.
    """
    found = intervals(runs.assign(dataset=""), ["views", "method"])
    size = runs.groupby("views").bytes.first()
    return found.assign(bytes=found.views.map(size))
