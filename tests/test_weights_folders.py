"""Which file of a folder is taken, what may stand beside it and around its keys, and what a name promises."""

import json
import shutil

import pytest
import torch
from hub_fakes import parts
from safetensors.torch import load_file
from small_encoders import FILES

from protoviz.encoders import EncoderError, WeightsError, load_encoder, rows
from protoviz.encoders.catalogue import PUBLISHED


@pytest.fixture(autouse=True)
def _nothing_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("PROTOVIZ_WEIGHTS", raising=False)


OWN_CONFIG = {
    "eat": "eat/config.json",
    "sslam": "sslam/config.json",
    "a-mae": "audiomae/timm_config.json",
    "dasheng": "dasheng/config_hf.json",
}
WHISPER = {"model_type": "whisper", "d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6}

# Configurations

FOREIGN = {
    "wider": {"embed_dim": 48, "depth": 2, "num_heads": 2},
    "deeper": {"hidden_size": 32, "num_hidden_layers": 3, "num_heads": 2},
    "other patches": {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_size": 8},
    "odd heads": {"num_heads": 5},
    "whisper": WHISPER,
    "nested": {"encoder_kwargs": {"embed_dim": 64, "num_heads": 2}},
    "alike, of another architecture": {"model_type": "hubert", "hidden_size": 32, "num_heads": 2},
    "a feature extractor": {"architectures": ["Wav2Vec2FeatureExtractor"], "num_heads": 2},
}


@pytest.mark.parametrize("name", ["eat", "a-mae", "dasheng"])
@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=list(FOREIGN))
def test_a_configuration_of_other_weights_is_refused_by_its_name(tmp_path, golden, name, foreign):
    path = tmp_path / f"{name}.safetensors"
    shutil.copy(golden(FILES[name]), path)
    plain = load_encoder(name, weights=path)
    (tmp_path / "config.json").write_text(json.dumps(foreign))
    with pytest.raises(WeightsError) as caught:
        load_encoder(name, weights=tmp_path)
    assert str(tmp_path / "config.json") in str(caught.value)
    assert str(path) in str(caught.value)
    shutil.copy(golden(OWN_CONFIG[name]), tmp_path / f"{name}.json")  # its own comes first
    assert load_encoder(name, weights=tmp_path).config.heads == plain.config.heads == 4


@pytest.mark.parametrize("theirs", OWN_CONFIG)
@pytest.mark.parametrize("name", OWN_CONFIG)
def test_configurations_of_the_published_encoders_among_each_other(tmp_path, golden, name, theirs):
    """All small models are 32 wide and 2 deep, so that only architecture and table tell them apart."""
    shutil.copy(golden(FILES[name]), tmp_path / "model.safetensors")
    shutil.copy(golden(OWN_CONFIG[theirs]), tmp_path / "config.json")
    if name == theirs or {name, theirs} == {"eat", "sslam"}:  # those two are one architecture
        assert load_encoder(name, weights=tmp_path).config.heads == 4
    else:
        with pytest.raises(WeightsError, match=r"config\.json"):
            load_encoder(name, weights=tmp_path)


def test_a_position_table_of_another_length_is_refused(tmp_path, golden):
    shutil.copy(golden(FILES["eat"]), tmp_path / "model.safetensors")
    settings = json.loads(golden("eat/config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | {"max_length": 12}))
    with pytest.raises(WeightsError, match=r"config\.json.*table"):
        load_encoder("eat", weights=tmp_path)


@pytest.mark.parametrize("setting", ["num_heads", "target_length"])
def test_a_setting_that_is_no_number_does_not_count_and_an_impossible_one_is_refused(
    tmp_path, golden, setting
):
    shutil.copy(golden(FILES["eat"]), tmp_path / "model.safetensors")
    for word in ("Infinity", "NaN", "1e999", '"x"', "[]", "null", "true"):
        (tmp_path / "config.json").write_text(f'{{"{setting}": {word}}}')
        read = load_encoder("eat", weights=tmp_path)
        assert (read.config.heads, read.grid) == (4, (64, 8))
    for word in ("2.5" if setting == "num_heads" else "0.5", "-5", "100000000"):
        (tmp_path / "config.json").write_text(f'{{"{setting}": {word}}}')
        with pytest.raises(EncoderError, match=word):
            load_encoder("eat", weights=tmp_path)


@pytest.mark.parametrize("distance", [0, -3, 0.5, 8])
def test_a_distance_within_the_nearest_buckets_is_refused(tmp_path, golden, distance):
    root = torch.load(golden(FILES["beats"]), weights_only=True)
    torch.save({**root, "cfg": root["cfg"] | {"max_distance": distance}}, tmp_path / "w.pt")
    with pytest.raises(EncoderError, match=rf"w\.pt.*max_distance={distance}"):
        load_encoder("beats", weights=tmp_path)


@pytest.mark.parametrize("name", ["beats", "asit"])
def test_a_file_with_settings_of_its_own_needs_none_beside_it(tmp_path, golden, name):
    path = tmp_path / FILES[name].rpartition("/")[2]
    shutil.copy(golden(FILES[name]), path)
    plain = load_encoder(name, weights=path).fingerprint()
    (tmp_path / "config.json").write_text(json.dumps(WHISPER))
    assert load_encoder(name, weights=path).fingerprint() == plain


def test_originals_that_differ_are_not_chosen_by_the_alphabet(tmp_path, golden):
    shutil.copy(golden("beats/model_parametrized.safetensors"), tmp_path / "beats.safetensors")
    root = torch.load(golden("beats/checkpoint.pt"), weights_only=True)
    for name, distance in (("a", 40), ("b", 80)):
        torch.save({**root, "cfg": root["cfg"] | {"max_distance": distance}}, tmp_path / f"{name}.pt")
    with pytest.raises(WeightsError, match=r"a\.pt \(40\).*b\.pt \(80\)"):
        load_encoder("beats", weights=tmp_path)
    (tmp_path / "a.pt").unlink()
    assert load_encoder("beats", weights=tmp_path).config.max_distance == 80


# What a name promises


def with_head(golden, name, path):
    """A fine-tuned file of each architecture."""
    if name == "dasheng":
        return pytest.skip("Dasheng has no head of its own")
    if name == "asit":
        return pytest.skip("ASiT's authors published no fine-tuned form")
    source = {"a-mae": "audiomae/finetuned.pth", "beats": "beats/checkpoint_finetuned.pt"}
    return golden(source.get(name, f"{name}/checkpoint_fairseq_finetune.pt"))


@pytest.mark.parametrize("name", ["eat", "sslam", "beats", "a-mae"])
def test_what_the_file_shows_is_held_against_the_name(golden, name, tmp_path):
    tuned, plain = with_head(golden, name, tmp_path), golden(FILES[name])
    with pytest.raises(WeightsError, match=rf"{tuned.name}.*head of \d+ classes.*{name}") as caught:
        load_encoder(name, weights=tuned)
    assert (f"{name}+" in str(caught.value)) == (f"{name}+" in PUBLISHED)
    assert load_encoder(name, weights=tuned, head=True).config.classes
    with pytest.raises(WeightsError, match="no head"):
        load_encoder(name, weights=plain, head=True)
    if f"{name}+" in PUBLISHED:
        assert load_encoder(f"{name}+", weights=tuned).config.classes
        with pytest.raises(WeightsError, match=rf"{plain.name}.*no head.*'{name}'"):
            load_encoder(f"{name}+", weights=plain)
        assert not load_encoder(f"{name}+", weights=plain, head=False).config.classes


def test_a_decoder_is_named_where_a_head_was_promised(golden):
    with pytest.raises(WeightsError, match=r"decoder.*only pre-training"):
        load_encoder("eat+", weights=golden("eat/checkpoint_fairseq_pretrain.pt"))


# Folders


def copied(golden, source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(golden(source), target)
    return target


def test_of_two_checkpoints_neither_is_taken_by_the_alphabet(golden, tmp_path, monkeypatch):
    copied(golden, "sslam/checkpoint_fairseq_finetune.pt", tmp_path / "sslam" / "checkpoint_best.pt")
    copied(golden, "sslam/checkpoint_fairseq_pretrain.pt", tmp_path / "sslam" / "checkpoint_last.pt")
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(tmp_path))
    for weights in (None, tmp_path, tmp_path / "sslam"):
        with pytest.raises(
            WeightsError, match=r"sslam holds several.*checkpoint_best\.pt, checkpoint_last\.pt"
        ):
            load_encoder("sslam", weights=weights)
    assert {row["name"]: row for row in rows()}["sslam"]["weights"] is None
    copied(golden, "sslam/model.safetensors", tmp_path / "sslam" / "model.safetensors")
    assert load_encoder("sslam").dim == 32


def test_a_file_that_bears_the_name_of_another_encoder_is_that_ones(golden, tmp_path):
    copied(golden, "eat/model.safetensors", tmp_path / "eat.safetensors")
    with pytest.raises(WeightsError, match="no weights for 'sslam'"):
        load_encoder("sslam", weights=tmp_path)


BESIDE = (
    "optimizer.pt",
    "scheduler.pt",
    "scaler.pt",
    "rng_state_0.pth",
    "training_args.bin",
    "random_states_0.bin",
    "sampler.bin",
    "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt",
    "._weights.pth",
    "._last.ckpt",
)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "weights.pth", "last.ckpt", "final.PT"])
def test_what_training_writes_beside_weights_is_none(golden, tmp_path, file):
    for name in BESIDE:
        torch.save({"state": {}, "param_groups": []}, tmp_path / name)
    with pytest.raises(WeightsError, match="no checkpoint"):
        load_encoder("a-mae", weights=tmp_path)
    copied(golden, "audiomae/pretrained.pth", tmp_path / file)
    assert load_encoder("a-mae", weights=tmp_path).dim == 32
    with pytest.raises(WeightsError, match=r"optimizer\.pt holds no tensors; it begins with state"):
        load_encoder("a-mae", weights=tmp_path / "optimizer.pt")


@pytest.mark.parametrize(("name", "suffix"), [("model", ".safetensors"), ("pytorch_model", ".bin")])
def test_weights_in_parts(golden, tmp_path, name, suffix):
    tensors = load_file(golden(FILES["eat"]))
    index = parts(tensors, tmp_path, name, suffix)
    whole = load_encoder("eat", weights=golden(FILES["eat"]), seconds=0.96).fingerprint()
    second = tmp_path / f"{name}-00002-of-00003{suffix}"
    for weights in (tmp_path, index, second):
        assert load_encoder("eat", weights=weights, seconds=0.96).fingerprint() == whole
    index.rename(tmp_path / "kept")
    assert load_encoder("eat", weights=tmp_path, seconds=0.96).fingerprint() == whole
    (tmp_path / "kept").rename(index)
    second.unlink()
    with pytest.raises(WeightsError, match=rf"-00002-of-00003\{suffix}"):
        load_encoder("eat", weights=tmp_path)


@pytest.mark.parametrize("place", ["../secret.safetensors", "/etc/passwd", 3, None, ""])
def test_an_index_leads_nowhere_else(golden, tmp_path, place):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": place}}))
    with pytest.raises(WeightsError, match=r"index\.json"):
        load_encoder("eat", weights=tmp_path)
    for text in ("", "[]", "{", json.dumps({"weight_map": 3})):
        (tmp_path / "model.safetensors.index.json").write_text(text)
        with pytest.raises(WeightsError, match=r"index\.json"):
            load_encoder("eat", weights=tmp_path)


def test_a_folder_of_the_hubs_cache(golden, tmp_path, monkeypatch):
    cached = tmp_path / "models--ta012--SSLAM_pretrain"
    copied(golden, "sslam/model.safetensors", cached / "snapshots" / "b" / "model.safetensors")
    assert load_encoder("sslam", weights=cached).dim == 32
    copied(golden, "eat/model.safetensors", cached / "snapshots" / "a" / "model.safetensors")
    with pytest.raises(WeightsError, match=r"a/model\.safetensors, .*b/model\.safetensors"):
        load_encoder("sslam", weights=cached)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("b\n")
    theirs = load_encoder("sslam", weights=golden("sslam/model.safetensors"))
    weights = theirs.state_dict()["cls_token"]
    for given in (cached, cached / "snapshots" / "b", tmp_path):
        assert torch.equal(load_encoder("sslam", weights=given).state_dict()["cls_token"], weights)
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(tmp_path))
    assert torch.equal(load_encoder("sslam").state_dict()["cls_token"], weights)


NO_WEIGHTS = {
    "empty": (b"", "0 bytes"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "LFS"),
    "page": (b"\n <HTML><body>Sign in</body>", "web page"),
    "text": (b"eat weights, see below", "no checkpoint"),
    "short": (b"PK", "no checkpoint"),
    "cut zip": (b"PK\x03\x04" + bytes(40), "cut short"),
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".bin", ".txt"])
@pytest.mark.parametrize(("raw", "words"), NO_WEIGHTS.values(), ids=list(NO_WEIGHTS))
def test_what_is_no_weight_file_is_called_what_it_is(tmp_path, raw, words, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(raw)
    with pytest.raises(WeightsError, match=rf"model\{suffix}.*{words}"):
        load_encoder("eat", weights=path)
