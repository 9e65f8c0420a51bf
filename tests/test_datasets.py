"""Data sets: one table, disjoint seeds, fingerprints that see every change, broken files named."""

import pickle

import numpy as np
import pytest
import soundfile

from protoviz.audio import AudioError
from protoviz.datasets import ClipSet, folder_clips, scene_clips, scene_seeds
from protoviz.scenes import SCENE_CLASSES, ProceduralSources, SceneConfig, make_scene, sound_files


def test_scene_clips_know_their_labels_and_give_the_scene_of_their_seed():
    clips = scene_clips(30, 5, 10)
    assert len(clips) == 45
    assert clips.classes == SCENE_CLASSES
    assert clips.table["clip"].is_unique
    assert [len(clips.indices(split)) for split in ("train", "validation", "test")] == [30, 5, 10]
    for i in (0, 33, 44):
        row = clips.table.iloc[i]
        scene = make_scene(int(row.seed), int(row.polyphony))
        assert np.array_equal(clips.read(i), scene.waveform)
        assert clips.events(i) == scene.events
        assert tuple(row.labels) == scene.labels
        assert row.polyphony == len(scene.events)
        assert {clips.classes[c] for c in np.flatnonzero(clips.targets()[i])} == set(scene.labels)
    assert clips.targets("test").shape == (10, len(SCENE_CLASSES))
    assert np.array_equal(clips.targets()[clips.indices("test")], clips.targets("test"))
    assert set(clips.table.polyphony) <= set(range(1, 9))


def test_no_scene_is_in_two_splits_or_two_data_sets():
    seen = [
        set(scene_seeds(split, 50_000, seed)) for seed in (0, 1) for split in ("train", "validation", "test")
    ]
    assert len(set.union(*seen)) == 6 * 50_000
    assert min(min(seeds) for seeds in seen) >= 10_000_000  # below lie single scenes and pre-training
    assert scene_seeds("test", 3_000_000, 427)[-1] < 2**32
    with pytest.raises(ValueError, match="room for 3,000,000"):
        scene_seeds("train", 3_000_001)
    with pytest.raises(ValueError, match="0 to 427"):
        scene_seeds("train", 1, 428)


def test_every_class_and_polyphony_is_equally_frequent():
    clips = scene_clips(4000, 0, 0)
    share = clips.targets().mean(axis=0)
    expected = clips.table.polyphony.mean() / len(SCENE_CLASSES)
    assert np.abs(share - expected).max() < 4.5 * np.sqrt(expected * (1 - expected) / 4000)
    counts = clips.table.polyphony.value_counts()
    assert set(counts.index) == set(range(1, 9))
    assert np.abs(counts - 500).max() < 100


def test_a_fixed_polyphony_and_chosen_sources():
    clips = scene_clips(6, 2, 2, polyphony=3, sources=ProceduralSources(("bell", "rain", "siren", "knock")))
    assert set(clips.table.polyphony) == {3}
    assert clips.classes == ("bell", "rain", "siren", "knock")
    two = {"train": ProceduralSources(("bell", "rain")), "test": ProceduralSources(("rain", "bell"))}
    with pytest.raises(ValueError, match="different classes"):
        scene_clips(1, 0, 1, sources=two)
    with pytest.raises(ValueError, match="'test'"):
        scene_clips(1, 0, 1, sources={"train": two["train"]})


def test_the_fingerprint_sees_every_change_and_nothing_else():
    base = scene_clips(5, 1, 1).fingerprint()
    assert scene_clips(5, 1, 1).fingerprint() == base
    assert pickle.loads(pickle.dumps(scene_clips(5, 1, 1))).fingerprint() == base
    others = [
        scene_clips(6, 1, 1),
        scene_clips(5, 1, 1, seed=1),
        scene_clips(5, 1, 1, polyphony=2),
        scene_clips(5, 1, 1, config=SceneConfig(event_db=(0.0, 3.0))),
        scene_clips(5, 1, 1, sources=ProceduralSources(SCENE_CLASSES[::-1])),
    ]
    assert len({base, *(clips.fingerprint() for clips in others)}) == 6


