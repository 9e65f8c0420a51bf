"""The list of faults of an encoder: empty for those that ship, and each promise is held."""

import re

import pytest
import torch

from protoviz.encoders import Encoder, Encoding, MiniConfig, load_encoder
from protoviz.encoders.contract import faults
from protoviz.encoders.mini import random_mini


class Plain(Encoder):
    """Every second one token: mean and deviation of the sound in it. Sound in every respect."""

    name, dim, sample_rate, seconds, grid, cls_kind = "plain", 2, 100, 4.0, (4, 1), "mean token"

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()), requires_grad=False)

    def features(self, waveforms):
        clips = self.clips(waveforms)
        out = torch.zeros(len(clips), 400)
        for row, clip in zip(out, clips, strict=True):
            row[: len(clip)] = clip
        return out.unflatten(1, (4, 100))

    def mask(self, samples):
        return torch.arange(4) * 100 < torch.tensor(samples)[:, None]

    def front_end(self):
        return {"low_hz": 0, "high_hz": 50}

    def shape(self):
        return {}

    def forward(self, features, attention=False, mask=None, layers=()):
        mask = torch.ones(len(features), 4, dtype=torch.bool) if mask is None else mask
        tokens = self.gain * torch.stack([features.mean(2), features.std(2)], -1)
        tokens = tokens.masked_fill(~mask[..., None], 0)
        return Encoding(tokens, tokens.sum(1) / mask.sum(1, keepdim=True), self.grid, mask)


def test_the_minis_have_no_fault():
    assert faults(load_encoder("mini-mae")) == []
    assert faults(random_mini(0, MiniConfig(width=64, depth=1, heads=1))) == []
    assert faults(Plain().eval()) == []


class Unmasked(Plain):
    def mask(self, samples):
        return torch.ones(len(samples), 4, dtype=torch.bool)


class Leaking(Plain):
    def forward(self, features, attention=False, mask=None, layers=()):
        found = super().forward(features, mask=mask)
        return Encoding(found.tokens + 1.0, found.cls, found.grid, found.mask)


class Restless(Plain):
    def forward(self, features, attention=False, mask=None, layers=()):
        return super().forward(features * torch.rand(()), mask=mask)


class Mixing(Plain):
    def features(self, waveforms):
        found = super().features(waveforms)
        return found / found.abs().sum()


class Wide(Plain):
    dim = 3


class OtherMean(Plain):
    def forward(self, features, attention=False, mask=None, layers=()):
        found = super().forward(features, mask=mask)
        return Encoding(found.tokens, found.tokens.mean(1), found.grid, found.mask)


class Infinite(Plain):
    def features(self, waveforms):
        return super().features(waveforms).log()


class Placeless(Plain):
    def front_end(self):
        return {"mels": 1}


class Unwritten(Plain):
    def shape(self):
        return {"gain": self.gain}


class Nameless(Plain):
    name = None


class Other(Plain):
    cls_kind = "max token"


class Failing(Plain):
    def features(self, waveforms):
        raise RuntimeError("no such file")


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (Unmasked, "the mask is wrong"),
        (Leaking, "not zero where the mask is False"),
        (Restless, "other tokens each time"),
        (Mixing, "depend on the clips beside it"),
        (Wide, r"tokens is \(2, 4, 2\)"),
        (OtherMean, "cls is not the mean of the real tokens"),
        (Infinite, "NaN or infinity"),
        (Placeless, "no cell has a place in hertz"),
        (Unwritten, "plain values"),
        (Nameless, "does not set name"),
        (Other, "cls_kind is 'max token'"),
        (Failing, "encode raises RuntimeError: no such file"),
    ],
)
def test_a_broken_promise_is_named(broken, says):
    found = faults(broken().eval())
    assert any(re.search(says, fault) for fault in found), found


def test_what_is_not_ready_is_named_before_it_encodes():
    encoder = Plain().requires_grad_(True)
    assert [fault.split(":")[0] for fault in faults(encoder)] == [
        "it is in training mode",
        "it is not frozen",
    ]
    assert faults(object()) == [
        "object is no Encoder: write class Mine(protoviz.encoders.Encoder)",
    ]
