"""What a file holds beside the network that is asked for: other parts, other names, other settings."""

import argparse
import shutil

import numpy as np
import pytest
import torch
from golden_names import ENCODER_FILES
from safetensors.torch import load_file
from small_encoders import ARCHITECTURES, FILES, small

from protoviz.encoders import WeightsError, load_encoder
from protoviz.encoders.base import EncoderError


@pytest.fixture(params=ARCHITECTURES)
def published(request, tmp_path_factory):
    """(name, tensors by key, settings in the file, encoder) of a small file of each architecture, alone."""
    source = ENCODER_FILES / FILES[request.param]
    path = shutil.copy(source, tmp_path_factory.mktemp("alone") / source.name)
    root = {} if path.suffix == ".safetensors" else torch.load(path, weights_only=False)
    tensors = root.get("teacher") or root.get("model") or load_file(path)
    settings = {key: root[key] for key in ("cfg", "args") if key in root}
    return request.param, dict(tensors), settings, load_encoder(request.param, path)


def behind(prefix, tensors):
    return {prefix + key: value for key, value in tensors.items()}


TWO, FIVE = torch.randn(2), {"weight": torch.randn(5, 32), "bias": torch.randn(5)}
OUTSIDE = {
    "a loss": {"loss_fn.pos_weight": TWO, "train_map.preds": TWO},
    "a probe": behind("head.", FIVE),
    "a classifier": behind("classifier.0.", FIVE),
    "a count": {"n_averaged": torch.tensor(3)},
    "another network": {"ema.module.blocks.0.norm1.weight": TWO, "ema.module.norm.bias": TWO},
}


@pytest.mark.parametrize("prefix", ["model.", "module._orig_mod.", "audio_encoder.", "net.frozen."])
@pytest.mark.parametrize("outside", OUTSIDE.values(), ids=list(OUTSIDE))
def test_keys_outside_the_network_are_left_out_and_named(published, tmp_path, prefix, outside):
    name, tensors, settings, plain = published
    torch.save({"state_dict": behind(prefix, tensors) | outside} | settings, tmp_path / "last.ckpt")
    read = load_encoder(name, tmp_path)
    assert read.fingerprint() == plain.fingerprint()
    assert set(read.beside) == set(outside)
    assert not plain.beside


def test_a_probe_beside_is_named_where_a_head_was_promised(tmp_path):
    tensors = behind("model.", load_file(ENCODER_FILES / FILES["eat"]))
    torch.save(tensors | behind("head.", FIVE), tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"w\.pt is not fine-tuned.*head\.weight"):
        load_encoder("eat+", tmp_path)


CONTAINERS = {
    "a name of one's own": lambda t: {"backbone_state_dict": t, "epoch": 3},
    "a moving average alone": lambda t: {"ema": behind("module.", t) | {"n_averaged": torch.tensor(1)}},
    "nested": lambda t: {"run": {"net": t, "best": 0.5}, "optimizer": {"state": {0: {"step": 1}}}},
    "beside a probe": lambda t: {"encoder_weights": behind("vit.", t), "head": FIVE},
}


@pytest.mark.parametrize("around", CONTAINERS.values(), ids=list(CONTAINERS))
def test_the_only_network_of_a_file_is_found_under_any_name(published, tmp_path, around):
    name, tensors, settings, plain = published
    torch.save(around(tensors) | settings, tmp_path / "w.pt")
    assert load_encoder(name, tmp_path).fingerprint() == plain.fingerprint()


@pytest.mark.parametrize("names", [("online_model.", "ema_model."), ("left.", "right.encoder.")])
def test_of_two_under_names_of_their_own_none_is_taken(published, tmp_path, names):
    name, tensors, settings, _ = published
    flat = behind(names[0], tensors) | behind(names[1], tensors)
    for root in ({"state_dict": flat}, {names[0][:-1]: tensors, names[1][:-1]: tensors}):
        torch.save(root | settings, tmp_path / "w.pt")
        with pytest.raises(WeightsError) as caught:
            load_encoder(name, tmp_path)
        assert all(one[:-1] in str(caught.value) for one in names)


def test_a_student_is_not_taken_for_a_teacher(published, tmp_path):
    name, tensors, settings, _ = published
    wanted, other = ("student", "teacher") if name == "asit" else (None, "_ema")
    for root in ({other: tensors}, {"state_dict": behind(f"{other}.", tensors)}):
        torch.save(root | settings, tmp_path / "w.pt")
        with pytest.raises(WeightsError, match="no known layout"):
            load_encoder(name, tmp_path, network=wanted)


OTHERS_SETTINGS = {
    "a probe's": {"hyper_parameters": {"num_heads": 1, "hidden_size": 512}},
    "a command line's": {"config": argparse.Namespace(embed_dim=768, num_heads=2)},
}


@pytest.mark.parametrize("others", OTHERS_SETTINGS.values(), ids=list(OTHERS_SETTINGS))
def test_settings_of_another_width_are_those_of_another_network(published, tmp_path, others):
    name, tensors, settings, plain = published
    torch.save(others | {"model": tensors} | settings, tmp_path / "w.pt")
    assert load_encoder(name, tmp_path).config.heads == plain.config.heads == 4


def test_a_key_that_is_no_plain_tensor_is_called_what_it_is(published, tmp_path):
    name, tensors, settings, _ = published
    sparse, array = [key for key in tensors if key.endswith("norm1.weight") or "fc2.weight" in key][:2]
    tensors |= {sparse: tensors[sparse].to_sparse(), array: tensors[array].numpy()}
    torch.save({"model": tensors} | settings, tmp_path / "w.pt")
    with pytest.raises(WeightsError) as caught:
        load_encoder(name, tmp_path)
    for words in (sparse, "sparse_tensor", array, "ndarray"):
        assert words in str(caught.value)


NO_OPTIONS = {
    "std": [0, -1.0, 1e-30, float("nan"), float("inf"), "4.5", True],
    "mean": [float("nan"), float("inf"), "a", [1]],
    "heads": [0, -1, 2.5, True, "4", 3],
    "seconds": ["10", float("nan"), 0, 61, True],
    "sample_rate": ["16000", 44100],
}


@pytest.mark.parametrize(
    ("option", "value"), [(key, one) for key, some in NO_OPTIONS.items() for one in some]
)
def test_an_option_that_no_tokens_can_come_of_is_refused_by_its_name(option, value):
    with pytest.raises(EncoderError, match=str(value).replace("[", r"\[")) as caught:
        small("eat", **{option: value})
    assert option == "sample_rate" or option in str(caught.value)


def test_options_may_be_numbers_of_numpy():
    given = {
        "std": np.float32(4.5),
        "mean": np.float64(-4),
        "heads": np.int64(4),
        "seconds": np.float32(0.96),
    }
    encoder = small("eat", **given)
    assert encoder.encode(torch.randn(16000)).tokens.isfinite().all()


def test_a_file_that_says_a_std_of_zero_is_refused_unless_another_is_given(tmp_path):
    root = torch.load(ENCODER_FILES / FILES["asit"], weights_only=False)
    root["args"].data_std = 0.0
    torch.save(root, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth.*data_std=0"):
        load_encoder("asit", tmp_path)
    assert load_encoder("asit", tmp_path, std=4).config.std == 4


@pytest.mark.parametrize("weights", [{"w": TWO}, 3, b"/tmp", TWO])
@pytest.mark.parametrize("name", ["eat", "mini-mae"])
def test_weights_that_are_no_path_are_refused(name, weights):
    with pytest.raises(EncoderError, match="weights="):
        load_encoder(name, weights)
