"""What the explorer changes of Panel, Bokeh and Tornado beyond what they document, each with its reason.

Nothing changes at import, only where a page is served. `tests/test_internals.py` notices when one of the
first four stops working, `tests/test_serve_processes.py` and `tests/test_serve.py` the others.
"""

import re
from collections.abc import Callable, Iterable

import param
from bokeh.document import Document
from bokeh.model import Model
from bokeh.server.server import Server
from bokeh.server.views import session_handler
from panel.pane import Bokeh
from panel.reactive import Syncable
from panel.util import edit_readonly
from tornado.web import RequestHandler

GATHERED = 5  # milliseconds


def act_at_once() -> None:
    """Let every widget of this process act after `GATHERED`.

    Panel gathers a widget's changes for 50 ms before it acts on them. Those of one gesture (a slider's value,
    and the same once it is let go) come within two.
    """
    Syncable._debounce = GATHERED


class _Idle(param.Parameterized):
    busy = param.Boolean(default=False)


def never_busy(page) -> None:
    """Let a `Page` follow something that is never busy in place of Panel's state.

    A page follows `pn.state.busy`, and each of its two changes a click walks all models of every session (a
    tenth of a second each). Nothing here shows it. A plain False would end the following but leave the
    watcher, through which Panel's state keeps every page that ever was; another source takes it away.
    """
    with edit_readonly(page):
        page.busy = _Idle().param.busy


def tag_once(layout) -> None:
    """Let a layout that is itself a component tag its own data alone.

    Panel tags the data of every component, so that a session's end finds it, and of a layout also that of all
    models below it, which are tagged: two walks over the whole page, a twelfth of what it costs to open.
    """

    def tag(data: Model, root: str) -> None:
        data.tags.append(f"__ref:{root}")

    layout._patch_datamodel_ref = tag


class FigurePane(Bokeh):
    """A figure as it is, for a page whose theme and callbacks are the document's.

    Panel's own pane walks over all parts of a figure three times for what is not here: callbacks that name
    the figure, and a theme that the document's takes the place of at once.
    """

    def _get_model(self, doc: Document, root: Model | None = None, parent: Model | None = None, comm=None):
        if root is None or comm or self.object.document not in (None, doc):
            return super()._get_model(doc, root, parent, comm)
        self._models[root.ref["id"]] = self.object, parent
        return self.object


def name_sessions(accepted: Callable[[str], bool]) -> None:
    """Let this process give its sessions only names that are accepted: others are at home elsewhere."""
    draw = session_handler.generate_session_id

    def own_name(**options) -> str:
        while not accepted(name := draw(**options)):
            pass
        return name

    session_handler.generate_session_id = own_name


def answer_others(server: Server, names: Iterable[str], handler: type[RequestHandler]) -> None:
    """Let `handler` (made with these names) answer every request by a host name that is not one of them.

    A page of another host may have its name pointed at this machine: then Host and Origin agree.
    """
    ours = "|".join(map(re.escape, names))
    server._tornado.add_handlers(rf"(?!(?:{ours})$).*", [(r".*", handler, {"names": names})])
