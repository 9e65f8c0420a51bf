"""hf:owner/name: weights on the hub in any known layout are told by their keys; nothing else is taken."""

import json
import shutil
import sys

import plain_encoders as plain
import pytest
import torch
from grid_fakes import write_grid
from hub_fakes import FakeHub, parts
from safetensors.torch import load_file, save_file
from small_encoders import FILES
from typer.testing import CliRunner

from protoviz.cli import app
from protoviz.encoders import EncoderError, WeightsError, load_encoder, takes_weights
from protoviz.encoders.catalogue import PUBLISHED
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.guided import new_study
from protoviz.experiments.materials import open_encoder

PLACE = "hf:someone/else"
TOLD = [name for name in FILES if name not in ("a-mae", "asit")]  # those two have the same keys


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub without a file yet; what is fetched of it is kept in a cache of its own."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("PROTOVIZ_WEIGHTS", raising=False)
    fake = FakeHub(tmp_path / "served", tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return fake


def serve(hub, *files, repository="someone/else"):
    """Files, each as a path or (path, name there), in a repository."""
    folder = hub.served / repository
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        path, name = file if isinstance(file, tuple) else (file, file.name)
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(path, folder / name)
    return folder


@pytest.mark.parametrize("name", TOLD)
def test_any_known_layout_loads_wherever_it_lies(hub, golden, name, capsys):
    file = golden(FILES[name])
    serve(hub, (file, f"any{file.suffix}"))
    encoder, same = load_encoder(PLACE, seconds=1), load_encoder(name, file, seconds=1)
    assert (encoder.fingerprint(), encoder.name) == (same.fingerprint(), PLACE)
    said = capsys.readouterr().err
    assert f"{PLACE}: fetching any{file.suffix} (1 MB, licence mit) from https://huggingface.co/" in said
    asked = list(hub.asked)
    assert load_encoder(PLACE, seconds=1).fingerprint() == same.fingerprint()
    assert hub.asked == asked, "the second time it is here"
    assert takes_weights(PLACE)


def test_bird_mae_is_told_from_audiomae_by_its_norm_of_classifiers(hub, tmp_path):
    save_file(plain.seeded(plain.bird_mae_shapes(32, 1, rows=2)), str(tmp_path / "model.safetensors"))
    serve(hub, tmp_path / "model.safetensors")
    assert load_encoder(PLACE).sample_rate == 32000


def test_a_listed_repository_brings_what_its_authors_set_otherwise(hub, golden):
    repository = PUBLISHED["esp-aves2-eat-all"].source.repository
    serve(hub, (golden(FILES["eat"]), "esp-aves2-eat-all.safetensors"), repository=repository)
    listed, named = load_encoder(f"hf:{repository}"), load_encoder("esp-aves2-eat-all")
    assert (listed.config.mean, listed.config.std) == (named.config.mean, named.config.std)
    assert listed.config.mean != load_encoder("eat", golden(FILES["eat"])).config.mean


def test_a_fine_tuned_file_is_taken_as_it_is(hub, golden):
    serve(hub, golden("beats/checkpoint_finetuned.pt"))
    assert load_encoder(PLACE).config.classes == 7
    with pytest.raises(WeightsError, match="head of 7 classes"):
        load_encoder(PLACE, head=False)


def test_where_two_architectures_fit_the_caller_says_which(hub, golden, tmp_path):
    serve(hub, golden("audiomae/timm_model.safetensors"))
    with pytest.raises(WeightsError, match=r"may be a-mae or asit.*load_encoder\('a-mae', weights='hf:some"):
        load_encoder(PLACE)
    ours = load_encoder("a-mae", weights=golden("audiomae/timm_model.safetensors"))
    assert load_encoder("a-mae", weights=PLACE).fingerprint() == ours.fingerprint()


def test_a_configuration_beside_the_weights_says_which(hub, golden, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "audiomae", "num_heads": 4}))
    serve(hub, golden("audiomae/timm_model.safetensors"), tmp_path / "config.json")
    assert type(load_encoder(PLACE)).__name__ == "AudioMaeEncoder"
    assert hub.asked[1:] == ["config.json", "timm_model.safetensors"]


def test_a_repository_that_is_listed_is_that_encoder(hub, golden):
    source = PUBLISHED["a-mae"].source
    serve(hub, (golden("audiomae/pretrained.pth"), source.file), repository=source.repository)
    serve(hub, (golden("audiomae/timm_config.json"), "config.json"), repository=source.repository)
    place = f"hf:{source.repository}"
    ours = load_encoder("a-mae", weights=golden("audiomae/pretrained.pth"), seconds=0.96)
    assert load_encoder(place, seconds=0.96).fingerprint() == ours.fingerprint()


def test_nothing_but_weights_and_settings_is_fetched_and_none_of_it_runs(hub, golden, tmp_path):
    mark = tmp_path / "ran"

    class Harmful:
        def __reduce__(self):
            return open, (str(mark), "w")

    root = torch.load(golden("eat/checkpoint_fairseq_pretrain.pt"), weights_only=True)
    torch.save({**root, "extra_state": Harmful()}, tmp_path / "hostile.pt")
    (tmp_path / "modeling.py").write_text(f"open({str(mark)!r}, 'w')")
    (tmp_path / "config.json").write_text(json.dumps({"auto_map": {"AutoModel": "modeling.Model"}}))
    serve(hub, tmp_path / "hostile.pt", tmp_path / "modeling.py", tmp_path / "config.json")
    load_encoder(PLACE)
    assert hub.asked == ["someone/else", "config.json", "hostile.pt"]
    assert not mark.exists()


