"""Reports: what is bold, what is published, what is missing; documents whose tables are the results'."""

import html
import json
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from own_results import GAINS, write_results
from test_cli import run

from protoviz import report
from protoviz.analysis.claims import recomputed_claims
from protoviz.analysis.published import published
from protoviz.paths import DATA
from protoviz.report import Cell, Column, Row, Table
from protoviz.report.formats import html_table
from protoviz.report.regions import END
from protoviz.report.tables import BEST, SECOND, contested, marks, score_cell

ROOT = DATA.parent
PAIR = ("linear", "protobin")
NASTY = r"a_b & 50% of $x$ #1 {y} ~z^2 \cmd <i>q</i> | *s* --flag “q”"
TABLE = Table(
    "small",
    "Own & published",
    ("encoder", "method"),
    (Column("x_1: mAP, %", group="measured here"), Column("x_1", True, "PUBLISHED")),
    (
        Row(("e", "linear"), (Cell("46.3 ± 0.1", "46.2 to 46.4", SECOND), Cell("17.29"))),
        Row(("e", "proto"), (Cell("73.6 ± 0.7", "", BEST), Cell("31.06", "", BEST))),
        Row(("f", NASTY), (Cell(), Cell("−1.0"))),
    ),
    "Note of 5 %.",
)


# -- what wins


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([0.3, 0.1, 0.2], [BEST, "", SECOND]),
        ([0.3, 0.3, 0.2], [BEST, BEST, ""]),
        ([0.3, 0.2, 0.2], [BEST, SECOND, SECOND]),
        ([0.30004, 0.3, 0.2], [BEST, BEST, ""]),
        ([0.3, np.nan, 0.0], [BEST, "", SECOND]),
        ([0.3, np.nan], ["", ""]),
        ([-0.1, -0.2], [BEST, SECOND]),
    ],
)
def test_bests_that_are_shown_alike_are_all_best(values, want):
    assert marks(values) == want
    assert [score_cell(v).text == "" for v in values] == [np.isnan(v) for v in values], "no zero for nothing"


def test_a_contest_is_among_its_own_rows():
    rows = [Row((name,), (Cell("1"), Cell("2"))) for name in "abcd"]
    values = pd.DataFrame([[0.1, 0.301], [0.2, 0.302], [0.9, 0.9], [0.5, 0.1]])
    found = contested(rows, values, ["x", "x", None, "x"], (1, 2))
    assert [[cell.mark for cell in row.cells] for row in found] == [
        ["", SECOND],
        [SECOND, BEST],
        ["", ""],
        [BEST, ""],
    ]


def test_a_row_with_too_few_cells_is_refused():
    with pytest.raises(ValueError, match="cells"):
        Table("t", "t", ("a",), (Column("b"),), (Row(("x",), ()),))


# -- formats


def test_markdown_escapes_and_marks():
    lines = report.markdown(TABLE).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in rows]
    assert {len(row) for row in cells} == {4}, "a bar in a label does not cut its cell"
    assert "(*published*)" in cells[0][3]
    assert "published" not in cells[0][2]
    assert cells[2][2].strip() == "<ins>46.3 ± 0.1</ins> (46.2 to 46.4)"
    assert cells[3][2].strip() == "**73.6 ± 0.7**"
    assert cells[4][2].strip() == "–"
    assert r"a\_b" in cells[4][1]
    assert r"\*s\*" in cells[4][1]


def unescaped(tex: str, sign: str) -> int:
    return len(re.findall(rf"(?<!\\){re.escape(sign)}", tex))


