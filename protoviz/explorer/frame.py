"""The whole explorer for one session: header, navigation, theme, address bar, and the page that is shown."""

from html import escape
from pathlib import Path

import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.internals import act_at_once, never_busy, tag_once
from protoviz.explorer.limits import LIMITS, SEATS
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages import PAGES, declared
from protoviz.explorer.pages.view import PageView, served
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import Choice, Studies, asked_in, served_studies
from protoviz.explorer.text import in_code, plain
from protoviz.explorer.widgets.look import BOKEH_THEME, PAGE, THEME, text
from protoviz.explorer.widgets.navigation import Navigation
from protoviz.explorer.widgets.which import Which
from protoviz.explorer.widgets.working import Working
from protoviz.explorer.workbench import BenchError, Workbench

FULL = (
    f"{LIMITS.sessions} pages are open at this server, as many as it lets in. Close one that nobody needs, "
    "wait a minute, then reload this page. (Who serves it sets the number: PROTOVIZ_SESSIONS.)"
)
OPENING = Path(__file__).with_name("opening.html")
# All of them now: no first click waits for an import.
VIEWS: dict[str, type[PageView]] = {page: declared(page, "view", PageView) for page in PAGES}
STEPS = {"page", "reading", "class_name", "left", "right"}  # what Back goes back over
THEME_COOKIE = "protoviz-theme"  # what opening.html keeps: the visitor's choice, or what the system asks for
ALERT = {
    "visible": False,
    "margin": (14, 20, 0, 20),
    "sizing_mode": "stretch_width",
    "sx": {"fontSize": "15px"},
}
LONG = {"max-height": "none"}  # Panel holds a layout to its place's height; a page may be longer and scrolls
HEADER = {"align-items": "center", "flex-wrap": "wrap", "row-gap": "6px", "padding": "6px 0"}
# All pages lie on one spot without a size of its own; one that is left moves out of sight and keeps its size,
# so that nothing is laid out anew when it comes back. `visible` would do that to every figure of every page.
STACK = {"position": "relative", "height": "0"}
_SPOT = {"position": "absolute", "inset": "0 0 auto 0", "padding-bottom": "14px"}
HERE = {**_SPOT, "visibility": "visible", "content-visibility": "visible", "translate": "none"}
# Neither keys nor a screen reader reach what is away: Panel's texts are visible whatever their place is.
AWAY = {**_SPOT, "visibility": "hidden", "content-visibility": "hidden", "translate": "-100000px -100000px"}
NOTE = {
    "font-size": "14px",
    "line-height": "1.3",
    "color": "white",
    "text-align": "right",
    "flex": "1 1 200px",  # what the navigation leaves; where that is too little, a line of its own
    "min-width": "0",
}


def explorer(workbench: Workbench | None = None, studies: Studies | None = None) -> pmui.Page:
    """Return a fresh page for one session, over the studies that are served or a given workbench.

    The link says which study, data set and encoder; what cannot be shown is said, with its cure, and another
    is shown where there is one. Where as many sessions are open as `LIMITS` lets in, the page says that.
    """
    if pn.state.cookies.get(THEME_COOKIE, "").endswith("dark"):
        pn.config.theme = "dark"
    if not _let_in():
        return _page([_instead("Full", escape(FULL))], [])
    if workbench is not None:
        return Frame(ExplorerState(workbench)).page
    studies, said = studies or served_studies(), []
    try:
        for choice in studies.in_turn(asked_in(_query())):
            try:
                frame = Frame(ExplorerState(studies.bench(choice)), studies, choice)
            except BenchError as error:
                said.append(str(error))
                continue
            if said:
                frame.state.message = "; ".join(said)
            return frame.page
    except BenchError as error:
        said.append(str(error))
    return _page([_nothing("; ".join(said))], [])


