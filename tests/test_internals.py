"""What is changed of Panel beyond what it documents still does what it is for, and only where one serves."""

import subprocess
import sys

import panel as pn
import panel_material_ui as pmui
from bokeh.document import Document
from bokeh.models import Model
from bokeh.plotting import figure
from panel.reactive import Syncable
from test_sessions_end import watchers

from protoviz.explorer.internals import GATHERED, FigurePane, act_at_once, never_busy, tag_once


def test_nothing_changes_before_a_page_is_served():
    modules = ("frame", "server", "front")
    code = f"""
from bokeh.server.views import session_handler
from panel.reactive import Syncable
before = Syncable._debounce, session_handler.generate_session_id
from protoviz.explorer import {", ".join(modules)}
assert before == (Syncable._debounce, session_handler.generate_session_id)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_change_of_a_widget_is_not_gathered_for_long(monkeypatch):
    monkeypatch.setattr(Syncable, "_debounce", 10 * GATHERED)
    act_at_once()
    document, waited = Document(), []
    document._session_context = lambda: "a session"
    monkeypatch.setattr(document, "add_timeout_callback", lambda call, wait: waited.append(wait))
    pn.widgets.TextInput().get_root(document).value = "a"
    assert waited == [GATHERED]


def test_a_page_does_not_follow_how_busy_panel_is():
    before = watchers()
    page = pmui.Page()
    assert watchers() > before, "Panel does so by itself now: leave it out"
    never_busy(page)
    assert watchers() == before
    assert not page.busy


def walks(monkeypatch, show) -> list[Model]:
    """What is walked through, with all below it, while something is shown."""
    walked, references = [], Model.references
    monkeypatch.setattr(Model, "references", lambda model: walked.append(model) or references(model))
    show()
    monkeypatch.undo()
    return walked


def test_a_figure_is_shown_without_a_walk_over_its_parts(monkeypatch):
    plots = [figure(name="one"), figure(name="one")]
    panes = [pn.Row(kind(plot)) for kind, plot in zip((pn.pane.Bokeh, FigurePane), plots, strict=True)]
    walked = [walks(monkeypatch, lambda one=one: one.get_root(Document())) for one in panes]
    assert plots[0] in walked[0], "Panel's own pane does so by itself now: leave ours out"
    assert plots[1] not in walked[1]


def test_a_layout_tags_its_own_data_and_its_parts_tag_theirs(monkeypatch):
    layouts = [pmui.Container(pmui.Button(label="a")) for _ in range(2)]
    tag_once(layouts[1])
    roots, walked = [], []
    for layout in layouts:
        walked.append(walks(monkeypatch, lambda one=layout: roots.append(one.get_root(Document()))))
    assert len(walked[1]) < len(walked[0]), "Panel does so by itself now: leave it out"
    for root in roots:
        tagged = [root.data, root.data.objects[0].data]
        assert all(f"__ref:{root.ref['id']}" in data.tags for data in tagged)
