"""Probes that read another layer, several, or single frames."""

from typing import ClassVar

import pytest
import torch
from torch.nn import functional as F
from training_data import GRID, QUICK, C, D, clips, fitting, of_frames, same

from protoviz.probes import PROBES, ProbeError, build_probe, load_probe, save_probe, seeded_probe
from protoviz.probes.layers import mix
from protoviz.training import FitConfig, TokenData, TrainingError, fit, fit_many, predict

LAYERS = [2, 4, 7]
ONCE = FitConfig(epochs=1, batch_size=16)


def made(name, layers=None, seed=0, **hyper):
    return seeded_probe(seed, name, D, C, GRID, layers=layers, **fitting(name), **hyper)


def several(count, seed=0, layers=LAYERS):
    """Clips of several layers, some of them padded."""
    parts = [next(clips(count, seed + 10 * layer, padded=True).batches(count)) for layer in layers]
    tokens, cls = (torch.stack([part[i] for part in parts], 1) for i in (0, 1))
    return TokenData(tokens, cls, parts[0].mask, parts[0].targets, layers=layers)


def of_one(data, layer):
    tokens, cls, mask, targets = next(data.batches(len(data), layers=layer))
    return TokenData(tokens, cls, mask, targets)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("asked", [True, False], ids=["tokens ask", "tokens are fixed"])
def test_a_mixture_is_the_formula(unit, asked):
    z = torch.randn(11, 3, 5, 4, dtype=torch.float64)
    z[2, 1, 3] = 0  # padding
    found = []
    for form in (
        mix,
        lambda z, a, unit: torch.einsum("l,blnd->bnd", a, F.normalize(z, dim=-1) if unit else z),
    ):
        tokens, weights = (
            z.clone().requires_grad_(asked),
            torch.rand(3, dtype=torch.float64, requires_grad=True),
        )
        weights.data = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
        mixed = form(tokens, weights, unit)
        mixed.sin().sum().backward()
        found.append([mixed.detach(), weights.grad, *([tokens.grad] if asked else [])])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", PROBES)
