"""Nothing that a browser shows asks another host: what the pages of the explorer's own tests do not open.

Those watch the explorer (`open_page`), an exported notebook and the page of a study.
"""

import pytest
from browsing import refuse_others
from page_bench import write_demo
from serving import Served

import protoviz
from benchmarks.site import SITE
from protoviz.figures.of_study import FIGURES


@pytest.fixture
def asked(browser):
    """A function (address, its own beginning) -> what else a page asks for, all of it refused."""

    def requests(address: str, own: str) -> list[str]:
        found, context = [], browser.new_context()
        refuse_others(context, lambda url: url.startswith(own), found)
        page = context.new_page()
        page.goto(address)
        page.wait_for_load_state("networkidle")
        context.close()
        return found

    return requests


def test_the_login_asks_nobody_else(asked, demo_folder):
    running = Served(demo_folder, PROTOVIZ_PASSWORD="a word")
    try:
        own = f"http://127.0.0.1:{running.port}/"
        assert asked(running.url, own) == []
    finally:
        running.end()


@pytest.mark.parametrize("name", ["weight_map", "spectrogram", "class_bars"])
def test_a_figure_saved_as_html_asks_nobody(asked, name, tmp_path, demo_folder):
    assert name in FIGURES
    study = protoviz.open_study(write_demo(tmp_path / "mine"))
    path = protoviz.figure(study, name).save(tmp_path / "figure.html")
    assert asked(path.as_uri(), path.as_uri()) == []


def test_the_start_of_the_site_asks_nobody(asked):
    start = SITE / "index.html"
    if not start.exists():
        pytest.skip("needs the site: `make docs` writes it")
    assert asked(start.as_uri(), SITE.as_uri()) == []
