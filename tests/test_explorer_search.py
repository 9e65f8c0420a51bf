"""A clip is found by typing: among forty thousand, with a few suggestions that are all that is sent."""

import numpy as np
import pandas as pd
import pytest
from page_bench import small_bench

from protoviz.datasets import scene_id
from protoviz.explorer.clip_index import MOST
from protoviz.explorer.pages.listen.view import Listen
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.workbench import Workbench

COUNT = 40_000


@pytest.fixture(scope="module")
def many():
    """A workbench with forty thousand scenes; labels and splits are those of the table."""
    bench = small_bench()
    rows = range(COUNT)
    clips = pd.DataFrame(
        {
            "clip": [scene_id(row, 1) for row in rows],
            "seed": rows,
            "polyphony": 1,
            "labels": [["bell"] if row % 10 == 3 else ["siren"] for row in rows],
            "title": ["a take"] * COUNT,  # all alike: nobody could choose one
            "split": np.where(np.arange(COUNT) % 4 == 0, "test", "train"),
        }
    )
    return Workbench(bench.encoder, bench.probes, bench.classes, clips)


@pytest.fixture
def clips(many):
    return Listen(ExplorerState(many, clip=scene_id(7, 1))).clips


def test_a_clip_is_found_by_id_label_and_split(clips, many):
    assert clips.index.find("scene-31234-1").popitem()[1] == ("clip", "scene-31234-1")
    for typed, column in (("BELL", "labels"), ("test", "split")):
        found = [choice[1] for choice in clips.index.find(typed).values()]
        assert len(found) == MOST
        table = many.clips.set_index("clip").loc[found, column]
        assert all(typed.lower() in str(one) for one in table)
    assert clips.index.find("no such clip") == {}


def test_suggestions_are_few_and_all_that_is_sent(clips, monkeypatch):
    sent = []
    monkeypatch.setattr(clips.clip, "_send_msg", sent.append)
    for number, typed in enumerate(("", "scene-3", "nothing like it")):
        clips.clip._handle_msg({"type": "search", "id": number, "query": typed})
    assert [len(message["options"]) for message in sent] == [MOST, MOST, 0]
    assert len(clips.clip.options) <= MOST + 1
    assert "scene-7-1" in sent[0]["options"][0], "what follows the clip that is shown"


def test_a_suggestion_is_chosen(clips):
    (words,) = clips.suggest("scene-23456-1")
    clips.clip.value = clips.clip.options[words]
    assert clips.state.clip == "scene-23456-1"


def test_titles_that_read_alike_are_told_apart():
    bench = small_bench()
    table = bench.clips.assign(title="x", clip=["a", "A", *bench.clips["clip"][2:]], labels=[[]] * 6)
    recordings = pd.DataFrame(
        {
            "recording": ["1", "2"],
            "title": ["same", "same"],
            "label": "",
            "labels": [set(), set()],
            "known": False,
            "path": "",
        }
    )
    from protoviz.explorer.clip_index import ClipIndex

    index = ClipIndex(Workbench(bench.encoder, bench.probes, bench.classes, table, recordings=recordings))
    assert len(set(index.words)) == len(index.words) == 8
