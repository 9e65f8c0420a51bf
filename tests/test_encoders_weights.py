"""Weight files: where they are looked for, what is refused and how, the same bytes for the same weights."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from protoviz import paths
from protoviz.encoders import ENCODERS, WeightsError, find_weights, load_encoder
from protoviz.encoders.mini import MiniConfig, MiniEncoder, load_mini, random_mini
from protoviz.encoders.weights import fill, read_weights, write_weights
from protoviz.pretraining import RECIPES

SMALL = MiniConfig(width=24, depth=1, heads=3)


@pytest.fixture
def written(tmp_path):
    """A weight file of a small mini encoder, and the encoder."""
    encoder = random_mini(seed=5, config=SMALL)
    metadata = {"config": {**vars(SMALL)}}
    return write_weights(tmp_path / "mini-mae.safetensors", encoder.state_dict(), metadata), encoder


def test_a_written_encoder_comes_back_in_float32_with_its_settings(written):
    path, encoder = written
    back = load_encoder("mini-mae", path)
    assert back.config == SMALL
    assert back.name == "mini-mae"
    for key, value in back.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, encoder.state_dict()[key].half().float())
    assert back.fingerprint() == load_encoder("mini-mae", path.parent).fingerprint()


def test_files_from_before_other_patches_and_no_cls_are_read_as_what_they_are(written, tmp_path):
    path, encoder = written
    older = {key: value for key, value in vars(SMALL).items() if key not in ("patch_mels", "cls")}
    old = write_weights(tmp_path / "old.safetensors", encoder.state_dict(), {"config": older})
    assert load_mini(old).config == SMALL
    assert load_mini(old).fingerprint() == load_mini(path).fingerprint()
    assert set(load_mini(old).shape()) == {"width", "depth", "heads", "mlp_ratio", "patch"}
    for wrong in ({**older, "colour": 1}, {key: older[key] for key in list(older)[1:]}):
        write_weights(old, encoder.state_dict(), {"config": wrong})
        with pytest.raises(WeightsError, match="does not hold a mini encoder"):
            load_mini(old)


def test_positions_are_not_stored(written):
    assert not any("position" in key for key in read_weights(written[0])[0])


def test_the_same_weights_are_the_same_bytes(written, tmp_path):
    path, encoder = written
    again = write_weights(tmp_path / "b.safetensors", encoder.state_dict(), {"config": {**vars(SMALL)}})
    assert again.read_bytes() == path.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.safetensors", "mini-mae.safetensors"]


def test_the_folder_in_the_environment_comes_before_the_shipped_one(written, monkeypatch, tmp_path):
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(written[0].parent))
    assert find_weights("mini-mae") == written[0]
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(tmp_path / "empty"))
    monkeypatch.setenv("PROTOVIZ_DATA", str(tmp_path / "data"))
    with pytest.raises(WeightsError) as error:
        find_weights("mini-mae")
    for words in ("empty/mini-mae.safetensors", "data/encoders", "protoviz pretrain mini-mae"):
        assert words in str(error.value)


def test_a_named_file_that_is_absent_is_not_replaced_by_another(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        load_encoder("mini-mae", tmp_path / "nowhere.safetensors")


def test_damaged_and_cut_files_are_refused(written):
    path = written[0]
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-7] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(WeightsError, match="damaged"):
        load_mini(path)
    path.write_bytes(whole[:-100])
    with pytest.raises(WeightsError, match="cannot read"):
        load_mini(path)
    path.write_bytes(b"this is no weight file")
    with pytest.raises(WeightsError, match="cannot read"):
        load_mini(path)


def test_weights_that_do_not_fit_are_listed_key_by_key():
    encoder = MiniEncoder(SMALL)
    tensors = dict(encoder.state_dict())
    del tensors["cls_token"]
    tensors["head.weight"] = torch.zeros(3)
    tensors["norm.bias"] = torch.zeros(7)
    with pytest.raises(WeightsError) as error:
        fill(encoder, tensors, "some.safetensors")
    for words in (
        "some.safetensors",
        "missing: cls_token",
        "not expected: head.weight",
        "norm.bias is (7,), not (24,)",
    ):
        assert words in str(error.value)


def test_a_file_without_settings_is_not_a_mini(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, str(path))
    with pytest.raises(WeightsError, match="does not hold a mini encoder"):
        load_mini(path)


@pytest.mark.parametrize("name", RECIPES)
def test_a_shipped_encoder_is_small_and_hears_what_it_was_trained_on(name):
    path = paths.DATA / "encoders" / f"{name}.safetensors"
    if not path.exists():
        pytest.skip(f"data/encoders/{name}.safetensors is not here; protoviz pretrain {name} makes it")
    assert path.stat().st_size <= 6_000_000
    encoder, floor = load_encoder(name), load_encoder("mini-random")
    assert encoder.front_end() == floor.front_end(), "the floor differs in weights only"
    waveforms = 0.1 * np.random.default_rng(0).standard_normal((2, 163_840))
    waveforms[1] = np.sin(np.arange(163_840) / 5)
    made = encoder.encode(waveforms)
    assert torch.isfinite(made.tokens).all()
    assert (made.tokens[0] - made.tokens[1]).std() > 0.1 * made.tokens.std(), "it tells noise from a tone"
    assert made.grid == ENCODERS[name].grid
    card = path.with_suffix(".md").read_text()
    for words in (
        "not one of the published encoders",
        f"`protoviz pretrain {name}`",
        str(encoder.config.mean),
    ):
        assert words in card
