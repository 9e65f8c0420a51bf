"""What the check of the site's links finds."""

import pytest

from benchmarks.site import checked

GOOD = '<h1 id="a">A</h1><a href="#a">here</a><a href="b.html#b">there</a><a href="https://example.org/x">out</a>'


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(
        '<p id="b"><img src="data:image/png;base64,AA"><a href="a.html">back</a>'
    )
    return tmp_path


def test_a_site_without_a_fault_has_none(site):
    assert checked(site) == (2, [])


@pytest.mark.parametrize(
    "fault",
    [
        '<a href="c.html">',
        '<a href="b.html#c">',
        '<a href="https:/example.org">',
        '<a href="http://exa mple.org">',
        '<script src="https://example.org/x.js"></script>',
        '<img src="//example.org/x.png">',
        '<link rel="stylesheet" href="https://example.org/x.css">',
        '<img src="absent.png">',
    ],
)
def test_each_fault_is_told_with_its_page(site, fault):
    (site / "a.html").write_text(GOOD + fault)
    _, (said,) = checked(site)
    assert said.startswith("a.html: ")


def test_a_style_sheet_that_asks_another_host_is_told(site):
    (site / "x.css").write_text('@import "https://example.org/y.css";')
    assert len(checked(site)[1]) == 1
