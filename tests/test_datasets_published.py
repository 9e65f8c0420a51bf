"""The paper's data sets, each loaded from a small copy in its published layout, odd rows included."""

import shutil
import sys
from types import SimpleNamespace

import dataset_copies as copies
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import soundfile

from protoviz.audio import AudioError, read_audio
from protoviz.cache import TokenCache
from protoviz.datasets import DATASETS, ClipSet, LayoutError, find_spec, load_dataset, scene_clips
from protoviz.datasets.birdset import unpack
from protoviz.datasets.few_shot import Recording, events_of, few_shot
from protoviz.datasets.files import sounds_below
from protoviz.datasets.hub import as_labels, fetch
from protoviz.encoders.mini import MiniConfig, random_mini
from protoviz.metrics import accuracy, mean_average_precision
from protoviz.probes import build_probe
from protoviz.training import FitConfig, fit, predict

BIRDS = ["hsn", "pow", "per", "nes", "sne", "uhh", "nbp"]
PAPER = ["as20k", "fsd50k", "desed", "spass", "urban", *BIRDS, "esc50", "sc2"]


def rows(clips: ClipSet, split: str) -> dict[str, list[str]]:
    """Clip id -> labels of a split."""
    table = clips.table[clips.table["split"] == split]
    return dict(zip(table["clip"], table["labels"], strict=True))


def skips(clips: ClipSet) -> set[tuple[str, str]]:
    """(clip, kind) of all that was skipped."""
    return set(zip(clips.skipped["clip"], clips.skipped["kind"], strict=True))


def test_the_registry_says_what_the_paper_uses():
    classes = [527, 200, 10, 28, 10, 21, 48, 132, 89, 56, 27, 51, 50, 12]
    assert [DATASETS[name].classes for name in PAPER] == classes
    single = [name for name in PAPER if DATASETS[name].task == "single-label"]
    assert single == ["esc50", "sc2"]
    assert {DATASETS[name].metric for name in single} == {"accuracy"}
    assert {DATASETS[name].loss for name in single} == {"cross_entropy"}
    assert {DATASETS[name].metric for name in PAPER if name not in single} == {"mAP"}
    assert all(
        spec.name == name and spec.licence and spec.size and spec.page for name, spec in DATASETS.items()
    )
    with pytest.raises(ValueError, match="no data set 'esc-50'; there are as20k, fsd50k"):
        load_dataset("esc-50")


def test_every_data_set_that_is_read_has_a_small_copy():
    loaders = {name: getattr(spec.load, "func", spec.load) for name, spec in DATASETS.items() if spec.layouts}
    copied = {loaders.get(name) for name in copies.MAKERS}
    lacking = [name for name, load in loaders.items() if load not in copied]
    assert not lacking, "lay out a small copy in dataset_copies.py, in a function of the data set's name"


@pytest.mark.parametrize("name", sorted({*copies.MAKERS} - {"folder"}))
def test_what_cannot_be_read_is_counted_and_the_rest_can(name, tmp_path):
    clips = load_dataset(name, copies.MAKERS[name](tmp_path / "copy"), seconds=1.0)
    kinds = clips.skipped.groupby("kind")["clip"].apply(lambda found: " ".join(found)).to_dict()
    assert "MISSING" in kinds["missing"]
    assert "BROKEN" in kinds["unreadable"]
    assert "SHORT" in kinds["too short"]
    for word in ("MISSING", "BROKEN", "SHORT"):
        assert not clips.table["clip"].str.contains(word).any()
    counts = clips.counts()
    assert counts["clips"].sum() == len(clips)
    assert counts.drop(columns="clips").to_numpy().sum() == len(clips.skipped)
    assert {"offset", "duration", "licence"} <= set(clips.table)
    assert len(clips.damaged()) == 0
    for i in range(0, len(clips), 7):
        row = clips.table.iloc[i]
        assert len(clips.read(i)) == round(row["duration"] * 16_000)
        assert np.array_equal(clips.read(i), clips.read(i))


