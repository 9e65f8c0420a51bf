"""Scrolling an exported page: no figure holds the wheel or a finger until its toolbar is asked to."""

import json

import holoviews as hv
import numpy as np
import pytest
from bokeh.document import Document
from bokeh.embed.util import standalone_docs_json_and_render_items
from bokeh.models import WheelZoomTool
from bokeh.plotting import figure
from browsing import PATIENCE

pytest.importorskip("nbformat", reason="needs the packages of protoviz[notebooks]")
pytest.importorskip("jupytext", reason="needs the packages of protoviz[notebooks]")

import nbformat

from protoviz.audio import CellGrid
from protoviz.export.page import Entry, page
from protoviz.export.sources import Lesson
from protoviz.figures import attention_maps, cosine_map, spectrogram
from protoviz.figures.saving import model_of

hv.extension("bokeh", logo=False)
PLACES = """Bokeh.documents.flatMap((one) => [...one._all_models.values()])
    .filter((model) => model.type == "Figure").map((model) => {
        const view = Bokeh.index.find_one_by_id(model.id), {x_range, y_range} = model
        return {ranges: [x_range.start, x_range.end, y_range.start, y_range.end], touch:
            getComputedStyle(view.canvas_view.events_el).touchAction}
    })"""


def drawn(tools, **options):
    made = figure(tools=tools, height=300, **options)
    made.line([1, 2, 3], [1, 3, 2])
    return made


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A page of figures, as a notebook would have shown them: those of the library, and a student's own."""
    sound = np.random.default_rng(0).normal(size=20_480).astype("f4")
    asked = drawn([WheelZoomTool(modifiers="ctrl")])
    asked.toolbar.active_scroll = asked.tools[0]
    shown = [
        spectrogram(sound, seconds=1.28),
        attention_maps(np.full((1, 32), 1 / 32), CellGrid(8, 4, 1.28), sound),
        cosine_map(np.sign(np.random.default_rng(0).normal(size=(20, 16)))),
        hv.Curve([1, 2]) + hv.Curve([2, 1]),
        drawn("pan,wheel_zoom", active_scroll="wheel_zoom"),
        asked,
    ]
    notebook = nbformat.v4.new_notebook()
    for one in shown:
        root = model_of(one)
        Document().add_root(root)
        documents, items = standalone_docs_json_and_render_items([root])
        items = json.dumps([item.to_json() for item in items])
        html = f"docs_json = {json.dumps(documents)};\n  var render_items = {items};\n"
        output = nbformat.v4.new_output("display_data", {"text/html": html})
        notebook.cells.append(nbformat.v4.new_code_cell("1", outputs=[output]))
        notebook.cells.append(nbformat.v4.new_markdown_cell("A line to read.\n\n" * 20))
    folder = tmp_path_factory.mktemp("page")
    here = Entry(Lesson(folder / "py" / "06_page.py"), "06", "")
    (folder / "06_page.html").write_text(page(notebook, here, [here], 1.0))
    return (folder / "06_page.html").as_uri()


@pytest.fixture
def opened(browser, address):
    context = browser.new_context(viewport={"width": 1200, "height": 700})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    for i in range(page.locator(".figure").count()):
        page.locator(".figure").nth(i).scroll_into_view_if_needed()
        page.wait_for_function(f"document.querySelectorAll('.figure')[{i}].dataset.state == 'drawn'")
    yield page
    context.close()


def test_the_wheel_scrolls_past_every_figure(opened):
    before = opened.evaluate(PLACES)
    assert len(before) == 8, "of six outputs, two of them layouts"
    assert {one["touch"] for one in before[:-1]} <= {"auto", "pan-x pan-y"}
    figures = opened.locator(".bk-Figure")
    for i in range(figures.count()):
        figures.nth(i).scroll_into_view_if_needed()
        box, at = figures.nth(i).bounding_box(), opened.evaluate("scrollY")
        opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        step = -60 if at else 60
        opened.mouse.wheel(0, step)
        opened.wait_for_function(f"scrollY == {at + step}")
    assert opened.evaluate(PLACES) == before
    opened.keyboard.down("Control")
    opened.mouse.wheel(0, -60)
    opened.wait_for_function(
        f"JSON.stringify({PLACES}.at(-1).ranges) != '{json.dumps(before[-1]['ranges'])}'"
    )
    opened.keyboard.up("Control")
