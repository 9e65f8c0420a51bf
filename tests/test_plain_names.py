"""Whatever comes from a link, a file, a label or a table is plain text, on all pages, in all pictures."""

import re
from html import escape, unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from bokeh.core.serialization import Serializer
from bokeh.document import Document
from bokeh.models import Axis, ColorBar, ColumnDataSource, HoverTool, Title
from hostile_names import FILES, HOSTILE, put_names
from page_bench import small_bench, wav
from panel.models.markup import HTML

from protoviz.explorer.frame import Frame
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages import PAGES
from protoviz.explorer.session import ExplorerState
from protoviz.figures.style import as_written

ICON = re.compile(r":material/\w+(@[^:]*)?:")
FORMULA = re.compile(r"\$\$.*\$\$|\\\(.*\\\)|\\\[.*\\\]", re.DOTALL)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]")
OURS = {"b", "i", "br", "p", "h1", "h2", "sub", "sup", "code", "span", "div", "a"}
OURS |= {"table", "thead", "tbody", "tfoot", "tr", "th", "td"}


class Elements(HTMLParser):
    """The elements of a piece of HTML that the explorer did not write."""

    def __init__(self, html: str):
        super().__init__()
        self.foreign = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        if tag not in OURS or any(name.startswith("on") or name == "src" for name, _ in attributes):
            self.foreign.append(self.get_starttag_text())

    def handle_comment(self, data):
        self.foreign.append(data)


@pytest.fixture(scope="module")
def frame():
    with pytest.MonkeyPatch.context() as patch:
        state = ExplorerState(put_names(patch))
        yield Frame(state)


def words(value):
    """Every text in what a model sends."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from words(key)
            yield from words(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from words(one)


def drawn_text(model):
    """The texts that Bokeh might take for a formula."""
    if isinstance(model, Title):
        yield model.text
    if isinstance(model, Axis):
        yield from words([model.axis_label, list(model.major_label_overrides.values())])
    if isinstance(model, ColorBar):
        yield model.title


def assert_plain(frame):
    document = Document()
    document.add_root(frame.page.get_root(document))
    seen = set()
    for model in document.models:
        sent = model.properties_with_values(include_defaults=False)
        texts = [text for text in words(sent) if text]
        assert not any(map(UNSEEN.search, texts)), model
        assert not any(map(FORMULA.search, filter(None, drawn_text(model)))), model
        if isinstance(model, HTML):
            assert model.disable_math
            assert not Elements(unescape(model.text)).foreign
        elif isinstance(model, ColumnDataSource):
            tips = [str(tip) for tip in model.data.get("tip", ())]
            assert not [found for tip in tips if (found := Elements(tip).foreign)]
        elif isinstance(model, HoverTool):
            assert not isinstance(model.tooltips, str) or "h.example" not in model.tooltips
        elif type(model).__module__ not in ("bokeh.models.sources",):
            assert not any(map(ICON.search, texts)), model
        seen |= set(texts)
    Serializer().encode(document.roots)
    return seen


@pytest.mark.parametrize("page", PAGES)
def test_no_name_is_more_than_text(frame, page):
    frame.state.page = page
    for name in HOSTILE[:4]:
        frame.state.class_name = name
    assert frame.places[frame.state.page].styles["visibility"] == "visible"
    seen = assert_plain(frame)
    if page != "listen":
        return
    for name in HOSTILE:
        assert {as_written(name), as_written(name).replace("_", " ")} & seen, "each is in a list"


def test_a_class_of_any_name_has_a_link(frame):
    again = ExplorerState(frame.state.workbench)
    for name in HOSTILE:
        frame.state.class_name = name
        assert open_link(again, to_link(frame.state)) == []
        assert again.class_name == name


def test_a_file_of_any_name_is_shown_as_it_is_called():
    frame = Frame(ExplorerState(small_bench()))
    for number, name in enumerate(FILES):
        assert frame.state.open_file(name, wav(np.full(8000 + number, 0.1)))
        title = f"{as_written(name)}, 0.00–0.50 s"
        assert title in frame.view.clips.clip.options
        assert frame.view.player.clip_label == title
        assert not frame.state.open_file(name, b"no sound")
        assert escape(as_written(name)) in frame.alert[0].object