def test_as20k_reads_the_segment_lists_and_finds_clips_by_video(tmp_path):
    root = copies.as20k(tmp_path)
    clips = load_dataset("as20k", root, validation=0.25)
    assert clips.classes == (
        "Speech", "Domestic animals, pets", "Bird vocalization, bird call, bird song", "Inside, small room",
    )  # fmt: skip
    counts = clips.counts()
    assert counts["clips"].sum() == 16 + 8
    assert counts.loc["test", "clips"] == 8
    # a quarter of the 20 listed videos, those without a clip among them
    assert counts.loc["validation"].sum() == 5
    assert counts["unknown label"].sum() == 2
    assert clips.skipped["reason"].str.contains("/m/unheard: not in class_labels_indices.csv").sum() == 2
    found = rows(clips, "test")
    assert found["-eval_00001"] == ["Bird vocalization, bird call, bird song", "Domestic animals, pets"]
    stems = {path.stem for path in clips.table["path"].map(type(root))}
    assert {"-eval_00000", "Y-eval_00001", "-eval_00002_30.000", "-eval_00003_30000_40000"} <= stems
    (root / "balanced_train_segments.csv").unlink()
    with pytest.raises(LayoutError, match=r"lacks balanced_train_segments.csv(.|\n)*research.google.com"):
        load_dataset("as20k", root)


def test_fsd50k_takes_validation_from_dev_and_licences_from_the_metadata(tmp_path):
    root = copies.fsd50k(tmp_path)
    clips = load_dataset("fsd50k", root)
    assert clips.classes == ("Accelerating_and_revving_and_vroom", "Bird", "Dog")
    assert clips.counts()["clips"].to_dict() == {"train": 12, "validation": 3, "test": 6}
    assert set(rows(clips, "validation")) == {"dev/64764", "dev/64769", "dev/64774"}
    assert set(clips.table["licence"]) == {"http://creativecommons.org/publicdomain/zero/1.0/"}
    assert ("dev/STRANGE", "unknown label") in skips(clips)
    assert ("eval/STRANGE", "unknown label") in skips(clips)
    shutil.rmtree(root / "FSD50K.metadata")
    assert set(load_dataset("fsd50k", root).table["licence"]) == {DATASETS["fsd50k"].licence}
    short = load_dataset("fsd50k", root, seconds=0.5)
    assert set(short.table["duration"]) == {0.5}
    assert {len(short.read(i)) for i in range(len(short))} == {8000}


def test_desed_joins_events_to_clips_and_keeps_the_silent_ones(tmp_path):
    root = copies.desed(tmp_path)
    clips = load_dataset("desed", root)
    train = rows(clips, "train")
    assert len(train) == 8 + 1 + 6
    assert train["synthetic21_train/quiet.wav"] == []
    assert sum(clip.startswith("weak/w ") for clip in train) == 6
    assert len(rows(clips, "validation")) == 7
    assert len(rows(clips, "test")) == 9
    i = clips.table.index[clips.table["clip"] == "public/Y-é1_30.000_40.000.wav"][0]
    events = [(found.label, found.onset, found.offset) for found in clips.events(i)]
    first, second = clips.table["labels"].iloc[i]
    assert events == [(first, 0.0, 0.5), (second, pytest.approx(0.1), 0.75)]
    assert clips.table["polyphony"].iloc[i] == 2
    one = load_dataset("desed", root, train=["weak"], validation=["synthetic21_train"])
    assert one.counts()["clips"].to_dict() == {"train": 6, "validation": 9, "test": 9}
    with pytest.raises(LayoutError, match=r"metadata/train/audioset_strong.tsv; leave"):
        load_dataset("desed", root, train=["audioset_strong"])
    with pytest.raises(ValueError, match="no part 'strong'"):
        load_dataset("desed", root, train=["strong"])
    table = root / "metadata/train/weak.tsv"
    table.write_text(table.read_text() + "x.wav\tHamster\n")
    with pytest.raises(LayoutError, match=r"weak.tsv.*Hamster"):
        load_dataset("desed", root)


def test_spass_draws_exact_shares_of_every_scene_and_can_merge_labels(tmp_path):
    root = copies.spass(tmp_path)
    clips = load_dataset("spass", root)
    assert clips.classes == ("Vwater", "airborne", "bird", "talk")
    scenes = clips.table.assign(scene=clips.table["clip"].str.split("/").str[0])
    park = scenes[scenes["scene"] == "Park"].groupby("split").size().to_dict()
    assert park == {"train": 7, "validation": 1, "test": 2}
    again = load_dataset("spass", root, seed=1)
    assert set(rows(again, "train")) != set(rows(clips, "train"))
    merged = load_dataset("spass", root, merge={"Vwater": "water"})
    assert merged.classes == ("airborne", "bird", "talk", "water")
    assert merged.targets()[:, 3].sum() == clips.targets()[:, 0].sum()


