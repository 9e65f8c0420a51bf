"""The course's own tools: stated numbers and judged answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protoviz.course import check, stated, study_scenes
from protoviz.course.checks import choice, number
from protoviz.course.exercises import EXERCISES


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_number_as_printed_is_stated(value, digits):
    assert stated(f"{value:,.{digits}f}", value, "it") == f"it: {value:,.{digits}f}"


def test_a_stale_number_stops_the_notebook_and_names_both():
    with pytest.raises(ValueError, match=r"gain: the text says 14\.41, the cell computed 14\.5200"):
        stated("14.41", 14.52, "gain")
    assert stated("62.8 %", 0.6284, "gap closed") == "gap closed: 62.8 %"
    with pytest.raises(ValueError, match="number"):
        stated("many", 3, "it")


def test_an_open_answer_is_neither_right_nor_wrong():
    for key in EXERCISES:
        assert check(key).right is None
    with pytest.raises(ValueError, match=r"there is no exercise '99\.9'"):
        check("99.9", 1)


def test_judges_give_hints():
    judge = number(lambda: 3.0, 0.1, "count again")
    assert judge(3.05) is None
    assert judge(3.2) == "count again"
    judge = choice("max", {"mean": "a mean weighs every cell alike"})
    assert judge(" Max ") is None
    assert judge("mean") == "a mean weighs every cell alike"
    assert "max, mean" in judge("sum")


@pytest.mark.parametrize("key", EXERCISES)
def test_nonsense_is_answered_with_a_hint(key):
    for nonsense in (object(), "nonsense", [], float("nan")):
        assert check(key, nonsense).right is False


def test_the_demo_has_four_scenes_of_each_polyphony():
    scenes = study_scenes()
    assert sorted(scene.polyphony for scene in scenes) == sorted([*range(1, 9)] * 4)
    assert all(len(scene.events) == scene.polyphony for scene in scenes)
    assert len({scene.seed for scene in scenes}) == len(scenes)
