"""check-encoder: shipped encoders pass, and each deliberate fault is named by its check, with the cure."""

import json
from dataclasses import replace

import numpy as np
import pytest
import small_encoders
import torch
import torch.nn.functional as F
from cache_fakes import FakeEncoder
from small_encoders import ARCHITECTURES
from typer.testing import CliRunner

from protoviz.cli import app
from protoviz.encoders import EncoderError, load_encoder
from protoviz.encoders.check import CHECKS, assert_encoder, check_encoder, failures, findings
from protoviz.encoders.mini import MiniConfig, MiniEncoder, frozen, start_weights
from protoviz.encoders.own import own_encoder

SMALL = MiniConfig(width=24, depth=2, heads=3, frames=128)


class Small(MiniEncoder):
    """Made without arguments it is small too, which the check of fingerprints does."""

    def __init__(self, config=SMALL, name="small"):
        super().__init__(config, name)


def small(kind=Small, config=SMALL):
    return frozen(start_weights(kind(config, "small"), 3))


def first_fault(encoder):
    """The first finding that something is wrong; what comes behind it is not tried."""
    return next(result for result in findings(encoder) if result.status == "fail")


def each_is_found(faults):
    """Return a test of encoders with one fault each: kind -> (the check that finds it, words of the cure)."""

    @pytest.mark.parametrize("kind", faults, ids=lambda kind: kind.__name__)
    def found(kind):
        check, words = faults[kind]
        fault = first_fault(small(kind))
        assert fault.name == check, fault
        assert words in fault.says, fault.says

    return found


def by_name(encoder) -> dict:
    return {result.name: result for result in check_encoder(encoder)}


GEOMETRIES = {
    "cls": SMALL,
    "mean token": replace(SMALL, cls=False),
    "one band": replace(SMALL, patch=4, patch_mels=128, cls=False),
    "four rows": replace(SMALL, frames=64),
    "one cell": replace(SMALL, frames=64, patch=64, patch_mels=128, cls=False),
}


@pytest.mark.parametrize("config", GEOMETRIES.values(), ids=GEOMETRIES)
def test_a_sound_encoder_passes_every_check(config):
    found = check_encoder(small(config=config))
    assert [result.name for result in found] == [check.name for check in CHECKS]
    skipped = {result.name for result in found if result.status == "skip"}
    assert not failures(found), failures(found)
    assert skipped == ({"order", "padding"} if config.grid == (1, 1) else set()), found


