"""The list of pages in the header, and the address bar: every view has a link, and Back goes back."""

from pathlib import Path

import param
from panel.custom import JSComponent


class Navigation(JSComponent):
    """Links to the pages. A click sets `page`; the address bar shows `address`, and its history is walked.

    Going back or forward sends the message {"query": "?..."} to Python (`on_msg`). Where the connection to
    the server is lost, a line says so; once it is back, the page is loaded again: the same session where it
    is still there, else a new one from the link.
    """

    pages = param.List(default=[], doc="(key, title) of every page.")
    page = param.String(default="", doc="Key of the page that is shown.")
    # One parameter, since two would reach the browser one after the other.
    address = param.Dict(
        default={"query": "", "step": False},
        doc="Query of the link to what is shown; step: to go back over (True), a detail of the last one "
        "(False), or where the browser has gone by itself (None).",
    )

    _esm = Path(__file__).with_name("navigation.js")