def test_urban_has_the_same_events_from_text_and_from_jams(tmp_path):
    text = load_dataset("urban", copies.urban(tmp_path / "text"))
    jams = load_dataset("urban", copies.urban(tmp_path / "jams", jams=True))
    assert text.counts()["clips"].to_dict() == {"train": 12, "validation": 6, "test": 6}
    assert text.counts()["not annotated"].sum() == 3
    assert list(text.table["labels"]) == list(jams.table["labels"])
    for i in range(len(text)):
        assert [e.onset for e in text.events(i)] == sorted(e.onset for e in text.events(i))
        assert text.events(i) == jams.events(i)
        assert {e.label for e in text.events(i)} == set(text.table["labels"].iloc[i])
    event = text.events(0)[0]
    assert (event.low_hz, event.high_hz, event.offset - event.onset) == (0.0, 8000.0, 0.5)
    path = tmp_path / "text/annotations/test/soundscape_test_bimodal0.txt"
    path.write_text("0.1\tlater\tsiren\n")
    with pytest.raises(LayoutError, match=r"bimodal0.txt, line 1: "):
        load_dataset("urban", tmp_path / "text")


def test_dcase2016_cuts_mixtures_into_windows_with_their_events(tmp_path):
    root = copies.dcase2016_task2(tmp_path)
    clips = load_dataset("dcase2016-task2", root, seconds=1.0)
    assert len(clips.classes) == DATASETS["dcase2016-task2"].classes
    counts = clips.counts()["clips"]
    assert (counts["train"] + counts["validation"], counts["test"]) == (16, 8)
    assert counts["validation"] > 0
    assert clips.counts()["not annotated"].to_dict() == {"train": 1, "validation": 0, "test": 1}
    assert (clips.table.groupby("group")["split"].nunique() == 1).all()
    first = clips.table.index[clips.table["clip"] == "test_0_ebr_-6_nec_1_poly_0@0"][0]
    spans = [[(e.label, e.onset, e.offset) for e in clips.events(i)] for i in (first, first + 1)]
    assert spans == [[("cough", 0.25, 1.0)], [("cough", 0.0, 0.25)]]
    path = next(root.rglob("dev_0_*.txt"))
    path.write_text(path.read_text() + "0.5\t0.7\tkeysDrop\n")  # as the publisher's README spells it
    assert "keys" in set(load_dataset("dcase2016-task2", root).table["labels"].explode())
    path.write_text("0.5\t0.7\tviolin\n")
    with pytest.raises(LayoutError, match="no label violin"):
        load_dataset("dcase2016-task2", root)


def test_esc50_keeps_a_source_in_one_split(tmp_path):
    root = copies.esc50(tmp_path)
    clips = load_dataset("esc50", root, validation=0.25)
    assert clips.classes == ("cat", "dog", "rain")
    assert clips.counts()["clips"].to_dict() == {"train": 18, "validation": 6, "test": 6}
    assert (clips.targets().sum(1) == 1).all()
    assert all(name.startswith("5-") for name in rows(clips, "test"))
    sources = clips.table["clip"].str.split("-").str[1]
    assert clips.table.groupby(sources)["split"].nunique().max() == 1
    other = load_dataset("esc50", root, test_fold=2, validation=0.0)
    assert all(name.startswith("2-") for name in rows(other, "test"))
    assert len(rows(other, "train")) == 24
    with pytest.raises(ValueError, match="folds 1, 2, 3, 4, 5"):
        load_dataset("esc50", root, test_fold=0)


def test_sc2_has_ten_words_all_others_and_silence(tmp_path):
    clips = load_dataset("sc2", copies.sc2(tmp_path))
    assert len(clips.classes) == 12
    assert clips.classes[-2:] == ("unknown", "silence")
    counted = clips.label_counts()
    assert counted.loc["no"].tolist() == [4, 1, 1]
    assert counted.loc["unknown"].tolist() == [8, 2, 2]
    assert counted.loc["silence"].tolist() == [8 + 9, 1 + 1, 1 + 1]
    assert ("yes/MISSING.wav", "missing") in skips(clips)
    silent = clips.table[clips.table["labels"].map(lambda found: found == ["silence"])]
    assert silent["offset"].tolist()[:10] == list(map(float, range(10)))
    i = silent.index[8]
    assert clips.table["split"][i] == "validation"
    assert np.array_equal(clips.read(i), read_audio(clips.table["path"][i])[8 * 16_000 : 9 * 16_000])


