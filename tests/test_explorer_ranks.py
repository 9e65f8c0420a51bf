"""The page Ranks without a browser: what is drawn, and that published numbers never look like own ones."""

import numpy as np
import pandas as pd
import pytest
from own_results import GAINS, LEVELS, write_results
from page_bench import small_bench
from visiting import says

from protoviz.analysis.published import published
from protoviz.analysis.tables import TUNED
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages.ranks.view import Ranks
from protoviz.explorer.session import ExplorerState
from protoviz.figures import ENCODER_COLOURS
from protoviz.figures.colours import UNSETTLED, encoder_colours
from protoviz.paths import DATA


@pytest.fixture
def shown():
    return Ranks(ExplorerState(small_bench(), clip="scene-30-3", page="ranks"))


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_DATA", str(write_results(tmp_path)))
    view = Ranks(ExplorerState(small_bench(), clip="scene-30-3", page="ranks"))
    view.own.numbers = "own"
    return view


def marks(view, name="ranking"):
    """What the chart's marks hold: the first source whose columns name a method."""
    figure = view.charts[name].figure
    return pd.DataFrame(dict(figure.select_one({"name": f"{name}-marks"}).data))


def test_the_published_story_is_drawn(shown):
    drawn = marks(shown).set_index(["method", "encoder"])["rank"]
    assert drawn["linear", "ASiT"] == 2
    assert drawn["protobin", "ASiT"] == 6
    assert (drawn["linear", "SSLAM"], drawn["protobin", "SSLAM"]) == (4, 2)
    means = published().groupby(["method", "encoder"]).score.mean()
    for method in ("linear", "mhca", "protobin"):
        assert drawn[method].sort_values().index.tolist() == means[method].sort_values()[::-1].index.tolist()
    assert shown.own.followed(shown.own.ranking()) == ["SSLAM", "ASiT"]
    assert says(shown, "<b>ASiT</b>", "rank 2 to 6", "<b>SSLAM</b>", "rank 4 to 2", "63 %", "+14.4")


def test_published_cannot_be_taken_for_own(shown, own):
    for name in ("ranking", "gains", "third"):
        assert shown.charts[name].figure.title.text.startswith("PUBLISHED: Rauch et al.")
        assert [box.line_dash for box in shown.charts[name].figure.center if hasattr(box, "line_dash")]
        assert own.charts[name].figure.title.text == ""
    assert set(marks(shown).fill) == {"#FBFCFD"}, "open markers"
    assert "#FBFCFD" not in set(marks(own).fill)
    shown.own.numbers = "own"
    assert says(shown, "mini", "procedural")


def test_a_single_data_set_is_ranked_by_itself(shown):
    shown.dataset.value = "as20k"
    assert shown.own.dataset == "as20k"
    drawn = marks(shown)
    table = published()
    table = table[(table.dataset == "as20k") & (table.method == "mhca")].set_index("encoder").score
    mine = drawn[drawn.method == "mhca"].set_index("encoder")
    np.testing.assert_allclose(mine.score, table.loc[mine.index])
    assert mine["rank"].to_dict() == table.rank(ascending=False).astype(int).to_dict()
    shown.follow_.value = "EAT"
    assert shown.own.followed(shown.own.ranking()) == ["EAT"]


def test_own_ranks_that_are_not_settled_are_grey(own):
    assert own.own.rankable
    drawn = marks(own)
    linear = drawn[drawn.method == "linear"].set_index("encoder")
    assert linear.uncertain.to_dict() == {"mini-a": True, "mini-b": True, "mini-c": False}
    assert (linear.colour == UNSETTLED[0]).to_dict() == linear.uncertain.to_dict()
    assert linear.colour["mini-c"] == encoder_colours(LEVELS)["mini-c"]
    assert says(own, "30 training scenes")


def test_own_wins_take_the_place_of_the_gap(own):
    drawn = marks(own, "third").set_index(["method", "opponent"]).wins
    assert drawn["protobin + BatchNorm", "linear"] == 3
    assert drawn["linear", "protobin + BatchNorm"] == 0


def test_own_poolings_are_the_papers_or_all(own):
    assert own.own.methods() == ["linear", "mhca", "protobin"]
    assert own.poolings.visible
    own.poolings.value = "all"
    assert set(marks(own).method) == set(GAINS)
    assert own.own.ends() == ("linear", "protobin")


def test_one_encoder_is_not_ranked_but_named_with_the_command(shown):
    shown.own.numbers = "own"
    shown.own.table = "demo"
    assert shown.own.encoders() == ["mini-mae"]
    assert shown.charts["ranking"].figure is None
    assert says(shown, "protoviz study run", "study.toml")
    drawn = marks(shown, "scores").set_index("method").score
    results = pd.read_parquet(DATA / "demo" / "results" / "results.parquet")
    means = results[results.polyphony == 0].groupby("method").score.mean()
    np.testing.assert_allclose(drawn.sort_index(), means.sort_index())


