"""Published encoders against outputs of the reference code, in every layout, and full-size key tables."""

import json

import numpy as np
import pytest
import soundfile
import torch
from small_encoders import ARCHITECTURES, small

from protoviz.audio import mel_decibels, mel_filters
from protoviz.encoders import load_encoder
from protoviz.encoders.asit import LAYOUTS as ASIT
from protoviz.encoders.asit import build_asit
from protoviz.encoders.audiomae import LAYOUTS as AUDIOMAE
from protoviz.encoders.audiomae import AudioMaeEncoder, build_audiomae
from protoviz.encoders.bat import LAYOUTS as BAT
from protoviz.encoders.bat import build_bat
from protoviz.encoders.beats import LAYOUTS as BEATS
from protoviz.encoders.beats import build_beats
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.encoders.dasheng import LAYOUTS as DASHENG
from protoviz.encoders.dasheng import build_dasheng
from protoviz.encoders.eat import LAYOUTS as EAT
from protoviz.encoders.eat import EatEncoder, build_eat
from protoviz.encoders.layouts import recognised
from protoviz.encoders.options import LoadOptions
from protoviz.encoders.spectrogram_vit import ViTConfig

TOKENS, ATTENTION = 2e-5, 1e-5
SMALL = {"width": 32, "depth": 1, "heads": 4, "hidden": 64, "patch": 16}


def near(ours, theirs, tolerance):
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=0, atol=tolerance)


def check_attention(encoding, rows, to_itself=None):
    """rows (b l h n)"""
    near(torch.stack(encoding.attention, 1), rows, ATTENTION)
    sums = torch.stack(encoding.attention, 1).sum(-1) + torch.stack(encoding.cls_to_cls, 1)
    near(sums, np.ones(sums.shape), 1e-5)
    if to_itself is not None:
        near(torch.stack(encoding.cls_to_cls, 1), to_itself, ATTENTION)


@pytest.mark.parametrize("name", ["eat", "sslam"])
@pytest.mark.parametrize(
    "file",
    ["checkpoint_fairseq_pretrain.pt", "checkpoint_fairseq_finetune.pt", "model.safetensors"],
)
def test_eat_and_sslam(golden, name, file):
    encoder = load_encoder(f"{name}+" if "finetune" in file else name, weights=golden(f"{name}/{file}"))
    long, short = np.load(golden(f"{name}/golden.npz")), np.load(golden(f"{name}/golden_short.npz"))
    encoding = encoder(torch.from_numpy(long["input"][:, 0]), attention=True, layers=[0, 1, 2])
    assert encoding.grid == (6, 8)
    near(encoding.tokens, long["tokens"], TOKENS)
    near(encoding.cls, long["cls"], TOKENS)
    near(encoding.layers[0], long["embed"][:, 1:], TOKENS)
    near(encoding.layers[1], long["hidden"][:, 0, 1:], TOKENS)
    near(encoding.layer_cls[1], long["hidden"][:, 0, 0], TOKENS)
    assert torch.equal(encoding.layers[2], encoding.tokens)
    assert torch.equal(encoding.layer_cls[2], encoding.cls)
    check_attention(encoding, long["attn"][:, :, :, 0, 1:], long["attn"][:, :, :, 0, 0])
    near(encoder.embed(torch.from_numpy(long["input"][:, 0])), long["embed"], TOKENS)
    encoding = encoder(
        torch.from_numpy(short["input"]), attention=True
    )  # as the references take it, (b 1 t f)
    assert encoding.grid == (4, 8)
    near(encoding.tokens, short["tokens"], TOKENS)
    near(encoding.cls, short["cls"], TOKENS)
    check_attention(encoding, short["cls_attn"].reshape(2, 2, 4, 32))


def test_eat_teacher_of_pretraining(golden):
    """The moving average in the same file; its weights are not the student's."""
    path = golden("eat/checkpoint_fairseq_pretrain.pt")
    teacher, student = load_encoder("eat", weights=path, network="teacher"), load_encoder("eat", weights=path)
    stored = torch.load(path, weights_only=True)["model"]["_ema"]
    near(
        teacher.state_dict()["pre_norm.weight"],
        stored["modality_encoders.IMAGE.context_encoder.norm.weight"],
        0,
    )
    assert teacher.state_dict().keys() == student.state_dict().keys()


@pytest.mark.parametrize("network", ["teacher", "student"])
def test_asit(golden, network):
    encoder = load_encoder("asit", weights=golden("asit/checkpoint.pth"), network=network)
    theirs = np.load(golden(f"asit/golden_{network}.npz"))
    encoding = encoder(torch.from_numpy(theirs["input"][:, 0]), attention=True, layers=[1, 2])
    near(encoding.tokens, theirs["tokens"], TOKENS)
    near(encoding.cls, theirs["cls"], TOKENS)
    check_attention(encoding, theirs["cls_attn"].reshape(2, 2, 4, 48))
    if network == "teacher":
        near(encoding.layers[1], theirs["hidden"][:, 0, 1:], TOKENS)


