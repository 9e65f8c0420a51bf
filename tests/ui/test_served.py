"""The real commands over a demo on disk, and a connection that is lost."""

import re

import numpy as np
from browsing import PATIENCE
from page_bench import wav, write_demo
from serving import Served

from benchmarks.browser import IDLE, served

LOST = "document.getElementById('connection')"


def test_panel_serves_the_demo(tmp_path, open_page):
    write_demo(tmp_path / "demo")
    log = tmp_path / "log"
    with served(log, PROTOVIZ_DATA=str(tmp_path)) as address:
        opened = open_page(address)
        opened.page.get_by_text("mini-random").first.wait_for()
        assert opened.tell("model('cells').data.prototype.length") == 5
    assert "Traceback" not in log.read_text()


def test_a_lost_connection_comes_back_to_its_session_else_to_its_link(tmp_path, open_page):
    write_demo(tmp_path / "demo")
    running = Served(tmp_path)
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
        page.locator("#connection").wait_for()
        running = Served(tmp_path, port=running.port)
        opened.wait(back)
        page.get_by_text("Scene 61, 6 events").first.wait_for()
        assert opened.tell("location.search") == link
        assert page.get_by_text("mine.wav").count() == 0
        page.get_by_role("slider").first.press("ArrowRight")  # and it answers
        opened.wait("location.search.includes('events=7')")
    finally:
        running.end()
    opened.errors[:] = [error for error in opened.errors if "Failed to load resource" not in error]
    assert not [log for log in tmp_path.glob("log-*") if "Traceback" in log.read_text()]


def test_a_wrong_password_keeps_the_link(tmp_path, browser):
    write_demo(tmp_path / "demo")
    running = Served(tmp_path, PROTOVIZ_PASSWORD="open sesame")
    page, link = browser.new_page(), "?page=ranks&scene=61&events=6&class=rain"
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
