"""Encodings are ordinary tensors: probes train on them, and gradients reach the sound, in every encoder."""

import numpy as np
import pytest
import torch
from small_encoders import ARCHITECTURES, MINIS, small

from protoviz.encoders import EncoderError
from protoviz.encoders.spectrogram_vit import SpectrogramViT
from protoviz.probes import build_probe


@pytest.fixture(params=[*ARCHITECTURES, *MINIS])
def encoder(request):
    """A new one each time: what is made lazily is made by the test."""
    return small(request.param)


def noise(encoder, seconds, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(0.1 * rng.standard_normal(round(seconds * encoder.sample_rate), dtype=np.float32))


def parts(encoding):
    """Every tensor of an encoding."""
    lists = (encoding.attention, encoding.cls_to_cls, encoding.layers.values())
    return [encoding.tokens, encoding.cls, encoding.mask, *(part for many in lists for part in many)]


def test_a_probe_trains_on_an_encoding(encoder):
    """Of arrays and tensors no graph is built; what comes is no inference tensor."""
    waveform = noise(encoder, 1.0)
    for given in (waveform, waveform.numpy(), [waveform, waveform[:9000]]):
        encoding = encoder.encode(given, attention=True, layers=[0])
        assert not any(part.requires_grad or part.is_inference() for part in parts(encoding))
        probe = build_probe("protobin", dim=encoder.dim, classes=3, grid=encoding.grid)
        probe(encoding.tokens, cls=encoding.cls, mask=encoding.mask).sum().backward()
        assert all(torch.isfinite(weight.grad).all() for weight in probe.parameters())
    assert not any(weight.requires_grad or weight.grad is not None for weight in encoder.parameters())


@pytest.mark.parametrize("first", ["nothing", "encode", "inference"])
def test_a_gradient_reaches_the_sound(encoder, first):
    """Whatever came before; by `encode`, and by `features` and `forward`; in a list and in a batch."""
    if first != "nothing":
        with torch.inference_mode(first == "inference"):
            encoder.encode(noise(encoder, 0.7), attention=True)
    waveform = noise(encoder, 0.9).requires_grad_()
    quiet = noise(encoder, 0.6, seed=1).requires_grad_()
    encoding = encoder.encode([waveform, quiet], attention=True, layers=[0])
    torch.testing.assert_close(
        encoding.tokens.detach(),
        encoder.encode([waveform.detach(), quiet.detach()]).tokens,
        atol=1e-5,
        rtol=1e-4,
    )
    for target in (encoding.cls, encoding.tokens, encoding.attention[-1], encoding.layers[0]):
        found = torch.autograd.grad(target.square().sum(), (waveform, quiet), retain_graph=True)
        assert all(torch.isfinite(part).all() and part.abs().sum() > 0 for part in found)
    alone = torch.autograd.grad(encoder.encode(waveform).cls.sum(), waveform)[0]
    features = encoder.features(waveform)
    padding_is_heard = isinstance(encoder, SpectrogramViT)
    mask = None if padding_is_heard else encoder.mask([len(waveform)])
    by_hand = encoder(features, mask=mask).cls.sum()
    torch.testing.assert_close(torch.autograd.grad(by_hand, waveform)[0], alone, atol=1e-4, rtol=1e-3)
    batch = torch.stack([waveform.detach(), noise(encoder, 0.9, seed=2)]).requires_grad_()
    encoder.encode(batch).cls[0].sum().backward()
    torch.testing.assert_close(batch.grad[0], alone, atol=1e-4, rtol=1e-3)
    assert batch.grad[1].abs().max() == 0
    assert all(weight.grad is None for weight in encoder.parameters())


def test_the_gradient_is_the_slope(encoder):
    """Against a step in float64 sums, over several windows; where sound is silent it stays finite."""
    seconds = min(encoder.longest, 2.3)
    waveform = noise(encoder, seconds)
    waveform[: len(waveform) // 4] = 0
    direction = noise(encoder, seconds, seed=5)
    weights = torch.linspace(-1, 1, encoder.dim)

    def told(sound):
        return (encoder.encode(sound).cls[0] * weights).sum()

    given = waveform.clone().requires_grad_()
    slope = torch.autograd.grad(told(given), given)[0]
    assert torch.isfinite(slope).all()
    step = 1e-3
    heard = slice(len(waveform) // 3, None)  # silence has a floor, which has no slope
    ahead, behind = waveform.clone(), waveform.clone()
    ahead[heard] += step * direction[heard]
    behind[heard] -= step * direction[heard]
    measured = float(told(ahead) - told(behind)) / (2 * step)
    assert float((slope[heard] * direction[heard]).sum()) == pytest.approx(measured, rel=0.05, abs=2e-2)


def test_the_callers_own_modes_are_kept(encoder):
    waveform = noise(encoder, 0.7).requires_grad_()
    with torch.no_grad():
        assert not encoder.encode(waveform).tokens.requires_grad
    with torch.inference_mode():
        assert encoder.encode(waveform.detach()).tokens.is_inference()
    assert torch.is_grad_enabled()
    assert encoder.encode(waveform).tokens.requires_grad


def test_an_encoder_loaded_under_inference_mode_passes_gradients():
    for name in ARCHITECTURES:
        with torch.inference_mode():
            encoder = small(name)
        waveform = noise(encoder, 0.7).requires_grad_()
        encoder.encode(waveform).cls.sum().backward()
        assert waveform.grad.abs().sum() > 0


def test_layers_are_asked_for_in_any_list_of_whole_numbers(encoder):
    clip = noise(encoder, 0.5)
    wanted = encoder.encode(clip, layers=[0, -1]).layers
    for asked in (np.array([0, -1]), torch.tensor([0, -1]), range(0, -2, -1), (np.int64(0), -1)):
        made = encoder.encode(clip, layers=asked).layers
        assert list(made) == [0, -1]
        assert all(torch.equal(made[layer], wanted[layer]) for layer in made)
    assert encoder.encode(clip, layers=None).layers == encoder.encode(clip).layers == {}
    assert encoder(encoder.features(clip), layers=None).layers == {}
    for asked in (-1, "last", ["0"], [0.5], [None]):
        with pytest.raises(EncoderError, match=r"layers=.*\[-1\]"):
            encoder.encode(clip, layers=asked)
