"""What every page shares: it writes choices into the state, and draws while it is shown what has changed."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

import pandas as pd
import panel as pn
import param
from bokeh.document import Document
from panel.viewable import Viewer

from protoviz.explorer import text as words
from protoviz.explorer.offers import Offer
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.widgets.intro import Intro
from protoviz.explorer.widgets.player import Player
from protoviz.explorer.widgets.take_away import TakeAway

Chosen = TypeVar("Chosen", bound=pn.widgets.Widget)


class PageView(Viewer):
    """A page over the `ExplorerState`, which opens with its `intro`.

    A subclass sets `drawn_by`, builds everything and its `_layout` in `__init__`, and calls `follow` last.
    For each part in `drawn_by` it has a method `_draw_PART`, called where one of the named parameters has
    changed: at once while the page is shown, else when it is shown again. `own` is its folder's `PageState`.
    """

    key: str = ""  # the page where it stands; a section says which, a page stands on itself
    # Part -> the parameters that it is drawn from: "reading" of the state, "own.layer" of the page's own.
    drawn_by: ClassVar[dict[str, set[str]]]
    intro: Intro
    dark = False  # it is built for a light page

    def __init__(self, state: ExplorerState, **params):
        super().__init__(**params)
        folder = type(self).__module__.split(".")[-2]
        self.state, self.own, self.key = state, state.own[folder], self.key or folder
        self._stale: set[str] = set()
        self._choices: dict[str, pn.widgets.Widget] = {}
        self._followed = False
        self._drawing = False
        self._layout: pn.viewable.Viewable = pn.Column()

    def __panel__(self):
        return self._layout

    def offers(self) -> Iterable[Offer]:
        """Yield what can be taken away of what the page shows now."""
        return ()

    def follow(self) -> None:
        """Draw every part, and from now on what changes."""
        self._offer()
        watched: dict[str, set[str]] = {}
        for name in set(self._choices).union(*self.drawn_by.values()):
            owner, _, key = name.rpartition(".")
            watched.setdefault(owner, set()).add(key)
        for owner, keys in watched.items():
            source = self.own if owner else self.state
            source.param.watch(self._heard(f"{owner}." if owner else ""), sorted(keys))
        self._stale = set(self.drawn_by)
        self.refresh()
        self._followed = True

    def _offer(self) -> None:
        def refuse(why: str) -> None:
            self.state.message = why

        if type(self).offers is not PageView.offers:
            self.take_away = TakeAway(lambda: self.offers(), refuse)
            self.intro.add(self.take_away)

    def _heard(self, prefix: str) -> Callable:
        def changed(*events: param.parameterized.Event) -> None:
            names = {prefix + event.name for event in events}
            self.redraw(*(part for part, causes in self.drawn_by.items() if names & causes))

        return changed

    def redraw(self, *parts: str) -> None:
        """Draw these parts anew: at once while the page is shown, else when it is shown again."""
        self._stale |= set(parts)
        if self.state.page == self.key:
            self.refresh()

    def refresh(self) -> None:
        """Draw what has changed since it was drawn last."""
        outer, self._drawing = self._drawing, True
        try:
            with pn.io.hold():
                for name, widget in self._choices.items():
                    widget.value = getattr(*self._place(name))
                for part in self.drawn_by:
                    if part in self._stale:
                        self._stale.discard(part)
                        getattr(self, f"_draw_{part}")()
        finally:
            self._drawing = outer

    def later(self, action: Callable[[], None]) -> None:
        """Call the action once what is drawn has been sent; without a browser, or on the first page, now."""
        document = served()
        if document is None or not self._followed:
            action()
        else:
            document.add_next_tick_callback(action)

    def send_sound(self, player: Player) -> None:
        """Send the clip's sound to the player, after its picture: it is three times as large.

        With the first picture at once, as part of the page. A cell of the clip before is left now, since one
        of this clip may be played before the sound of the whole is there.
        """
        player.leave()
        player.origin = self.state.reading.origin
        reading, title = self.state.reading, self.state.title

        def load() -> None:
            player.load(reading.waveform, reading.sample_rate, title)

        self.later(load)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; a page whose figures take them without that does so."""
        if dark != self.dark:
            self.dark = dark
            self.redraw(*self.drawn_by)

    def choice(self, kind: type[Chosen], name: str, **look) -> Chosen:
        """Return a widget for a parameter ("left", "own.layer") all of whose values it can show.

        What a visitor chooses is written into the parameter, and the widget follows the parameter.
        """
        widget = kind(value=getattr(*self._place(name)), **look)
        widget.param.watch(self.write(name), "value")
        self._choices[name] = widget
        return widget

    def write(self, name: str) -> Callable:
        """Return a callback that writes a widget's new value into a parameter: "left", "own.layer"."""
        return self.chosen(lambda value: setattr(*self._place(name), value))

    def _place(self, name: str) -> tuple[param.Parameterized, str]:
        owner, _, key = name.rpartition(".")
        return self.own if owner else self.state, key

    def chosen(self, action: Callable[[Any], None]) -> Callable:
        """Return a callback that hands a widget's new value to `action` where a visitor chose it.

        A widget that is drawn chooses nothing: it follows the state, and shows something else where the
        state's choice is not to be had. Nor does one without a value, as a Select with nothing to offer.
        """

        def changed(event: param.parameterized.Event) -> None:
            if not self._drawing and event.new is not None:
                action(event.new)

        return changed


class HearingView(PageView):
    """A page with numbered prototypes and a `player`, which plays the cell of each."""

    player: Player

    def numbered(self) -> pd.DataFrame:
        """Return `strongest_prototypes` of the chosen class, as the page numbers them."""
        return self.state.strongest()

    def hear(self, prototype: int) -> None:
        """Choose a prototype and play the sound of the cell in which it found its best match."""
        state = self.state
        state.prototype = prototype
        sound, start = state.sound_of(prototype)
        said = words.cell(prototype, state.reading.in_file(state.cell_of(prototype)))
        self.player.play_cell(sound, state.reading.sample_rate, start, said)

    def hear_rank(self, rank: int | None) -> None:
        """Play the same by its number, as a key says it; do nothing if the page has no such number."""
        rows = self.numbered()
        found = rows.prototype[rows["rank"] == rank]
        if len(found):
            self.hear(int(found.iloc[0]))


def served() -> Document | None:
    """Return the session's document, whose next tick comes after what is drawn; None if no browser waits."""
    document = pn.state.curdoc
    return None if document is None or document.session_context is None else document