@pytest.mark.parametrize("file", ["checkpoint.pt", "model.safetensors"])
def test_bat(golden, file):
    encoder = load_encoder("bat", weights=golden(f"bat/{file}"))
    theirs = np.load(golden("bat/golden.npz"))
    encoding = encoder(torch.from_numpy(theirs["input"]), attention=True, layers=[1, 2, 3])
    assert encoding.grid == (7, 8)
    near(encoding.tokens, theirs["tokens"], TOKENS)
    near(encoding.cls, theirs["cls"], TOKENS)
    near(torch.stack(list(encoding.layers.values()), 1), theirs["layer_tokens"], TOKENS)
    near(torch.stack(list(encoding.layer_cls.values()), 1), theirs["layer_cls"], TOKENS)
    check_attention(encoding, theirs["attn"][:, :, :, 0, 1:], theirs["attn"][:, :, :, 0, 0])
    # 70 rows: chunks of 64 and 6, whose [cls] are averaged; the tokens in the file are those of the second.
    theirs = np.load(golden("bat/golden_two_chunks.npz"))
    encoding = encoder(torch.from_numpy(theirs["input"]), attention=True, layers=[1, 2, 3])
    assert encoding.grid == (70, 8)
    near(encoding.tokens[:, 64 * 8 :], theirs["tokens"], TOKENS)
    near(encoding.cls, theirs["cls"], TOKENS)
    near(torch.stack(list(encoding.layer_cls.values()), 1), theirs["layer_cls"], TOKENS)
    check_attention(encoding, torch.stack(encoding.attention, 1))


def test_front_end_of_bat(golden):
    """Decibels within 80 of a clip's most, its range to 0..1, and only then zeros."""
    encoder, theirs = load_encoder("bat", weights=golden("bat")), np.load(golden("bat/front_end.npz"))
    near(mel_filters(encoder.mel), theirs["mel_filters"], 1e-6)
    near(encoder.features(theirs["waveforms"]), theirs["features"], 2e-3)
    short = encoder.features(theirs["waveforms"][:, :40_000])
    near(short[:, :256], theirs["short_features"], 2e-3)
    assert short.shape == (3, 1024, 128)
    assert not short[:, 251:].any()


@pytest.mark.parametrize("file", ["pretrained.pth", "timm_model.safetensors"])
def test_audiomae(golden, file):
    encoder = load_encoder("a-mae", weights=golden(f"audiomae/{file}"))
    theirs = np.load(golden("audiomae/golden_pretrained.npz"))
    encoding = encoder(torch.from_numpy(theirs["input"][:, 0]), attention=True, layers=[1])
    near(encoding.tokens, theirs["tokens"], TOKENS)
    near(encoding.cls, theirs["cls"], TOKENS)
    near(encoding.layers[1], theirs["hidden"][:, 0, 1:], TOKENS)
    check_attention(encoding, theirs["attn"][:, :, :, 0, 1:], theirs["attn"][:, :, :, 0, 0])


def test_audiomae_fine_tuned(golden):
    """No norm at the end: the last block's own output; the head's logits from the mean patch."""
    encoder = load_encoder("a-mae", weights=golden("audiomae/finetuned.pth"), head=True)
    theirs = np.load(golden("audiomae/golden_finetuned.npz"))
    encoding = encoder(torch.from_numpy(theirs["input"][:, 0]))
    near(encoding.tokens, theirs["tokens_prenorm"], TOKENS)
    near(encoding.cls, theirs["cls_prenorm"], TOKENS)
    near(encoder.logits(torch.from_numpy(theirs["input"][:, 0])), theirs["logits"], TOKENS)


@pytest.mark.parametrize("name", ["beats", "beats-iter1", "beats-iter2", "beats-iter3"])
@pytest.mark.parametrize("file", ["checkpoint.pt", "model_parametrized.safetensors"])
def test_beats(golden, name, file):
    """The files of all iterations have the same settings and shapes, so one reference holds them all."""
    encoder = load_encoder(name, weights=golden(f"beats/{file}"))
    theirs = np.load(golden("beats/golden.npz"))
    near(encoder.features(theirs["input"]), theirs["fbank_normalised"], 2e-3 / (2 * 6.55582))
    encoding = encoder.encode(theirs["input"], attention=True, layers=[1, 2])
    assert encoding.grid == (6, 8)
    near(encoding.tokens, theirs["tokens"], TOKENS)
    near(encoding.cls, theirs["mean_token"], TOKENS)
    near(encoding.layers[1], theirs["hidden"][:, 0], TOKENS)
    near(encoding.layer_cls[1], theirs["hidden"][:, 0].mean(1), TOKENS)
    check_attention(encoding, theirs["received_attn"].reshape(2, 2, 4, 48))
    near(encoding.cls_to_cls[0], np.zeros((2, 4)), 0)


