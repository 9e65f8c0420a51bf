"""What the explorer shows first: the probes and clips that a study has chosen by its rules."""

import pandas as pd
import pytest
from page_bench import clips, small_bench

from protoviz.analysis.showing import RULES
from protoviz.datasets import scene_id
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.widgets.point import Point
from protoviz.explorer.workbench import Workbench

CLIP = scene_id(77, 4)  # of no list: it is made from its id


def bench(**changes) -> Workbench:
    """The small bench, with a table of first clips."""
    small, pages = small_bench(), list(RULES)
    told = {
        "left": "protobin",
        "right": "linear",
        "clip": CLIP,
        "says": "a <b> is so",
        "shown": 3,
        "clips": 12,
    }
    table = pd.DataFrame({"page": pages, **{key: [value] * len(pages) for key, value in told.items()}})
    tables = {"showing": table.assign(**changes)}.get
    return Workbench(small.encoder, small.probes, small.classes, clips(), tables=tables)


def test_the_chosen_probes_and_clip_are_shown_first():
    state = ExplorerState(bench())
    assert (state.left, state.right, state.clip) == ("protobin", "linear", CLIP)
    assert state.scene == (77, 4)


@pytest.mark.parametrize("changes", [{"right": "mhca"}, {"clip": ""}, {"clip": "birds-1"}])
def test_what_is_not_at_hand_is_not_shown_first(changes):
    assert ExplorerState(bench(**changes)).clip == ExplorerState(small_bench()).clip


def test_a_page_says_why_and_how_often_and_leads_back_from_another_clip():
    state = ExplorerState(bench())
    point = Point(state, "prototypes")
    words, button = point.__panel__().objects
    assert "a &lt;b&gt; is so" in words.object
    assert "3 of 12" in words.object
    assert not button.visible
    before = words.object
    state.new_scene()
    assert button.visible
    assert words.object != before
    button.clicks += 1
    assert state.clip == CLIP
    assert (words.object, button.visible) == (before, False)


def test_where_no_clip_shows_the_point_that_is_said_without_a_way_to_one():
    words, button = Point(ExplorerState(bench(clip="", shown=0)), "attention").__panel__().objects
    assert "12" in words.object
    assert not button.visible


def test_a_page_without_a_rule_says_nothing():
    assert not Point(ExplorerState(bench()), "neighbours").__panel__().visible
    assert not Point(ExplorerState(small_bench()), "listen").__panel__().visible