def test_birdset_is_few_shot_with_copies_and_the_published_test(tmp_path):
    root = copies.birdset(tmp_path)
    clips = load_dataset("hsn", root, shots=2, copies=3, seconds=2.0)
    assert clips.classes == copies.BIRDS
    assert clips.name == "hsn"
    train = rows(clips, "train")
    own = {clip: labels for clip, labels in train.items() if "+" not in clip}
    assert len(own) == 6
    assert len(train) == 6 * 4
    mixes = clips.table[clips.table["mix_path"] != ""]
    assert set(mixes["split"]) == {"train"}
    assert 10 <= len(mixes) <= 18  # of 18 copies, each with probability 0.9
    for row in mixes.itertuples():
        assert set(own[row.clip.split("+")[0]]) <= set(row.labels)
        assert row.mix_path != row.path or row.mix_offset != row.offset
        assert 0 <= row.mix_db <= 5
    files = {split: {clip.split("#")[0] for clip in rows(clips, split)} for split in ("train", "validation")}
    assert files["validation"]
    assert not files["train"] & files["validation"]
    assert set(own[next(iter(own))]) <= set(copies.BIRDS)
    test = rows(clips, "test")
    assert len(test) == 8
    assert test["test_5s/HSN_001_20150708_061805_035_040.ogg"] == []
    assert clips.counts().loc["train", "unreadable"] == 1
    assert not list(tmp_path.glob("*.ogg"))  # paths within an archive are ignored
    marks = {path: path.stat().st_mtime_ns for path in root.rglob("*.ogg")}
    again = load_dataset("hsn", root, shots=2, copies=3, seconds=2.0)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.ogg")} == marks
    assert again.fingerprint() == clips.fingerprint()
    assert (
        load_dataset("hsn", root, shots=2, copies=3, seconds=2.0, seed=1).fingerprint() != clips.fingerprint()
    )


def test_a_mix_is_its_two_sounds_at_the_level_that_the_table_says(tmp_path):
    clips = load_dataset("hsn", copies.birdset(tmp_path), shots=2, copies=1, mixup=1.0, seconds=2.0)
    i = clips.table.index[clips.table["mix_path"] != ""][0]
    row = clips.table.iloc[i]
    own = read_audio(row["path"], offset=row["offset"], duration=2.0)
    rest = clips.read(i) - own
    other = read_audio(row["mix_path"], offset=row["mix_offset"], duration=2.0)
    assert np.corrcoef(rest, other)[0, 1] > 0.9999
    assert 20 * np.log10(own.std() / rest.std()) == pytest.approx(row["mix_db"], abs=0.01)


def test_a_truncated_archive_is_named(tmp_path):
    root = copies.birdset(tmp_path)
    shard = root / "HSN" / "HSN_test5s_shard_0001.tar.gz"
    shard.write_bytes(shard.read_bytes()[:2000])
    with pytest.raises(LayoutError, match=r"test5s_shard_0001.tar.gz: cannot be unpacked"):
        load_dataset("hsn", root)


def test_a_sound_is_unpacked_whole_or_not_at_all(tmp_path, monkeypatch):
    folder = copies.birdset(tmp_path / "a") / "HSN"
    unpack(copies.birdset(tmp_path / "b") / "HSN")
    wanted = {path.name: path.read_bytes() for path in sounds_below(tmp_path / "b")}
    copy, left = shutil.copyfileobj, iter(range(len(wanted) - 1))

    def killed_in_the_last(source, out):
        if next(left, None) is None:
            out.write(source.read(100))
            out.flush()
            raise KeyboardInterrupt
        copy(source, out)

    monkeypatch.setattr(shutil, "copyfileobj", killed_in_the_last)
    with pytest.raises(KeyboardInterrupt):
        unpack(folder)
    found = {path.name: path.read_bytes() for path in sounds_below(folder)}
    assert len(found) == len(wanted) - 1
    assert found.items() <= wanted.items()
    monkeypatch.setattr(shutil, "copyfileobj", copy)
    unpack(folder)
    assert {path.name: path.read_bytes() for path in sounds_below(folder)} == wanted
    assert not list(folder.rglob("*.part"))