def test_beats_fine_tuned(golden):
    encoder = load_encoder("beats+", weights=golden("beats/checkpoint_finetuned.pt"))
    theirs = np.load(golden("beats/golden_finetuned.npz"))
    near(encoder.logits(encoder.features(theirs["input"])).sigmoid(), theirs["probs"], TOKENS)
    assert encoder.labels == tuple(f"/m/{number}" for number in range(7))


@pytest.mark.parametrize("file", ["checkpoint_zenodo.pt", "model_hf.safetensors"])
def test_dasheng(golden, file):
    encoder = load_encoder("dasheng", weights=golden(f"dasheng/{file}"))
    theirs = np.load(golden("dasheng/golden.npz"))
    # A float32 transform is rounded differently by each processor: 7e-5 dB here, in the quietest bands.
    near(mel_decibels(torch.from_numpy(theirs["input"])).transpose(1, 2), theirs["mel_db"], 2e-4)
    near(encoder.features(theirs["input"]).transpose(1, 2), theirs["mel_bn"][:, 0], 2e-4)
    encoding = encoder.encode(theirs["input"], attention=True)
    assert encoding.grid == (25, 1)
    near(encoding.tokens, theirs["tokens"], TOKENS)
    near(encoding.cls, theirs["mean_token"], TOKENS)
    check_attention(encoding, theirs["received_attn"].reshape(2, 2, 4, 25))
    normed = torch.from_numpy(theirs["mel_bn"][:, 0]).transpose(1, 2)
    near(encoder(normed, layers=[1]).layers[1], theirs["hidden"][:, 0], 4e-5)  # values up to 40: not normed


@pytest.mark.parametrize("file", ["checkpoint_zenodo.pt", "model_hf.safetensors"])
def test_dasheng_past_its_positions(golden, file):
    encoder = load_encoder("dasheng", weights=golden(f"dasheng/{file}"))
    theirs = np.load(golden("dasheng/golden_long.npz"))
    encoding = encoder.encode(theirs["input"])
    assert encoding.grid == (44, 1)
    near(encoding.tokens, theirs["tokens"], TOKENS)


def test_dasheng_computes_the_front_end_that_its_file_holds(golden):
    stored = torch.load(golden("dasheng/checkpoint_zenodo.pt"), weights_only=True)["model"]
    near(
        mel_filters(load_encoder("dasheng", golden("dasheng")).config.mel),
        stored["front_end.0.mel_scale.fb"],
        1e-6,
    )
    near(torch.hann_window(512), stored["front_end.0.spectrogram.window"], 1e-6)


@pytest.mark.parametrize(
    ("kind", "mean", "std"), [("eat", -4.268, 4.569), ("audiomae", -4.2677393, 4.5689974)]
)
def test_front_end_of_ten_seconds(golden, kind, mean, std):
    """998 frames, padded with zeros to 1024 before they are scaled; every eighth is in the file."""
    sound, _ = soundfile.read(golden("fbank/synth_16k_10s.wav"), dtype="float32")
    own = {"eat": EatEncoder, "audiomae": lambda config, name: AudioMaeEncoder(config, name, True)}[kind]
    encoder = own(ViTConfig(**SMALL, table=512 + (kind != "eat"), rows=64, mean=mean, std=std), kind)
    features = encoder.features(sound)
    assert features.shape == (1, 1024, 128)
    theirs = np.load(golden("fbank/model_inputs.npz"))[kind]
    near(features[0, ::8], theirs, 2e-3 / (2 * std))
    assert np.abs(features[0, ::8].numpy() - theirs).mean() < 1e-4 / (2 * std)
    near(features[0, 998:], np.full((26, 128), -mean / (2 * std)), 1e-6)
    assert encoder.mask([len(sound)]).sum() == 63 * 8  # the last row holds padding only


def test_front_end_of_beats(golden):
    sound, _ = soundfile.read(golden("fbank/synth_16k_10s.wav"), dtype="float32")
    encoder = load_encoder("beats", weights=golden("beats/checkpoint.pt"))
    features = encoder.features(sound)
    assert features.shape == (1, 998, 128)
    near(features[0, ::8], np.load(golden("fbank/model_inputs.npz"))["beats"], 2e-3 / (2 * 6.55582))


