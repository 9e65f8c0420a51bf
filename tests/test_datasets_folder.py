"""A folder of one's own: clips by label, and recordings with the event tables that people keep."""

import dataset_copies as copies
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protoviz.datasets import LayoutError, load_dataset
from protoviz.datasets.files import Row, held_out, mixed
from protoviz.datasets.folder import read_table, windows
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


def test_a_length_of_any_type_has_one_fingerprint_and_must_be_one(tmp_path):
    """5 of a TOML file and 5.0 of the command line are the same clips."""
    root = copies.folder(tmp_path / "mine")
    of = {
        (kind, n): load_dataset("folder", root, seconds=kind(n)).fingerprint()
        for kind in (int, float, np.int64)
        for n in (1, 2)
    }
    assert len(set(of.values())) == 2
    assert of[int, 1] == of[float, 1] == of[np.int64, 1]
    for seconds in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"folder.*seconds={seconds}"):
            load_dataset("folder", root, seconds=seconds)


def test_classes_with_numbers_stand_as_people_count(tmp_path):
    for label in range(12):
        for take in range(4):
            copies.write(tmp_path / str(label) / f"{take}.wav", [], ["x"], 1.0)
    assert load_dataset("folder", tmp_path).classes == tuple(map(str, range(12)))


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
    wanted = [((), Event(label, onset, offset, 0.0, 8000.0)) for (onset, offset), label in events]
    for name in ("a.txt", "b.csv"):
        table = read_table(folder / name, lambda cell: False)
        assert table.form == "events"
        assert [(row.names, row.event) for row in table.rows] == wanted


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


BIRDNET = "Start (s),End (s),Scientific name,Common name,Confidence"
RAVEN_RUN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tBegin Path\tBegin File\tFile Offset (s)\t"
    "Species\n"
    "1\tSpectrogram 1\t1\t100,25\t100,75\tD:\\field\\a.WAV\ta.WAV\t0,25\tjay\n"
    "1\tWaveform 1\t1\t100,25\t100,75\tD:\\field\\a.WAV\ta.WAV\t0,25\tjay\n"
)
EVENT_TABLES = {  # file -> text; every one says that a.WAV holds a jay from 0.25 to 0.75 s
    "a.BirdNET.results.csv": f"{BIRDNET}\n0.25,0.75,Garrulus glandarius,jay,0.9\n",
    "results/all.csv": f"{BIRDNET},File\n0.25,0.75,Garrulus glandarius,jay,0.9,/data/a.WAV\n",
    "BirdNET_SelectionTable.txt": "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\t"
    "High Freq (Hz)\tCommon Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)\n"
    "1\tSpectrogram 1\t1\t3.25\t3.75\t0\t8000\tjay\teurjay1\t0.9\t/data/a.WAV\t0.25\n",
    "BirdNET_Kaleidoscope.csv": "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name\n"
    "/data,field,a.WAV,0.25,0.5,Garrulus glandarius,jay\n",
    "BirdNET_R.csv": "filepath,start,end,scientific_name,common_name,confidence,lat,lon,week\n"
    "/data/a.WAV,0.25,0.75,Garrulus glandarius,jay,0.9,-1,-1,-1\n",
    "raven.txt": RAVEN_RUN,
    "a.Table.1.selections.txt": RAVEN,
    "a.txt": "0.25\t0.75\tjay\n\\\t900.0\t4000.0\n",
    "A.WAV.TXT": "0,25\t0,75\tjay\r\n",
    "a.csv": '0.25,0.75,"jay"\n',
    "manual.csv": "FOLDER,IN FILE,OFFSET,DURATION,TOP1MATCH,MANUAL ID\n,a.WAV,0.25,0.5,rook,jay\n",
    "sed.tsv": "filename\tonset\toffset\tevent_label\na.WAV\t0.25\t0.75\tjay\n",
    "meta.txt": "audio/a.WAV\tforest\t0.25\t0.75\tjay\n",
    "clips.csv": "file,start_time,end_time,jay,rook\na.WAV,0.25,0.75,1,0\na.WAV,0.75,1,0,0\n",
    "excel.csv": "sep=;\nDatei;Start;Ende;End;Art;Label\na.WAV;0,25;x;0,75;y;jay\n",
    "clock.csv": "file,start,end,label\na,0:00.25,00:00:00.75,jay\n",
}


@pytest.mark.parametrize("name", EVENT_TABLES)
def test_event_tables_as_their_programs_write_them(tmp_path, name):
    copies.write(tmp_path / "field" / "a.flac", [], KNOWN, 1.0)
    (tmp_path / "field" / "a.flac").rename(tmp_path / "field" / "a.WAV")
    place = tmp_path / "field" / name
    place.parent.mkdir(exist_ok=True)
    text = EVENT_TABLES[name].replace("0.500\t1.500", "0.250\t0.750").replace("blackbird", "jay")
    place.write_text(text.split("2\tSpectrogram")[0], encoding="utf-8-sig")
    clips = load_dataset("folder", tmp_path)
    assert list(clips.table["labels"]) == [["jay"]]
    assert [(e.label, e.onset, e.offset) for e in clips.events(0)] == [("jay", 0.25, 0.75)]
    assert clips.skipped.empty