def test_trained_weights_pass():
    """Of the shipped mini, for clips of 1.28 s."""
    trained = load_encoder("mini-mae")
    short = MiniEncoder(replace(trained.config, frames=128), "mini-mae")
    short.load_state_dict(trained.state_dict())
    found = check_encoder(frozen(short))
    assert {result.status for result in found} == {"pass"}, [r for r in found if r.status != "pass"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_published_architectures_pass(name):
    found = check_encoder(small_encoders.small(name, seconds=2))
    assert {result.status for result in found} == {"pass"}, [r for r in found if r.status != "pass"]


def test_an_encoder_without_maps_or_frames_skips_those_checks_only():
    """The cache's fake has no attention, no frequency axis in its sound, and 32 samples."""
    found = by_name(FakeEncoder())
    assert found["attention"].status == "skip"
    assert "no attention maps" in found["attention"].says
    assert found["batch"].status == found["repeat"].status == "pass"


# Deliberate faults. Each is the small encoder with one thing wrong.


class WrongDim(Small):
    def __init__(self, config, name):
        super().__init__(config, name)
        self.dim = 32


class NoHertz(Small):
    def front_end(self):
        return {key: value for key, value in super().front_end().items() if key != "low_hz"}


class TensorSetting(Small):
    def shape(self):
        return super().shape() | {"scale": np.float32(2.0)}


class Changed(Small):
    """Its encoding is the sound one's, changed by `change`."""

    def encode(self, *args, **kwargs):
        return self.change(super().encode(*args, **kwargs))


class FrequencyFirst(Changed):
    def change(self, made):
        return replace(made, tokens=made.tokens.unflatten(1, self.grid).transpose(1, 2).flatten(1, 2))


class HighFirst(Changed):
    def change(self, made):
        return replace(made, tokens=made.tokens.unflatten(1, self.grid).flip(2).flatten(1, 2))


class Shuffled(Changed):
    def change(self, made):
        order = torch.from_numpy(np.random.default_rng(1).permutation(made.tokens.shape[1]))
        return replace(made, tokens=made.tokens[:, order] * made.mask[..., None])


class Dropout(Small):
    def encode(self, *args, **kwargs):
        made = super().encode(*args, **kwargs)
        return replace(made, tokens=F.dropout(made.tokens, 0.1))


class NoMask(Small):
    """The padding is attended to, and its tokens are handed on."""

    def forward(self, features, attention=False, mask=None, layers=()):
        made = super().forward(features, attention, None, layers)
        return replace(made, mask=mask)


class PlainMean(Changed):
    def __init__(self, config, name):
        super().__init__(replace(config, cls=False), name)

    def change(self, made):
        return replace(made, cls=made.tokens.mean(1))  # empty cells count as well


class HearsPadding(Small):
    """Empty tokens are zero, but the others have attended to them."""

    def forward(self, features, attention=False, mask=None, layers=()):
        made = super().forward(features, attention, None, layers)
        return replace(made, mask=mask, tokens=made.tokens * mask[..., None])


class BatchNormed(Small):
    def features(self, waveforms):
        mels = self.log_mels(waveforms)
        return (mels - mels.mean()) / (2 * mels.std())


class Unnormalised(Changed):
    def change(self, made):
        return replace(made, attention=made.attention and [row * 1.5 for row in made.attention])


class AlwaysMaps(Small):
    def encode(self, waveforms, attention=False, *args, **kwargs):
        return super().encode(waveforms, True, *args, **kwargs)


class Divides(Small):
    def features(self, waveforms):
        mels = self.log_mels(waveforms)
        start = mels[:, :40]
        return (mels - start.mean((1, 2), True)) / start.std((1, 2), keepdim=True)


class Cuts(Small):
    def encode(self, waveforms, *args, **kwargs):
        count = round(self.seconds * self.sample_rate)
        if getattr(waveforms, "ndim", 2) != 1:
            waveforms = [clip[..., :count] for clip in waveforms]
        return super().encode(waveforms, *args, **kwargs)


class Double(Changed):
    def change(self, made):
        return replace(made, tokens=made.tokens.double())


class PlainTensor(Small):
    def __init__(self, config, name):
        super().__init__(config, name)
        self.scale = torch.ones(3)


class Loud(Changed):
    def change(self, made):
        return replace(made, tokens=made.tokens * 1e5)


class Untrainable(Small):
    @torch.inference_mode()
    def encode(self, *args, **kwargs):
        return super().encode(*args, **kwargs)


class Raises(Small):
    def encode(self, *args, **kwargs):
        raise KeyError("layer.9")


FAULTS = {
    Untrainable: ("shapes", "inference tensors"),
    WrongDim: ("shapes", "dim 32; correct that attribute"),
    NoHertz: ("settings", "name low_hz and high_hz"),
    TensorSetting: ("settings", "shape()['scale'] is a float32"),
    FrequencyFirst: (
        "order",
        "n = f * T + t (frequency first), and n = t * F + f is wanted; flatten time first",
    ),
    HighFirst: ("order", "high frequencies first, and n = t * F + f is wanted; flip the map along frequency"),
    Shuffled: ("order", "not at its place"),
    Dropout: ("repeat", "switch dropout off"),
    NoMask: ("mask", "tokens.masked_fill(~mask[..., None], 0)"),
    PlainMean: ("cls", "divide the sum over real cells by their number"),
    HearsPadding: ("padding", "give the mask to the attention"),
    BatchNormed: ("batch", "normalise each clip by itself"),
    Unnormalised: ("attention", "with cls_to_cls, not to one; give the softmax row"),
    AlwaysMaps: ("attention", "leave both None"),
    Divides: ("finite", "NaN or infinity in tokens of silence"),
    Cuts: ("length", "encoded without a word"),
    Double: ("shapes", "tokens is torch.float64; give torch.float32"),
    PlainTensor: ("weights", "scale; .to(device) leaves them behind"),
    Loud: ("float16", "caches would skip such clips"),
    Raises: ("shapes", "raised KeyError: 'layer.9'"),
}


test_each_fault_is_found_by_its_check_which_names_the_cure = each_is_found(FAULTS)


def test_in_a_test_the_faults_are_the_message():
    with pytest.raises(AssertionError, match=r"small:\n  shapes: tokens is|small:\n  shapes: .*float64"):
        assert_encoder(small(Double))


def test_it_says_where_the_change_is_centred():
    """Tones lie at rows and bands 1 and 5 of 8: read the wrong way, that at (1, 5) is at (5, 1)."""
    cells = small().cell_grid()
    swapped = by_name(small(FrequencyFirst))["order"].says
    early, high = np.mean(cells.time_edges[1:3]), np.mean(cells.hertz_edges[5:7])
    late, low = np.mean(cells.time_edges[5:7]), np.mean(cells.hertz_edges[1:3])
    tone, read = f"{early:.2g} s and {high:.0f} Hz", f"{late:.2g} s and {low:.0f} Hz"
    assert f"{tone} at {read}" in swapped


def test_training_mode_and_gradients_are_named():
    training = small()
    training.blocks[1].train()
    assert "in training mode: blocks.1 and" in by_name(training)["frozen"].says.replace(", ", " and ", 1)
    grows = small().requires_grad_(True)
    found = by_name(grows)["frozen"]
    assert found.status == "fail"
    assert "self.requires_grad_(False)" in found.says


def test_missing_attributes_are_listed_at_once_and_the_rest_waits():
    broken = small()
    broken.grid, broken.sample_rate = [8, 8], 16000.5
    found = check_encoder(broken)
    assert found[0].status == "fail"
    assert "grid = (T, F)" in found[0].says
    assert "sample_rate in Hz" in found[0].says
    assert {result.status for result in found[1:]} == {"skip"}
    assert len(failures(found)) == 1
    assert "derive its class" in check_encoder(torch.nn.Linear(2, 2))[0].says


# Finding the encoder, and the command

MODULE = """
import torch
from protoviz.encoders import Encoder
from protoviz.encoders.mini import MiniConfig, MiniEncoder, random_mini
SETTINGS = MiniConfig(width=24, depth=1, heads=3, frames=64)
def make():
    return random_mini(config=SETTINGS)
def needs(path):
    return make()
def explodes():
    raise RuntimeError("no such layer")
ready = make()
number = 3
class Mine(MiniEncoder):
    def __init__(self):
        super().__init__(SETTINGS, "mine")
        self.eval().requires_grad_(False)
class Half(Encoder):
    def features(self, waveforms): ...
"""


@pytest.fixture
def in_folder(tmp_path, monkeypatch, request):
    """A folder with a module of its own name, as the current directory."""
    name = f"own_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}_broken.py").write_text("import not_there_at_all")
    monkeypatch.chdir(tmp_path)
    return name


