"""Published weight files: what is wrong with one, where they are looked for and fetched, and `verify`."""

import hashlib
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hub_fakes import kept
from safetensors.torch import load_file, save_file
from small_encoders import ARCHITECTURES, FILES, small

from protoviz.encoders import ENCODERS, EncoderError, WeightsError, load_encoder, rows
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.encoders.sources import check_sum
from protoviz.encoders.verify import resample, verify


@pytest.fixture(autouse=True)
def _nothing_at_home(monkeypatch, tmp_path):
    """No test may find, or touch, what lies on this machine."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("PROTOVIZ_WEIGHTS", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as if it were not installed


class Harmful:
    """What a hostile checkpoint would hold: unpickled, it would write a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_no_code_of_a_checkpoint_runs(tmp_path, golden):
    written = tmp_path / "harm"
    root = torch.load(golden("eat/checkpoint_fairseq_pretrain.pt"), weights_only=True)
    torch.save({**root, "extra_state": Harmful(written)}, tmp_path / "hostile.pt")
    load_encoder("eat", weights=tmp_path / "hostile.pt")
    assert not written.exists()


def test_plain_records_of_training_are_read(tmp_path, golden):
    """NumPy numbers, as fairseq keeps of its best loss; the command line (argparse) is in ASiT's golden."""
    root = torch.load(golden("eat/checkpoint_fairseq_pretrain.pt"), weights_only=True)
    root["extra_state"] = {"best": np.float64(0.5), "loss": np.float32(1.0), "updates": np.int64(3)}
    torch.save(root, tmp_path / "recorded.pt")
    assert load_encoder("eat", weights=tmp_path / "recorded.pt").dim == 32


