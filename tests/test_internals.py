"""What is changed of Panel beyond what it documents still does what it is for, and only where one serves."""

import subprocess
import sys

import panel as pn
import panel_material_ui as pmui
from bokeh.document import Document
from panel.reactive import Syncable
from test_sessions_end import watchers

from protoviz.explorer.internals import GATHERED, act_at_once, never_busy


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
