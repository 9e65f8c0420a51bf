"""Probes that take off every token what all share: the mean token of its clip, or of the training clips."""

import pytest
import torch
from training_data import GRID, QUICK, C, D, built, clips, fitting, of_frames

from protoviz.probes import PROBES, Method, ProbeError, load_probe, save_probe, seeded_probe, untrained
from protoviz.training import TokenData, fit, predict

READING = [name for name, probe in PROBES.items() if "centre" in probe.options()]
LAYERS = [1, 2]


def made(name, **options):
    """A probe that reads tokens, away from its start."""
    own = {"summary": "mean"} if "summary" in PROBES[name].own_options() else {}
    probe = seeded_probe(0, name, D, C, GRID, **fitting(name), **own, **options)
    dice = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in probe.parameters():
            weights += 0.3 * torch.randn(weights.shape, generator=dice)
    return probe.eval()


def far_clips(count, layers=None):
    """Clips, some of them padded, whose tokens lie far from zero."""
    tokens, cls, mask, targets = next(clips(count, 1, padded=True).batches(count))
    tokens = tokens.float() + 2
    if layers:
        tokens, cls = torch.stack([tokens, tokens.flip(-1)], 1), torch.stack([cls, -cls], 1)
    return TokenData(tokens, cls, mask, targets, layers=layers)


def all_of(data):
    return next(data.batches(len(data), layers=data.layers))


def mean_of_real(tokens, mask):
    """(d) or (l d) over the real tokens of all clips, taken clip by clip."""
    real = [clip[..., keep, :].double() for clip, keep in zip(tokens, mask, strict=True)]
    return torch.cat(real, -2).mean(-2).to(tokens.dtype)


@pytest.mark.parametrize("layers", [None, LAYERS], ids=["one layer", "layers"])
@pytest.mark.parametrize("name", READING)
def test_a_centred_probe_is_the_probe_of_centred_tokens(name, layers):
    tokens, cls, mask, _ = all_of(far_clips(6, layers))
    plain, clip, train = (made(name, layers=layers, centre=centre) for centre in (None, "clip", "train"))
    train.common.copy_(torch.linspace(-1, 1, train.common.numel()).view_as(train.common))
    means = torch.stack([mean_of_real(tokens[i : i + 1], mask[i : i + 1]) for i in range(6)])
    real = (mask if layers is None else mask[:, None])[..., None]
    for probe, common in ((clip, means), (train, train.common)):
        wanted = plain.explain(tokens - common[..., None, :], cls, mask)
        told = probe.explain(tokens.where(real, torch.nan), cls, mask)
        for part in ("logits", "contributions", "similarity", "attention"):
            one, other = (getattr(found, part) for found in (told, wanted))
            if other is not None:
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, equal_nan=True, msg=part)


@pytest.mark.parametrize("layers", [None, LAYERS], ids=["one layer", "layers"])
def test_training_finds_the_mean_and_the_file_keeps_it(layers, tmp_path):
    data = far_clips(40, layers)
    tokens, _, mask, _ = all_of(data)
    probe = built("protobin", centre="train", layers=layers)
    for _ in range(2):  # a second training does not centre what is centred already
        fit(probe, data, data, QUICK)
        torch.testing.assert_close(probe.common, mean_of_real(tokens, mask))
    back = load_probe(save_probe(probe, tmp_path / "probe.safetensors"))
    assert back.settings == probe.settings
    assert (predict(back, data) == predict(probe, data)).all()
    assert torch.equal(untrained(probe, 0).common, probe.common)


def test_a_clip_of_equal_tokens_or_of_none_is_defined():
    tokens, cls = torch.ones(3, GRID[0] * GRID[1], D), torch.zeros(3, D)
    mask = torch.ones(3, GRID[0] * GRID[1], dtype=torch.bool)
    mask[1] = False
    mask[2, 1:] = False
    told = made("protobin", centre="clip").explain(tokens, cls, mask)
    assert not told.scores.any()
    assert (told.locations[1] == -1).all()


def test_gradients_reach_the_tokens_of_a_clip():
    tokens, cls, mask, _ = all_of(far_clips(2))
    tokens.requires_grad_()
    made("mhca", centre="clip")(tokens, cls, mask).sum().backward()
    # All tokens moved alike change nothing, so the gradient sums to zero.
    torch.testing.assert_close(tokens.grad.sum(1), torch.zeros(2, D), rtol=0, atol=1e-5)


def test_frames_are_centred_by_their_clip():
    data = of_frames(far_clips(8))
    probe = built("protobin_frames", centre="clip")
    fit(probe, data, data, QUICK)
    tokens, cls, mask, _ = all_of(data)
    assert probe(tokens, cls, mask).shape == (8, GRID[0], C)


def test_a_title_says_it():
    method = Method.named("protobin + BatchNorm + clip centre")
    assert method.options == {"batch_norm": True, "centre": "clip"}
    assert Method.named("proto + train centre").options == {"centre": "train"}
    assert Method.named("mine", "mhca", {"centre": "train"}).options == {"centre": "train"}


@pytest.mark.parametrize("options", [{"centre": "mean"}, {"centre": 3}])
def test_another_value_is_refused(options):
    with pytest.raises(ProbeError, match="clip or train"):
        built("protobin", **options)


def test_what_reads_no_tokens_is_not_centred():
    with pytest.raises(ProbeError, match="no tokens"):
        built("linear", centre="clip")
    with pytest.raises(ProbeError, match="centre"):
        Method.named("linear", "linear", {"centre": "clip"})
