"""The teacher's page names only what exists, and numbers that a notebook states or a shipped table holds."""

import re
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from protoviz.analysis.published import published
from protoviz.analysis.ranking import gains, gap_closed, moves, rank_agreement, ranks
from protoviz.metrics import auroc, average_precision
from protoviz.scenes import SCENE_CLASSES

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
PAGE = (FOLDER / "README.md").read_text()
NOTEBOOKS = {path.stem for path in (FOLDER / "py").glob("*.py")}
# What the paper has, by its own numbers.
ITEMS = (
    [f"Figure {n}" for n in range(1, 9)] + ["Figures 14-17"] + [f"Table {n}" for n in (2, 3, 5, 7, 8, 9, 10)]
)


def section(title: str) -> str:
    """The text under a heading that begins with `title`."""
    found = re.search(rf"^## {title}[^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """The cells of every table row under a heading; heads and the rules below them are left out."""
    lines = [*section(title).splitlines(), ""]
    return [
        line.strip("| ").split(" | ")
        for line, after in pairwise(lines)
        if line.startswith("| ") and not after.startswith("|---")
    ]


def named(text: str) -> set[str]:
    """The notebooks that a text names."""
    return set(re.findall(r"`(\d\d_\w+)`", text))


def prose(notebook: str) -> str:
    source = (FOLDER / "py" / f"{notebook}.py").read_text()
    return " ".join(re.sub(r"^# ?", "", line) for line in source.splitlines() if line.startswith("#"))


def test_every_notebook_has_a_place_in_the_course():
    assert named(PAGE) == NOTEBOOKS
    for title in ("Order and timing", "What they can do afterwards"):
        assert named(section(title)) == NOTEBOOKS, title


def test_each_unit_takes_ninety_minutes():
    units = re.findall(r"^\| Unit \d.*?(?=\n\n)", section("Order and timing"), re.MULTILINE | re.DOTALL)
    assert len(units) == 2
    for unit in units:
        assert sum(int(n) for n in re.findall(r"\| (\d+) \|", unit)) == 90


@pytest.mark.parametrize("row", rows("Expected numbers"), ids=lambda row: f"{row[0].strip('`')} {row[1]}")
def test_an_expected_number_is_stated_by_its_notebook(row):
    notebook, number, _ = row
    source = (FOLDER / "py" / f"{notebook.strip('`')}.py").read_text()
    assert re.search(rf'stated\(\s*"{re.escape(number)}"', source), f"{notebook} does not state {number}"


def test_the_published_numbers_are_those_of_the_shipped_tables():
    """What `stated` holds when a notebook runs, held here without running one."""
    expected = {(row[0].strip("`"), row[1]) for row in rows("Expected numbers")}
    table = published()
    ranking = ranks(table)
    asit = moves(ranking, "linear", "protobin").set_index("encoder").loc["ASiT"]
    gained = gains(table).query("method == 'protobin'").gain.mean()
    gap = gap_closed(published("labels"), published("finetuning"))
    eat = gap.query("dataset == 'as20k' and encoder == 'EAT' and method == 'protobin'").share.item()
    tau = rank_agreement(ranking).set_index(["first", "second"]).tau["linear", "protobin"]
    for number in (
        f"{asit.before}",
        f"{asit.after}",
        f"{100 * gained:.2f}",
        f"{100 * eat:.1f} %",
        f"{tau:.2f}",
    ):
        assert ("07_ranks", number) in expected
    scores = [[3.0], *[[2.0]] * 9, [1.0], *[[0.0]] * 9]
    holds = [[1], *[[0]] * 9, [1], *[[0]] * 9]
    shares = f"{average_precision(scores, holds)[0]:.3f}", f"{auroc(scores, holds)[0]:.2f}"
    for number in (f"{800 / len(SCENE_CLASSES):.1f} %", *shares):
        assert ("08_polyphony", number) in expected


@pytest.mark.parametrize(
    ("words", "notebooks"),
    [
        ("attention is not explanation", {"02_attention"}),
        ("max over tokens is not localisation", {"05_prototypes", "09_your_own"}),
        ("prevalence moves mAP", {"08_polyphony"}),
    ],
)
def test_a_misconception_is_met_where_the_page_says(words, notebooks):
    (row,) = [row for row in rows("Misconceptions") if words.lower() in row[1].lower()]
    assert named(row[2]) == notebooks
    for name in notebooks:
        assert words.lower() in prose(name).lower(), name


def test_the_list_has_every_figure_and_table_of_the_paper():
    items = [row[0].split(":")[0] for row in rows("Figures and tables of the paper")]
    assert [item for item in items if item != "beyond the paper"] == ITEMS


@pytest.mark.parametrize("row", rows("Figures and tables of the paper"), ids=lambda row: row[0].split(":")[0])
def test_what_the_list_names_exists(row):
    _, notebooks, functions, what = row
    assert named(notebooks)
    assert named(notebooks) <= NOTEBOOKS
    paths = re.findall(r"`(protoviz[\w.]*)`", functions)
    assert paths
    assert len(paths) == functions.count("`") / 2
    for path in paths:
        module, _, name = path.rpartition(".")
        assert hasattr(import_module(module), name), path
    used = " ".join((FOLDER / "py" / f"{name}.py").read_text() for name in named(notebooks))
    assert any(path.rpartition(".")[2] in used for path in paths), f"{notebooks} uses none of {functions}"
    kinds = ("redrawn", "measured", "with yours", "not read", "built", "alone", "defaults")
    assert any(kind in what for kind in kinds), what