ticks = st.integers(0, 40).map(lambda n: n * 0.1)  # 0.1 * 3 is not 0.3


@given(st.lists(st.tuples(ticks, ticks).map(sorted), max_size=6), st.sampled_from([0.1, 0.3, 1.0, 1.7]))
def test_every_moment_of_an_event_is_in_the_window_that_holds_it(events, seconds):
    length = 4.0
    row = Row("a", "train", [], "a.wav")
    marked = [Event(str(n), onset, offset, 0.0, 8000.0) for n, (onset, offset) in enumerate(events)]
    made = windows(row, length, marked, seconds, 0.05)
    assert len(made) == round(length / seconds + 0.499)
    found = {(event.label, n) for n, one in enumerate(made) for event in one.events}
    wanted = set()
    for n, (onset, offset) in enumerate(events):
        first, last = (round(time * 10) for time in (onset, offset))
        step = round(seconds * 10)
        moments = range(first, last) if last > first else [min(first, 39)]
        wanted |= {(str(n), moment // step) for moment in moments}
    assert found == wanted
    for one in made:
        assert all(0 <= e.onset <= e.offset <= seconds + 1e-9 for e in one.events)
        assert list(one.labels) == sorted({event.label for event in one.events})


def test_events_that_nobody_named_are_listed_and_say_nothing(tmp_path):
    for name in ("a", "b"):
        copies.write(tmp_path / f"{name}.wav", [], KNOWN, 1.0)
    (tmp_path / "a.txt").write_text("0.1\t0.2\train\n0.3\t0.4\t\n")
    (tmp_path / "b_labels.txt").write_text("0.1\t0.2\t\n")
    clips = load_dataset("folder", tmp_path)
    assert [list(labels) for labels in clips.table["labels"]] == [["rain"]]
    assert set(zip(clips.skipped["clip"], clips.skipped["kind"], strict=True)) == {
        ("a.wav", "events without a label"), ("b.wav", "not labelled"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "names", [("x/a_labels.txt", "y/b_labels.txt"), ("x/labels.txt", "y/Label Track.txt")]
)
def test_a_label_file_beside_its_recording_is_the_recordings(tmp_path, names):
    for place, name, label in zip(("x/a.wav", "y/b.wav"), names, ("rain", "jay"), strict=True):
        copies.write(tmp_path / place, [], KNOWN, 1.0)
        (tmp_path / name).write_text(f"0.1\t0.2\t{label}\n")
    assert [list(labels) for labels in load_dataset("folder", tmp_path).table["labels"]] == [
        ["rain"],
        ["jay"],
    ]


def test_events_beyond_the_end_are_listed(tmp_path):
    copies.write(tmp_path / "a.wav", [], KNOWN, 1.0)
    (tmp_path / "t.csv").write_text("file,start,end,label\na.wav,0,1,rain\na.wav,58.5,62.5,rain\n")
    told = load_dataset("folder", tmp_path).skipped.set_index("kind").loc["events beyond the end"]
    assert "58.5" in told.reason
    (tmp_path / "t.csv").write_text("file,start,end,label\na.wav,30,40,rain\n")
    with pytest.raises(LayoutError, match="30"):  # times of another recording are not "no class"
        load_dataset("folder", tmp_path)


def test_a_name_in_two_folders_is_no_file_of_either(tmp_path):
    for folder in ("x", "y"):
        copies.write(tmp_path / folder / "a.wav", [], KNOWN, 0.5)
    table = tmp_path / "t.csv"
    table.write_text("file,start,end,label\na.wav,0,0.2,rain\n")
    with pytest.raises(LayoutError, match=r"x/a\.wav and y/a\.wav"):
        load_dataset("folder", tmp_path)
    table.write_text("file,start,end,label\nx/a.wav,0,0.2,rain\ny/a.wav,0,0.2,dog\nz/a.wav,0,0.2,cat\n")
    clips = load_dataset("folder", tmp_path)
    assert dict(zip(clips.table["clip"], clips.table["labels"], strict=True)) == {
        "x/a.wav": ["rain"],
        "y/a.wav": ["dog"],
    }
    assert list(clips.skipped["clip"]) == ["z/a.wav"]
    (tmp_path / "x" / "t.csv").write_text("file,start,end,label\na.wav,0.2,0.3,jay\n")  # the one beside it
    assert load_dataset("folder", tmp_path).classes == ("dog", "jay", "rain")
