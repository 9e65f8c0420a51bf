"""A study as one page: what is inside, and that its sums are the library's."""

import base64
import json
import re
import shutil

import numpy as np
import pytest
from own_results import write_results
from page_bench import write_demo

import protoviz
from protoviz.export import export_page
from protoviz.study import StudyError


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return protoviz.open_study(write_results(write_demo(tmp_path_factory.mktemp("sent") / "mine")))


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    path = export_page(study, tmp_path_factory.mktemp("page") / "mine.html", clips=3)
    return path.read_text(encoding="utf-8")


def test_everything_is_inside(page):
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?https?:", page)
    assert "default-src 'none'" in page
    assert len(page) < 3 * 700_000, "a clip takes some hundred kilobytes"


def test_its_clips_are_spread_over_the_study_and_add_up_to_the_librarys_logits(study, page):
    told = json.loads(re.search(r'id="told">(.*?)</script>', page, re.DOTALL)[1])
    shared, clips = told["shared"], told["clips"]
    names = study.clips["mixed"].table["clip"]
    shown = [clip for clip in names if f">{clip}<" in page]
    assert [len(clips), shown[0], shown[-1]] == [3, names.iloc[0], names.iloc[-1]]
    weight = np.frombuffer(base64.b64decode(shared["weight"]), "<f8").reshape(len(shared["classes"]), -1)
    for clip, one in zip(shown, clips, strict=True):
        logits = study.explain("protobin", clip).logits[0]
        np.testing.assert_allclose(weight @ one["scores"] + shared["bias"], logits, atol=1e-4)
        assert one["clip"].startswith("data:audio/")
        assert all(cell["sound"] for cell in one["cells"])
        assert {shared["classes"][c] for c in one["present"]} == {
            label.replace("_", " ") for label in study.clips["mixed"].table["labels"][names == clip].iloc[0]
        }


def test_the_scores_are_means_over_seeds(page):
    assert re.search(r"<td>protobin</td>\s*<td>\d+\.\d ± \d\.\d</td>", page)


def test_a_study_without_clips_is_refused_with_the_cure(study, tmp_path):
    bare = shutil.copytree(study.folder, tmp_path / "bare")
    shutil.rmtree(bare / "clips")
    with pytest.raises(StudyError, match="study add"):
        export_page(protoviz.open_study(bare), tmp_path / "bare.html")