def test_front_end_of_asit_at_its_own_rate(golden):
    """32 kHz; a shorter clip is filled with silence, then the frames with zeros."""
    sound, rate = soundfile.read(golden("fbank/synth_32k_5s.wav"), dtype="float32")
    encoder = load_encoder("asit", weights=golden("asit/checkpoint.pth"))
    assert encoder.sample_rate == rate
    features, (mean, std) = encoder.features(sound)[0], (-4.2677393, 4.5689974)
    theirs = np.load(golden("fbank/reference.npz"))["birdmae"]  # the same filter bank, not yet scaled
    near(features[:498] * 2 * std + mean, theirs, 2e-3)
    near(features[500:998], np.full((498, 128), (np.log(2.0**-23) - mean) / (2 * std)), 1e-4)
    near(features[998:], np.full((26, 128), -mean / (2 * std)), 1e-6)


def root_of(path, where=None, **settings):
    """What a file with the keys of a table would hold; the tensors have shapes, but no memory."""
    table = json.loads(path.read_text())
    tensors = {
        key: torch.empty(value[0], dtype=getattr(torch, value[1]), device="meta")
        for key, value in table.items()
        if isinstance(value, list)
    }
    return {where: tensors, **settings} if where else {**tensors, **settings}


@pytest.mark.parametrize("name", ["eat", "sslam"])
@pytest.mark.parametrize(("table", "where"), [("keys_base_fairseq", "model"), ("keys_base_hf", None)])
def test_full_size_eat_and_sslam(golden, name, table, where):
    root = root_of(golden(f"{name}/{table}.json"), where)
    encoder = build_eat(recognised(root, EAT["student"], table), name, LoadOptions())
    assert (encoder.grid, encoder.seconds, encoder.dim, encoder.window) == ((64, 8), 10.24, 768, 768)
    assert (encoder.config.depth, encoder.config.heads, encoder.config.hidden) == (12, 12, 3072)


def test_full_size_asit(golden):
    root = root_of(golden("asit/keys_base_592_teacher.json"), "teacher")
    checkpoint = recognised(root, ASIT["teacher"], "asit")
    encoder = build_asit(checkpoint, "asit", LoadOptions())
    assert (encoder.grid, encoder.window, encoder.config.heads) == ((64, 8), 64, 12)
    native = build_asit(checkpoint, "asit", LoadOptions(seconds=6))
    assert (native.grid, native.window, native.crop) == ((37, 8), 37, 6 * 32000)


@pytest.mark.parametrize(("table", "classes"), [("pretrained", 0), ("finetuned", 527)])
def test_full_size_audiomae(golden, table, classes):
    root = root_of(golden(f"audiomae/keys_base_{table}.json"), "model")
    encoder = build_audiomae(recognised(root, AUDIOMAE, table), "a-mae", LoadOptions())
    assert (encoder.grid, encoder.window, encoder.config.classes) == ((64, 8), 64, classes)


def test_full_size_bat(golden):
    root = root_of(golden("bat/keys_base.json"))
    for held in (root, {"state_dict": {f"student.encoder.{key}": value for key, value in root.items()}}):
        encoder = build_bat(recognised(held, BAT, "bat"), "bat", LoadOptions())
        assert (encoder.grid, encoder.dim, encoder.window) == ((64, 8), 768, 64)
        assert (encoder.config.depth, encoder.config.heads, encoder.config.hidden) == (12, 12, 3072)


@pytest.mark.parametrize("name", ["beats", "beats-iter1", "beats-iter2", "beats-iter3"])
def test_full_size_beats(golden, name):
    config = json.loads(golden("beats/config_base_iter3plus_AS2M.json").read_text())
    root = root_of(golden("beats/keys_base.json"), "model", cfg=config)
    encoder = PUBLISHED[name].architecture.build(recognised(root, BEATS, "beats"), name, LoadOptions())
    assert (encoder.grid, encoder.dim, encoder.config.heads) == ((62, 8), 768, 12)
    assert (encoder.config.buckets, encoder.config.max_distance, encoder.config.groups) == (320, 800, 16)
    # Without its settings, what no tensor shows is as published.
    alone = build_beats(
        recognised(root_of(golden("beats/keys_base.json")), BEATS, "x"), "beats", LoadOptions()
    )
    assert alone.config == encoder.config


@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_full_size_dasheng(golden, prefix):
    root = root_of(golden("dasheng/keys_base.json"))
    if prefix:  # the Hugging Face file has no front end
        root = {prefix + key: value for key, value in root.items() if not key.startswith("front_end")}
    encoder = build_dasheng(recognised(root, DASHENG, "dasheng"), "dasheng", LoadOptions())
    assert (encoder.grid, encoder.window, encoder.config.heads) == ((250, 1), 252, 12)


def test_weights_are_all_that_takes_memory():
    """Models are made without memory of their own; nothing may stay behind there."""
    for name in ARCHITECTURES:
        encoder = small(name)
        held = [*encoder.state_dict().values(), *encoder.buffers()]
        assert not any(value.is_meta or value.requires_grad for value in held)
        assert not encoder.training
