"""Three studies in the browser: every page of each is drawn without an error, with its own numbers."""

import re
import shlex

import pytest
from browsing import NEWEST
from serving import shown
from typer.testing import CliRunner

from protoviz.cli import app
from protoviz.explorer.frame import explorer
from protoviz.explorer.pages import PAGES
from protoviz.explorer.studies import Studies
from protoviz.study import open_study, pack_study

# [[encoder, method, score]] of the marks of a chart.
MARKS = f"""(() => {{
  const found = {NEWEST.format("{}")}?.data
  return found ? Array.from(found.method, (m, i) => [found.encoder?.[i] ?? "", m, found.score[i]]) : []
}})()"""


@pytest.fixture(scope="module")
def address(three_studies):
    studies = Studies(three_studies)
    with shown(lambda: explorer(studies=studies)) as address:
        yield address


@pytest.mark.parametrize("name", ["demo", "eat", "own"])
def test_every_page_of_a_study_is_drawn(open_page, address, three_studies, name):
    opened = open_page(f"{address}?study={name}")
    for key in opened.pages():
        assert (f"study={name}" in opened.page.url) == (name != "demo"), "the first one need not be named"
        if key == "ranks":
            assert_own_scores(opened, getattr(three_studies, name))
        elif key == "polyphony" and name != "demo":
            assert_command(opened, re.compile("study add .* polyphony.* adds it"))


def assert_own_scores(opened, folder):
    """The marks are means over seeds, then data sets, of the study's table; what is published says so."""
    opened.wait(f"{MARKS.replace('{}', 'scores-marks')}.length > 0")
    drawn = {(e, m): score for e, m, score in opened.tell(MARKS.replace("{}", "scores-marks"))}
    tables = open_study(folder).results
    runs = tables["polyphony" if "polyphony" in tables else "results"]
    metric = "accuracy" if folder.name == "eat" else "mAP"  # one label a clip; several
    runs = runs[
        (runs.polyphony == 0) & (runs.metric == metric) & runs.method.isin({method for _, method in drawn})
    ]
    means = runs.groupby(["encoder", "method", "dataset"]).score.mean().groupby(["encoder", "method"]).mean()
    assert drawn == pytest.approx(means.to_dict())
    titles = {
        name: opened.tell(f"{NEWEST.format(name)}.title.text") for name in ("scores", "gains", "beside")
    }
    assert {name for name, title in titles.items() if title.startswith("PUBLISHED")} == {"beside"}


def assert_command(opened, said):
    """What the page lacks stands there with a command that there is."""
    text = opened.page.get_by_text(said).first.inner_text()
    command = re.search(r"protoviz (study add) \S+ (\w+)", text)
    asked = CliRunner().invoke(app, [*shlex.split(command[1]), "--help"])
    assert asked.exit_code == 0
    assert command[2] in asked.output


def test_packed_studies_are_shown_where_neither_data_nor_weights_are(
    open_page, three_studies, tmp_path, monkeypatch
):
    """`open_page` refuses every request but those of this machine."""
    monkeypatch.setenv("PROTOVIZ_CACHE", str(tmp_path / "cache"))
    for name in ("eat", "own"):
        pack_study(getattr(three_studies, name), tmp_path / f"{name}.zip")
    studies = Studies([tmp_path / "eat.zip", tmp_path / "own.zip"])
    with shown(lambda: explorer(studies=studies)) as address:
        assert [*open_page(address).pages()] == [*PAGES]
        opened = open_page(f"{address}?study=own&page=prototypes")
        opened.page.get_by_text("--allow").first.wait_for()


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
