"""What the page Polyphony chooses: whose curves over k, on which scale. k is the state's `polyphony`."""

import pandas as pd
import param

from protoviz.analysis.polyphony import (
    GROUPS,
    PICTURES,
    VIEWS,
    curves,
    grouped,
    is_large,
    lead,
    localisation,
    loudness,
    polyphony_runs,
    polyphony_tables,
    recall_curves,
    views,
)
from protoviz.analysis.prototypes import class_scores
from protoviz.analysis.results import results_of, settings
from protoviz.explorer.session import ExplorerState, PageState


class PolyphonyState(PageState):
    """Curves of one encoder over the number of events, and what every probe makes of the shown scene."""

    in_link = ("scale", "encoder", "beside", "table", "dataset", "group")

    scale = param.Selector(default="score", objects=[*VIEWS, *PICTURES], doc="What the curves show.")
    encoder = param.Selector(default="", objects=[""], doc="Whose tokens the probes read.")
    beside = param.Selector(default="", objects=[""], doc="Another encoder, whose curves stand beside.")
    table = param.Selector(default="", objects=[""], doc="Which table of own results.")
    dataset = param.Selector(default="", objects=[""], doc="Which scenes, where a table has several.")
    group = param.Selector(default="main", objects=list(GROUPS), doc="Which methods of a large table.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self.study = session.workbench.study
        folder = self.study and self.study.folder
        frame = results_of(self.study)
        self._beside = {"loudness": loudness(folder), "places": localisation(folder)}
        self._results = frame[frame.polyphony > 0]
        self._scales: dict[str, dict[str, str]] = {}  # table -> what its curves can show
        self._sets: dict[str, dict[str, list[str]]] = {}  # table -> encoder -> kinds of scenes
        for one in self._results[["source", "encoder", "dataset"]].drop_duplicates().itertuples():
            self._sets.setdefault(one.source, {}).setdefault(one.encoder, []).append(one.dataset)
        tables = polyphony_tables(self._results) or [""]
        encoders = self._results.encoder.drop_duplicates().tolist() or [""]
        shown = session.workbench.name
        first = shown if shown in encoders else encoders[0]
        self.offer("table", tables, tables[0])
        self.offer("encoder", encoders, first)
        self.offer("beside", ["", *filter(None, encoders)], "")
        sets = sorted(set(self._results.dataset)) or [""]
        own = session.workbench.kept.dataset if self.study else ""
        self.offer("dataset", sets, own if own in sets else sets[0])

    def encoders(self) -> list[str]:
        """Return the encoders of the chosen table."""
        return list(self._sets.get(self.table, {}))

    @property
    def shown_encoder(self) -> str:
        """The chosen encoder, or the table's first where it has none of that name; "" without results."""
        names = self.encoders()
        return self.encoder if self.encoder in names else (names or [""])[0]

    @property
    def shown(self) -> list[str]:
        """The encoders whose curves are drawn, left to right: one or two."""
        names = self.encoders()
        return [name for name in dict.fromkeys([self.shown_encoder, self.beside]) if name in names]

    def datasets(self) -> list[str]:
        """Return the kinds of scenes of the chosen table and encoder."""
        return sorted(self._sets.get(self.table, {}).get(self.shown_encoder, []))

    @property
    def shown_dataset(self) -> str:
        """The chosen kind of scenes, or the table's first where it has none of that name; "" without any."""
        names = self.datasets()
        return self.dataset if self.dataset in names else (names or [""])[0]

    def views(self) -> dict[str, str]:
        """Return what curves of the chosen table can show: key -> what the axis says."""
        more = {
            key: told for key, told in PICTURES.items() if len(self._rows_beside(key, self.shown_encoder))
        }
        if self.table not in self._scales:
            self._scales[self.table] = views(self._results[self._results.source == self.table])
        return self._scales[self.table] | more

    @property
    def shown_view(self) -> str:
        """What is drawn: the chosen scale or picture, or mAP where the table does not have it."""
        return self.scale if self.scale in self.views() else "score"

    @property
    def shown_scale(self) -> str:
        """The scale of `curves`: the chosen one, or mAP beside a picture that is no scale."""
        return "score" if self.shown_view in PICTURES else self.shown_view

    def _rows_beside(self, key: str, encoder: str) -> pd.DataFrame:
        """The rows of a table of PICTURES of an encoder on the shown data set."""
        frame = self._beside[key]
        if frame.empty:
            return frame
        return frame[(frame.encoder == encoder) & (frame.dataset == self.shown_dataset)]

    def picture(self, encoder: str) -> pd.DataFrame:
        """Return the frame behind the shown picture (a key of PICTURES) of an encoder: of `recall_curves` or
        `localisation`.
        """
        frame = self._rows_beside(self.shown_view, encoder)
        if self.shown_view == "loudness":
            return recall_curves(grouped(frame, self.group))
        return grouped(frame[frame.measure == "first"], self.group)

    def is_large(self) -> bool:
        """Return whether the table has more methods than one figure shows, so that a group is chosen."""
        return is_large(self.scores(all_methods=True))

    @property
    def made_with(self) -> dict:
        """The settings of the runs behind the curves."""
        return settings(self.table, self.study and self.study.folder)

    def scores(self, all_methods: bool = False, encoder: str | None = None) -> pd.DataFrame:
        """Return the runs behind the curves: one table, encoder, data set, metric and group of methods."""
        chosen = self.table, encoder or self.shown_encoder, self.shown_dataset, self.shown_scale
        rows = polyphony_runs(self._results, *chosen)
        return rows if all_methods else grouped(rows, self.group)

    def curves(self, encoder: str | None = None) -> pd.DataFrame:
        """Return `curves` of an encoder (the chosen one if absent) on the chosen scale."""
        return curves(self.scores(encoder=encoder), self.shown_scale)

    def behind(self, encoder: str) -> pd.DataFrame:
        """Return the frame behind the figure of an encoder: `picture`, or `curves`."""
        return self.picture(encoder) if self.shown_view in PICTURES else self.curves(encoder)

    def lead(self, table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
        """Return `lead` of one method over another; empty if the table lacks one."""
        return lead(table, first, second)

    def heard(self) -> pd.DataFrame:
        """Return `class_scores` of the shown clip under every probe of the workbench."""
        explained = self.session.reading.explained
        logits = {name: explained[name].logits for name in self.session.workbench.probes}
        return class_scores(self.session.workbench.classes, logits, self.session.reading.truth)