def _recordings() -> list[Recording]:
    """Long and short, alone and not, of two species."""
    made = []
    for number in range(12):
        bird = "ab"[number % 2]
        events, clusters = ((0.0, 1.0), (2.0, 3.0), (2.2, 2.5), (4.0, 5.0)), (7, 3, 3, -1)
        secondary = ("c",) if number % 3 == 2 else ()
        made.append(Recording(f"r{number:02d}", bird, (bird,), secondary, 4.0 + 3 * number, events, clusters))
    return made


def test_few_shots_prefer_many_recordings_and_fill_up_only_if_asked():
    recordings = _recordings()
    fitting = [each for each in recordings if each.seconds <= 20 and not each.secondary]
    for shots in (1, 2, 5):
        found = few_shot(recordings, shots)
        for bird in "ab":
            mine = [shot for shot in found if shot.recording.primary == bird]
            allowed = [each.file for each in fitting if each.primary == bird]
            assert {shot.recording.file for shot in mine} <= set(allowed)
            assert len(mine) == min(shots, len(allowed))  # one event is left of each by the rules
    assert {(shot.onset, shot.offset) for shot in few_shot(recordings, 9)} == {(2.0, 3.0)}
    filled = few_shot(recordings, 5, fill_up=True)
    assert len(filled) == 10
    assert len({(shot.recording.file, shot.number) for shot in filled}) == 10
    assert few_shot(recordings[::-1], 2, seed=3) == few_shot(recordings, 2, seed=3)
    assert [shot.recording.file for shot in few_shot(recordings, 9, condition="strict")] == ["r00"]
    with pytest.raises(ValueError, match="strict, lenient, all"):
        few_shot(recordings, 1, condition="long")


def test_few_shots_take_one_event_of_each_recording_before_a_second_one():
    events = tuple((float(n), n + 0.5) for n in range(6))
    recordings = [Recording(f"r{n}", "a", ("a",), (), 9.0, events, (0,) * 6) for n in range(4)]
    assert len({shot.recording.file for shot in few_shot(recordings, 4)}) == 4
    six = few_shot(recordings, 6)
    assert {shot.recording.file for shot in six[:4]} == {"r0", "r1", "r2", "r3"}
    assert len(few_shot(recordings, 99)) == 24
    noise = Recording("n", "a", ("a",), (), 9.0, ((1.0, 2.0),), (-1,))
    assert few_shot([noise], 1)[0].onset == 1.0
    assert few_shot([noise._replace(events=(), clusters=())], 1)[0].offset == 5.0
    twice = noise._replace(events=((1.0, 2.0), (3.0, 4.0)), clusters=(-1, -1))
    assert events_of(twice) == [(0.0, 5.0)], "as in BirdSet's mapping: only a single event of noise counts"


def test_the_hubs_parquet_files_are_read_without_its_scripts(tmp_path):
    clips = load_dataset("urban", copies.hub(tmp_path))
    assert clips.classes == ("car_horn", "dog_bark", "siren")
    assert clips.counts()["clips"].to_dict() == {"train": 9, "validation": 3, "test": 3}
    assert list(rows(clips, "train").values()) == copies.mixtures(clips.classes, 9)
    for place in (0, 8):
        i = clips.indices("train")[place]
        wanted = copies.tones(clips.table["labels"][i], clips.classes)
        assert np.abs(clips.read(int(i)) - wanted).max() < 1e-3
    before = clips.fingerprint()
    copies.hub(tmp_path, groups=9)
    assert load_dataset("urban", tmp_path).fingerprint() != before
    (tmp_path / "data/validation-00000-of-00001.parquet").unlink()
    counts = load_dataset("urban", tmp_path).counts()["clips"].to_dict()
    assert counts == {"train": 8, "validation": 1, "test": 3}
    (tmp_path / "data/test-00000-of-00001.parquet").rename(tmp_path / "data/more-00000-of-00001.parquet")
    with pytest.raises(LayoutError, match=r"more-00000.*validation"):
        load_dataset("urban", tmp_path)


