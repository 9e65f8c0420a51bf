"""The checks of a new probe: what is shipped keeps all promises, and each broken one is found."""

import json

import pytest
import torch
from typer.testing import CliRunner

from protoviz.cli import app
from protoviz.probes import PROBES, Probe
from protoviz.probes.check import CHECKS, assert_probe, check_probe


class Mean(Probe):
    """A sound probe; the others below break one promise each."""

    name = "mean"

    def __init__(self, dim, classes, grid=None, *, gain: float = 1.0):
        super().__init__(dim, classes, grid, gain=gain)
        self.gain = gain
        self._add_classifier(dim, False)

    def pool(self, tokens, cls, mask):
        tokens = tokens.to(self.dtype)
        count = tokens.shape[1] if mask is None else mask.sum(1, keepdim=True).clamp(min=1)
        return self.gain * tokens.sum(1) / count


class Nameless(Mean):
    name = ""


class Taken(Mean):
    name = "linear"


class Coloured(Mean):
    name, family = "coloured", "blue"


class Forgetful(Mean):
    name = "forgetful"

    def __init__(self, dim, classes, grid=None, *, gain: float = 1.0):
        super().__init__(dim, classes, grid)
        self.hyper = {}


class Padded(Mean):
    name = "padded"

    def pool(self, tokens, cls, mask):
        return tokens.to(self.dtype).mean(1)


class Empty(Mean):
    name = "empty"

    def pool(self, tokens, cls, mask):
        count = tokens.shape[1] if mask is None else mask.sum(1, keepdim=True)
        return tokens.to(self.dtype).sum(1) / count


class Square(Mean):
    name = "square"

    def pool(self, tokens, cls, mask):
        return tokens.to(self.dtype).unflatten(1, self.grid).mean((1, 2))


class Crowd(Mean):
    name = "crowd"

    def pool(self, tokens, cls, mask):
        pooled = super().pool(tokens, cls, mask)
        return pooled - pooled.mean(0)


class Random(Mean):
    name = "random"

    def pool(self, tokens, cls, mask):
        pooled = super().pool(tokens, cls, mask)
        return pooled + torch.randn_like(pooled)


class Detached(Mean):
    name = "detached"

    def classify(self, pooled):
        return pooled @ self.classifier.weight.detach().T + self.classifier.bias


class Bent(Mean):
    name = "bent"

    def classify(self, pooled):
        return self.classifier(pooled).relu()


class Hidden(Mean):
    name = "hidden"

    def __init__(self, dim, classes, grid=None):
        super().__init__(dim, classes, grid)
        self.hyper, self.shift = {}, torch.rand(1)

    def pool(self, tokens, cls, mask):
        return super().pool(tokens, cls, mask) + self.shift


class Wide(Mean):
    name = "wide"

    def classify(self, pooled):
        return super().classify(pooled).float()


class Flat(Mean):
    name = "flat"

    def classify(self, pooled):
        return super().classify(pooled).flatten()


class Broken(Mean):
    name = "broken"

    def pool(self, tokens, cls, mask):
        raise RuntimeError("no such layer")


class Single(Mean):
    name = "single"

    def forward(self, tokens, cls=None, mask=None):
        return self.classify(self.pool(*self.prepare(tokens, cls, mask)))


class Raw(Mean):
    name = "raw"

    def prepare(self, tokens, cls, mask):
        return tokens, cls, mask


@pytest.mark.parametrize("probe", [*PROBES.values(), Mean], ids=lambda probe: probe.name)
def test_what_is_shipped_keeps_every_promise(probe):
    assert_probe(probe)


BROKEN = {
    Nameless: "attributes",
    Taken: "attributes",
    Coloured: "attributes",
    Forgetful: "attributes",
    Padded: "mask",
    Empty: "mask",
    Square: "grids",
    Crowd: "batch",
    Random: "repeat",
    Detached: "gradient",
    Bent: "explain",
    Hidden: "saved",
    Wide: "types",
    Flat: "shapes",
    Broken: "shapes",
    Single: "layers",
    Raw: "centre",
}


@pytest.mark.parametrize(("probe", "check"), BROKEN.items(), ids=lambda one: getattr(one, "__name__", one))
def test_a_broken_promise_is_found(probe, check):
    found = {one.name: one for one in check_probe(probe)}
    assert found[check].status == "fail", found
    with pytest.raises(AssertionError, match=check):
        assert_probe(probe)


def test_every_check_finds_something():
    assert set(BROKEN.values()) == {check.name for check in CHECKS}


def test_the_command_prints_findings_and_says_by_its_code_whether_all_is_well():
    def run(*arguments):
        return CliRunner().invoke(app, ["check-probe", *arguments], env={"COLUMNS": "160"})

    good = run("test_check_probe:Mean", "--json")
    assert good.exit_code == 0, good.output
    assert {one["status"] for one in json.loads(good.output)} == {"pass"}
    bad = run("test_check_probe:Padded")
    assert bad.exit_code == 1
    assert "padding tokens" in bad.output
    assert run("nowhere:Mean").exit_code == 1
