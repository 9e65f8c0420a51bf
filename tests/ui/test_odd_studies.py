"""Small and odd studies in a browser: each page is drawn without an error, and names stay as written."""

import csv
import logging
import shutil

import pytest
from browsing import NEWEST, WRITTEN
from serving import shown
from three_studies import field_recordings

import protoviz
from protoviz.explorer.frame import explorer
from protoviz.explorer.studies import Studies

NAMES = [f"{name:x<65}" for name in ("<b>bold</b>", "<script>injected=1</script>", "&amp of no test clip")]
FILE = f"{'<img src=x onerror=injected=1>':x<58}"
SPLITS = ["train"] * 16 + ["val"] * 4 + ["test"] * 4
# What is odd -> the labels of a clip by its number and split, test clips that are kept, the study's folder.
ODD = {
    "names, one clip": (lambda i, split: NAMES[i % (2 if split == "test" else 3)], 1, FILE),
    "one class, clips without": (lambda i, split: ("[]", "wren")[i % 2], 4, "one"),
}


@pytest.fixture
def study(request, tmp_path):
    """An odd study of short recordings, by an encoder of one's own."""
    labels, show, name = ODD[request.param]
    made, root, rows = field_recordings(tmp_path / "made"), tmp_path / "sounds", []
    root.mkdir()
    for i, (path, split) in enumerate(zip(sorted(made.glob("*.wav")), SPLITS, strict=True)):
        rows.append((f"{FILE}{i:02d}.wav", labels(i, split), split))
        shutil.copyfile(path, root / rows[-1][0])
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("filename", "label", "split"), *rows])
    asked = {
        "encoder": "three_studies:Patches",
        "data": "folder",
        "root": root,
        "methods": ("linear", "protobin"),
    }
    quiet = {"quick": True, "say": lambda text: None}
    protoviz.new_study(tmp_path / name, **asked, show=show, sound=True, **quiet)
    return protoviz.run_study(tmp_path / name, say=lambda text: None)


@pytest.mark.parametrize("study", ODD, indirect=True)
def test_every_page_of_an_odd_study_is_drawn_and_names_stay_text(open_page, study, caplog):
    studies, seen = Studies([study.folder]), set()
    with shown(lambda: explorer(studies=studies)) as address, caplog.at_level(logging.ERROR):
        opened = open_page(address, width=1100)
        for _ in opened.pages():
            written = opened.tell(WRITTEN)
            assert written["made"] == []
            assert opened.tell("document.documentElement.scrollWidth") <= 1100
            seen |= set(written["texts"])
        colour = f"{NEWEST.format('spectrogram')}.background_fill_color"
        light = opened.tell(colour)
        opened.page.get_by_label("Toggle theme").click()
        opened.wait(f"{colour} != '{light}'")
    assert [record.getMessage() for record in caplog.records] == []
    classes = study.datasets["folder"].classes
    assert any(name in text for text in seen for name in classes)