def test_labels_come_in_the_hubs_three_forms():
    names = ["a", "b", "c"]
    for value in (1, [1], [0.0, 1.0, 0.0], "b", ["b"]):
        assert as_labels(value, names) == ["b"]
    assert as_labels([2, 0], []) == ["class 2", "class 0"]
    assert as_labels(None, names) == as_labels([], names) == as_labels([0.0] * 3, names) == []


def test_integers_for_each_class_are_no_numbers_of_classes(tmp_path):
    names = ["a", "b", "c", "d"]
    assert as_labels([0, 0, 1, 0], names) == ["c"]
    assert as_labels([0] * 4, names) == []
    assert as_labels([1] * 4, names) == names
    assert as_labels([False, True], []) == ["class 1"]
    assert as_labels([1, 0], names) == ["b", "a"], "two of four: their numbers"
    assert as_labels([1, 0], names[:2]) == ["b", "a"]
    assert as_labels([0, 0, 2, 0], names) == ["a", "a", "c", "a"], "one label an event"
    assert as_labels(True, names) == ["b"]
    with pytest.raises(LayoutError, match=r"\[0, 0, 1, 0\] are numbers of classes, or 0 and 1 for"):
        as_labels([0, 0, 1, 0], [])
    for path in copies.hub(tmp_path).rglob("*.parquet"):
        table = parquet.read_table(path)
        rows = pa.array([[0, 0, 1]] * len(table), pa.list_(pa.int64()))
        place = table.schema.get_field_index("labels")
        parquet.write_table(table.set_column(place, "labels", rows).replace_schema_metadata(), path)
    with pytest.raises(LayoutError, match=r"parquet, row 0 of group 0: the labels \[0, 0, 1\] are"):
        load_dataset("urban", tmp_path)


