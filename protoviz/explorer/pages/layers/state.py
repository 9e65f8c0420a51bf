"""What the section on layers chooses: which method's classes are shown."""

import pandas as pd
import param

from protoviz.analysis.layers import by_layer, classes_by_layer, of_layers
from protoviz.explorer.session import ExplorerState, PageState


class LayersState(PageState):
    """Scores of one encoder by the layer that is read, of the tables "layers" and "layers-classes"."""

    in_link = ("method",)

    method = param.Selector(default="", objects=[""], doc="Whose classes are shown by layer.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        runs, classes = (session.workbench.table(name) for name in ("layers", "layers-classes"))
        there = runs is not None and classes is not None and len(runs) and len(classes)
        self.scores = by_layer(runs) if there else pd.DataFrame()
        self._classes = classes_by_layer(classes) if there else pd.DataFrame()
        methods = of_layers(self.scores) if there else [""]
        self.offer("method", methods, methods[-1])

    @property
    def classes(self) -> pd.DataFrame:
        """The chosen method's rows of `classes_by_layer`; empty where the study has none."""
        return self._classes if self._classes.empty else self._classes[self._classes.method == self.method]
