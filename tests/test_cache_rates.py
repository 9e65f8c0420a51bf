"""Clips and encoders of different sample rates: brought together where that can be, else refused."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from cache_fakes import FakeEncoder, FakeReader, fake_clips
from golden_names import ENCODER_FILES
from typer.testing import CliRunner

from protoviz.cache import CacheError, TokenCache
from protoviz.cli import app
from protoviz.datasets import folder_clips, load_dataset, scene_clips
from protoviz.encoders import load_encoder
from protoviz.experiments.grid import DatasetEntry, EncoderEntry, read_grid
from protoviz.experiments.materials import Pair

FEW = {"train": 1, "validation": 1, "test": 1}


class At32k(FakeReader):
    """Noise at twice the fake encoder's rate."""

    sample_rate = 32_000


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder with small files of published encoders, where `load_encoder` looks for them."""
    folder = tmp_path / "weights"
    folder.mkdir()
    shutil.copy(ENCODER_FILES / "asit/checkpoint.pth", folder / "asit.pth")
    shutil.copy(ENCODER_FILES / "beats/checkpoint.pt", folder / "beats.pt")
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(folder))
    return folder


@pytest.fixture
def noise(tmp_path):
    """A folder of one label with clips of half a second at 44.1 kHz."""
    rng = np.random.default_rng(0)
    (tmp_path / "clips" / "hiss").mkdir(parents=True)
    for name in ("a.wav", "b.wav", "c.wav"):
        soundfile.write(tmp_path / "clips" / "hiss" / name, 0.1 * rng.standard_normal(22_050), 44_100)
    return tmp_path / "clips"


def pair(dataset: DatasetEntry, encoder: EncoderEntry) -> Pair:
    return Pair(read_grid("benchmarks/minis.toml"), dataset, encoder)


def test_clip_sets_say_their_rate_where_their_reader_knows_it(noise):
    assert scene_clips(1, 1, 1).sample_rate == 16_000
    assert load_dataset("folder", noise, sample_rate=32_000).sample_rate == 32_000
    assert folder_clips(noise, sample_rate=8000).sample_rate == 8000
    assert fake_clips().sample_rate is None


def test_clips_at_another_rate_are_refused_and_unknown_ones_are_not(tmp_path):
    with pytest.raises(CacheError, match=r"fakes has clips at 32000 Hz and fake takes 16000 Hz; .*=16000"):
        TokenCache.create(tmp_path / "a", FakeEncoder(), fake_clips(reader=At32k), progress=False)
    assert not (tmp_path / "a").exists()
    assert len(TokenCache.create(tmp_path / "b", FakeEncoder(), fake_clips(), progress=False)) == 20
    other = FakeEncoder()
    other.sample_rate = 32_000
    assert len(TokenCache.create(tmp_path / "c", other, fake_clips(reader=At32k), progress=False)) == 20


@pytest.mark.parametrize(("encoder", "grid"), [("asit", (64, 8)), ("beats", (63, 8))])
def test_the_command_loads_an_encoder_at_the_rate_of_scenes(encoder, grid, weights, tmp_path):
    counts = [f"--{split}=1" for split in FEW]
    done = CliRunner().invoke(app, ["encode", "scenes", encoder, str(tmp_path / "tokens"), *counts])
    assert done.exit_code == 0, done.output
    cache = TokenCache.open(tmp_path / "tokens", clips=scene_clips(**FEW))
    assert cache.meta["sample_rate"] == 16_000
    assert cache.grid == grid
    assert cache.read([0, 1, 2]).mask.all(), "a scene fills the grid"


def test_the_grid_loads_an_encoder_at_the_rate_of_scenes_and_recordings_at_the_encoders(weights, noise):
    asit = EncoderEntry("asit", "asit")
    scenes = pair(DatasetEntry("scenes", "scenes", FEW), asit)
    assert scenes.facts.sample_rate == scenes.encoder.sample_rate == scenes.clips.sample_rate == 16_000
    files = pair(DatasetEntry("folder", "folder", {"root": str(noise)}), asit)
    assert files.facts.sample_rate == files.encoder.sample_rate == files.clips.sample_rate == 32_000
    told = pair(scenes.dataset, replace(asit, options={"sample_rate": 32_000}))
    assert told.facts.sample_rate == 32_000, "what the grid file says counts, and the cache refuses it"


def test_an_encoder_that_fits_has_the_key_that_it_had(weights):
    scenes = DatasetEntry("scenes", "scenes", FEW)
    beats = pair(scenes, EncoderEntry("beats", "beats")).facts.fingerprint
    assert beats == load_encoder("beats", seconds=10.24).fingerprint()
