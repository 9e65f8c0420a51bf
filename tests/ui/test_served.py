"""The real command, `panel serve protoviz/app.py`, over a demo on disk."""

from page_bench import write_demo

from benchmarks.browser import served


def test_panel_serves_the_demo(tmp_path, open_page):
    write_demo(tmp_path / "demo")
    log = tmp_path / "log"
    with served(log, PROTOVIZ_DATA=str(tmp_path)) as address:
        opened = open_page(address)
        opened.page.get_by_text("mini-random").first.wait_for()
        assert opened.tell("model('cells').data.prototype.length") == 5
    assert "Traceback" not in log.read_text()