class Frame:
    """The pages of one session. Each is built when it is first shown, and kept.

    `page` is what is served, `views` holds the pages that were shown: key -> `PageView`, and `places` where
    each page stands. studies: what else
    can be shown, and choice: which of it is; None: the state's workbench alone.
    """

    def __init__(self, state: ExplorerState, studies: Studies | None = None, choice: Choice | None = None):
        self.state, self.studies, self.choice = state, studies, choice
        self.views: dict[str, PageView] = {}
        self._walking = False
        if pn.state.curdoc:
            pn.state.curdoc.theme = BOKEH_THEME
        if query := _query():
            self._open(query)
        self._serve()
        self.navigation = Navigation(pages=[list(page) for page in PAGES.items()], margin=(0, 0, 0, 24))
        self.navigation.on_msg(self._walk)
        self.navigation.param.watch(lambda event: self.state.param.update(page=event.new), "page")
        self._heading = text()
        wide = {"sizing_mode": "stretch_width", "margin": 0}
        self.places = {key: pn.Column(**wide, styles={**LONG, **AWAY}) for key in PAGES}
        # Each place is a layout of its own here: in a Column, Bokeh lays all pages out where one changes.
        self._shown = pmui.Container(
            *self.places.values(), disable_gutters=True, width_option=False, **wide, styles=STACK
        )
        tag_once(self._shown)
        self._working = pn.Column(margin=0)
        self._note = pn.pane.HTML("", styles=NOTE, margin=(0, 12), align="center")
        self.which = Which(studies, self._switch) if studies else None
        parts = [self.navigation, *([self.which] if studies else []), self._note]
        header = pn.Row(*parts, sizing_mode="stretch_width", styles=HEADER)
        # Not an alert's own text, which is Markdown: it would show a link's or a file's pictures and links.
        self._message, self._remark = text(), text()
        self.alert = pmui.Alert(self._message, severity="error", **ALERT)
        self.remarks = pmui.Alert(self._remark, severity="info", **ALERT)
        self.page = _page([self.alert, self.remarks, self._heading, self._shown, self._working], [header])
        self.page.param.watch(self._darken, "dark_theme")
        self._follow()

    def _follow(self) -> None:
        """Show the state, and from now on what changes in it."""
        state = self.state
        self._note.object = plain(state.workbench.note)
        faults = self.studies.faults().values() if self.studies else ()
        said = [*faults, *state.workbench.remarks]
        self._remark.object = "<br>".join(map(in_code, said))
        self.remarks.visible = bool(said)
        if self.which:
            self.which.show(self.choice)
        self._working[:] = [Working(work) for work in state.works.values()]
        self._show()
        state.param.watch(self._show, "page")
        state.param.watch(self._tell, "message")
        self._tell()
        self._watch_link()

    def _switch(self, choice: Choice, query: str | None = None) -> bool:
        """Show another study, data set or encoder: the same page, and as far as they are there the same clip
        and class. Where it cannot be shown, say why and stay.
        """
        before = self.state
        try:
            bench = self.studies.bench(choice)
            same = {"clip": before.clip} if bench.has(before.clip) else {}
            state = ExplorerState(bench, **same)
        except ValueError as error:
            before.message = str(error)
            self.which.show(self.choice)
            return False
        open_link(state, to_link(before) if query is None else query)
        for work in before.works.values():
            work.forget()
        self.choice, self.state = choice, state
        with pn.io.hold():
            self.views.clear()
            for place in self.places.values():
                place.clear()
            self._deliver()
            self._follow()
            self.navigation.address = {"query": to_link(state), "step": None if self._walking else True}
        return True

    @property
    def view(self) -> PageView:
        """The page that is shown."""
        return self.views[self.state.page]

    def _show(self, *_) -> None:
        """Show the chosen page, building it where it is the first time."""
        key = self.state.page
        with pn.io.hold():
            if key not in self.views:
                self.views[key] = VIEWS[key](self.state)
                if self.page.dark_theme:  # a page is built for the light theme
                    self.views[key].set_dark(True)
                layout = self.views[key].__panel__()
                layout.styles = {**layout.styles, **LONG}
                self.places[key].append(layout)
            for name, place in self.places.items():
                place.styles = {**LONG, **(HERE if name == key else AWAY)}
            self.view.refresh()
            self._heading.object = f'<h1 class="unseen">{PAGES[key]}</h1>'
            self.navigation.page = key

    def _open(self, query: str) -> None:
        refused, asked = [], asked_in(query)
        if self.studies:
            choice, refused = self.studies.choose(asked)
            if choice != self.choice and not self._switch(choice, query):
                return
        elif asked:
            refused = list(asked)
        if refused := [*refused, *open_link(self.state, query)]:
            self.state.message = (
                f"The link asks for what is not here ({', '.join(refused)}); the rest is shown."
            )

    def _walk(self, message) -> None:
        """Back or forward: the address bar is where it should be already, and must not be moved again."""
        if "query" not in message.data:
            return
        self._walking = True
        try:
            self._open(message.data.get("query", ""))
        finally:
            self._walking = False

    def _tell(self, *_) -> None:
        self._message.object = plain(self.state.message)
        self.alert.visible = bool(self.state.message)

    def _serve(self) -> None:
        """Where a document is served, long work keeps nobody waiting; it ends with the session."""
        document = served()
        if document is None:
            return
        act_at_once()
        self._deliver()
        document.on_session_destroyed(lambda _: [work.forget() for work in self.state.works.values()])

    def _deliver(self) -> None:
        if document := served():
            for work in self.state.works.values():
                work.deliver = document.add_next_tick_callback  # the one thing a thread may do to a document

    def _darken(self, event) -> None:
        def paint() -> None:
            for view in self.views.values():
                view.set_dark(event.new)

        if served():
            pn.state.onload(paint)  # Panel drops what is drawn before the browser has said that it is there
        else:
            paint()

    def _watch_link(self) -> None:
        state = self.state
        state.param.watch(self._write_link, sorted({*state.in_link.values(), "reading"}))
        state.own.follow(self._write_link)
        self._write_link()

    def _write_link(self, *events) -> None:
        step = any(event.obj is self.state and event.name in STEPS for event in events)
        step = None if self._walking else step
        self.navigation.address = {"query": to_link(self.state), "step": step}


def _page(content: list, header: list) -> pmui.Page:
    page = pmui.Page(
        title="protoviz",
        header=header,
        main=content,
        theme_config=THEME,
        sx=PAGE,
        site_url="",
        template=OPENING,
        busy_indicator=None,  # it would lay the whole page out twice for every click
    )
    never_busy(page)
    tag_once(page)
    return page


def _let_in() -> bool:
    """Whether there is room for the session that asks; its place is free again when it ends."""
    document = served()
    if document is None:
        return True
    session = document.session_context.id
    document.on_session_destroyed(lambda _: SEATS.leave(session))
    return SEATS.take(session)


def _query() -> str:
    """What the address asks for."""
    return pn.state.location.search or "" if pn.state.location else ""


def _nothing(reason: str) -> pn.Column:
    """What is shown where no study can be."""
    return _instead("Nothing to show yet", f"{in_code(reason)}. In a terminal; then reload this page.")


def _instead(title: str, reason: str, cure: str = "") -> pn.Column:
    return pn.Column(text(f"<h2>{title}</h2><p>{reason}</p>{cure}"), margin=40)
