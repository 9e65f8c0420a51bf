"""The half of the page "Prototypes" that looks across clips: nearest clips, maps of prototypes and tokens."""

from typing import ClassVar

import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.pages.view import PageView
from protoviz.explorer.parts.cloud import Cloud
from protoviz.explorer.parts.intro import Intro
from protoviz.explorer.parts.look import CARD, line, text
from protoviz.explorer.parts.nearest import NearestClips
from protoviz.explorer.parts.player import Player
from protoviz.explorer.state import ExplorerState
from protoviz.explorer.words import across as words
from protoviz.figures import FAMILY_COLOURS, TRUTH_COLOUR


class Across(PageView):
    """A section that a page lays out like any other part; it redraws itself while that page is shown.

    player: the page's, which plays the cells of all clips. backend: of the map, see `Cloud`.
    """

    key = "prototypes"
    drawn_by: ClassVar[dict[str, set[str]]] = {
        "nearest": {"reading", "left", "right", "class_name", "prototype"},
        "rank": {"across.rank"},
        "points": {"left", "right", "across.cloud"},
        "marks": {"reading", "left", "right", "class_name", "across.cloud"},
        "chosen": {"reading", "left", "right", "class_name", "prototype", "across.cloud", "across.cell"},
    }

    def __init__(self, state: ExplorerState, player: Player, backend: str = "canvas", **params):
        super().__init__(state, **params)
        bench = state.workbench
        self.own, self.player, self.dark = state.own["across"], player, False
        self.intro = Intro(words.sentence(NearestClips.most), "", words.HELP)
        self.strip = NearestClips(bench.grid, bench.bank, self.hear)
        self.cloud = Cloud(self._point_tapped, backend)
        self._texts = {name: text() for name in ("nearest", "key", "map")}
        self._waiting: list[tuple[int, int, int]] = []  # rank, seed, polyphony of pictures still to be made
        self._asked = False  # the server was asked to go on with them
        self._drawn: tuple = ()  # which points the map shows
        self._make_widgets()
        self._layout = self._arrange()
        self.follow()
        state.param.watch(self._shown_again, "page")

    def _make_widgets(self) -> None:
        ranks = {str(rank): rank for rank in range(1, NearestClips.most + 1)}
        self.ranks = pmui.RadioButtonGroup(
            label="Hear", options=ranks, value=None, size="medium", margin=0, name="hear nearest"
        )
        self.open = pmui.Button(
            label="Open this clip", icon="open_in_new", variant="outlined", disabled=True, margin=0
        )
        self.kind = pmui.RadioButtonGroup(
            label="Map",
            options={"Prototypes": "prototypes", "Tokens": "tokens"},
            value="prototypes",
            margin=0,
        )
        buttons = {
            "Closer": ("zoom_in", lambda _: self.cloud.zoom(2)),
            "Farther": ("zoom_out", lambda _: self.cloud.zoom(0.5)),
            "Whole map": ("zoom_out_map", lambda _: self.cloud.whole()),
        }
        self.views = []
        for name, (icon, action) in buttons.items():
            button = pmui.IconButton(icon=icon, description=name, size="large", margin=0, name=name)
            button.on_click(action)
            self.views.append(button)
        self.ranks.param.watch(lambda event: event.new and self._rank_pressed(event.new), "value")
        self.open.on_click(lambda _: self.own.open_nearest(self.own.rank))
        self.kind.param.watch(self.write("across.cloud"), "value")

    def _arrange(self) -> pn.viewable.Viewable:
        def card(*items, grow: float, least: int) -> pn.Column:
            look = {**CARD, "styles": {**CARD["styles"], "flex": f"{grow} 1 {least}px", "min-width": "0"}}
            return pn.Column(*items, **look)

        def drawn(part) -> pn.pane.Bokeh:
            return pn.pane.Bokeh(part.figure, sizing_mode="stretch_width", margin=0)

        self._strip_pane, self._cloud_pane = drawn(self.strip), drawn(self.cloud)
        hearing = line(text("Hear"), self.ranks, self.open)
        hearing[0].sizing_mode = None
        near = card(self._texts["nearest"], self._strip_pane, hearing, grow=1.6, least=640)
        map_ = card(
            line(self.kind, *self.views),
            self._texts["key"],
            self._cloud_pane,
            self._texts["map"],
            grow=1,
            least=400,
        )
        self._hearing = hearing
        both = pn.FlexBox(near, map_, gap="16px", margin=0, sizing_mode="stretch_width")
        return pn.Column(self.intro, both, sizing_mode="stretch_width", margin=0, styles={"gap": "12px"})

    def _shown_again(self, *_) -> None:
        if self.state.page == self.key:
            self.refresh()

    # -- what a touch does

    def hear(self, rank: int) -> None:
        """Choose a nearest clip and play the cell in which the prototype found its match there."""
        row = self.own.near(rank)
        if row is None:
            return
        self.own.rank = rank
        sound, start = self.own.sound_of(rank)
        rate = self.state.workbench.encoder.sample_rate
        self.player.play_cell(
            sound, rate, start, words.heard(rank, row.seed, row), not self.own.is_shown(row)
        )

    def _rank_pressed(self, rank: int) -> None:
        if rank != self.own.rank:
            self.hear(rank)

    def _point_tapped(self, point: int) -> None:
        self.own.choose(point)
        if self.own.cloud == "tokens":
            sound, start = self.own.sound_of_cell()
            box = self.own.box_of(self.own.cell)
            self.player.play_cell(sound, self.state.reading.sample_rate, start, words.cell(box))

    # -- drawing

    def _draw_nearest(self) -> None:
        own, bench = self.own, self.state.workbench
        rows, shown = own.nearest(), own.shown
        self.intro.say(question=words.question(self.state.class_name))
        there = rows is not None and len(rows) > 0
        self._strip_pane.visible = self._hearing.visible = there
        if rows is None:
            self._texts["nearest"].object = words.absent("nearest clips")
        elif shown is None:
            self._texts["nearest"].object = words.NO_PROTOTYPE
        elif not there:
            self._texts["nearest"].object = words.absent(f"nearest clips for {bench.titles[shown[0]]}")
        else:
            row = own.described()
            title = bench.titles[shown[0]]
            self._texts["nearest"].object = words.nearest(shown[1], title, row, self.state.class_name)
        self._waiting = []
        if there:
            known = {}
            for row in rows.head(self.strip.most).itertuples(index=False):
                found = bench.thumbnails.known(row.seed, row.polyphony)
                if found is None:
                    self._waiting.append((int(row.rank), int(row.seed), int(row.polyphony)))
                else:
                    known[int(row.rank)] = found
            self.strip.show(rows, known, own.rank)
            self._go_on()

    def _go_on(self) -> None:
        """Have the next picture made once what was drawn so far is on its way; at once without a server."""
        document = pn.state.curdoc
        if document is None or document.session_context is None:
            while self._waiting:
                self._fill()
        elif self._waiting and not self._asked:
            self._asked = True
            document.add_next_tick_callback(self._next)

    def _next(self) -> None:
        self._asked = False
        if self._waiting:
            self._fill()
            self._go_on()

    def _fill(self) -> None:
        rank, seed, polyphony = self._waiting.pop(0)
        self.strip.fill(rank, self.state.workbench.thumbnails.make(seed, polyphony))

    def _draw_rank(self) -> None:
        rank = self.own.rank if self.own.near(self.own.rank) is not None else 0
        self.strip.choose(rank)
        self.ranks.value = rank or None
        self.open.disabled = not rank

    def _draw_points(self) -> None:
        own = self.own
        self.kind.value = own.cloud
        points = own.points()
        self._cloud_pane.visible = points is not None and len(points) > 0
        drawn = (own.cloud, self.state.placed_probe if own.cloud == "prototypes" else "")
        if drawn == self._drawn:
            return
        self._drawn = drawn
        if points is None or not len(points):
            self.cloud.show_points([], [])
            return
        tips = ()
        if own.cloud == "prototypes":
            tips = [words.point(row, drawn[1]) for row in points.itertuples(index=False)]
        self.cloud.show_points(points.x.to_numpy(), points.y.to_numpy(), tips)

    def _draw_marks(self) -> None:
        own, points = self.own, self.own.points()
        if points is None or not len(points):
            self._texts["key"].object = words.absent(f"the map of {own.cloud}")
            self._texts["map"].object = ""
            return
        of_class = own.of_class(points)
        colour = FAMILY_COLOURS["prototype"] if own.cloud == "prototypes" else TRUTH_COLOUR
        self.cloud.colour(colour[self.dark])
        self.cloud.show_marks(of_class, own.here(points))
        marked = int(of_class.sum())
        self._texts["key"].object = words.key(own.cloud, self.state.class_name, marked, colour[self.dark])

    def _draw_chosen(self) -> None:
        own, points = self.own, self.own.points()
        if points is None or not len(points):
            return
        point = own.chosen(points)
        self.cloud.show_chosen(point)
        if own.cloud == "prototypes":
            probe = self.state.placed_probe
            said = words.purity(points, self.state.workbench.titles.get(probe, ""))
        elif point is None:
            said = words.OFF_MAP
        else:
            said = words.token(points.label.iloc[point], own.box_of(points.cell.iloc[point]))
        self._texts["map"].object = said

    def set_dark(self, dark: bool) -> None:
        """Colours for a light or a dark page."""
        self.dark = dark
        for picture in (self.strip, self.cloud):
            picture.set_dark(dark)
        self._draw_nearest()
        self._draw_rank()
        self._draw_marks()
