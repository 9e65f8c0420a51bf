"""What the page Ranks chooses: the study's numbers or published ones, over which data sets, and whose line is
followed.
"""

import pandas as pd
import param

from protoviz.analysis.published import published
from protoviz.analysis.ranking import (
    RankingError,
    comparable_methods,
    gains,
    gap_closed,
    moves,
    rank_agreement,
    ranks,
    ranks_with_intervals,
    win_matrix,
)
from protoviz.analysis.results import ranked_metric, results_of, settings, sources, whole_sets
from protoviz.analysis.tables import BASELINE, PAPER_METHODS
from protoviz.explorer.session import ExplorerState, PageState

MEAN = "mean"  # over all data sets that every encoder was scored on
MOVERS = "movers"  # who falls and who climbs most


class RanksState(PageState):
    """A table of scores and how it is looked at: of the study that the session shows, or as published."""

    in_link = ("numbers", "dataset", "follow", "poolings", "table")

    numbers = param.Selector(default="published", objects=["published", "own"], doc="Whose numbers.")
    dataset = param.Selector(default=MEAN, objects=[MEAN], doc="One data set, or the mean over all.")
    follow = param.Selector(default=MOVERS, objects=[MOVERS], doc="The encoder whose line is heavy.")
    poolings = param.Selector(default="paper", objects=["paper", "all"], doc="The paper's three, or all.")
    table = param.Selector(default="", objects=[""], doc="Which table of own results.")

    def __init__(self, session: ExplorerState):
        super().__init__(session)
        self.study = session.workbench.study
        self._published, self._results = published(), results_of(self.study)
        names = sources(whole_sets(self._results)) or [""]
        if self.study is not None and names[0]:
            self.offer("numbers", ["published", "own"], "own")
        both = pd.concat([self._published[["dataset", "encoder"]], self._results[["dataset", "encoder"]]])
        self.offer("table", names, names[0])
        self.offer("dataset", [MEAN, *both.dataset.drop_duplicates()], MEAN)
        self.offer("follow", [MOVERS, *both.encoder.drop_duplicates()], MOVERS)

    # -- which scores

    def _whole(self) -> pd.DataFrame:
        """Every score of the chosen side of one metric and all test clips."""
        if self.numbers == "published":
            return self._published
        frame = whole_sets(self._results[self._results.source == self.table])
        return frame[frame.metric == ranked_metric(frame.metric)] if len(frame) else frame

    def _all(self) -> pd.DataFrame:
        """Those that can stand in one table: methods under which every encoder was scored."""
        frame = self._whole()
        return frame[frame.method.isin(comparable_methods(frame))]

    def left_out(self) -> list[str]:
        """Return the methods that cannot be compared, because an encoder lacks them."""
        whole = self._whole().method.drop_duplicates()
        return whole[~whole.isin(self._all().method)].tolist()

    def sets(self) -> list[str]:
        """Return the data sets of the chosen side."""
        return self._all().dataset.drop_duplicates().tolist()

    def encoders(self) -> list[str]:
        """Return the encoders of the chosen side, in its order."""
        return self._all().encoder.drop_duplicates().tolist()

    def scores(self) -> pd.DataFrame:
        """Return the scores behind every figure: of the chosen data set, or of all
        where it is not of this side.
        """
        frame = self._all()
        return frame[frame.dataset == self.dataset] if self.dataset in self.sets() else frame

    @property
    def metric(self) -> str:
        """What the scores are, as in the table: all are of one metric."""
        return next(iter(self._all().metric), "")

    def methods(self) -> list[str]:
        """Return the poolings on the axis of the ranking, in the table's order."""
        found = self._all().method.drop_duplicates().tolist()
        paper = [name for name in PAPER_METHODS if name in found]
        return paper if self.poolings == "paper" and len(paper) > 1 else found

    @property
    def rankable(self) -> bool:
        """There are at least two encoders."""
        return len(self.encoders()) > 1

    @property
    def made_with(self) -> dict:
        """The settings of the own runs."""
        return settings(self.table, self.study and self.study.folder)

    @property
    def seeds(self) -> int:
        """How often the probe of a method was trained at most; 0 without own results."""
        frame = self.scores()
        return int(frame.groupby(["dataset", "encoder", "method"]).seed.nunique().max()) if len(frame) else 0

    # -- what follows

    def published_ranking(self) -> pd.DataFrame:
        """Return `ranks` of the published scores under the paper's poolings."""
        return ranks(self._published[self._published.method.isin(PAPER_METHODS)])

    def ranking(self) -> pd.DataFrame:
        """Return `ranks` of the methods on the axis; own ones with intervals. Raises
        RankingError without scores.
        """
        frame = self.scores()
        frame = frame[frame.method.isin(self.methods())]
        if self.numbers == "published":
            return ranks(frame).assign(low=float("nan"), high=float("nan"), uncertain=False)
        return ranks_with_intervals(frame)

    def intervals(self) -> pd.DataFrame:
        """Return `ranks_with_intervals` of the methods on the axis, or of all where
        one encoder has no ranking.
        """
        frame = self.scores()
        return ranks_with_intervals(frame[frame.method.isin(self.methods())] if self.rankable else frame)

    def chance(self) -> float | None:
        """Return what guessing scores on the same clips, the mean over data sets; None if it is not known."""
        if self.numbers == "published":
            return None
        return float(self.scores().groupby("dataset").chance.first().mean())

    def ends(self) -> tuple[str, str]:
        """Return the first pooling on the axis, and the last of the paper's (else the last)."""
        names = self.methods()
        known = [name for name in names if name in PAPER_METHODS]
        return names[0], (known or names)[-1]

    def moves(self, ranking: pd.DataFrame) -> pd.DataFrame:
        """Return `moves` between the `ends`."""
        return moves(ranking, *self.ends())

    def followed(self, ranking: pd.DataFrame) -> list[str]:
        """Return the encoders drawn heavy: the chosen one, else who climbs and who
        falls most between the ends.
        """
        if self.follow in set(ranking.encoder):
            return [self.follow]
        table = self.moves(ranking)
        ends = table.iloc[[0, -1]].drop_duplicates()
        return ends[ends.up != 0].encoder.tolist()

    def agreement(self, ranking: pd.DataFrame) -> float:
        """Return Kendall's tau between the orders under the two `ends`."""
        first, second = self.ends()
        table = rank_agreement(ranking)
        return float(table[(table["first"] == first) & (table["second"] == second)].tau.iloc[0])

    def gains(self) -> pd.DataFrame | None:
        """Return `gains` of the methods on the axis; None if there is no baseline."""
        frame = self.scores()
        frame = frame[frame.method.isin([*self.methods(), BASELINE])]
        try:
            return gains(frame)
        except RankingError:
            return None

    def gap(self) -> pd.DataFrame | None:
        """Return `gap_closed` of the published pairs with a fine-tuned reference; None for own numbers."""
        if self.numbers == "own":
            return None
        table = gap_closed(published("labels"), published("finetuning"))
        # Many labels a clip first; within a data set as in the paper.
        return table.sort_values(
            "dataset", key=lambda name: name != "as20k", kind="stable", ignore_index=True
        )

    def wins(self) -> pd.DataFrame | None:
        """Return `win_matrix` of all own methods; None for published numbers, whose
        deviations could not be read.
        """
        try:
            return None if self.numbers == "published" else win_matrix(self.scores())
        except RankingError:
            return None
