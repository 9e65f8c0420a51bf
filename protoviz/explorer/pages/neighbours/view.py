"""The half of the page "Prototypes" that looks across clips: nearest clips, maps of prototypes and tokens."""

from collections.abc import Iterator
from typing import ClassVar

import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.offers import Offer, drawn
from protoviz.explorer.pages.neighbours import text as words
from protoviz.explorer.pages.neighbours.thumbnails import Thumbnails
from protoviz.explorer.pages.view import PageView, served
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.text import in_code
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.look import CARD, TAG, beside, line, pane, text, two_columns
from protoviz.explorer.widgets.one_of import OneOf
from protoviz.explorer.widgets.player import Player
from protoviz.figures import FAMILY_COLOURS, INK, TRUTH_COLOUR
from protoviz.figures.cloud import FEW, Cloud
from protoviz.figures.nearest import NearestClips
from protoviz.figures.score_histogram import ScoreHistogram

MAPS = {"Responses": "response", "Directions": "direction", "Tokens": "tokens"}
NARROW = {"minWidth": "0", "padding": "5px 0"}  # Material UI's buttons are 64 pixels wide at least
COLUMNS = {"share": 1.75, "least": 400}  # of the two columns of the whole page, as `two_columns` takes them
PAUSE = 30  # milliseconds between two steps: what they patch has to be in the browser by then


