"""The page Ranks in a browser: the ranks that are drawn are those of the paper's table, counted here anew."""

import csv

from browsing import NEWEST

from protoviz.paths import DATA

# Of the figure that is shown: one whose place it took stays in the document for a while.
MARKS = """([figure, name]) => {
    const view = Bokeh.index.find_one_by_id(figure)
    const shown = view?.model.renderers.find((r) => r.data_source?.name == name)
    if (!shown) return []
    const {encoder, method, rank, x, y} = shown.data_source.data
    return [...encoder].map((e, i) => [e, method[i], rank[i], x[i], y[i]])
}"""


def counted(dataset=None):
    """{(encoder, method): rank} of the published table, by counting who is better."""
    sums, sets = {}, {}
    with (DATA / "paper" / "general.csv").open() as file:
        for row in csv.DictReader(file):
            if dataset in (None, row["dataset"]):
                key = row["encoder"], row["method"]
                sums[key] = sums.get(key, 0) + float(row["score"])
                sets[key] = sets.get(key, 0) + 1
    assert set(sets.values()) == {1 if dataset else 5}
    return {
        (e, m): 1 + sum(v > s for (_, other), v in sums.items() if other == m) for (e, m), s in sums.items()
    }


def assert_drawn(opened, expected):
    def same():
        marks = opened.page.evaluate(MARKS, [opened.view.charts["ranking"].figure.id, "ranking-marks"])
        drawn = {(e, m): (rank, y) for e, m, rank, _, y in marks}
        return drawn == {key: (rank, rank) for key, rank in expected.items()}

    opened.until(same)


def test_the_drawn_ranks_are_those_of_the_table(open_page):
    opened = open_page("?page=ranks")
    expected = counted()
    assert (expected["ASiT", "linear"], expected["ASiT", "protobin"]) == (2, 6)
    assert (expected["SSLAM", "linear"], expected["SSLAM", "protobin"]) == (4, 2)
    assert_drawn(opened, expected)
    for chart in ("ranking", "gains", "third"):
        assert opened.tell(f"model('{chart}').title.text").startswith("PUBLISHED")
    opened.page.get_by_text("falls from rank 2 to 6").first.wait_for()
    opened.page.get_by_label("Data sets").click()
    opened.page.get_by_text("urban", exact=True).click()
    opened.until(lambda: opened.state.own["ranks"].dataset == "urban")
    assert_drawn(opened, counted("urban"))
    opened.page.get_by_role("button", name="This study").click()
    opened.page.get_by_text("trained on procedural sound").first.wait_for()
    opened.wait(f"{NEWEST.format('scores-marks')}?.data.method.length >= 5")
    assert opened.tell(f"{NEWEST.format('scores')}.title.text") == ""
    assert "numbers=own" in opened.tell("location.search")
