"""The whole explorer as one `Page`: header, theme, and the page that is shown."""

from html import escape

import panel as pn
import panel_material_ui as pmui

from protoviz.explorer.listen import Listen
from protoviz.explorer.look import BOKEH_THEME, THEME, text
from protoviz.explorer.state import ExplorerState
from protoviz.explorer.workbench import DEMO_COMMAND, DemoError, Workbench, load_demo


def explorer(workbench: Workbench | None = None) -> pmui.Page:
    """A fresh page for one session, over the shipped demo or a given workbench.

    Where the demo is absent, the page says which command makes it.
    """
    try:
        bench = workbench or load_demo()
    except DemoError as error:
        return _page(_without_demo(str(error)), "")
    return framed(Listen(ExplorerState(bench)), bench.note)


def framed(view: Listen, note: str) -> pmui.Page:
    """A view inside header and theme; note is the one line on the encoder."""
    if pn.state.curdoc:
        pn.state.curdoc.theme = BOKEH_THEME
    page = _page(view, note)
    page.param.watch(lambda event: view.set_dark(event.new), "dark_theme")
    if page.dark_theme:
        view.set_dark(True)
    return page


def _page(content, note: str) -> pmui.Page:
    header = pn.pane.HTML(
        f"<span>{escape(note)}</span>", styles={"font-size": "15px", "color": "white"}, margin=(0, 16)
    )
    return pmui.Page(
        title="protoviz",
        header=[pn.Row(pn.HSpacer(), header, sizing_mode="stretch_width")],
        main=[content],
        theme_config=THEME,
        site_url="",
    )


def _without_demo(reason: str) -> pn.Column:
    message = text(
        f"<h2>Nothing to show yet</h2><p>{escape(reason)}</p>"
        f"<p>In a terminal: <code>{DEMO_COMMAND}</code>, then reload this page.</p>"
    )
    return pn.Column(message, margin=40)