def test_a_data_set_is_fetched_as_files_of_the_right_branch(tmp_path, monkeypatch, capsys):
    asked = {}
    client = SimpleNamespace(snapshot_download=lambda **kind: asked.update(kind))
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    assert fetch(find_spec("hsn"), tmp_path / "hsn") == tmp_path / "hsn"
    assert (asked["repo_id"], asked["repo_type"], asked["revision"]) == (
        "DBD-research-group/BirdSet", "dataset", "data",
    )  # fmt: skip
    assert "HSN/HSN_metadata_test_5s.parquet" in asked["allow_patterns"]
    assert not any(pattern.endswith(".py") for pattern in asked["allow_patterns"])
    assert "5.92 GB; CC BY-NC 4.0" in capsys.readouterr().err

    def offline(**kind):
        raise ConnectionError("no network")

    client.snapshot_download = offline
    with pytest.raises(LayoutError, match=r"fetching lrauch/spass failed \(ConnectionError: no network"):
        fetch(find_spec("spass"), tmp_path)
    with pytest.raises(LayoutError, match="esc50 is not on the hub"):
        fetch(find_spec("esc50"), tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(LayoutError, match=r"pip install 'protoviz\[hub\]'(.|\n)*lrauch/spass"):
        fetch(find_spec("spass"), tmp_path)


def test_where_a_copy_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.delenv("PROTOVIZ_DATASETS", raising=False)
    with pytest.raises(LayoutError, match=r"set PROTOVIZ_DATASETS.\nGet ESC-50(.|\n)*CC BY-NC 3.0"):
        load_dataset("esc50")
    with pytest.raises(LayoutError, match="no such folder"):
        load_dataset("esc50", tmp_path / "nowhere")
    copies.esc50(tmp_path / "ESC-50-master")
    copies.esc50(tmp_path / "sets" / "esc50")
    assert len(load_dataset("esc50", tmp_path)) == 30  # by the name of the publisher's archive
    assert len(load_dataset("esc50", tmp_path / "ESC-50-master")) == 30  # the copy itself
    monkeypatch.setenv("PROTOVIZ_DATASETS", str(tmp_path / "sets"))
    assert str(tmp_path / "sets") in load_dataset("esc50").table["path"][0]
    shutil.rmtree(tmp_path / "sets" / "esc50" / "meta")
    with pytest.raises(LayoutError, match=r"not laid out as esc50 is published: it lacks meta/esc50.csv"):
        load_dataset("esc50")


def test_a_table_with_wrong_columns_or_bytes_is_named(tmp_path):
    root = copies.esc50(tmp_path)
    table = root / "meta" / "esc50.csv"
    text = table.read_text()
    table.write_text(text.replace("src_file", "source"))
    with pytest.raises(LayoutError, match=r"esc50.csv.*src_file.*filename"):
        load_dataset("esc50", root)
    table.write_bytes(text.encode("utf-16"))
    with pytest.raises(LayoutError, match=r"esc50.csv: not UTF-8"):
        load_dataset("esc50", root)
    table.write_text("\ufeff" + text, encoding="utf-8")  # as spreadsheets save it
    assert len(load_dataset("esc50", root)) == 30
    table.write_text(text + text.splitlines()[1] + "\n")
    twice = load_dataset("esc50", root)
    assert len(twice) == 30
    assert twice.counts()["listed twice"].sum() == 1
    shutil.rmtree(root / "audio")
    (root / "audio").mkdir()
    with pytest.raises(LayoutError, match="not one of its 34 clips can be read"):
        load_dataset("esc50", root)


def test_damage_behind_the_header_shows_when_it_is_read(tmp_path):
    root = copies.esc50(tmp_path)
    path = root / "audio" / "5-100050-A-0.wav"
    whole = path.read_bytes()
    clips = load_dataset("esc50", root)
    path.write_bytes(whole[:5000])
    found = clips.damaged()
    assert found["clip"].tolist() == ["5-100050-A-0.wav"]
    assert found["kind"].tolist() == ["damaged"]
    with pytest.raises(AudioError, match="5-100050-A-0"):
        clips.read(int(clips.table.index[clips.table["clip"] == path.name][0]))


def test_fingerprints_see_content_and_not_places(tmp_path):
    one = load_dataset("urban", copies.urban(tmp_path / "one"))
    assert load_dataset("urban", copies.urban(tmp_path / "two")).fingerprint() == one.fingerprint()
    assert load_dataset("urban", tmp_path / "two", seconds=0.5).fingerprint() != one.fingerprint()
    path = tmp_path / "two/audio/train/soundscape_train_bimodal0.wav"
    soundfile.write(path, soundfile.read(path)[0] * 0.5, 44_100)
    assert load_dataset("urban", tmp_path / "two").fingerprint() != one.fingerprint()


TINY = MiniConfig(width=32, depth=1, heads=1, frames=128)  # 1.28 s: 8 x 8 cells


@pytest.fixture(scope="module")
def tiny():
    return random_mini(0, TINY, "mini-tiny")


def _small_set(name: str, root) -> ClipSet:
    if name == "scenes":
        from protoviz.scenes import ProceduralSources, SceneConfig

        short = SceneConfig(seconds=1.28)
        sources = ProceduralSources(("bell", "rain", "siren"))
        return scene_clips(24, 6, 12, polyphony=1, sources=sources, config=short)
    few = {"shots": 4, "copies": 1} if name == "hsn" else {}
    return load_dataset(name, copies.MAKERS[name](root), seconds=1.0, **few)


@pytest.mark.parametrize("name", [*copies.MAKERS, "scenes"])
def test_from_a_copy_to_the_papers_metric(name, tmp_path, tiny):
    """Loader, token maps, a probe trained with the task's loss, its metric on test clips: above chance."""
    spec, clips = DATASETS[name], _small_set(name, tmp_path / "copy")
    cache = TokenCache.create(tmp_path / "tokens", tiny, clips, progress=False)
    assert len(cache) == len(clips)
    probe = build_probe("linearc", cache.dim, len(cache.classes), cache.grid, batch_norm=True)
    config = FitConfig(epochs=25, batch_size=16, lr=0.05, loss=spec.loss)
    result = fit(probe, cache.split("train"), cache.split("validation"), config)
    assert np.isfinite(result.history["loss"]).all()
    logits, targets = predict(probe, cache.split("test")), cache.split("test").targets()
    scores = np.asarray(logits)
    if spec.metric == "accuracy":
        assert accuracy(scores, targets) > 1.5 * targets.mean(0).max()
    else:
        found = mean_average_precision(scores, targets)
        assert (
            found.value
            > targets.mean(0)[np.setdiff1d(np.arange(len(targets[0])), found.absent)].mean() + 0.15
        )
