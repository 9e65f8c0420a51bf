"""Files of tensors that this project writes: each is read as it was written, or refused by name."""

import json
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from training_data import QUICK, built, clips

from protoviz.encoders import WeightsError
from protoviz.encoders.mini import MiniConfig, load_mini, random_mini
from protoviz.encoders.weights import write_weights
from protoviz.pretraining import PretrainConfig, PretrainError, StoreConfig, render_scenes
from protoviz.pretraining.loop import Trainer
from protoviz.pretraining.masked import MaskedConfig
from protoviz.probes import ProbeError, build_probe, load_probe, save_probe, stored
from protoviz.training import checkpoint, fit

WRITTEN = Path(__file__).parent / "written"
TOKENS = torch.linspace(-1, 1, 2 * 6 * 4).reshape(2, 6, 4).sin()
SMALL = MiniConfig(width=24, depth=1, heads=3, frames=64, mels=32)
OTHERS = [None, True, "x", -1, 0, 2.5, 10**9, 10**30, [], {}, [1, 2], float("nan")]


def damaged(path: Path, every: int = 1, tensors: int = 60):
    """The file with a bit changed in every so manyth byte of its header, and in some of its tensors."""
    whole = path.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    for at in [*range(0, end, every), *range(end, len(whole), max(1, (len(whole) - end) // tensors))]:
        yield whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :]


def with_header(path: Path, key: str, change) -> None:
    """The file anew, without a digest, its header changed."""
    whole = path.read_bytes()
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"][key]
    inner = json.loads(header)
    inner.pop("sealed", None)
    path.write_bytes(save(load(whole), {key: json.dumps(change(inner))}))


def test_probes_of_earlier_code_are_read_and_score_as_then():
    wanted = {
        "protobin": [[-0.046938, -0.125207, 0.134145], [0.465236, -0.325618, 0.360412]],
        "protobin-packed": [[0.415312, -0.096543, 0.766228], [0.222976, 0.222384, 0.023625]],
    }
    for name, logits in wanted.items():
        probe = load_probe(WRITTEN / "probe" / f"{name}.safetensors")
        assert torch.allclose(probe(TOKENS), torch.tensor(logits), atol=1e-6), name
        assert probe.metadata == {"classes": ["dog", "rain", "bell"], "seed": 3}
        assert (probe.settings["grid"], probe.settings["prototypes_per_class"]) == ((3, 2), 2)


@pytest.fixture
def probe_file(tmp_path):
    torch.manual_seed(1)
    probe = build_probe("protobin", 4, 3, (3, 2), prototypes_per_class=2, batch_norm=True)
    return save_probe(probe, tmp_path / "probe.safetensors", classes=["dog", "rain", "bell"])


def test_a_probe_is_loaded_as_it_was_saved_or_refused(probe_file):
    def used():
        probe = load_probe(probe_file)
        return probe(TOKENS).tolist(), probe.metadata, probe.settings

    good, refused = used(), 0
    for data in damaged(probe_file):
        probe_file.write_bytes(data)
        try:
            assert used() == good
        except ProbeError as error:
            assert str(probe_file) in str(error)  # noqa: PT017
            refused += 1
    assert refused > 300


def test_the_parts_of_a_damaged_probe_are_listed_or_refused(probe_file):
    good = stored(probe_file)
    for data in damaged(probe_file, every=3):
        probe_file.write_bytes(data)
        try:
            assert stored(probe_file).equals(good)
        except ProbeError:
            continue


@pytest.mark.parametrize(
    "key", ["name", "dim", "classes", "grid", "prototypes_per_class", "gradient", "batch_norm"]
)
def test_settings_of_another_kind_are_refused_by_name(probe_file, key):
    whole, good = probe_file.read_bytes(), load_probe(probe_file).settings
    for value in OTHERS:
        probe_file.write_bytes(whole)
        with_header(
            probe_file, "protoviz.probe", lambda h, v=value: {**h, "settings": {**h["settings"], key: v}}
        )
        try:
            probe = load_probe(probe_file)
        except ProbeError as error:
            assert str(probe_file) in str(error)  # noqa: PT017
            continue
        assert {**good, key: value} == {**probe.settings, key: value}
        assert key == "grid" or type(value) is type(good[key])


@pytest.mark.parametrize("value", [5, "x", {"name": "mini"}, {"fingerprint": 5}])
def test_a_probe_that_names_its_encoder_in_another_form_is_refused(probe_file, value):
    with_header(probe_file, "protoviz.probe", lambda h: {**h, "metadata": {"encoder": value}})
    with pytest.raises(ProbeError, match=r"probe\.safetensors.*metadata\.encoder"):
        load_probe(probe_file, random_mini(3, SMALL))


def test_a_probe_of_nan_is_refused(probe_file):
    probe = load_probe(probe_file)
    with torch.no_grad():
        probe.classifier.bias[1] = torch.nan
    save_probe(probe, probe_file)
    with pytest.raises(ProbeError, match=r"NaN or infinity in classifier\.bias"):
        load_probe(probe_file)


def test_what_a_header_claims_is_held_against_the_file_before_it_is_made(probe_file):
    whole = probe_file.read_bytes()
    for key in ("dim", "classes", "prototypes_per_class"):
        probe_file.write_bytes(whole)
        with_header(
            probe_file, "protoviz.probe", lambda h, k=key: {**h, "settings": {**h["settings"], k: 10**7}}
        )
        with pytest.raises(ProbeError, match=r"asks for a tensor of .*the largest"):
            load_probe(probe_file)


def test_a_header_larger_than_any_is_not_read(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write((10**9).to_bytes(8, "little") + b"{")
        file.truncate(10**9 + 8)
    for read, error in ((load_probe, ProbeError), (stored, ProbeError), (load_mini, WeightsError)):
        with pytest.raises(error, match=r"a\.safetensors .*a header of 1,000,000,000 bytes"):
            read(path)


@pytest.fixture
def mini_file(tmp_path):
    tensors = random_mini(3, SMALL).state_dict()
    return write_weights(tmp_path / "mini.safetensors", tensors, {"config": asdict(SMALL)})


def test_a_mini_is_loaded_as_it_was_written_or_refused(mini_file):
    good = load_mini(mini_file)
    state = good.state_dict()
    for data in damaged(mini_file, every=5, tensors=20):
        mini_file.write_bytes(data)
        try:
            found = load_mini(mini_file)
        except WeightsError as error:
            assert str(mini_file) in str(error)  # noqa: PT017
            continue
        assert found.config == good.config
        assert all(torch.equal(value, state[key]) for key, value in found.state_dict().items())


@pytest.mark.parametrize("key", list(asdict(SMALL)))
def test_a_minis_settings_of_another_kind_or_size_are_refused(mini_file, key):
    whole = mini_file.read_bytes()
    for value in [*OTHERS, 1e300, 2**13]:
        mini_file.write_bytes(whole)
        with_header(mini_file, "protoviz", lambda h, v=value: {**h, "config": {**h["config"], key: v}})
        try:
            found = load_mini(mini_file)
        except WeightsError as error:
            assert str(mini_file) in str(error)  # noqa: PT017
            continue
        assert getattr(found.config, key) == value
        assert found.positions.isfinite().all()
        assert found.features([torch.zeros(4000)]).isfinite().all()


def test_a_training_goes_on_from_what_was_written_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "INTERVAL", 0)
    data, config = (clips(20, 1), clips(10, 2)), replace(QUICK, epochs=2)

    class Interrupted(Exception):
        pass

    def stop(*_):
        raise Interrupted

    def run(progress=None):
        return fit(built("linear"), *data, config, *([progress] if progress else []), folder=tmp_path)

    with pytest.raises(Interrupted):
        run(stop)
    (path,) = tmp_path.iterdir()
    whole, good = path.read_bytes(), run()
    path.write_bytes(whole)
    for bad in list(damaged(path, every=700, tensors=3)):
        path.write_bytes(bad)
        with warnings.catch_warnings(action="ignore"):
            assert run().history.equals(good.history)
    for key, value in [(key, value) for key in ("rows", "best", "lr", "schedule") for value in OTHERS[::6]]:
        path.write_bytes(whole)
        with_header(path, "protoviz.run", lambda h, k=key, v=value: {**h, "record": {**h["record"], k: v}})
        with warnings.catch_warnings(action="ignore"):
            assert run().history.equals(good.history) or value in ([], [1, 2]), (key, value)


class Frames:
    """A store of scenes of which only the statistics are asked."""

    def statistics(self):
        return 0.0, 1.0


def test_a_pretraining_goes_on_from_what_was_written_or_not_at_all(tmp_path):
    objective = MaskedConfig(decoder_width=16, decoder_depth=1)
    config = PretrainConfig(MiniConfig(24, 1, 3), objective, 10, 2, 6, 4, precision="fp32")
    trainer = Trainer(config, Frames())
    trainer.step, path = 2, tmp_path / "checkpoint.safetensors"
    trainer.save(path)
    whole = path.read_bytes()

    def load_it():
        again = Trainer(config, Frames())
        again.load(path)
        return again.step, again.model.state_dict()

    step, state = load_it()
    for bad in list(damaged(path, every=211, tensors=10)):
        path.write_bytes(bad)
        try:
            found = load_it()
        except PretrainError as error:
            assert str(path) in str(error)  # noqa: PT017
            continue
        assert found[0] == step
        assert all(torch.equal(value, state[key]) for key, value in found[1].items())
    for key in ("step", "seconds", "core_seconds", "config"):
        for value in [None, "x", [], float("nan")]:
            path.write_bytes(whole)
            with_header(path, "protoviz", lambda h, v=value, k=key: {**h, k: v})
            with pytest.raises(PretrainError, match=r"checkpoint\.safetensors"):
                load_it()


def test_rendered_scenes_are_read_as_they_were_written_or_refused(tmp_path):
    config = StoreConfig(4, shard=2)

    def frames():
        return render_scenes(tmp_path, config, workers=1).read(range(4))

    good, path = frames(), tmp_path / "mels-00001.npy"
    whole = path.read_bytes()
    for at in [0, 8, 60, 130, 5000, len(whole) // 2, len(whole) - 100, len(whole) - 3]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            assert torch.equal(frames(), good)
        except PretrainError as error:
            assert str(path) in str(error)  # noqa: PT017
    for cut in (b"", whole[:1000], whole[:-200]):
        path.write_bytes(cut)
        with pytest.raises(PretrainError, match=r"mels-00001\.npy is damaged.*delete it"):
            frames()
    path.write_bytes(whole[: whole.rindex(b"protoviz-sha256:")])  # as earlier code wrote them
    assert torch.equal(frames(), good)
    for text in ("[" * 100_000, "[]", "{", ""):
        (tmp_path / "store.json").write_text(text)
        with pytest.raises(PretrainError, match=r"store\.json.*delete that folder"):
            frames()
