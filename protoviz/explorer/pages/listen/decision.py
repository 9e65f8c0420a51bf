"""From probabilities to decisions: the threshold over which a probe names a class."""

from typing import TYPE_CHECKING, ClassVar

import pandas as pd
import param

from protoviz.analysis.prototypes import over_threshold

if TYPE_CHECKING:
    from protoviz.explorer.session import ExplorerState


class Decision(param.Parameterized):
    """One threshold for all classes and both probes."""

    in_link: ClassVar[dict[str, str]] = {"threshold": "threshold"}

    threshold = param.Number(
        default=0.5, bounds=(0, 1), doc="Probability from which on a probe names a class."
    )

    def __init__(self, root: "ExplorerState"):
        super().__init__()
        self._root = root

    def decided(self, scores: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return `over_threshold` of the shown probes."""
        return over_threshold(self._root.scores() if scores is None else scores, self.threshold)