def test_the_fingerprint_hears_the_recorded_background(tmp_path):
    def made(folder, loudness):
        folder.mkdir()
        soundfile.write(folder / "hum.wav", loudness * np.sin(np.arange(32_000)), 16_000)
        return scene_clips(1, 0, 1, config=SceneConfig(background=sound_files(folder))).fingerprint()

    assert made(tmp_path / "a", 0.2) == made(tmp_path / "b", 0.2)
    assert made(tmp_path / "c", 0.3) not in (made(tmp_path / "d", 0.2), scene_clips(1, 0, 1).fingerprint())


@pytest.fixture
def folder(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for i in range(2):
            sound = np.sin(np.arange(16_000 * (i + 1)) * 0.1) * 0.4
            soundfile.write(tmp_path / label / f"{label}{i}.flac", sound, 16_000)
    (tmp_path / "cat" / "notes.txt").write_text("not a sound")
    return tmp_path


def test_a_folder_of_files_is_fitted_to_the_clip_length(folder):
    clips = folder_clips(folder, seconds=1.5)
    assert clips.classes == ("cat", "dog")
    assert list(clips.table["clip"]) == ["cat/cat0.flac", "cat/cat1.flac", "dog/dog0.flac", "dog/dog1.flac"]
    assert [clips.read(i).shape for i in range(4)] == [(24_000,)] * 4
    assert not clips.read(0)[16_000:].any()
    assert clips.read(1)[16_000:].any()
    assert clips.events(0) == ()
    assert np.array_equal(clips.targets(), [[1, 0], [1, 0], [0, 1], [0, 1]])
    assert len(clips.indices("test")) == 4


def test_a_broken_file_is_named_when_it_is_read_and_a_changed_one_changes_the_fingerprint(folder):
    before = folder_clips(folder).fingerprint()
    (folder / "dog" / "dog1.flac").write_bytes(b"fLaC and then nothing")
    clips = folder_clips(folder)
    with pytest.raises(AudioError, match=r"dog1\.flac"):
        clips.read(3)
    assert clips.read(0).any()
    assert clips.fingerprint() != before
    moved = folder_clips(folder.rename(folder.with_name("elsewhere")))
    assert moved.fingerprint() == clips.fingerprint()


def test_a_folder_with_splits_keeps_them(folder):
    for split in ("train", "test"):
        (folder / "sorted" / split).mkdir(parents=True)
    (folder / "cat").rename(folder / "sorted" / "train" / "cat")
    (folder / "dog").rename(folder / "sorted" / "test" / "dog")
    clips = folder_clips(folder / "sorted")
    assert clips.table.groupby("split").labels.first().to_dict() == {"train": ["cat"], "test": ["dog"]}
    assert clips.table["clip"].iloc[0] == "train/cat/cat0.flac"


def test_an_empty_folder_and_inconsistent_tables_are_refused_with_the_reason(tmp_path):
    with pytest.raises(ValueError, match="no sound files"):
        folder_clips(tmp_path)
    clips = scene_clips(2, 0, 1)
    with pytest.raises(ValueError, match="listed twice"):
        ClipSet("twice", clips.classes, clips.table.iloc[[0, 0]], clips.reader)
    with pytest.raises(ValueError, match="not among its classes"):
        ClipSet("strange", ("bell",), clips.table, clips.reader)
    with pytest.raises(ValueError, match="'dev'"):
        ClipSet("split", clips.classes, clips.table.assign(split="dev"), clips.reader)
    with pytest.raises(ValueError, match="lacks the columns seed"):
        ClipSet("short", clips.classes, clips.table.drop(columns="seed"), clips.reader)
    with pytest.raises(ValueError, match="'dev' is unknown"):
        clips.indices("dev")