def test_classes_functions_encoders_and_names_are_found(in_folder):
    for what in ("Mine", "make", "ready"):
        assert own_encoder(f"{in_folder}:{what}").grid == (4, 8)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("{}:Their", "has no Their; it has MiniEncoder, Mine, Half"),
        ("{}:needs", "missing a required argument: 'path'.*write a function"),
        ("{}:explodes", "raised RuntimeError: no such layer"),
        ("{}:number", "gives a int; derive the class"),
        ("{}:Half", "lacks methods of Encoder: forward, front_end, mask, shape"),
        ("{}.py:Mine", "write {}:Mine"),
        ("{}_broken:Mine", "imports not_there_at_all, which is not installed"),
        ("nowhere_{}:Mine", "there is no module nowhere_{} in"),
        ("mini-mea", "no encoder 'mini-mea'; there are mini-mae.*module:Name"),
    ],
)
def test_what_cannot_be_found_says_how_far_it_came(in_folder, where, words):
    with pytest.raises(EncoderError, match=words.format(in_folder)):
        load_encoder(where.format(in_folder))


def test_the_command_prints_findings_and_its_exit_code_says_whether_all_is_well(in_folder):
    def run(*arguments):
        return CliRunner().invoke(app, ["check-encoder", *arguments], env={"COLUMNS": "160"})

    good = run(f"{in_folder}:make", "--json")
    assert good.exit_code == 0, good.output
    findings = json.loads(good.output)
    assert [finding["name"] for finding in findings] == ["import", *(check.name for check in CHECKS)]
    shown = run(f"{in_folder}:Mine")
    assert "encoder " in shown.output
    assert "passed" in shown.output
    lost = run(f"{in_folder}:Their")
    assert lost.exit_code == 1
    assert "Mine" in lost.output
    assert "Traceback" not in lost.output
