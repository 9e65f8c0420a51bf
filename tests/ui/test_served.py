"""The real command, `panel serve protoviz/app.py`, over a demo on disk."""

from page_bench import write_demo
from serving import Served

from benchmarks.browser import IDLE, served


def test_panel_serves_the_demo(tmp_path, open_page):
    write_demo(tmp_path / "demo")
    log = tmp_path / "log"
    with served(log, PROTOVIZ_DATA=str(tmp_path)) as address:
        opened = open_page(address)
        opened.page.get_by_text("mini-random").first.wait_for()
        assert opened.tell("model('cells').data.prototype.length") == 5
    assert "Traceback" not in log.read_text()


def test_a_lost_connection_is_said_and_the_view_comes_back_from_its_link(tmp_path, open_page):
    write_demo(tmp_path / "demo")
    first = Served(tmp_path)
    opened = open_page(f"http://127.0.0.1:{first.port}/app?page=prototypes&scene=61&events=6&class=rain")
    link = opened.tell("location.search")
    first.end()
    opened.page.locator("#connection").wait_for()
    second = Served(tmp_path, port=first.port)
    try:
        opened.tell("window.before = true")
        opened.wait(f"!window.before && !document.getElementById('connection') && {IDLE}")
        assert opened.tell("location.search") == link
        opened.page.get_by_text("Scene 61, 6 events").first.wait_for()
        opened.errors.clear()  # the browser's own word for a server that does not answer
    finally:
        second.end()