def test_latex_is_whole_and_every_sign_of_a_label_is_read_as_itself():
    tex = report.latex(TABLE)
    body = tex[tex.index(r"\toprule") : tex.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert rows[0] == r" &  & \multicolumn{1}{c}{measured here} & \multicolumn{1}{c}{PUBLISHED} \\"
    assert all(unescaped(row, "&") == 3 for row in rows), "as many cells as columns"
    assert r"\begin{tabular}{llrr}" in tex
    for rule in (r"\toprule", r"\bottomrule", r"\caption{Own \& published. Note of 5 \%.}"):
        assert tex.count(rule) == 1
    assert body.count(r"\midrule") == 2, "under the head, and between encoders"
    assert r"\cmidrule(lr){3-3} \cmidrule(lr){4-4}" in body
    assert r"\emph{x\_1 (published)}" in body
    assert r"\textbf{73.6 $\pm$ 0.7}" in body
    assert r"\underline{46.3 $\pm$ 0.1} {\scriptsize (46.2 to 46.4)}" in body
    last = rows[-1].split(" & ")
    assert last[2] == r"\textendash{}"
    assert last[3] == r"$-$1.0 \\"
    label = rows[-1].removeprefix("f & ")
    for sign in "_%#":
        assert unescaped(label, sign) == 0
    for word in (r"\&", r"\$x\$", r"\{y\}", r"\textasciitilde{}z\textasciicircum{}2", r"\textbackslash{}cmd"):
        assert word in label
    assert "-{}-flag ``q''" in label
    whole = report.latex_document([TABLE, TABLE])
    for place in ("document", "table", "tabular", "adjustbox"):
        assert whole.count(rf"\begin{{{place}}}") == whole.count(rf"\end{{{place}}}") > 0
    for package in ("booktabs", "adjustbox"):
        assert f"{{{package}}}" in whole[: whole.index(r"\begin{document}")]
    assert unescaped(whole, "{") == unescaped(whole, "}")


class Page(HTMLParser):
    """Rows of cells (span, text), and whatever a page would fetch."""

    def __init__(self, text: str):
        super().__init__()
        self.rows, self.open, self.fetched, self.stack = [], False, [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append([int(attrs.get("colspan", 1)), ""])
            self.open = True
        self.fetched += [attrs[k] for k in ("src", "href") if k in attrs and not attrs[k].startswith("#")]
        if tag not in ("meta", "br"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag
        self.open = self.open and tag not in ("td", "th")

    def handle_data(self, data):
        if self.open:
            self.rows[-1][-1][1] += data


def test_html_escapes_aligns_and_needs_nothing_from_elsewhere():
    page = report.html([TABLE], "A <title>", "Opening & more", ["gap: <why>"])
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"\{\{\w+\}\}", page)
    read = Page(page)
    assert read.fetched == []
    assert read.stack == []
    assert {sum(span for span, _ in row) for row in read.rows} == {5}, "an aside is a column"
    assert read.rows[-1][1][1] == NASTY
    assert read.rows[-1][2][1] == "–"
    assert [text for _, text in read.rows[0]] == ["", "measured here", "PUBLISHED"]
    assert html.escape("A <title>") in page
    section = html_table(TABLE)
    assert "<u>46.3 ± 0.1</u>" in section
    assert "<b>73.6 ± 0.7</b>" in section
    assert section.count('class="published"') == 1 + len(TABLE.rows)


# -- contents


def test_the_papers_statements_come_out_of_its_tables():
    table = recomputed_claims().set_index("claim").computed
    stated = recomputed_claims().set_index("claim").value
    known = table.dropna()
    assert len(known) == 6
    assert known.iloc[0] == 14.41
    assert known["gap to fine-tuning closed by protobin, EAT on as20k"] == 62.8
    assert (known.round(0) == stated[known.index].round(0)).all()
    places = [known[f"rank of {e} under {m}, 5 general sets"] for e in ("ASiT", "SSLAM") for m in PAIR]
    assert places == [2, 6, 4, 2]
    assert table[table.isna()].index.str.contains("BirdSet").all()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    data, out = write_results(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp("out")
    return data, out, report.write_report(out, data)


def test_a_report_of_any_folder_holds_its_scores_in_every_format(made):
    data, _, paths = made
    frame = pd.read_parquet(data / "results" / "polyphony.parquet")
    whole = frame[(frame.polyphony == 0) & (frame.encoder == "mini-c")]
    scores = 100 * whole[whole.method == "mhca"].score
    shown = f"{scores.mean():.1f} ± {scores.std(ddof=1):.1f}"
    texts = [path.read_text() for path in paths[:3]]
    assert [path.name for path in paths[:3]] == ["report.md", "report.tex", "report.html"]
    assert shown in texts[0]
    assert shown.replace("±", r"$\pm$") in texts[1]
    assert shown in texts[2]
    for text in texts:
        assert "14.41" in text, "the paper's own statement"
        assert "mini-a, mini-b, mini-c are mini encoders, trained on procedural sound" in text
        assert "made by protoviz polyphony" in text
    names = {path.stem for path in paths[3:]}
    assert {
        "own-polyphony",
        "own-polyphony-gains",
        "own-polyphony-wins",
        "own-polyphony-ranks",
        "published-gap",
    } <= names
    for path in paths[3:]:
        assert path.read_text().count(r"\begin{tabular}") == 1


def test_every_published_number_is_marked_and_no_own_one_is(made):
    data, *_ = made
    own = {"own-polyphony", *(t.name for t in report.contents(data).tables if t.name.startswith("own-"))}
    for table in report.contents(data).tables:
        flags = [column.published for column in table.columns]
        if table.name in own:
            assert not any(flags), table.name
            assert "trained on procedural sound" in table.note, "wherever it is pasted"
        elif table.name.startswith("published"):
            assert all(flags), table.name
        else:
            assert [column.group.startswith("PUBLISHED") for column in table.columns] == flags
            assert set(flags) == {True, False}


def test_own_results_stand_beside_the_papers_for_the_same_encoder(made, tmp_path):
    data, *_ = made
    frame = pd.read_parquet(data / "results" / "polyphony.parquet").replace(
        {"encoder": {"mini-a": "eat"}, "dataset": {"mixed": "urban"}}
    )
    (tmp_path / "results").mkdir()
    frame.to_parquet(tmp_path / "results" / "polyphony.parquet")
    tables = {table.name: table for table in report.contents(tmp_path).tables}
    table = tables["beside-polyphony"]
    assert [column.name for column in table.columns[:2]] == ["eat, urban: mAP", "EAT, urban: mAP"]
    assert [column.published for column in table.columns[:2]] == [False, True]
    rows = {row.labels[0]: row.cells for row in table.rows}
    theirs = published("methods").query("dataset == 'urban' and method == 'mhca'").score.iloc[0]
    assert rows["mhca"][1].text == f"{100 * theirs:.2f}"
    assert rows["protobin + BatchNorm"][1].text == "", "the paper has no such method"
    assert "in common" not in table.note
    assert "mini-b, mini-c are mini" in tables["own-polyphony"].note
    assert "eat" not in tables["own-polyphony"].note


def test_a_sum_that_the_scores_do_not_allow_is_named(made, tmp_path):
    data, *_ = made
    frame = pd.read_parquet(data / "results" / "polyphony.parquet")
    (tmp_path / "results").mkdir()
    frame[(frame.seed == 0) & (frame.encoder == "mini-a")].to_parquet(
        tmp_path / "results" / "polyphony.parquet"
    )
    found = report.contents(tmp_path)
    assert "own-polyphony-wins" not in {table.name for table in found.tables}
    assert any("pairwise wins" in gap and "two" in gap for gap in found.gaps)
    scores = next(table for table in found.tables if table.name == "own-polyphony")
    assert all("±" not in row.cells[0].text and not row.cells[0].aside for row in scores.rows)
    with pytest.raises(ValueError, match="no results"):
        report.contents(tmp_path / "nowhere")


def test_a_missing_pair_is_a_dash_in_its_row(made, tmp_path):
    data, *_ = made
    frame = pd.read_parquet(data / "results" / "polyphony.parquet")
    other = frame[frame.method != "mhca"].assign(dataset="urban")
    (tmp_path / "results").mkdir()
    pd.concat([frame, other]).to_parquet(tmp_path / "results" / "polyphony.parquet")
    table = next(t for t in report.contents(tmp_path).tables if t.name == "own-polyphony")
    cells = {row.labels: row.cells for row in table.rows}
    for encoder in ("mini-a", "mini-b"):
        assert cells[encoder, "mhca"][1] == Cell()
    assert len(cells) == 3 * len(GAINS) + 1, "and chance"


def test_tables_are_written_as_csv_where_they_are_asked_for(made, tmp_path):
    data, _, paths = made
    assert not [path for path in paths if path.suffix == ".csv"]
    done = run("report", "--data", str(data), "--out", str(tmp_path), "--csv")
    assert done.exit_code == 0
    frame = pd.read_parquet(data / "results" / "polyphony.parquet")
    written = pd.read_csv(tmp_path / "csv" / "polyphony.csv")
    pd.testing.assert_frame_equal(written, frame, check_dtype=False)


def test_tables_of_sources_with_alike_or_strange_names_are_kept_apart(made, tmp_path):
    data, *_ = made
    (tmp_path / "data" / "results").mkdir(parents=True)
    names = ["Mine", "mine", "50% #1 _x", "n" * 240]
    for name in names:
        (tmp_path / "data" / "results" / f"{name}.parquet").write_bytes(
            (data / "results" / "polyphony.parquet").read_bytes()
        )
    paths = report.write_report(tmp_path / "out", tmp_path / "data")
    stems = [path.stem for path in paths[3:]]
    assert len({stem.casefold() for stem in stems}) == len(stems)
    assert all(re.fullmatch(r"[\w+.-]{1,100}", stem) for stem in stems)
    captions = "\n".join(path.read_text() for path in paths[3:])
    assert all(captions.count(f"{{Own results, {name}.") == 1 for name in ("Mine", "mine"))
    (tmp_path / "data" / "demo").mkdir()
    for place in ("demo/results.parquet", "results/demo.parquet"):
        (tmp_path / "data" / place).write_bytes((data / "results" / "polyphony.parquet").read_bytes())
    with pytest.raises(ValueError, match=r"'demo'.*demo\.parquet"):
        report.contents(tmp_path / "data")


ODD = "a\n\n# b\r| y |\n| --- | *b* _c_ `d` ~~e~~ <img src=x> &lt; [l](http://x.y) www.x.y $a$ \x1b[1m \u202e"


def blocks(text: str):
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def _texts(tokens) -> list[str]:
    return ["".join(part.content for part in token.children or ()) for token in tokens]


def test_a_name_of_any_signs_is_one_line_of_plain_text_in_a_report(made, tmp_path):
    """As a source, an encoder, a data set and a method: no heading, row, link or style more than without."""
    data, *_ = made
    for name, folder in (("plain", tmp_path / "plain"), (ODD, tmp_path / "odd")):
        folder.mkdir()
        frame = pd.read_parquet(data / "results" / "polyphony.parquet")
        for column in ("encoder", "dataset", "method"):
            frame[column] = frame[column].replace(frame[column].iloc[0], name)
        frame.to_parquet(folder / "results.parquet")
        (folder / "results.json").write_text(json.dumps({"name": name}))
        report.write_report(folder / "out", folder)
    plain, strange = ((tmp_path / one / "out" / "report.md").read_text() for one in ("plain", "odd"))
    found, known = blocks(strange), blocks(plain)
    assert [token.type for token in found] == [token.type for token in known]
    parts, others = ([part for token in all_ for part in token.children or ()] for all_ in (found, known))
    kinds = [Counter(part.type for part in some if part.type != "text") for some in (parts, others)]
    assert kinds[0] == kinds[1]
    said = " ".join("".join(sign if sign.isprintable() else " " for sign in ODD).split())
    assert any(said in text for text in _texts(found)), "it is shown as it is"
    assert not re.search(r"(?<!\\)://x|www\.x", strange), "no link of its own"
    for latex in (tmp_path / "odd" / "out" / "tables").glob("*.tex"):
        assert "\n\n" not in latex.read_text(), "a caption is one paragraph"


# -- documents


def test_the_documents_of_the_checkout_show_the_results():
    paths = report.documents(ROOT)
    assert {path.name for path in paths} >= {"README.md", "scaling.md"}
    names = report.check(paths, DATA)
    assert {"demo", "poolings", "scaling-summary"} <= set(names)


def test_a_number_that_was_changed_by_hand_is_found_and_mended(tmp_path):
    text = (ROOT / "README.md").read_text()
    old = next(line for line in text.splitlines() if line.startswith("| protobin |"))
    (tmp_path / "README.md").write_text(text.replace(old, old.replace("69.3", "96.3")))
    done = run("report", "--check", "--root", str(tmp_path), "--data", str(DATA))
    assert done.exit_code == 1
    assert "96.3" in done.output
    assert old in done.output
    assert run("report", "--write", "--root", str(tmp_path), "--data", str(DATA)).exit_code == 0
    assert (tmp_path / "README.md").read_text() == text
    again = run("report", "--write", "--check", "--root", str(tmp_path), "--data", str(DATA))
    assert "nothing has changed" in again.output
    assert "1 table" in again.output


def test_regions_leave_the_rest_alone_and_wrong_marks_are_refused():
    tables = {"a": lambda: "| 1 |\n", "b": lambda: "| 2 |"}
    mark = "<!-- protoviz table {} -->"
    text = f"x\n{mark.format('a')}\nold\n\nold\n{END}\ny\n{mark.format('b')}\n{END}\nz\n"
    new = report.refreshed(text, tables)
    assert new == f"x\n{mark.format('a')}\n| 1 |\n{END}\ny\n{mark.format('b')}\n| 2 |\n{END}\nz\n"
    assert report.refreshed(new, tables) == new
    assert report.refreshed("no marks", tables) == "no marks"
    with pytest.raises(report.RegionError, match="choose one of a, b"):
        report.refreshed(text.replace("table b", "table c"), tables)
    with pytest.raises(report.RegionError, match="has no"):
        report.refreshed(text.replace(f"{END}\nz", "z"), tables)
    with pytest.raises(report.RegionError, match="inside"):
        report.refreshed(text.replace(f"old\n{END}", "old"), tables)


def test_a_report_of_a_folder_without_results_is_one_line(tmp_path):
    done = run("report", "--data", str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert "protoviz poolings" in done.output
    assert not (tmp_path / "out").exists()
