"""What stands around the keys of a weight file, what its values are, and the labels of its head."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_encoders import ARCHITECTURES, FILES

from protoviz.encoders import WeightsError, load_encoder
from protoviz.encoders.mini import MiniConfig, load_mini, random_mini
from protoviz.encoders.weights import write_weights


def copied(golden, source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(golden(source), target)
    return target


# What stands around keys

WRAPPED = [
    ({"model": ...}, "module."),
    ({"model": ...}, "_orig_mod."),
    ({"state_dict": ...}, "model.encoder."),
    ({"state_dict": {"model": ...}}, "module._orig_mod.backbone."),
    ({"module": ...}, "_orig_mod.module.model."),
    ({"model_state_dict": ...}, "net."),
    (..., "module.module."),
    (..., "_fsdp_wrapped_module.model._fsdp_wrapped_module."),
]


def filled(shape, tensors):
    return (
        tensors
        if shape is ...
        else {key: filled(part, tensors) for key, part in shape.items()} | {"epoch": 1}
    )


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("shape", "prefix"), WRAPPED)
def test_what_training_programs_put_around_the_keys(golden, tmp_path, name, shape, prefix):
    source = copied(golden, FILES[name], tmp_path / "alone" / FILES[name].rpartition("/")[2])
    plain = load_encoder(name, weights=source)
    if source.suffix == ".safetensors":
        tensors, more = load_file(source), {}
    else:
        more = torch.load(source, weights_only=False)
        tensors = more.pop("model" if name == "beats" else "teacher")
        more = {key: more[key] for key in ("cfg", "args") if key in more}
    held = filled(shape, {prefix + key: value for key, value in tensors.items()})
    torch.save(held | more, tmp_path / "w.pt")
    read = load_encoder(name, weights=tmp_path / "w.pt")
    assert read.fingerprint() == plain.fingerprint()


def test_blocks_that_were_compiled_one_by_one(golden, tmp_path):
    tensors = {
        key.replace(".attn.", "._orig_mod.attn."): value
        for key, value in load_file(golden(FILES["a-mae"])).items()
    }
    save_file(tensors, str(tmp_path / "w.safetensors"))
    plain = load_encoder("a-mae", weights=golden(FILES["a-mae"]))
    assert load_encoder("a-mae", weights=tmp_path).fingerprint() == plain.fingerprint()


def test_two_networks_in_one_file_are_told_apart_or_refused(golden, tmp_path):
    root = torch.load(golden(FILES["asit"]), weights_only=False)
    flat = {f"teacher.{key}": value for key, value in root["teacher"].items()}
    flat |= {f"student.{key.removeprefix('module.')}": value for key, value in root["student"].items()}
    torch.save({"state_dict": flat, "args": root["args"]}, tmp_path / "w.ckpt")
    for network in ("teacher", "student"):
        theirs = load_encoder("asit", weights=golden(FILES["asit"]), network=network)
        assert load_encoder("asit", tmp_path, network=network).fingerprint() == theirs.fingerprint()
    tensors = load_file(golden(FILES["a-mae"]))
    twice = {
        f"{before}.{key}": value.clone() for before in ("net", "backbone") for key, value in tensors.items()
    }
    save_file(twice, str(tmp_path / "two.safetensors"))
    with pytest.raises(WeightsError, match=r"(net|backbone).*(net|backbone)"):
        load_encoder("a-mae", weights=tmp_path / "two.safetensors")


def test_errors_call_keys_as_the_file_does(golden, tmp_path):
    tensors = {f"module.model.{key}": value for key, value in load_file(golden(FILES["a-mae"])).items()}
    del tensors["module.model.norm.bias"]
    tensors["module.model.extra"] = torch.zeros(1)
    save_file(tensors, str(tmp_path / "w.safetensors"))
    with pytest.raises(WeightsError) as caught:
        load_encoder("a-mae", weights=tmp_path)
    assert "module.model.norm.bias" in str(caught.value)
    assert "module.model.extra" in str(caught.value)


# Values


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_weights_that_are_no_numbers_are_named(golden, tmp_path, name, value):
    source = golden(FILES[name])
    key = {"asit": "backbone.norm.bias", "beats": "encoder.layers.1.fc1.bias", "dasheng": "encoder.norm.bias"}
    key |= {"a-mae": "norm.bias", "bat": "pre_norm.bias"}
    key = key.get(name, "model.blocks.1.norm2.bias")
    if source.suffix == ".safetensors":
        root = tensors = load_file(source)
    else:
        root = torch.load(source, weights_only=False)
        tensors = root["teacher"] if name == "asit" else root["model"]
    tensors[key][1] = value
    torch.save(root, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=rf"w\.pt.*{key.rpartition('.')[2]}"):
        load_encoder(name, weights=tmp_path / "w.pt")


def test_whole_numbers_are_no_weights_and_minis_are_held_to_the_same(golden, tmp_path):
    tensors = load_file(golden(FILES["a-mae"]))
    tensors["blocks.0.mlp.fc1.weight"] = tensors["blocks.0.mlp.fc1.weight"].to(torch.int8)
    save_file(tensors, str(tmp_path / "w.safetensors"))
    with pytest.raises(WeightsError, match=r"blocks\.0\.mlp\.fc1\.weight is torch\.int8"):
        load_encoder("a-mae", weights=tmp_path)
    small = MiniConfig(width=24, depth=1, heads=3)
    state = random_mini(config=small).state_dict()
    state["norm.bias"] = state["norm.bias"] * float("nan")
    path = write_weights(tmp_path / "mini.safetensors", state, {"config": vars(small)})
    with pytest.raises(WeightsError, match=r"mini\.safetensors.*norm\.bias"):
        load_mini(path)


def test_a_block_with_a_huge_number_is_no_model(golden, tmp_path):
    tensors = load_file(golden(FILES["a-mae"])) | {"blocks.9999999999.norm1.weight": torch.ones(32)}
    save_file(tensors, str(tmp_path / "w.safetensors"))
    with pytest.raises(WeightsError, match="block 9999999999"):
        load_encoder("a-mae", weights=tmp_path)


# Labels


@pytest.mark.parametrize("form", [int, str, "inverse", "inverse dict", "list"])
def test_labels_stand_in_the_order_of_the_head(golden, tmp_path, form):
    root = torch.load(golden("beats/checkpoint_finetuned.pt"), weights_only=True)
    head = {key: value for key, value in root["model"].items() if key.startswith("predictor")}
    for key, value in head.items():
        root["model"][key] = torch.cat([value] * 4)[:12]
    names = [f"class {number}" for number in range(12)]
    inverse = {name: number for number, name in enumerate(names)}
    forms = {"inverse": inverse, "inverse dict": inverse, "list": names}
    written = forms.get(form) or {form(number): names[number] for number in reversed(range(12))}
    root["label2id" if form == "inverse" else "label_dict"] = written
    if form == "inverse":
        del root["label_dict"]
    torch.save(root, tmp_path / "w.pt")
    assert load_encoder("beats+", weights=tmp_path / "w.pt").labels == tuple(names)


@pytest.mark.parametrize(
    "named",
    [{1: "a", "1": "b", 0: "c"}, {0: ("/m/x", "a"), 1: ("/m/y", "b")}, {1: "a", 2: "b"}, {0: "", 1: "b"}],
)
def test_labels_that_do_not_name_each_class_once_are_none(golden, tmp_path, named):
    root = torch.load(golden("beats/checkpoint_finetuned.pt"), weights_only=True)
    for key in ("predictor.weight", "predictor.bias"):
        root["model"][key] = root["model"][key][:2].clone()
    torch.save({**root, "label_dict": named}, tmp_path / "w.pt")
    assert load_encoder("beats+", weights=tmp_path).labels is None


@pytest.mark.parametrize("count", [4, 12])
def test_labels_of_a_configuration_count_where_they_are_as_many_as_the_head(golden, tmp_path, count):
    root = torch.load(golden("eat/checkpoint_fairseq_finetune.pt"), weights_only=True)["model"]
    for key in ("head.weight", "head.bias"):
        root[key] = torch.cat([root[key]] * 6)[:12]
    save_file({key: value.contiguous() for key, value in root.items()}, str(tmp_path / "model.safetensors"))
    named = {str(number): f"c{number}" for number in range(count)}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "eat", "id2label": named}))
    labels = load_encoder("eat+", weights=tmp_path).labels
    assert labels == (tuple(named.values()) if count == 12 else None)
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {str(n): f"LABEL_{n}" for n in range(12)}}))
    assert load_encoder("eat+", weights=tmp_path).labels is None
