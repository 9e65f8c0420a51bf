"""Which files count as sounds, and where they are looked for: one list and one walk for every loader."""

import io
import unicodedata

import dataset_copies as copies
import numpy as np
import pytest
import soundfile

from protoviz.audio import SOUND_SUFFIXES, audio_info, files_below, read_audio, sounds_below
from protoviz.datasets import load_dataset
from protoviz.scenes import recorded_sources, sound_files

# Suffix -> the container that it stands for and, where that holds several kinds, the one to write.
KINDS = {
    ".wav": "WAV", ".wave": "WAV", ".bwf": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".oga": "OGG",
    ".opus": "OGG/OPUS", ".mp3": "MP3", ".aiff": "AIFF", ".aif": "AIFF", ".aifc": "AIFF", ".au": "AU",
    ".snd": "AU", ".caf": "CAF", ".w64": "W64", ".rf64": "RF64", ".sph": "NIST", ".nist": "NIST",
    ".voc": "VOC",
}  # fmt: skip


def written(path, kind="WAV", frequency=0.1):
    container, _, subtype = kind.partition("/")
    memory = io.BytesIO()
    sound = np.sin(np.arange(16_000) * frequency) * 0.3
    soundfile.write(memory, sound, 16_000, format=container, subtype=subtype or None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(memory.getvalue())
    return path


def test_every_listed_suffix_is_one_that_the_decoder_opens():
    assert set(KINDS) == set(SOUND_SUFFIXES)


@pytest.mark.parametrize("suffix", [*KINDS, ".WAV", ".Flac", ".OPUS"])
def test_a_sound_of_every_kind_is_found_read_and_used(tmp_path, suffix):
    path = written(tmp_path / "set" / "bell" / f"a.b{suffix}", KINDS[suffix.lower()])
    written(tmp_path / "set" / "rain" / f"c{suffix}", KINDS[suffix.lower()], 0.3)
    assert audio_info(path).seconds == pytest.approx(1.0, abs=0.01)
    assert np.abs(read_audio(path, 16_000)).max() == pytest.approx(0.3, abs=0.05)
    assert sound_files(tmp_path)[0] == str(path)
    assert recorded_sources(tmp_path / "set", "test", test_share=1.0).classes == ("bell", "rain")
    clips = load_dataset("folder", tmp_path / "set", validation=0, test=0)
    assert clips.table.set_index("path").labels[str(path)] == ["bell"]
    assert clips.skipped.empty


@pytest.mark.parametrize("suffix", [".m4a", ".webm", ".WMA", ".aac", ".mp4", ".amr"])
def test_a_sound_that_has_to_be_converted_is_listed_with_its_cure(tmp_path, suffix):
    written(tmp_path / "bell" / "a.wav")
    foreign = written(tmp_path / "bell" / f"b{suffix}", "WAV")
    foreign.write_bytes(b"\0\0\0\x20ftypM4A and so on")
    clips = load_dataset("folder", tmp_path)
    told = clips.skipped.set_index("clip").loc[f"bell/b{suffix}"]
    assert told.kind == "unreadable"
    assert foreign.name in told.reason
    assert "ffmpeg" in told.reason
    with pytest.raises(ValueError, match=rf"b\{suffix}.*ffmpeg"):
        sound_files(tmp_path)
    written(tmp_path / "bell" / "b.wav")  # the cure was followed
    assert load_dataset("folder", tmp_path).skipped.empty
    assert len(sound_files(tmp_path)) == 2


@pytest.mark.parametrize("suffix", [".flac", ".OPUS"])
@pytest.mark.parametrize("name", ["as20k", "esc50", "fsd50k", "urban", "sc2", "desed"])
def test_a_published_copy_of_other_files_is_the_same_data_set(tmp_path, name, suffix):
    def converted(path):
        if "BROKEN" not in path.name:
            path.rename(path.with_suffix(suffix))  # a decoder looks at the content

    root = copies.MAKERS[name](tmp_path / name)
    before = load_dataset(name, root)
    wanted = before.fingerprint()
    for path in sounds_below(root):
        converted(path)
    after = load_dataset(name, root)
    assert after.fingerprint() == wanted
    assert list(after.table["clip"]) == list(before.table["clip"])


def test_audioset_tells_a_downloaded_film_from_a_video_that_is_gone(tmp_path):
    root = copies.as20k(tmp_path)
    path = next(path for path in sounds_below(root) if path.name.startswith("Y"))
    path.rename(path.with_suffix(".webm")).write_bytes(b"\x1aE\xdf\xa3")
    told = load_dataset("as20k", root).skipped.set_index("clip").loc[path.stem[1:]]
    assert told.kind == "unreadable"
    assert "ffmpeg" in told.reason


HIDDEN = ("._{}", ".hidden-{}", ".Trash/{}", "__MACOSX/{}", ".ipynb_checkpoints/{}", "@eaDir/{}")


@pytest.mark.parametrize("name", sorted(copies.MAKERS))
def test_what_systems_leave_behind_is_no_part_of_a_data_set(tmp_path, name):
    root = copies.MAKERS[name](tmp_path / name)
    wanted = load_dataset(name, root).fingerprint()
    skipped = load_dataset(name, root).skipped
    for path in list(files_below(root)):
        for form in HIDDEN:
            left = path.parent / form.format(path.name)
            left.parent.mkdir(exist_ok=True)
            left.write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    clips = load_dataset(name, root)
    assert clips.fingerprint() == wanted
    assert sorted(clips.skipped["clip"]) == sorted(skipped["clip"])


def test_linked_folders_are_entered_once_and_circles_end(tmp_path):
    written(tmp_path / "elsewhere" / "a.wav")
    root = tmp_path / "set"
    written(root / "bell" / "b.wav")
    (root / "rain").symlink_to(tmp_path / "elsewhere")
    (root / "bell" / "up").symlink_to(root)
    (root / "same").symlink_to(root / "bell")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "elsewhere")
    (root / "lost").symlink_to(tmp_path / "nowhere")
    assert sounds_below(root) == [root / "bell" / "b.wav", root / "rain" / "a.wav"]
    assert load_dataset("folder", root).classes == ("bell", "rain")
    assert recorded_sources(root, "test", test_share=1.0).classes == ("bell", "rain")


def test_accents_written_in_two_ways_are_one_class(tmp_path):
    for form in ("NFC", "NFD"):
        written(tmp_path / "set" / unicodedata.normalize(form, "Wróbel") / f"{form}.wav")
    assert load_dataset("folder", tmp_path / "set").classes == ("Wróbel",)
    assert recorded_sources(tmp_path / "set", "test", test_share=1.0).classes == ("Wróbel",)
