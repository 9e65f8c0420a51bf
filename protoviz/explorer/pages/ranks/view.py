"""The page "Ranks": encoders ranked under each pooling, by the study's runs and by the paper's tables."""

from collections.abc import Iterator
from typing import ClassVar

import panel as pn
import panel_material_ui as pmui

from protoviz.analysis.published import CITATION
from protoviz.explorer.offers import Offer, drawn
from protoviz.explorer.pages.gap.view import Gap
from protoviz.explorer.pages.ranks import text as words
from protoviz.explorer.pages.ranks.state import MEAN, MOVERS
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import choices, kind_in
from protoviz.explorer.widgets.chart import Chart
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.look import CARD, field, line, sections, text, two_columns
from protoviz.explorer.widgets.one_of import OneOf
from protoviz.figures.ranks import bump_chart, gain_bars, gap_bars, score_intervals, win_matrix

TABLE_2, TABLE_3 = f"{CITATION}, Table 2", f"{CITATION}, Table 3"
ALL = {"own.numbers", "own.dataset", "own.table"}


class Ranks(PageView):
    """The ranking, who gains how much over linear, and the gap to fine-tuning or who beats whom."""

    drawn_by: ClassVar[dict[str, set[str]]] = {
        "controls": {*ALL, "own.follow", "own.poolings"},
        "ranking": {*ALL, "own.follow", "own.poolings"},
        "scores": ALL,
        "gains": {*ALL, "own.poolings"},
        "third": ALL,
        "beside": {"own.numbers"},
    }

    def __init__(self, state: ExplorerState, **params):
        super().__init__(state, **params)
        names = ("heading", "story", "seeds", "made", "gains", "third", "beside")
        self._texts = {name: text() for name in names}
        told = {"ranking": "story", "scores": "made", "gains": "gains", "third": "third", "beside": "beside"}
        self.charts = {name: Chart(name, self._texts[said]) for name, said in told.items()}
        self.intro = Intro(words.SENTENCE, "", words.HELP)
        self._make_widgets()
        self.gap = Gap(state)
        self._layout = self._arrange()
        self.follow()

    def _make_widgets(self) -> None:
        choice = self.own
        sides = {title: key for key, title in words.SIDES.items()}
        self.numbers = self.choice(OneOf, "own.numbers", label="Whose numbers", options=sides, **field(260))
        self.dataset = pmui.Select(label="Data sets", options={"": MEAN}, value=MEAN, **field(220))
        self.follow_ = pmui.Select(label="Follow", options={"": MOVERS}, value=MOVERS, **field(260))
        poolings = {"the paper's three": "paper", "all": "all"}
        self.poolings = self.choice(
            pmui.Select, "own.poolings", label="Poolings", options=poolings, **field(190)
        )
        tables = [name for name in choice.param.table.objects if name]
        self.table = pmui.Select(label="Table", options=tables, value=choice.table or None, **field(160))
        for name, widget in (
            ("dataset", self.dataset),
            ("follow", self.follow_),
            ("table", self.table),
        ):
            widget.param.watch(self.write(f"own.{name}"), "value")

    def _arrange(self) -> pn.viewable.Viewable:
        controls = line(self.numbers, self.dataset, self.follow_, self.poolings, self.table)
        ranking = pn.Column(
            self._texts["heading"],
            self.charts["ranking"].pane,
            self._texts["story"],
            self.charts["scores"].pane,
            self._texts["seeds"],
            self._texts["made"],
            **CARD,
        )
        gains = pn.Column(self._texts["gains"], self.charts["gains"].pane, **CARD)
        third = pn.Column(self._texts["third"], self.charts["third"].pane, **CARD)
        self.beside = pn.Column(self._texts["beside"], self.charts["beside"].pane, **CARD)
        both = two_columns([ranking], [gains, third, self.beside], share=1.35, least=535)
        return sections(self.intro, controls, both, self.gap)

    def offers(self) -> Iterator[Offer]:
        """Yield the figures that are shown, and the scores behind them."""
        own = self.own
        tables = {
            "ranking": ("Ranks", own.ranking),
            "scores": ("Scores", own.intervals),
            "gains": ("Gains", own.gains),
            "third": ("Wins", lambda: own.wins().reset_index())
            if self._own
            else ("Gap to fine-tuning", own.gap),
            "beside": ("Published ranks", own.published_ranking),
        }
        for name, (said, table) in tables.items():
            if (figure := self.charts[name].figure) is not None:
                yield drawn(said, figure, table)

    # -- drawing

    @property
    def _own(self) -> bool:
        return self.own.numbers == "own"

    def _draw_controls(self) -> None:
        choice = self.own
        sets = choice.sets()
        mean = f"mean of {len(sets)}" if len(sets) != 1 else sets[0]
        single = sets if len(sets) > 1 else []
        options = choices([MEAN, *single], lambda name: mean if name == MEAN else name)
        dataset = choice.dataset if choice.dataset in sets else MEAN
        self.dataset.param.update(options=options, value=dataset)
        encoders = choice.encoders()
        followed = choice.follow if choice.follow in encoders else MOVERS
        names = choices([MOVERS, *encoders], lambda name: "who moves most" if name == MOVERS else name)
        self.follow_.param.update(options=names, value=followed, visible=choice.rankable)
        self.poolings.visible = self._own and choice.rankable
        several = len(self.table.options) > 1
        self.table.param.update(value=choice.table or None, visible=self._own and several)

    def _draw_ranking(self) -> None:
        choice, dark = self.own, self.dark
        self.intro.say(
            words.SENTENCE if choice.rankable else words.UNRANKED,
            words.question(choice.numbers, choice.rankable),
        )
        one = choice.dataset if choice.dataset in choice.sets() else None
        kinds = {name: kind_in(choice.study, name) for name in choice.encoders()}
        self._texts["heading"].object = words.heading(
            choice.numbers, choice.metric, one, choice.sets(), kinds
        )
        if not choice.rankable:
            self.charts["ranking"].show(None)
            self._texts["story"].object = words.one_encoder(choice.encoders(), choice.study)
            return
        table = choice.ranking()
        self.charts["ranking"].show(
            bump_chart(
                table, choice.methods(), choice.followed(table), "" if self._own else TABLE_2, dark=dark
            )
        )
        unsure = sorted({f"{row.encoder} under {row.method}" for row in table[table.uncertain].itertuples()})
        told = choice.moves(table), choice.ends(), choice.agreement(table), unsure
        self._texts["story"].object = words.story(*told)

    def _draw_scores(self) -> None:
        choice = self.own
        drawn, made = None, ""
        if self._own and choice.encoders():
            drawn = score_intervals(choice.intervals(), choice.chance(), self.dark)
            made = words.made(choice.made_with, choice.scores(), choice.chance(), choice.left_out())
        self.charts["scores"].show(drawn)
        self._texts["made"].object = made
        once = self._own and choice.seeds == 1
        self._texts["seeds"].object = words.one_seed(choice.study) if once else ""

    def _draw_gains(self) -> None:
        table = self.own.gains() if self.own.encoders() else None
        drawn = None
        if table is not None and len(table):
            drawn = gain_bars(table, "" if self._own else TABLE_2, self.dark)
        self.charts["gains"].show(drawn)
        self._texts["gains"].object = words.gains(table)

    def _draw_third(self) -> None:
        choice = self.own
        if self._own:
            table = choice.wins() if choice.encoders() else None
            pairs = len(choice.scores()[["dataset", "encoder"]].drop_duplicates())
            self._texts["third"].object = words.wins(table, pairs)
            self.charts["third"].show(None if table is None else win_matrix(table, dark=self.dark))
            return
        table = choice.gap()
        self._texts["third"].object = words.gap(table)
        self.charts["third"].show(gap_bars(table, TABLE_3, self.dark))

    def _draw_beside(self) -> None:
        """The published ranking beside a study's own: a chart of its own, marked as published."""
        self.beside.visible = self._own
        table = self.own.published_ranking() if self._own else None
        if table is None:
            self.charts["beside"].show(None)
            return
        methods = table.method.drop_duplicates().tolist()
        self._texts["beside"].object = words.beside(int(table.sets.max()))
        self.charts["beside"].show(bump_chart(table, methods, (), TABLE_2, dark=self.dark))

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        super().set_dark(dark)
        self.gap.set_dark(dark)
