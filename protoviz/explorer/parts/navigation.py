"""The list of pages in the header, and the address bar: every view has a link, and Back goes back."""

from pathlib import Path

import param
from panel.custom import JSComponent


class Navigation(JSComponent):
    """Links to the pages. A click sets `page`; the address bar shows `query`, and its history is walked.

    Going back or forward sends the message {"query": "?..."} to Python (`on_msg`).
    """

    pages = param.List(default=[], doc="(key, title) of every page.")
    page = param.String(default="", doc="Key of the page that is shown.")
    query = param.String(default="", doc="Query of the link to what is shown.")
    step = param.Boolean(default=False, doc="The new query is a step to go back over, not a detail of one.")

    _esm = Path(__file__).with_name("navigation.js")
