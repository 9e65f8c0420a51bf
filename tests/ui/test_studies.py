"""Three studies in the browser: every page of each is drawn without an error."""

from contextlib import suppress

import panel as pn
import pytest
import torch

from benchmarks.browser import free_port
from protoviz.explorer.frame import explorer
from protoviz.explorer.pages import PAGES
from protoviz.explorer.studies import Studies


@pytest.fixture(scope="module")
def address(three_studies):
    port, studies = free_port(), Studies(three_studies)

    def one_page():
        torch.set_num_threads(1)  # the browser needs the other core
        return explorer(studies=studies)

    origin = f"127.0.0.1:{port}"
    thread = pn.serve(
        {"/app": one_page}, port=port, address="127.0.0.1", websocket_origin=origin, threaded=True, show=False
    )
    yield f"http://{origin}/app"
    with suppress(RuntimeError):
        thread.stop()


@pytest.mark.parametrize("name", ["demo", "eat", "own"])
def test_every_page_of_a_study_is_drawn(open_page, address, name):
    opened = open_page(f"{address}?study={name}")
    for key, title in PAGES.items():
        opened.page.get_by_role("link", name=title, exact=True).click()
        opened.wait(f"location.search.includes('page={key}')")
        opened.settle()
        assert opened.page.locator(".card:visible").count() > 0
        assert (f"study={name}" in opened.page.url) == (name != "demo"), "the first one need not be named"


def test_the_header_shows_another_study_on_the_same_page_and_back_returns(open_page, address):
    opened = open_page(f"{address}?page=orthogonality")
    opened.page.get_by_role("combobox", name="Study", exact=True).click()
    opened.page.get_by_role("menuitem", name="eat", exact=True).click()
    opened.wait("location.search.includes('study=eat')")
    assert "page=orthogonality" in opened.page.url
    opened.settle()
    opened.page.go_back()
    opened.wait("!location.search.includes('study=')")
    assert "page=orthogonality" in opened.page.url