def test_one_layer_of_several_is_that_layer(name):
    data = several(6)
    torch.testing.assert_close(predict(made(name, 4), data), predict(made(name), of_one(data, 4)))
    torch.testing.assert_close(predict(made(name), data), predict(made(name), of_one(data, 7)))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, probe in PROBES.items()
        if name != "head2toe" and not issubclass(probe, PROBES["head2toe"])
    ],
)
def test_a_mixture_of_equal_layers_is_the_layer(name):
    one = clips(5, 3, padded=True)
    tokens, cls, mask, targets = next(one.batches(5))
    twice = TokenData(torch.stack([tokens] * 2, 1), torch.stack([cls] * 2, 1), mask, targets)
    torch.testing.assert_close(
        predict(made(name, [1, 2]), twice), predict(made(name), one), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("name", PROBES)
def test_padding_and_other_clips_change_no_logit(name):
    tokens, cls, mask, _ = next(several(6).batches(6, layers=LAYERS))
    probe = made(name, LAYERS).eval()
    logits = probe(tokens, cls, mask)
    junk = torch.where(mask[:, None, :, None], tokens, torch.nan)
    torch.testing.assert_close(probe(junk, cls, mask), logits, rtol=0, atol=1e-6)
    torch.testing.assert_close(probe(tokens[:1], cls[:1], mask[:1]), logits[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PROBES)
def test_training_reads_the_layers_that_are_asked_for(name, tmp_path):
    class Watched(TokenData):
        asked: ClassVar[set] = set()

        def batches(self, size=128, seed=None, layers=None):
            self.asked.add(layers)
            yield from super().batches(size, seed, layers)

    parts = [one if not PROBES[name].frame_wise else framed(one) for one in (several(8), several(6, 1))]
    for one in parts:
        one.__class__ = Watched
    Watched.asked.clear()
    probes = [made(name, [2, 7]), made(name, 7)]
    results = fit_many([(probe, ONCE) for probe in probes], *parts)
    assert {layer for asked in Watched.asked for layer in asked} == {2, 7}
    for probe, together in zip([made(name, [2, 7]), made(name, 7)], results, strict=True):
        same(fit(probe, *parts, ONCE), together)
    back = load_probe(save_probe(probes[0], tmp_path / "probe.safetensors"))
    assert back.layers == [2, 7]
    assert (predict(back, parts[1]) == predict(probes[0], parts[1])).all()
    if (weights := probes[0].layer_weights) is not None:
        assert weights.sum().item() == pytest.approx(1)
        assert weights.tolist() != [0.5, 0.5], "the mixture is learned"


def framed(data):
    batch = next(data.batches(len(data), layers=data.layers))
    return TokenData(*batch[:3], batch.targets[:, None].repeat(1, GRID[0], 1), layers=data.layers)


def test_layers_that_are_not_there_are_named():
    data = several(4)
    with pytest.raises(ProbeError, match=r"\[5\].*\[2, 4, 7\].*layers="):
        predict(made("linear", 5), data)
    with pytest.raises(ProbeError, match=r"\[2, 7\].* 3"):
        made("cgp", [2, 7])(*next(data.batches(4, layers=LAYERS))[:2])
    for wrong in ([], [4, 2], [2, 2], [-1], -1, "all", [1.5], True):
        with pytest.raises(ProbeError, match="layers"):
            made("linear", wrong)


def test_cgp_tells_where_a_prototype_is_most_and_least_like_a_cell():
    tokens, cls, mask, _ = next(several(5).batches(5, layers=LAYERS))
    probe = made("cgp", LAYERS, prototypes=7)
    told = probe.explain(tokens, cls, mask)
    maps = told.similarity.flatten(2)
    hidden = ~mask[:, None]
    assert torch.equal(told.locations, maps.masked_fill(hidden, -torch.inf).argmax(2))
    assert torch.equal(told.lowest_locations, maps.masked_fill(hidden, torch.inf).argmin(2))
    torch.testing.assert_close(told.scores, maps.gather(2, told.locations[..., None])[..., 0])
    torch.testing.assert_close(told.lowest, maps.gather(2, told.lowest_locations[..., None])[..., 0])
    assert told.contributions.shape == (5, C, 7)
    torch.testing.assert_close(told.layer_weights, torch.full((3,), 1 / 3))


def test_dropout_is_the_same_in_every_run_and_none_in_use(tmp_path):
    config = FitConfig(epochs=4, batch_size=4)
    data, other = clips(12, 0), clips(6, 1)
    results = [fit(made("cgp", dropout=0.5), data, other, config) for _ in range(2)]
    same(*results)
    bare = fit(made("cgp", dropout=0.0), data, other, config)
    assert bare.history.loss.tolist() != results[0].history.loss.tolist()
    torch.manual_seed(7)  # whatever else draws
    same(fit(made("cgp", dropout=0.5), data, other, config, folder=tmp_path), results[0])
    probe = made("cgp", dropout=0.5)
    first = probe(*next(data.batches(3))[:2])
    assert not torch.equal(first, probe(*next(data.batches(3))[:2]))
    assert torch.equal(*(probe.eval()(*next(data.batches(3))[:2]) for _ in range(2)))


def test_the_lasso_is_part_of_the_loss():
    probe = made("head2toe", LAYERS, lasso=0.25)
    columns = probe.classifier.weight.norm(dim=0)
    assert probe.penalty().item() == pytest.approx(0.25 * C**0.5 * columns.sum().item())
    assert made("head2toe", lasso=0.0).penalty() == 0
    large, small = (
        fit(made("head2toe", LAYERS, lasso=one), several(8), several(6, 1), QUICK) for one in (1.0, 0.0)
    )
    assert (large.history.loss > small.history.loss).all()


@pytest.mark.parametrize(
    ("frames", "clip"),
    [
        ("linear_frames", "linear"),
        ("protobin_frames", "protobin"),
        ("cgp_frames", "cgp"),
        ("head2toe_frames", "head2toe"),
    ],
)
def test_a_frame_is_scored_as_a_clip_of_its_cells(frames, clip):
    data = clips(3, 0, padded=True)
    tokens, _, mask, _ = next(data.batches(3))
    hyper = {"summary": "mean"} if clip in ("cgp", "head2toe") else {}
    one, other = made(frames).eval(), made(clip, **hyper).eval()
    other.load_state_dict(one.state_dict())
    logits = one(tokens, None, mask)
    assert logits.shape == (3, GRID[0], C)
    assert one.frame_wise
    for frame in range(GRID[0]):
        cells = slice(frame * GRID[1], (frame + 1) * GRID[1])
        other.grid = (1, GRID[1])
        torch.testing.assert_close(logits[:, frame], other(tokens[:, cells], None, mask[:, cells]))


def test_frames_want_a_truth_for_every_frame():
    data, other = clips(8, 0), clips(6, 1)
    with pytest.raises(TrainingError, match=r"\(clips, frames, classes\)"):
        fit(made("linear_frames"), data, other, QUICK)
    with pytest.raises(TrainingError, match=r"\(clips, classes\)"):
        fit(made("linear"), of_frames(data), of_frames(other), QUICK)


def test_prototypes_may_be_counted_in_all():
    assert build_probe("protobin", D, C, prototypes=7).latent.shape == (7, D)
    with pytest.raises(ProbeError, match="at least 1"):
        build_probe("cgp", D, C, prototypes=0)