class Across(PageView):
    """A section that a page lays out like any other part; it draws what has changed while that page is shown.

    player: the page's, which plays the cells of all clips. backend: of the map, see `Cloud`.
    """

    key = "prototypes"
    drawn_by: ClassVar[dict[str, set[str]]] = {
        "nearest": {"reading", "left", "right", "class_name", "prototype", "own.part"},
        "rank": {"reading", "left", "right", "class_name", "prototype", "own.part", "own.rank"},
        "points": {"left", "right", "own.cloud"},
        "marks": {"reading", "left", "right", "class_name", "own.cloud"},
        "chosen": {
            "reading",
            "left",
            "right",
            "class_name",
            "prototype",
            "own.cloud",
            "own.cell",
        },
    }

    def __init__(self, state: ExplorerState, player: Player, backend: str = "canvas", **params):
        super().__init__(state, **params)
        bench = state.workbench
        self.player, self.titles = player, bench.titles
        self._thumbnails = bench.shared(Thumbnails)
        self.intro = Intro(words.sentence(NearestClips.most), "", words.HELP)
        self.strip = NearestClips(bench.grid, bench.bank, self.hear)
        self.cloud, self.histogram = Cloud(self._point_tapped, backend), ScoreHistogram()
        self._texts = {name: text() for name in ("nearest", "spread", "purity", "key", "map")}
        self._waiting: list[tuple[int, str]] = []  # number and clip of pictures still to be made
        self._due, self._asked = False, False  # the nearest clips have changed; the server will call `_next`
        self._drawn: tuple[str, str] | None = None  # which points the map shows
        self._make_widgets()
        self._layout = self._arrange()
        self.set_dark(False)
        self.follow()
        state.param.watch(self._shown_again, "page")

    def _make_widgets(self) -> None:
        self.ranks = []
        for number in range(1, NearestClips.most + 1):
            button = pmui.Button(label=str(number), variant="outlined", width=40, margin=0, sx=NARROW)
            button.on_click(lambda _, number=number: self.hear(number))
            self.ranks.append(button)
        self.open = pmui.Button(
            label="Open this clip", icon="open_in_new", variant="outlined", disabled=True, margin=0
        )
        self.open.on_click(lambda _: self.own.open_nearest(self.own.rank))
        self.part = self.choice(OneOf, "own.part", label="Part of the scores", options=words.TITLES, margin=0)
        self.kind = self.choice(OneOf, "own.cloud", label="What the map shows", options=MAPS, margin=0)
        looks = {
            "Closer": ("zoom_in", lambda _: self.cloud.zoom(2)),
            "Farther": ("zoom_out", lambda _: self.cloud.zoom(0.5)),
            "Whole map": ("zoom_out_map", lambda _: self.cloud.whole()),
        }
        self.looks = pn.Row(margin=0)
        for name, (icon, action) in looks.items():
            button = pmui.IconButton(icon=icon, description=name, margin=0)
            button.on_click(action)
            self.looks.append(button)

    def _arrange(self) -> pn.viewable.Viewable:
        def shown(part, said: str) -> pn.Column:  # a pane by itself would not come back once it was hidden
            return pn.Column(pane(part.figure, self._texts[said]), sizing_mode="stretch_width", margin=0)

        word = text("Hear")
        word.sizing_mode = None
        self._strip_pane, self._cloud_pane = shown(self.strip, "nearest"), shown(self.cloud, "key")
        self._spread_pane = shown(self.histogram, "nearest")
        self._hearing = line(word, pn.FlexBox(*self.ranks, margin=0, gap="6px"), self.open)
        nearest = pn.Column(
            self.part,
            self._texts["nearest"],
            self._spread_pane,
            self._texts["spread"],
            self._strip_pane,
            self._hearing,
            self._texts["purity"],
            **CARD,
        )
        places = pn.Column(
            self.kind,
            self._texts["key"],
            self._cloud_pane,
            beside(self._texts["map"], self.looks),
            **CARD,
        )
        both = two_columns([nearest], [places], **COLUMNS)
        return pn.Column(self.intro, both, sizing_mode="stretch_width", margin=0, styles={"gap": "12px"})

    def offers(self) -> Iterator[Offer]:
        """Yield the clips, the scores over all of them and the map, as far as they are shown."""
        own = self.own
        if self._strip_pane.visible:
            yield drawn("Nearest clips", self.strip.figure, own.nearest)
        if self._spread_pane.visible:
            yield drawn("Scores over all clips", self.histogram.figure, own.spread)
        if self._cloud_pane.visible:
            yield drawn(f"Map of {own.cloud}", self.cloud.figure, own.points)

    # -- when it draws

    def refresh(self) -> None:
        """Draw what has changed: the map at once, the nearest clips when what the page draws is sent."""
        self._due = self._due or "nearest" in self._stale
        self._stale.discard("nearest")
        super().refresh()
        self._go_on()

    def _shown_again(self, *_) -> None:
        if self.state.page == self.key:
            self.refresh()

    def _go_on(self) -> None:
        """Take the next step soon: others may come in between, and what was drawn is sent before it."""
        document = served()
        if document is None:
            while self._step():
                pass
        elif (self._due or self._waiting) and not self._asked:
            self._asked = True
            document.add_timeout_callback(self._next, PAUSE)

    def _next(self) -> None:
        self._asked = False
        self._step()
        self._go_on()

    def _step(self) -> bool:
        """Draw the nearest clips, or make one of their pictures; False where nothing is left to do."""
        if self._due:
            self._due = False
            with pn.io.hold():
                self._draw_nearest()
        elif self._waiting:
            self._fill()
        else:
            return False
        return True

    # -- what a touch does

    def hear(self, number: int) -> None:
        """Choose one of the clips and play the cell in which the prototype found its match there, where its
        sound is kept.
        """
        row = self.own.near(number)
        if row is None:
            return
        self.own.rank = number
        sound, start = self.own.sound_of(number)
        if len(sound):
            rate, said = self.state.workbench.sample_rate, words.heard(number, row.title, row)
            self.player.play_cell(sound, rate, start, said, elsewhere=not self.own.is_shown(row.clip))

    def _point_tapped(self, point: int) -> None:
        self.own.choose(point)
        if self.own.of_tokens:
            sound, start = self.own.sound_of_cell()
            said = words.cell(self.own.box_of(self.own.cell))
            self.player.play_cell(sound, self.state.reading.sample_rate, start, said)

    # -- drawing: nearest clips

    def _draw_nearest(self) -> None:
        own, shown, rows = self.own, self.own.shown, self.own.nearest()
        self.intro.say(question=words.question(self.state.class_name))
        there = rows is not None and len(rows) > 0
        self._strip_pane.visible = self._hearing.visible = there
        self._waiting = []
        spread, lacking = own.spread(), self.state.workbench.lacks("nearest")
        self._spread_pane.visible = there and spread is not None
        self.part.visible = rows is not None
        self._texts["spread"].object = ""
        if there:
            counted = 0 if spread is None else int(spread.clips.sum())
            said = words.nearest(shown[1], self.titles[shown[0]], rows, own.favourite, counted)
            if counted:
                self.histogram.show(spread, rows.score.tolist())
            else:
                self._texts["spread"].object = f"{words.NOT_COUNTED} {in_code(lacking)}"
        elif rows is not None and shown is not None and not own.keeps_part():
            said = words.no_part(own.part, lacking)
        elif rows is None or shown is not None:
            said = words.absent("nearest clips", lacking)
        else:
            said = words.NO_PROTOTYPE
        self._texts["nearest"].object = said
        described = own.described()
        known = there and described is not None
        self._texts["purity"].object = words.purity(described, self.titles[shown[0]]) if known else ""
        if there:
            self.strip.show(rows, self._known(rows), own.rank)

    def _known(self, rows) -> dict:
        """Number -> thumbnail of those that are there; others that can be made are noted as waiting."""
        thumbnails, known = self._thumbnails, {}
        for number, clip in rows.loc[rows.here, ["number", "clip"]].head(NearestClips.most).to_numpy():
            found = thumbnails.known(clip)
            if found is None:
                self._waiting.append((number, clip))
            else:
                known[number] = found
        return known

    def _fill(self) -> None:
        number, clip = self._waiting.pop(0)
        self.strip.fill(number, self._thumbnails.make(clip))

    def _draw_rank(self) -> None:
        row = self.own.near(self.own.rank)
        number = 0 if row is None else self.own.rank
        self.strip.choose(number)
        for i, button in enumerate(self.ranks):
            button.variant = "contained" if i + 1 == number else "outlined"
        self.open.disabled = row is None or not row.here

    # -- drawing: the map

    def _draw_points(self) -> None:
        own, points = self.own, self.own.points()
        there = points is not None and len(points) > 0
        self._cloud_pane.visible = self.looks.visible = there
        drawn = (own.cloud, "" if own.of_tokens else self.state.placed_probe)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        if there:
            few = not own.of_tokens and len(points) <= FEW  # the words of thousands are megabytes
            tips = [words.point(row) for row in points.itertuples(index=False)] if few else ()
            self.cloud.show_points(points.x.to_numpy(), points.y.to_numpy(), tips)
        else:
            self.cloud.show_points([], [])

    def _draw_marks(self) -> None:
        own, points = self.own, self.own.points()
        if points is None or not len(points):
            self._texts["key"].object = words.absent(
                "places for this map", self.state.workbench.lacks("projections")
            )
            return
        listening, arguing = own.listening(points), own.arguing(points)
        self.cloud.show_marks(listening, arguing, own.here(points))
        counts = int(listening.sum()), int(arguing.sum())
        self._texts["key"].object = words.key(own.of_tokens, self.state.class_name, *counts)

    def _draw_chosen(self) -> None:
        own, points = self.own, self.own.points()
        said = ""
        if points is not None and len(points):
            point = own.chosen(points)
            self.cloud.show_chosen(point, own.numbered(points))
            if not own.of_tokens:
                said = words.PLACES[own.cloud]
            elif point is None:
                said = words.OFF_MAP
            else:
                said = words.token(points.label.iloc[point], own.box_of(points.cell.iloc[point]))
        self._texts["map"].object = said

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        for picture in (self.strip, self.cloud, self.histogram):
            picture.set_dark(dark)
        orange = FAMILY_COLOURS["prototype"][dark]
        colours = {"truth": TRUTH_COLOUR[dark], "prototype": orange, "ink": INK[dark], "tag": TAG[dark]}
        self._texts["key"].styles = {f"--{name}": colour for name, colour in colours.items()}
        if self._drawn is not None:  # the words on the pictures get their colours with them
            self.redraw("nearest", "rank")