def test_of_several_checkpoints_one_is_named(hub, golden):
    serve(hub, golden(FILES["beats"]), (golden("eat/checkpoint_fairseq_pretrain.pt"), "old/eat.pt"))
    serve(hub, golden("beats/checkpoint_finetuned.pt"))
    with pytest.raises(WeightsError, match=r"checkpoint\.pt, checkpoint_finetuned\.pt, old/eat\.pt; name"):
        load_encoder(PLACE)
    assert load_encoder(f"{PLACE}/old/eat.pt").dim == 32
    with pytest.raises(WeightsError, match=r"name one file: hf:someone/else/FILE"):
        load_encoder(f"{PLACE}/new/eat.pt")


@pytest.mark.parametrize(("name", "suffix"), [("model", ".safetensors"), ("pytorch_model", ".bin")])
def test_weights_in_parts_are_fetched_before_their_index(hub, golden, tmp_path, name, suffix):
    index = parts(load_file(golden(FILES["eat"])), hub.served / "someone" / "else", name, suffix)
    whole = load_encoder("eat", golden(FILES["eat"]), seconds=0.96)
    assert load_encoder(PLACE, seconds=0.96).fingerprint() == whole.fingerprint()
    assert hub.asked[-1] == index.name
    assert len(hub.asked) == 5


def test_a_fetch_that_was_stopped_goes_on(hub, golden):
    """Some parts are here, and their index is not."""
    parts(load_file(golden(FILES["eat"])), hub.served / "someone" / "else", "model", ".safetensors")
    whole, calls = hub.hf_hub_download, iter([True, False])

    def stopped(repo_id, filename):
        if not next(calls):
            raise ConnectionError("the line is cut")
        return whole(repo_id, filename)

    hub.hf_hub_download = stopped
    with pytest.raises(WeightsError, match="the line is cut"):
        load_encoder(PLACE)
    hub.hf_hub_download = whole
    assert load_encoder(PLACE).dim == 32


def test_weights_of_none_of_the_architectures_are_refused(hub, tmp_path):
    save_file({"other.weight": torch.zeros(3)}, str(tmp_path / "model.safetensors"))
    serve(hub, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=r"in no layout of eat, .*dasheng"):
        load_encoder(PLACE)


def test_a_repository_without_weights_or_a_licence_is_told_so(hub, golden, tmp_path, capsys):
    hub.licence = None
    (tmp_path / "README.md").write_text("Soon.")
    serve(hub, tmp_path / "README.md")
    with pytest.raises(WeightsError, match=r"hf:someone/else holds no weights"):
        load_encoder(PLACE)
    serve(hub, golden(FILES["eat"]))
    load_encoder(PLACE)
    assert "licence not stated" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["hf:", "hf:someone", "hf:/else", "hf:some one/else", "hf:../../etc"])
def test_what_is_no_place_on_the_hub_is_refused(hub, place):
    with pytest.raises(EncoderError, match="hf:owner/name"):
        load_encoder(place)
    assert not hub.asked


def test_without_the_hub_the_place_for_the_file_is_named(hub, golden, monkeypatch):
    def gone(*_, **__):
        raise ConnectionError("Cannot reach the hub")

    hub.model_info = gone
    kept = hub.served / "models--someone--else" / "model.safetensors"
    for reason in ("Cannot reach the hub", "not installed"):
        with pytest.raises(WeightsError, match=reason) as caught:
            load_encoder(PLACE)
        assert "https://huggingface.co/someone/else" in str(caught.value)
        assert kept.parent.name in str(caught.value)
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    kept.parent.mkdir(parents=True)
    shutil.copy(golden(FILES["eat"]), kept)
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(hub.served))
    assert load_encoder(PLACE).dim == 32


def test_a_grid_and_the_command_line_take_such_a_name(hub, golden, tmp_path):
    serve(hub, golden(FILES["eat"]))
    text = '[datasets.scenes]\n[encoders.theirs]\nuse = "hf:someone/else"\n{}\n[probes.linear]\n'
    entry = read_grid(write_grid(tmp_path, text.format("options.seconds = 2"))).encoders[0]
    assert open_encoder(entry, seconds=1).seconds == 2.08
    with pytest.raises(GridError, match="second"):
        read_grid(write_grid(tmp_path, text.format("options.second = 2")))
    done = CliRunner().invoke(app, ["check-encoder", "hf:someone/gone"], env={"COLUMNS": "200"})
    assert (done.exit_code, "someone/gone" in done.output) == (1, True), done.output


def test_a_study_begins_with_such_a_name(hub, golden, tmp_path):
    serve(hub, golden(FILES["eat"]))
    said, few = [], {"train": 4, "validation": 2, "test": 2}
    begun = new_study(
        tmp_path / "mine", PLACE, "scenes", ["linear"], weights=PLACE, options=few, say=said.append
    )
    assert any(PLACE in line and "hub" in line for line in said)
    entry = read_grid(begun.folder / "study.toml").encoders[0]
    assert (entry.use, entry.weights) == (PLACE, PLACE)
