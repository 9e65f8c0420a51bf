"""Three studies in the browser: every page of each is drawn without an error."""

import pytest
from serving import shown

from protoviz.explorer.frame import explorer
from protoviz.explorer.pages import PAGES
from protoviz.explorer.studies import Studies


@pytest.fixture(scope="module")
def address(three_studies):
    studies = Studies(three_studies)
    with shown(lambda: explorer(studies=studies)) as address:
        yield address


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
    opened = open_page(f"{address}?page=orthogonality", width=390)
    assert opened.tell("document.documentElement.scrollWidth") <= 390, "it has a line of its own on a phone"
    opened.page.get_by_role("combobox", name="Study", exact=True).click()
    opened.page.get_by_role("menuitem", name="eat", exact=True).click()
    opened.wait("location.search.includes('study=eat')")
    assert "page=orthogonality" in opened.page.url
    opened.settle()
    opened.page.go_back()
    opened.wait("!location.search.includes('study=')")
    assert "page=orthogonality" in opened.page.url