def test_every_fault_of_the_keys_is_listed_at_once_by_the_names_in_the_file(tmp_path, golden):
    root = torch.load(golden("eat/checkpoint_fairseq_finetune.pt"), weights_only=True)
    model = root["model"]
    del (
        model["model.modality_encoders.IMAGE.context_encoder.norm.bias"],
        model["model.blocks.1.attn.proj.bias"],
    )
    model["model.blocks.0.ls1.gamma"] = torch.zeros(32)
    model["fc_norm.weight"] = torch.zeros(16)
    torch.save(root, tmp_path / "odd.pt")
    with pytest.raises(WeightsError) as caught:
        load_encoder("eat+", weights=tmp_path / "odd.pt")
    text = str(caught.value)
    assert str(tmp_path / "odd.pt") in text
    missing, extra, shape = text.splitlines()[1:]
    assert set(missing.strip().removeprefix("missing: ").split(", ")) == {
        "model.blocks.1.attn.proj.bias",
        "model.modality_encoders.IMAGE.context_encoder.norm.bias",
    }
    assert extra.strip() == "not expected: model.blocks.0.ls1.gamma"
    assert shape.strip() == "wrong shape: fc_norm.weight is (16,), not (32,)"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_unknown_layout_is_answered_with_the_known_ones(tmp_path, name):
    save_file({"some.weight": torch.zeros(3)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(
        WeightsError, match=r"in no known layout; it begins with some.weight. The known ones:\n  "
    ):
        load_encoder(name, weights=tmp_path / "other.safetensors")


def _cut(path, golden):
    path.write_bytes(golden("eat/checkpoint_fairseq_pretrain.pt").read_bytes()[:50_000])


def _cut_safetensors(path, golden):
    path.write_bytes(golden("eat/model.safetensors").read_bytes()[:50_000])


def _page(path, golden):
    path.write_text("<!DOCTYPE html><title>Sign in</title>")


def _list(path, golden):
    torch.save([torch.zeros(2)], path)


@pytest.mark.parametrize("spoil", [_cut, _cut_safetensors, _page, _list, lambda path, golden: path.touch()])
def test_files_that_are_no_checkpoint(tmp_path, golden, spoil):
    path = tmp_path / "weights.pt"
    spoil(path, golden)
    with pytest.raises(WeightsError, match=r"weights\.pt.*fetch it again"):
        load_encoder("eat", weights=path)


def test_heads_come_from_the_file_its_config_or_the_width(tmp_path, golden):
    path = tmp_path / "model.safetensors"
    shutil.copy(golden("eat/model.safetensors"), path)
    assert load_encoder("eat", weights=path).config.heads == 4  # small test models: 8 a head
    (tmp_path / "config.json").write_text(json.dumps({"num_heads": 2, "img_size": [64, 128]}))
    from_config = load_encoder("eat", weights=path)
    assert (from_config.config.heads, from_config.grid) == (2, (4, 8))
    assert load_encoder("eat", weights=path, heads=8).config.heads == 8
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_encoder("eat", weights=path)


def test_beats_needs_to_know_how_far_its_buckets_reach(tmp_path, golden):
    """No tensor shows it, so tensors alone are refused, unless they have the published number of buckets."""
    path = tmp_path / "converted.safetensors"
    shutil.copy(golden("beats/model_parametrized.safetensors"), path)
    with pytest.raises(EncoderError, match=r"its 32 buckets of distances reach; .*config\.json"):
        load_encoder("beats", weights=path)
    (tmp_path / "config.json").write_text(json.dumps({"max_distance": 40}))
    assert load_encoder("beats", weights=path).config.max_distance == 40


def test_beats_refuses_what_no_published_model_does(tmp_path, golden):
    root = torch.load(golden("beats/checkpoint.pt"), weights_only=True)
    torch.save(
        {**root, "cfg": {**root["cfg"], "layer_norm_first": True, "deep_norm": False}}, tmp_path / "b.pt"
    )
    with pytest.raises(EncoderError, match="layer_norm_first"):
        load_encoder("beats", weights=tmp_path / "b.pt")


def test_the_repeated_table_of_beats_and_foreign_buffers_are_left_out(tmp_path, golden):
    tensors = load_file(golden("beats/model_parametrized.safetensors"))
    tensors |= {"fbank.window": torch.zeros(400), "fbank.mel_fb": torch.zeros(128, 256)}
    (tmp_path / "config.json").write_text(json.dumps({"max_distance": 40}))
    save_file(tensors, str(tmp_path / "model.safetensors"))
    repeated = load_encoder("beats", weights=golden("beats/checkpoint.pt"))
    assert load_encoder("beats", weights=tmp_path).fingerprint() == repeated.fingerprint()


def test_the_folder_of_the_environment(tmp_path, golden, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(tmp_path))
    shutil.copy(golden("asit/checkpoint.pth"), tmp_path / "asit.pth")
    shutil.copytree(golden("eat"), tmp_path / "eat")
    assert load_encoder("asit").dim == load_encoder("eat").dim == 32
    table = {row["name"]: row for row in rows()}
    assert table["asit"]["weights"] == tmp_path / "asit.pth"
    assert table["eat"]["weights"] == tmp_path / "eat" / "model.safetensors"
    assert table["beats"]["weights"] is None


def test_weights_that_are_not_where_they_were_said_to_be(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights for 'eat' at .*absent\.pt: no such file"):
        load_encoder("eat", weights=tmp_path / "absent.pt")
    with pytest.raises(WeightsError, match=r"no checkpoint.*a folder with model\.safetensors"):
        load_encoder("eat", weights=tmp_path)


def in_cache(cache, name, file, **more):
    return kept(cache, PUBLISHED[name].source.repository, file, **more)


def test_the_hubs_cache_is_enough(tmp_path, golden):
    for file in ("config.json", "model.safetensors"):
        in_cache(tmp_path / "hub", "sslam", golden(f"sslam/{file}"))
    assert load_encoder("sslam").grid == (6, 8)


def hub(monkeypatch, download):
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(hf_hub_download=download))


def test_what_is_fetched_is_told(tmp_path, golden, monkeypatch, capsys):
    asked = []

    def download(repo_id, filename):
        asked.append((repo_id, filename))
        return str(in_cache(tmp_path / "hub", "dasheng", _named(tmp_path, golden, filename)))

    hub(monkeypatch, download)
    assert load_encoder("dasheng").config.depth == 2
    assert asked == [("mispeech/dasheng-base", "config.json"), ("mispeech/dasheng-base", "model.safetensors")]
    said = capsys.readouterr().err
    assert "dasheng: fetching model.safetensors (342 MB, licence Apache-2.0)" in said
    load_encoder("dasheng")
    assert len(asked) == 2  # the second time it is there


def _named(tmp_path, golden, filename):
    file = tmp_path / filename
    shutil.copy(golden(f"dasheng/{filename.replace('.', '_hf.')}"), file)
    return file


def test_a_damaged_download_is_refused(tmp_path, golden, monkeypatch):
    file = golden("eat/model.safetensors")
    link = in_cache(tmp_path / "hub", "eat", file, content=file.read_bytes()[:-1] + b"!")
    hub(monkeypatch, lambda repo_id, filename: str(link))
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged.*delete it"):
        check_sum(link)
    whole = in_cache(tmp_path / "other", "eat", file)
    assert check_sum(whole) == hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [name for name, entry in PUBLISHED.items() if entry.source.repository])
def test_offline_the_file_and_its_place_are_named(name, tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise ConnectionError("Cannot reach the hub")

    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(tmp_path))
    source, client = PUBLISHED[name].source, {"hf_hub_download": unreachable, "model_info": unreachable}
    for reason in ("not installed", "fetching it failed (ConnectionError: Cannot reach the hub)"):
        with pytest.raises(WeightsError) as caught:
            load_encoder(name)
        text = str(caught.value)
        assert reason in text
        for part in (source.file, source.page, source.licence, str(tmp_path), f"{name}/{source.file}"):
            assert part in text
        monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(**client))


@pytest.mark.parametrize("name", [name for name, entry in PUBLISHED.items() if not entry.source.repository])
def test_what_no_client_fetches_is_said_with_the_page(name, monkeypatch):
    hub(monkeypatch, lambda **_: pytest.fail("there is nothing to fetch"))
    source = PUBLISHED[name].source
    with pytest.raises(WeightsError, match=r"nothing published to fetch|only a browser opens") as caught:
        load_encoder(name)
    assert source.page in str(caught.value)
    assert source.file in str(caught.value)


