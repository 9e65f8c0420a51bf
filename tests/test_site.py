"""What the check of the site's links finds, and that the code of its pages is right."""

import re
from importlib import import_module

import numpy as np
import pytest
import soundfile

from benchmarks.site import ROOT, checked, course, lesson
from protoviz.export import find_lessons
from protoviz.probes.check import assert_probe

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


def test_the_code_of_the_page_on_bringing_ones_own_passes_the_checks(tmp_path, monkeypatch):
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "bring.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "brought.py").write_text("\n".join(code), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    brought = import_module("brought")
    assert_probe(brought.LongestToken)
    for number in range(40):
        path = tmp_path / "clips" / "ab"[number % 2] / f"{number // 8}_{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.full(4000, 0.1), 8000)
    table = brought.my_birds(tmp_path / "clips").table
    assert set(table.split) == {"train", "validation", "test"}
    sources = table.groupby(table.path.str.extract(r"([0-9]+)_[0-9]+.wav$")[0])
    assert set(sources.split.nunique()) == {1}


def test_every_notebook_has_a_page_of_the_site_that_names_what_it_teaches_and_asks_nobody():
    pytest.importorskip("latex2mathml", reason="needs the packages of protoviz[notebooks]")
    listed = course()
    for one in find_lessons():
        page = lesson(one)
        assert f"lessons/{one.name}" in listed
        assert "<h2" in page
        assert "<math" in page or "$" not in one.text
        assert not re.findall(r"""(?:src|href)=["']https?:""", page)
