"""A folder of one's own: clips by label, and recordings with the event tables that people keep."""

import dataset_copies as copies
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protoviz.datasets import LayoutError, load_dataset
from protoviz.datasets.files import held_out, mixed
from protoviz.datasets.tables import read_events
from protoviz.scenes import Event

KNOWN = ["blackbird", "Käuzchen, klein", "rain"]
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
    "1\tWaveform 1\t1\t0.500\t1.500\t900.0\t4000.0\tblackbird\n"
    "1\tSpectrogram 1\t1\t0.500\t1.500\t900.0\t4000.0\tblackbird\n"
    "2\tSpectrogram 1\t1\t2.750\t3.500\t200.0\t800.0\tKäuzchen, klein\n"
)


def test_labels_are_folders_and_shares_are_drawn_by_name(tmp_path):
    root = copies.folder(tmp_path / "mine")
    clips = load_dataset("folder", root)
    assert clips.classes == ("Wróbel, domowy", "dog", "rain")
    assert clips.name == "mine"
    assert len(clips) == 30
    counts = clips.counts()
    assert counts.loc[["validation", "test"]].sum(axis=1).tolist() == [3, 6]  # of 32 files, two odd ones too
    assert counts["unreadable"].sum() == counts["too short"].sum() == 1
    (root / "train").mkdir()
    (root / "test").mkdir()
    (root / "rain").rename(root / "test" / "rain")
    (root / "dog").rename(root / "train" / "dog")
    split = load_dataset("folder", root)
    assert split.counts()["clips"].to_dict() == {"train": 10, "validation": 0, "test": 10}
    assert split.counts()["no label"].sum() == 10  # the folder that is in no split
    with pytest.raises(ValueError, match="no sound files in folders named by label"):
        load_dataset("folder", copies._made(tmp_path / "empty" / "x"))


@pytest.fixture
def recordings(tmp_path):
    """Recordings of four seconds: Audacity, Raven, in a CSV, empty table, without a table; and a note."""
    for name in ("aud", "rav", "tab", "quiet", "unheard"):
        copies.write(tmp_path / "field" / f"{name}.wav", [], KNOWN, 4.1)
    folder = tmp_path / "field"
    (folder / "aud.txt").write_text(
        "0.25\t1.0\tblackbird\n\\\t1000.0\t-1.0\n1.5\t2.5\train\n", encoding="utf-8"
    )
    (folder / "rav.Table.1.selections.txt").write_text(RAVEN, encoding="utf-8")
    (folder / "quiet.txt").write_text("")
    (tmp_path / "events.csv").write_text(
        'filename,onset,offset,label\nfield\\tab.wav,3.9,4.0,"Käuzchen, klein"\nlost.wav,0,1,rain\n', "utf-8"
    )
    (tmp_path / "README.txt").write_bytes("Zeit\tund Ort: 5 °C".encode("latin-1"))
    (tmp_path / "people.csv").write_text("who,when\nme,today\n")
    return tmp_path


def test_recordings_are_cut_into_windows_with_their_events(recordings):
    clips = load_dataset("folder", recordings, seconds=2.0)
    assert clips.classes == tuple(sorted(KNOWN))
    assert len(clips) == 4 * 2  # the last tenth of a second is no window
    found = dict(zip(clips.table["clip"], clips.table["labels"], strict=True))
    assert found["field/aud.wav@0"] == ["blackbird", "rain"]
    assert found["field/aud.wav@2"] == ["rain"]
    assert found["field/rav.wav@2"] == ["Käuzchen, klein"]
    assert found["field/tab.wav@0"] == []
    assert found["field/quiet.wav@2"] == []
    place = {clip: i for i, clip in enumerate(clips.table["clip"])}
    assert clips.events(place["field/aud.wav@0"]) == (
        Event("blackbird", 0.25, 1.0, 1000.0, 8000.0),
        Event("rain", 1.5, 2.0, 0.0, 8000.0),
    )
    assert clips.events(place["field/rav.wav@2"]) == (Event("Käuzchen, klein", 0.75, 1.5, 200.0, 800.0),)
    assert clips.events(place["field/tab.wav@2"])[0].onset == pytest.approx(1.9)
    assert clips.table.groupby(clips.table["path"])["split"].nunique().max() == 1
    skipped = dict(zip(clips.skipped["clip"], clips.skipped["kind"], strict=True))
    assert skipped == {"lost.wav": "missing", "field/unheard.wav": "not annotated"}
    assert len(clips.read(place["field/aud.wav@2"])) == 32_000


def test_a_broken_recording_and_a_broken_table_are_told(recordings):
    copies.broken(recordings / "field" / "aud.wav")
    assert load_dataset("folder", recordings).counts()["unreadable"].sum() == 1
    table = recordings / "events.csv"
    table.write_text("filename,onset,offset\nfield/tab.wav,0,1\n")
    with pytest.raises(LayoutError, match=r"events.csv: no column event_label or label"):
        load_dataset("folder", recordings)
    table.write_text("filename,onset,offset,label\nfield/tab.wav,0,soon,rain\n")
    with pytest.raises(LayoutError, match=r"events.csv, line 2: .*soon"):
        load_dataset("folder", recordings)
    table.write_text("filename,onset,offset,label\nfield/tab.wav,0,1,\n")
    with pytest.raises(LayoutError, match="an event without a label"):
        load_dataset("folder", recordings)


words = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters='"\\'), min_size=1, max_size=9
)
times = st.tuples(st.floats(0, 500), st.floats(0, 500)).map(sorted)


@given(events=st.lists(st.tuples(times, words), max_size=8))
def test_audacity_and_csv_tell_the_same_events(tmp_path_factory, events):
    folder = tmp_path_factory.mktemp("tables")
    lines = [f"{onset!r}\t{offset!r}\t{label}" for (onset, offset), label in events]
    (folder / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    header = ["start_time", "END", "Class"]
    copies._csv(folder / "b.csv", [header, *([*found, label] for found, label in events)])
    wanted = [("", Event(label, onset, offset, 0.0, 8000.0)) for (onset, offset), label in events]
    assert read_events(folder / "a.txt") == wanted
    assert read_events(folder / "b.csv") == wanted


@given(ids=st.sets(words, max_size=40), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_held_out_is_a_share_whatever_the_order(ids, share, seed):
    chosen = held_out(sorted(ids), share, seed)
    assert chosen <= ids
    assert len(chosen) == round(share * len(ids))
    assert held_out(sorted(ids, reverse=True), share, seed) == chosen


@given(decibels=st.floats(-20, 20), length=st.integers(5, 60), other=st.integers(5, 60))
def test_a_mix_has_the_level_that_was_asked_for(decibels, length, other):
    rng = np.random.default_rng(length)
    sound, partner = (rng.normal(size=n).astype(np.float32) for n in (length, other))
    rest = mixed(sound, partner, decibels) - sound
    part = rest[:other].astype(np.float64)
    level = np.sqrt(np.mean(sound.astype(np.float64) ** 2) / np.mean(part**2))
    assert 20 * np.log10(level) == pytest.approx(decibels, abs=0.01)
    assert not rest[other:].any()
    assert np.array_equal(mixed(sound, np.zeros(other, np.float32), decibels), sound)