def test_every_published_encoder_says_where_it_is_from_and_what_it_gives():
    nine = {"eat", "eat+", "sslam", "sslam+", "beats", "beats+", "a-mae", "asit", "dasheng"}
    assert nine <= set(PUBLISHED) <= set(ENCODERS)
    told = {row["name"]: row for row in rows()}
    assert list(told) == list(ENCODERS)
    for name in PUBLISHED:
        row = told[name]
        assert row["licence"]
        assert row["source"].startswith("https://")
        assert bool(row["megabytes"]) == bool(PUBLISHED[name].source.file)
        assert not row["tried"], "no machine of the project reaches the hub"


@pytest.mark.parametrize("name", FILES)
def test_the_table_tells_of_ten_seconds_what_an_encoder_makes_of_them(name):
    encoder, spec = small(name, seconds=10), ENCODERS[name]
    assert (encoder.cls_kind, encoder.sample_rate) == (spec.cls_kind, spec.sample_rate)
    assert encoder.grid == spec.grid


def test_the_head_of_a_fine_tuned_eat(golden):
    """Logits from the normed [cls], as the file's own layers give them."""
    path = golden("eat/checkpoint_fairseq_finetune.pt")
    encoder, stored = load_encoder("eat+", weights=path), torch.load(path, weights_only=True)["model"]
    features = torch.from_numpy(np.load(golden("eat/golden.npz"))["input"][:, 0])
    cls = torch.from_numpy(np.load(golden("eat/golden.npz"))["cls"])
    normed = torch.nn.functional.layer_norm(
        cls, (32,), stored["fc_norm.weight"], stored["fc_norm.bias"], 1e-6
    )
    expected = normed @ stored["head.weight"].T + stored["head.bias"]
    torch.testing.assert_close(encoder.logits(features), expected, atol=2e-5, rtol=0)


def test_resampling_is_that_of_the_published_pipelines(golden):
    from protoviz.audio import read_audio

    sound = torch.from_numpy(read_audio(golden("fbank/synth_32k_5s.wav"), 32000))
    theirs = np.load(golden("fbank/resample_32k_to_16k.npz"))["out"]
    np.testing.assert_allclose(resample(sound, 32000, 16000)[:16000], theirs, atol=1e-6)
    assert len(resample(sound[:1001], 44100, 16000)) == 364


@pytest.fixture
def published(golden, tmp_path):
    """Features of a clip in the published form, as the small EAT makes them: [cls], then 48 tokens."""
    from protoviz.audio import read_audio

    clip, encoder = golden("fbank/synth_32k_5s.wav"), load_encoder("eat", golden("eat"))
    sound = resample(torch.from_numpy(read_audio(clip, 32000)), 32000, 16000)
    encoding = encoder(encoder.features(sound)[:, :96])
    path = tmp_path / "features.npy"
    np.save(path, torch.cat([encoding.cls[:, None], encoding.tokens], 1)[0].numpy())
    return clip, path


@pytest.mark.parametrize("with_cls", [True, False])
def test_verify_finds_the_same(golden, published, with_cls):
    clip, path = published
    np.save(path, np.load(path)[0 if with_cls else 1 :])
    found = verify("eat", golden("eat"), clip, path)
    assert found.same
    assert found.tokens == 48
    assert max(found.worst, found.cls_worst or 0) < 1e-5
    assert (found.cls_worst is None) != with_cls
    assert found.cosine == pytest.approx(1)
    assert "48 tokens, the same" in found.text()


def test_verify_tells_other_weights_and_another_order(golden, published):
    clip, path = published
    other = verify("sslam", golden("sslam"), clip, path)
    assert not other.same
    assert "not the same" in other.text()
    tokens = np.load(path)[1:].reshape(6, 8, 32)
    np.save(path, tokens.transpose(1, 0, 2).reshape(48, 32))  # frequency-major
    turned = verify("eat", golden("eat"), clip, path)
    assert not turned.same
    assert turned.relative > 0.1


def test_verify_refuses_features_of_another_encoder(golden, published):
    clip, path = published
    np.save(path, np.zeros((513, 768)))
    with pytest.raises(EncoderError, match=r"\(513, 768\); this encoder's features are \(n 32\)"):
        verify("eat", golden("eat"), clip, path)
    np.save(path, np.zeros((50, 32)))
    with pytest.raises(EncoderError, match="50 rows, which are no whole rows of 8 cells"):
        verify("eat", golden("eat"), clip, path)
    np.save(path, np.zeros((1600, 32)))
    with pytest.raises(EncoderError, match="not of the same sound"):
        verify("eat", golden("eat"), clip, path)
    path.write_text("no array")
    with pytest.raises(EncoderError, match="cannot read"):
        verify("eat", golden("eat"), clip, path)
