"""The picture of a clip in the browser, no server: whose a click is, what is read out, the way back."""

import numpy as np
import pandas as pd
import pytest
from browsing import PATIENCE

from benchmarks.browser import HELP, IDLE
from protoviz.audio import CellGrid, FilterBank
from protoviz.explorer.widgets.spectrogram import Spectrogram
from protoviz.figures.saving import page_of
from protoviz.scenes import Event

HEARD = """window.heard = []; window.taps = 0
addEventListener('protoviz:event', ({detail}) => heard.push(detail.event))
model('spectrogram').on_event('tap', () => { taps += 1 })"""
RANGES = (
    "['x_range', 'y_range'].flatMap((name) => (({start, end}) => [start, end])(model('spectrogram')[name]))"
)
EVENTS = [Event("glass_break", 2.0, 4.0, 500, 900), Event("beep", 6.0, 8.0, 500, 900)]


@pytest.fixture
def opened(browser, tmp_path):
    """A window of a file from 100 s on, with a cell right under the name of the first event."""
    part = Spectrogram(CellGrid(64, 8, 10.24), FilterBank(), "here")
    pixels = np.zeros((128, 1024), np.uint8)
    pixels[64:] = 255
    part.show_picture(pixels, 60.0, offset=100.0)
    part.show_events(EVENTS)
    left, row = part.events.data["x"][0], part.events.data["y"][0]
    t, f = int(left / 0.16) + 2, int((row + 4) / 16)
    cell = {"rank": 1, "prototype": 7, "score": 0.5, "contribution": 1.0, "t": t, "f": f, "hit": pd.NA}
    cell |= {"onset": t * 0.16, "offset": (t + 1) * 0.16, "low_hz": 500.0, "high_hz": 900.0}
    part.show_cells(pd.DataFrame([cell]))
    path = tmp_path / "picture.html"
    path.write_text(page_of(part.figure), encoding="utf-8")
    context = browser.new_context(viewport={"width": 1000, "height": 600})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    page.evaluate(HELP)
    page.wait_for_selector(".bk-Figure")
    page.wait_for_function(f"{IDLE} && model('spectrogram').inner_width > 0")
    page.evaluate(HEARD)
    page.cell, page.part = (t * 0.16 + 0.08, row + 4), part
    yield page
    context.close()


def at(page, x, y):
    return page.evaluate(f"pixel('spectrogram', {x}, {y})")


def test_a_cell_takes_the_click_of_a_name_that_covers_it(opened):
    name, y = opened.part.events.data, opened.cell[1]
    assert name["x"][0] < opened.cell[0] < name["x"][0] + 1, "the cell lies under the name"
    opened.mouse.click(*at(opened, *opened.cell))
    opened.wait_for_function("taps == 1")
    opened.wait_for_timeout(500)  # two clicks within 0.3 s would be a double one
    opened.mouse.click(*at(opened, name["x"][1] + 0.2, y))
    opened.wait_for_function("heard.length > 0")
    assert opened.evaluate("heard") == [1], "the name of the other event, which covers no cell"


def test_the_place_under_the_pointer_is_read_out(opened):
    opened.mouse.move(*at(opened, 5.04, 100))
    opened.wait_for_function("model('pointed').text.includes('dB')")
    clock, hertz, level, cell = opened.evaluate("model('pointed').text").split(" · ")
    expected = 700 * np.expm1(np.log1p(20 / 700) + 100 / 128 * (np.log1p(8000 / 700) - np.log1p(20 / 700)))
    minutes, seconds = map(float, clock.split(":"))
    assert 60 * minutes + seconds == pytest.approx(105.04, abs=0.02), "of the file"
    assert float(hertz.split()[0]) == pytest.approx(expected, rel=0.03)
    assert (level, cell) == ("0 dB", "t 31, f 6")
    opened.mouse.move(*at(opened, 5.04, 20))
    opened.wait_for_function("model('pointed').text.includes('60 dB')")
    opened.mouse.move(5, 590)
    opened.wait_for_function("model('pointed').text == model('pointed').tags[0]")


def test_a_zoomed_picture_has_a_visible_way_back(opened):
    before = opened.evaluate(RANGES)
    opened.locator(".bk-tool-icon-auto-box-zoom").first.click()
    opened.mouse.move(*at(opened, 3, 30))
    opened.mouse.down()
    opened.mouse.move(*at(opened, 5, 90), steps=4)
    opened.mouse.up()
    opened.wait_for_function(f"JSON.stringify({RANGES}) != '{before}'.replaceAll(' ', '')")
    left, right, bottom, top = opened.evaluate(RANGES)
    assert (left, right, bottom, top) == pytest.approx((3, 5, 30, 90), abs=1)
    assert opened.evaluate("model('file').start") == pytest.approx(100 + left)
    opened.locator(".bk-tool-icon-reset").first.click()
    opened.wait_for_function(f"JSON.stringify({RANGES}) == '{before}'.replaceAll(' ', '')")
    assert opened.evaluate("[model('file').start, model('file').end]") == [100, 110.24]
