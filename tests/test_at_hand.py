"""What a person has at hand is taken as it is: arrays and loaders for `fit`, files and hub splits."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader, TensorDataset

from protoviz import build_probe, fit
from protoviz.cache import TokenCache
from protoviz.datasets import clips_of
from protoviz.encoders import load_encoder
from protoviz.paths import DATA
from protoviz.training import FitConfig, TokenData

NUMBERS, NAMES = [0, 2, 1, 0, 1, 2], ["bell", "rain", "dog", "bell", "dog", "rain"]
TOKENS = np.random.default_rng(0).standard_normal((6, 8, 12), np.float32)
ONES = np.eye(3, dtype=np.float32)[NUMBERS]


def history(train, validation=None):
    torch.manual_seed(0)
    probe = build_probe("linpre", 12, 3)
    return fit(probe, train, validation or train, FitConfig(2, 2)).history, probe


@pytest.mark.parametrize(
    "data",
    [
        (TOKENS, NUMBERS),
        (TOKENS, np.array(NUMBERS)),
        (torch.from_numpy(TOKENS), torch.tensor(NUMBERS)),
        (TOKENS, NAMES),
        (TOKENS, np.array(NAMES)),
        (TOKENS, [[name] for name in NAMES]),
        (TOKENS, ONES),
        (TOKENS, ONES.astype(int).tolist()),
        DataLoader(TensorDataset(torch.from_numpy(TOKENS), torch.tensor(NUMBERS)), 4),
        DataLoader(TensorDataset(torch.from_numpy(TOKENS), torch.from_numpy(ONES)), 4),
        DataLoader(list(zip(TOKENS, NAMES, strict=True)), 4),
    ],
    ids=range(11),
)
def test_labels_in_any_form_are_the_same_training(data):
    expected, _ = history(TokenData(torch.from_numpy(TOKENS), None, None, ONES))
    found, probe = history(data)
    assert found.equals(expected)
    assert probe.metadata.get("classes", ["bell", "dog", "rain"]) == ["bell", "dog", "rain"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((TOKENS, NUMBERS[:-1]), "5 labels"),
        ((TOKENS[0], NUMBERS), "clips, tokens, width"),
        ((TOKENS, [0, 1, 2, 3, 0, 1]), "from 0 to 2"),
        ((TOKENS, [0.5] * 6), "do not fit 3 classes"),
        ((TOKENS, ["a", "b", "c", "d", "a", "b"]), "4 names"),
        (7, "int"),
    ],
)
def test_what_does_not_fit_is_named(data, said):
    with pytest.raises(ValueError, match=said):
        history(data)


def test_a_name_that_training_has_not_is_refused():
    with pytest.raises(ValueError, match=r"'frog'.*bell"):
        history((TOKENS, NAMES), (TOKENS, ["frog", *NAMES[1:]]))


def write(folder, names, seconds=1.0):
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = 0.1 * np.random.default_rng(number).standard_normal(round(16_000 * seconds))
        soundfile.write(path, sound, 16_000)


def test_a_list_of_files_is_a_cache(tmp_path):
    write(tmp_path / "in", ["x/a.wav", "b.wav", "c.wav"])
    place = tmp_path / "in"
    files = [
        (place / "x/a.wav", "dog"),
        (str(place / "b.wav"), ["cat", "dog"]),
        (place / "c.wav", [], "test"),
    ]
    cache = TokenCache.create(tmp_path / "tokens", load_encoder("mini-random"), files, progress=False)
    assert cache.classes == ("cat", "dog")
    assert np.asarray(cache.split("train").targets()).tolist() == [[0, 1], [1, 1]]
    assert len(cache.split("test")) == 1
    assert TokenCache.create(tmp_path / "tokens", load_encoder("mini-random"), files, progress=False)
    same = {place / "x/a.wav": "dog", place / "b.wav": ["cat", "dog"]}
    assert clips_of(same).table["clip"].tolist() == ["x/a.wav", "b.wav"]
    for wrong, said in (
        ([], "without a file"),
        (["a.wav"], "'a.wav'"),
        ([("a.wav", "dog", "later")], "later"),
        ([("nowhere.wav", "dog")], "not one"),
    ):
        with pytest.raises(ValueError, match=said):
            clips_of(wrong)


class Split:
    """The face of a split of `datasets`: rows by number, columns by name, features."""

    def __init__(self, name, audio, labels, kind):
        self.split, self.column_names = name, ["audio", "label"]
        self.features = {"audio": SimpleNamespace(), "label": kind}
        self.rows = [{"audio": one, "label": label} for one, label in zip(audio, labels, strict=True)]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, key):
        return [row[key] for row in self.rows] if isinstance(key, str) else self.rows[key]


class Decoder:
    """The face of the audio of newer versions."""

    def __init__(self, sound, rate):
        self.found = SimpleNamespace(data=torch.from_numpy(sound), sample_rate=rate)

    def get_all_samples(self):
        return self.found


SOUND = (0.1 * np.random.default_rng(3).standard_normal(8_000)).astype(np.float32)
ARRAY = {"array": SOUND, "sampling_rate": 16_000, "path": None}
NAMED = SimpleNamespace(names=["cat", "dog"])


@pytest.mark.parametrize(
    ("audio", "labels", "kind", "expected"),
    [
        (ARRAY, [1, 0], NAMED, [["dog"], ["cat"]]),
        (Decoder(SOUND[None], 16_000), [[0, 1], []], SimpleNamespace(feature=NAMED), [["cat", "dog"], []]),
        ({**ARRAY, "array": np.stack([SOUND, SOUND], 1)}, ["dog", "cat"], None, [["dog"], ["cat"]]),
    ],
    ids=["array", "decoder", "stereo"],
)
def test_a_split_of_the_hub_is_a_cache(audio, labels, kind, expected, tmp_path):
    split = Split("validation", [audio] * 2, labels, kind)
    clips = clips_of(split)
    assert clips.table.labels.tolist() == expected
    assert set(clips.table["split"]) == {"validation"}
    np.testing.assert_allclose(clips.read(0), SOUND, atol=1e-6)
    cache = TokenCache.create(tmp_path / "tokens", load_encoder("mini-random"), split, progress=False)
    assert cache.classes == ("cat", "dog")
    assert len(cache) == 2


def test_splits_of_the_hub_come_by_name_and_change_the_fingerprint():
    other = {**ARRAY, "array": SOUND[::-1].copy()}
    both = {"train": Split("train", [ARRAY], [0], NAMED), "test": Split("test", [other], [1], NAMED)}
    clips = clips_of(both)
    assert clips.table["split"].tolist() == ["train", "test"]
    np.testing.assert_allclose(clips.read(1), SOUND[::-1], atol=1e-6)
    assert clips_of({**both, "test": both["train"]}).fingerprint() != clips.fingerprint()
    low = {"array": SOUND, "sampling_rate": 8_000}
    assert len(clips_of(Split("train", [low], [0], NAMED)).read(0)) == 16_000
    with pytest.raises(ValueError, match="not decoded"):
        clips_of(Split("train", [{"bytes": b"", "path": None}], [0], NAMED)).read(0)
    nothing = Split("train", [ARRAY], [0], NAMED)
    nothing.column_names = ["sound", "label"]
    nothing.features["sound"] = SimpleNamespace()
    with pytest.raises(ValueError, match="sound, label"):
        clips_of(nothing)


def test_the_examples_of_the_docs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, ["a.wav", "b.wav", "c.wav"])
    text = (DATA.parent / "docs" / "grids.md").read_text()
    text = text[text.index("**What you have at hand**") : text.index("**A grid**")]
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for code in examples:
        exec(code, {})