def test_what_one_encoder_lacks_is_left_out_and_named(tmp_path, monkeypatch):
    folder = write_results(tmp_path)
    frame = pd.read_parquet(folder / "results" / "polyphony.parquet")
    lacks = (frame.encoder == "mini-c") & (frame.method == "mhca")
    frame[~lacks].to_parquet(folder / "results" / "polyphony.parquet")
    monkeypatch.setenv("PROTOVIZ_DATA", str(folder))
    view = Ranks(ExplorerState(small_bench(), page="ranks"))
    view.own.param.update(numbers="own", poolings="all")
    assert set(marks(view).method) == set(GAINS) - {"mhca"}
    assert says(view, "mhca")


def test_the_gap_to_fine_tuning_is_told_beside_the_published_one(tmp_path, monkeypatch):
    folder = write_results(tmp_path)
    monkeypatch.setenv("PROTOVIZ_DATA", str(folder))
    bare = Ranks(ExplorerState(small_bench(), page="ranks")).gap
    assert bare.chart.figure is None
    assert says(bare, "fine-tuned", "63 %", "Published")
    path = folder / "results" / "polyphony.parquet"
    frame = pd.read_parquet(path)
    reached = {"mini-a": 0.9, "mini-c": 0.1}  # the second does not beat linear
    first = frame[(frame.seed == 0) & (frame.method == "linear") & (frame.polyphony == 0)]
    first = first[first.encoder.isin(reached)]
    tuned = first.assign(method=TUNED, score=first.encoder.map(reached))
    pd.concat([frame, tuned]).to_parquet(path)
    view = Ranks(ExplorerState(small_bench(), page="ranks"))
    rows = frame[(frame.encoder == "mini-a") & (frame.polyphony == 0)]
    mean = rows.groupby("method").score.mean()
    share = ((mean - mean["linear"]) / (0.9 - mean["linear"])).drop("linear")
    drawn = pd.DataFrame(dict(view.gap.chart.figure.select_one({"name": "gap-marks"}).data))
    np.testing.assert_allclose(drawn.set_index("method").value[share.index], share)
    assert set(drawn.encoder) == {"mini-a"}
    assert says(view.gap, f"{share.idxmax()}</b> closes {100 * share.max():.0f} %", "63 %")
    view.own.numbers = "own"
    assert TUNED not in set(marks(view).method)


def test_without_any_results_the_page_stands(tmp_path, monkeypatch):
    folder = write_results(tmp_path)
    (folder / "results" / "polyphony.parquet").unlink()
    monkeypatch.setenv("PROTOVIZ_DATA", str(folder))
    view = Ranks(ExplorerState(small_bench(), page="ranks"))
    assert marks(view).encoder.nunique() == 6
    view.own.numbers = "own"
    beside = view.charts.pop("beside").figure
    assert beside.title.text.startswith("PUBLISHED"), "it is still there to compare"
    assert all(chart.figure is None for chart in view.charts.values())
    assert says(view, "protoviz study run")


def test_a_link_holds_the_choice(shown):
    shown.own.param.update(numbers="own", dataset="as20k", follow="EAT")
    other = ExplorerState(small_bench())
    assert open_link(other, to_link(shown.state)) == []
    assert [getattr(other.own["ranks"], name) for name in ("numbers", "dataset", "follow")] == [
        "own",
        "as20k",
        "EAT",
    ]
    assert set(open_link(other, "?numbers=stolen&set=nothing")) == {"numbers", "set"}
    assert other.own["ranks"].numbers == "own", "what is refused changes nothing"


def test_dark_is_drawn_anew(shown):
    light = shown.charts["gains"].figure.background_fill_color
    shown.set_dark(True)
    assert shown.charts["gains"].figure.background_fill_color != light
    colours = encoder_colours(marks(shown).encoder.drop_duplicates(), dark=True)
    assert marks(shown).set_index("encoder").colour["EAT"].iloc[0] == colours["EAT"]


def luminance(colour):
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


# Machado, Oliveira and Fernandes 2009, severity 1: what an eye without red or without green cones sees.
EYES = {
    "all cones": np.eye(3),
    "no green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("eye", EYES)
def test_every_eye_tells_the_encoders_apart(eye, dark):
    from protoviz.figures.colours import _to_oklab  # the space in which a distance is what an eye sees

    seen = np.clip(
        np.array([luminance(pair[dark]) for pair in ENCODER_COLOURS]) @ np.array(EYES[eye]).T, 0, 1
    )
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = _to_oklab(encoded)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)[np.triu_indices(len(lab), 1)]
    assert apart.min() > 0.1
