"""The clip that a page shows first: a rule, the first clip that keeps it, and how many do."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.prototypes import class_scores, what_was_missed
from protoviz.analysis.showing import CHOSEN, NUMBERS, RULES, first_clips, heard, recommended


def table(**changes):
    """Five clips of four events, on which every page's point is seen; with columns of other values."""
    rows = {"events": 4, "left": 2, "right": 4, "first": 1.0, "five": 0.9, "mass": 0.1, "area": 0.2}
    frame = pd.DataFrame({"clip": list("abcde"), **{name: [value] * 5 for name, value in rows.items()}})
    return frame.assign(**changes)[NUMBERS]


@pytest.mark.parametrize(
    ("page", "changes"),
    [
        ("listen", {"left": [3, 4, 2, 0, 3]}),
        ("listen", {"right": [3, 0, 4, 4, 3]}),
        ("prototypes", {"first": [0.5, 0.75, 1, 1, np.nan]}),
        ("prototypes", {"five": [0.7, np.nan, 0.8, 1, 0.5]}),
        ("attention", {"mass": [0.3, np.nan, 0.1, 0.19, 0.2]}),
    ],
)
def test_a_page_takes_the_first_clip_that_shows_its_point_and_tells_how_many_do(page, changes):
    found = first_clips(table(**changes), "linear", "protobin")
    assert found.columns.tolist() == CHOSEN
    row = found.set_index("page").loc[page]
    assert (row["clip"], row.shown, row.clips, row.share) == ("c", 2, 5, pytest.approx(0.4))


def test_pages_share_the_first_clip_that_shows_all_points_and_else_take_their_own():
    found = first_clips(table(left=[2, 4, 4, 2, 2], first=[0.5, 1, 1, 1, 1]), "linear", "protobin")
    assert found["clip"].tolist() == ["d"] * len(RULES)
    found = first_clips(table(left=[2, 4, 4, 2, 4], first=[0.5, 1, 1, 0, 1]), "linear", "protobin")
    assert found["clip"].tolist() == ["a", "b", "a"]
    assert found.shown.tolist() == [2, 3, 5]


def test_the_words_name_the_methods_and_every_page_has_a_row():
    found = first_clips(table(), "linear + BatchNorm", "proto").set_index("page")
    assert found.index.tolist() == list(RULES)
    assert (found["clip"] == "a").all()
    assert "proto has every event" in found.says["listen"]
    assert "linear + BatchNorm misses" in found.says["listen"]


def test_where_no_clip_shows_it_none_is_named():
    found = first_clips(table(right=3, first=0.0, mass=0.5), "linear", "protobin")
    assert found["clip"].tolist() == [""] * len(RULES)
    assert not found.share.any()
    assert first_clips(table().head(0), "linear", "protobin").share.isna().all()


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 5))
def test_what_is_heard_is_what_no_rule_of_ranks_calls_missed(seed, count):
    rng = np.random.default_rng(seed)
    classes = [f"class {number}" for number in range(6)]
    logits, targets = rng.integers(-2, 3, (1, 6)).astype(float), np.zeros((1, 6))
    targets[0, rng.permutation(6)[:count]] = 1
    truth = {name for name, there in zip(classes, targets[0], strict=True) if there}
    missed = what_was_missed(class_scores(classes, {"probe": logits[0]}, truth))["probe"]
    assert heard(logits, targets).tolist() == [count - len(missed)]


def test_validation_alone_recommends():
    rows = [("linear", 0.5, 0.9), ("mlp", 0.6, 0.1), ("protobin", 0.7, 0.7), ("proto + BatchNorm", 0.8, 0.2)]
    runs = pd.DataFrame(rows * 2, columns=["method", "validation", "score"])
    assert recommended(runs, "cls") == "mlp"
    assert recommended(runs, "prototype") == "proto + BatchNorm"
    with pytest.raises(ValueError, match="attentive"):
        recommended(runs, "attentive")
