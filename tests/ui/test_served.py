"""The real commands over a demo on disk, and a connection that is lost."""

import io
import re

import numpy as np
import pytest
import soundfile
from browsing import PATIENCE
from page_bench import wav
from serving import Served

from benchmarks.browser import IDLE, server
from protoviz.explorer.pages import PAGES
from protoviz.paths import data_folder

LOST = "document.getElementById('connection')"


def test_a_lost_connection_comes_back_to_its_session_else_to_its_link(demo_folder, open_page):
    running = Served(demo_folder)
    try:
        opened = open_page(f"{running.url}?page=listen&scene=61&events=6&class=rain")
        page, back = opened.page, f"window.left === undefined && !{LOST} && {IDLE}"
        opened.drop("mine.wav", wav(np.full(16000, 0.1, np.float32)))
        page.get_by_text("mine.wav").first.wait_for()
        opened.wait("!location.search.includes('class=rain')")  # it is silent there
        link = opened.tell("location.search")
        with page.expect_request(re.compile("bokeh-session-id")):
            opened.tell("window.left = true, sockets[0].close()")
        opened.wait(back)
        page.get_by_text("mine.wav").first.wait_for()  # the same session: no link holds a file
        assert opened.tell("location.search") == link
        opened.tell("window.left = true")
        running.end()
        assert "Traceback" not in running.log.read_text()
        page.locator("#connection").wait_for()
        running = Served(demo_folder, port=running.port)
        opened.wait(back)
        page.get_by_text("Scene 61, 6 events").first.wait_for()
        assert opened.tell("location.search") == link
        assert page.get_by_text("mine.wav").count() == 0
        page.get_by_role("slider").first.press("ArrowRight")  # and it answers
        opened.wait("location.search.includes('clip=scene-61-7')")
    finally:
        running.end()
    lost = ("Failed to load resource", "not connected")  # what a browser says of a server that is gone
    opened.errors[:] = [error for error in opened.errors if not any(words in error for words in lost)]
    assert "Traceback" not in running.log.read_text()


def test_a_wrong_password_keeps_the_link(demo_folder, browser):
    running = Served(demo_folder, PROTOVIZ_PASSWORD="open sesame")
    page, link = browser.new_page(), "?page=ranks&clip=scene-61-6&class=rain"
    page.set_default_timeout(PATIENCE)

    def enter(password: str) -> None:
        page.get_by_label("Password").fill(password)
        page.get_by_role("button").click()

    try:
        page.goto(running.url + link)
        for wrong in ("", "open"):
            with page.expect_response(re.compile(r"login\?next=")):
                enter(wrong)
            page.get_by_role("alert").wait_for()
        enter("open sesame")
        page.wait_for_url(f"{running.url}?*")
        page.wait_for_function(IDLE)
        assert page.evaluate("location.search") == link
    finally:
        page.close()
        running.end()


TWO = ("--num-procs", "2")
BACK = f"window.left === undefined && !{LOST} && {IDLE}"


def open_all(open_page, url: str) -> None:
    """Open every page once; what is missing, foreign or broken fails the test (see `open_page`)."""
    for key in PAGES:
        open_page(f"{url}?page={key}").page.context.close()


@pytest.mark.slow  # two servers beside the browser; test_serve_processes holds the rule without one
def test_pages_of_several_processes_open_and_come_back_with_their_file(tmp_path, open_page):
    running = Served(tmp_path, *TWO, PROTOVIZ_DATA=str(data_folder()))
    try:
        open_all(open_page, running.url)
        opened = open_page(f"{running.url}?page=listen")
        opened.drop("mine.wav", wav(np.full(16000, 0.1, np.float32)))
        opened.page.get_by_text("mine.wav").first.wait_for()
        for _ in range(4):  # by chance it would come to the other process
            opened.tell("window.left = true, sockets[0].close()")
            opened.wait(BACK)
            opened.page.get_by_text("mine.wav").first.wait_for()
    finally:
        running.end()
    opened.errors[:] = [error for error in opened.errors if "405" not in error]  # whether it answers at all
    assert "Traceback" not in running.log.read_text()


def test_panel_serves_the_demo_and_what_visitors_cost_has_limits_that_say_so(
    tmp_path, demo_folder, open_page, browser
):
    long = io.BytesIO()
    soundfile.write(long, np.tile(np.sin(np.arange(16000) / 9), 1800), 16000, format="FLAC")
    limits = {"PROTOVIZ_SESSIONS": "2", "PROTOVIZ_SECONDS": "1", "OMP_NUM_THREADS": "1"}
    # Not too soon: a page whose session has gone before its socket comes is another one.
    quick = ("--unused-session-lifetime", "8000", "--check-unused-sessions", "500")
    with server(tmp_path / "log", *quick, PROTOVIZ_DATA=str(demo_folder), **limits) as (address, _):
        first, second = (open_page(f"{address}?page=listen") for _ in range(2))
        first.page.get_by_text("mini-random").filter(visible=True).first.wait_for()
        assert first.tell("model('cells').data.prototype.length") == 5
        third = browser.new_page()
        third.set_default_timeout(PATIENCE)
        third.goto(address)
        third.get_by_text("2 pages are open at this server").wait_for()
        first.drop("half an hour.flac", long.getvalue())
        first.page.get_by_role("button", name="Scan the whole file").click()
        first.page.get_by_role("alert").get_by_text("stopped after 1 second").wait_for()
        first.page.get_by_role("button", name="Go on scanning").wait_for()
        for page in (first, second):  # and both answer
            page.page.get_by_role("slider").first.press("ArrowRight")
            page.wait("/clip=scene-[0-9]+-4/.test(location.search)")
        assert "Traceback" not in (tmp_path / "log").read_text()
        second.page.close()
        while not third.locator(".bk-Figure").count():
            third.wait_for_timeout(1000)
            third.reload()
            third.wait_for_function(IDLE)
        third.close()
