"""Events from recordings: layouts, regions, splits by recording, files that cannot be read."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
import soundfile

from protoviz.audio import AudioError
from protoviz.datasets import recorded_scene_clips
from protoviz.scenes import (
    SceneConfig,
    active_regions,
    make_scene,
    recorded_sources,
    scene_labels,
    sound_files,
)

RATE = 16_000


def tone(hertz: float, seconds: float = 0.5, before: float = 0.0, after: float = 0.0) -> np.ndarray:
    """A faded tone with silence around it, (s,) at 16 kHz."""
    sound = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    sound *= np.minimum(1, np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / 320)
    return np.concatenate([np.zeros(round(before * RATE)), sound, np.zeros(round(after * RATE))])


@pytest.fixture
def labels_folder(tmp_path):
    """Two labels with five recordings each; one recording gave clips of both labels."""
    for label, hertz in (("low", 300), ("high", 3000)):
        (tmp_path / label).mkdir()
        for i in range(4):
            soundfile.write(tmp_path / label / f"{label}{i}.wav", tone(hertz + 40 * i, 0.5, 0.4, 0.3), RATE)
        soundfile.write(tmp_path / label / "both.wav", tone(hertz, 0.4), RATE)
    return tmp_path


def test_a_folder_a_label_is_split_by_recording(labels_folder):
    train, test = (recorded_sources(labels_folder, split) for split in ("train", "test"))
    assert train.classes == test.classes == ("high", "low")
    assert not train.recordings & test.recordings
    assert len(train.recordings | test.recordings) == 9
    assert all(len(test.regions[label]) == 2 for label in test.classes)
    assert pickle.loads(pickle.dumps(train)) == train
    assert train.fingerprint() != test.fingerprint()


def test_mixed_events_are_the_recordings_cut_to_where_they_sound(labels_folder):
    sources = recorded_sources(labels_folder, "train")
    for seed in range(6):
        scene = make_scene(seed, 2, sources=sources)
        assert scene_labels(seed, 2, sources=sources) == (2, scene.labels) == (2, ("high", "low"))
        for event in scene.events:
            assert 0.3 < event.offset - event.onset < 0.65  # the clip lasts 1.2 s, its sound 0.4 or 0.5 s
            hertz = 300 if event.label == "low" else 3000
            assert event.low_hz < hertz + 130
            assert event.high_hz > hertz - 10


def test_a_moved_folder_gives_the_same_sources_and_a_changed_sound_others(labels_folder):
    before = recorded_sources(labels_folder)
    moved = labels_folder.rename(labels_folder.with_name("moved"))
    assert recorded_sources(moved).fingerprint() == before.fingerprint()
    again = moved / "low" / f"{next(iter(before.recordings - {'both'} - {f'high{i}' for i in range(4)}))}.wav"
    soundfile.write(again, tone(500), RATE)
    changed = recorded_sources(moved.rename(moved.with_name("again")))
    assert changed.fingerprint() != before.fingerprint()


def test_unreadable_and_silent_files_are_listed_with_the_reason_and_the_rest_is_used(labels_folder):
    (labels_folder / "low" / "broken.wav").write_bytes(b"RIFF no sound at all")
    soundfile.write(labels_folder / "high" / "silent.wav", np.zeros(RATE), RATE)
    splits = [recorded_sources(labels_folder, split) for split in ("train", "test")]
    skipped = dict(entry for sources in splits for entry in sources.skipped)
    assert {path.rsplit("/", 1)[1] for path in skipped} == {"broken.wav", "silent.wav"}
    assert all(reason for reason in skipped.values())
    assert len(splits[0].recordings | splits[1].recordings) == 9


def test_a_label_without_a_readable_recording_is_refused_by_name(labels_folder):
    (labels_folder / "odd").mkdir()
    (labels_folder / "odd" / "one.wav").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="'odd'"):
        recorded_sources(labels_folder, "test")
    assert recorded_sources(labels_folder, "test", labels=("low", "high")).classes == ("low", "high")


def test_esc_layout_takes_folds_and_freesound_ids(tmp_path):
    (tmp_path / "audio").mkdir()
    (tmp_path / "meta").mkdir()
    rows = []
    for fold in range(1, 6):
        for target, category in enumerate(("dog", "rain")):
            name = f"{fold}-{fold}0{target}-A-{target}.wav"
            soundfile.write(tmp_path / "audio" / name, tone(400 + 900 * target, 5.0), RATE)
            source = f"{fold}0{target}"
            rows.append({"filename": name, "fold": fold, "category": category, "src_file": source})
    rows.append({"filename": "own.wav", "fold": 1, "category": "dog", "src_file": "7"})  # named otherwise
    soundfile.write(tmp_path / "audio" / "own.wav", tone(400, 5.0), RATE)
    pd.DataFrame(rows).to_csv(tmp_path / "meta" / "esc50.csv", index=False)
    train, test = (recorded_sources(tmp_path, split, longest=2.0) for split in ("train", "test"))
    assert test.recordings == {"500", "501"}
    assert len(train.recordings) == 9
    assert "7" in train.recordings
    event = make_scene(3, 1, sources=train).events[0]
    assert event.offset - event.onset == pytest.approx(2.0, abs=0.05)  # cropped to `longest`
    rows[1]["src_file"] = "500"  # fold 1 now holds a recording that fold 5 holds
    pd.DataFrame(rows).to_csv(tmp_path / "meta" / "esc50.csv", index=False)
    with pytest.raises(ValueError, match=r"'500'.*in train and in test"):
        recorded_sources(tmp_path)
    pd.DataFrame(rows).drop(columns="src_file").to_csv(tmp_path / "meta" / "esc50.csv", index=False)
    with pytest.raises(ValueError, match=r"esc50\.csv: columns src_file"):
        recorded_sources(tmp_path)


def test_manifest_layout_takes_its_events_and_its_split(tmp_path):
    manifest, events = [], []
    for i, split in enumerate(("train", "test", "", "train")):
        soundfile.write(tmp_path / f"{i}.wav", tone(900, 3.0), RATE)
        label = "a;b" if i == 3 else "a"
        manifest.append({"path": f"{i}.wav", "label": label, "src_id": f"s{i}", "suggested_split": split})
        events.append({"path": f"{i}.wav", "onset": 1.0, "offset": 1.5, "label": "a"})
    pd.DataFrame(manifest).to_csv(tmp_path / "manifest.csv", index=False)
    pd.DataFrame(events).to_csv(tmp_path / "events.csv", index=False)
    train = recorded_sources(tmp_path, "train")
    assert train.recordings == {"s0"}  # not the clip without split, nor the one with two labels
    assert train.regions["a"][0].onset == 1.0
    event = make_scene(0, 1, sources=train).events[0]
    assert event.offset - event.onset == pytest.approx(0.5, abs=0.04)


def test_a_manifest_without_a_column_is_refused_by_its_name(tmp_path):
    pd.DataFrame({"path": ["a.wav"], "label": ["a"]}).to_csv(tmp_path / "manifest.csv", index=False)
    pd.DataFrame({"path": ["a.wav"], "onset": [0.0], "offset": [1.0]}).to_csv(
        tmp_path / "events.csv", index=False
    )
    with pytest.raises(ValueError, match="src_id, suggested_split"):
        recorded_sources(tmp_path)


def test_wrong_folders_and_splits_say_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
        recorded_sources(tmp_path)
    with pytest.raises(ValueError, match="train and test"):
        recorded_sources(tmp_path, "validation")
    with pytest.raises(ValueError, match="no sound files"):
        sound_files(tmp_path / "absent")


def test_active_regions_are_where_the_sound_is():
    two = np.concatenate([tone(500, 0.5, 0.3), tone(900, 0.8, 0.6, 0.2)])
    found = active_regions(two)
    assert np.allclose(found, [(0.3, 0.8), (1.4, 2.2)], atol=0.03)
    assert (
        len(active_regions(np.concatenate([tone(500, 0.5), tone(500, 0.5, 0.1)]))) == 1
    )  # a short gap is bridged
    assert active_regions(np.zeros(RATE)) == []
    assert active_regions(np.ones(10)) == []
    steady = np.random.default_rng(0).normal(0, 0.1, RATE * 2)
    assert np.allclose(active_regions(steady), [(0, 2)], atol=0.03)
    noisy = steady * 0.01 + tone(700, 0.5, 0.5, 1.0)
    assert np.allclose(active_regions(noisy), [(0.5, 1.0)], atol=0.05)


def test_recorded_backgrounds_lie_under_the_whole_scene(tmp_path):
    hum = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE * 3) / RATE)  # shorter than a scene: repeated
    soundfile.write(tmp_path / "hum.wav", hum + 0.001 * np.random.default_rng(0).normal(size=len(hum)), RATE)
    config = SceneConfig(background=sound_files(tmp_path))
    scene = make_scene(4, 1, config=config)
    assert scene.waveform.shape == (163_840,)
    for start in range(0, 10):
        spectrum = np.abs(np.fft.rfft(scene.waveform[start * RATE : (start + 1) * RATE]))
        assert spectrum[440] > 5 * np.median(spectrum)
    assert np.array_equal(make_scene(4, 1, config=config).waveform, scene.waveform)
    (tmp_path / "hum.wav").write_bytes(b"gone")
    with pytest.raises(AudioError, match=r"hum\.wav"):
        make_scene(4, 1, config=config)


def test_a_silent_background_leaves_the_events():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("protoviz.scenes.backgrounds._stretch", lambda draw, length, path: np.zeros(length))
        scene = make_scene(4, 2, config=SceneConfig(background=("silent.wav",)))
    assert 0.3 < np.abs(scene.waveform).max() < 1
    assert len(scene.events) == 2


def test_real_recordings_mix_to_scenes_with_sources_disjoint_by_recording(shared):
    folder = shared("audio")
    train, test = (recorded_sources(folder, split) for split in ("train", "test"))
    assert len(train.classes) == 10
    assert not train.recordings & test.recordings
    assert train.skipped == test.skipped == ()
    manifest = pd.read_csv(folder / "manifest.csv", dtype=str).set_index("path")
    used = {region.path for regions in train.regions.values() for region in regions}
    assert all(manifest.suggested_split[path.split("/audio/", 1)[1]] == "train" for path in used)
    background = sound_files(folder / "background")
    scene = make_scene(5, 4, sources=test, config=SceneConfig(background=background))
    assert len(scene.events) == 4
    assert set(scene.labels) <= set(test.classes)
    assert np.abs(scene.waveform).max() < 1
    again = make_scene(
        5, 4, sources=pickle.loads(pickle.dumps(test)), config=SceneConfig(background=background)
    )
    assert np.array_equal(scene.waveform, again.waveform)
    assert scene.events == again.events


def test_a_data_set_of_mixed_recordings_keeps_those_of_train_and_test_apart(labels_folder):
    clips = recorded_scene_clips(labels_folder, train=4, validation=2, test=3, polyphony=2)
    assert clips.classes == ("high", "low")
    assert clips.counts().clips.to_dict() == {"train": 4, "validation": 2, "test": 3}
    row = clips.table[clips.table.split == "test"].iloc[0]
    apart = make_scene(int(row.seed), 2, sources=recorded_sources(labels_folder, "test"))
    np.testing.assert_array_equal(clips.read(int(row.name)), apart.waveform)
    one = recorded_scene_clips(labels_folder, labels=["low"], train=1, validation=1, test=1, polyphony=1)
    assert one.classes == ("low",)
