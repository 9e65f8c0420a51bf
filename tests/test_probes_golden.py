"""Every probe against the vectors that the reference implementations gave: outputs, maps, loss, gradients."""

import numpy as np
import pytest
import torch
from golden_names import (
    BUILD,
    BUILD_LAYERS,
    GOLDEN,
    GOLDEN_LAYERS,
    LAYER_FILES,
    PROBE_FILES,
    WITHOUT_FILE,
)

from protoviz.probes import build_probe

RELATIVE = {torch.float64: 1e-10, torch.float32: 1e-6}
D, GRID, C, J = 16, (4, 2), 5, 4


def close(got, expected, dtype, what, floor=0.0):
    """Largest difference, relative to the largest entry or `floor`: one entry may be tiny by cancellation."""
    got, expected = np.asarray(got.detach().double()), np.asarray(expected, np.float64)
    assert got.shape == expected.shape, f"{what}: {got.shape} instead of {expected.shape}"
    scale = max(np.abs(expected).max(), floor)
    assert np.abs(got - expected).max() <= RELATIVE[dtype] * scale, what


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(params=sorted(set(GOLDEN) - WITHOUT_FILE))
def case(request, dtype):
    """(golden file, probe with its weights, a function key -> tensor)."""
    file = np.load(PROBE_FILES / f"{request.param}.npz")
    probe = build_probe(**BUILD[request.param](D, GRID, C, J)).to(dtype)
    names = GOLDEN[request.param]
    filled(probe, file, names, dtype)
    return file, probe, names, lambda key: torch.as_tensor(file[key]).to(dtype)


def filled(probe, file, names, dtype):
    """Give the probe the file's weights."""
    state = {
        key: torch.as_tensor(file[f"param.{name}"]).to(dtype).reshape(probe.state_dict()[key].shape)
        for name, key in names.items()
    }
    missing, unexpected = probe.load_state_dict(state, strict=False)
    assert not unexpected
    assert not set(missing) & set(dict(probe.named_parameters())), "every weight comes from the file"


def test_logits_loss_and_gradients(case, dtype):
    file, probe, names, tensor = case
    logits = probe(tensor("tokens"), tensor("cls"))
    loss = (tensor("G") * logits).sum() + probe.penalty()
    loss.backward()
    close(logits, file["out.logits"], dtype, "logits")
    # The loss is a sum of terms of both signs: its rounding is that of the terms.
    close(loss, file["loss"], dtype, "loss", floor=np.abs(file["G"] * file["out.logits"]).sum())
    weights = dict(probe.named_parameters())
    # The gradient of abmilp's bias is zero but for rounding.
    floor = 0.1 * max(np.abs(file[f"grad.{name}"]).max() for name in names)
    for name, key in names.items():
        expected = file[f"grad.{name}"]
        close(weights[key].grad.reshape(expected.shape), expected, dtype, f"gradient of {name}", floor)


@pytest.mark.parametrize("key", GOLDEN_LAYERS)
def test_several_layers_and_single_frames(key, dtype):
    file, inputs = np.load(LAYER_FILES / f"{key}.npz"), np.load(LAYER_FILES / "inputs_layers.npz")
    tokens, cls, *weights = (
        torch.as_tensor(inputs[name]).to(dtype) for name in ("layer_tokens", "layer_cls", "G", "G_frames")
    )
    probe = build_probe(**BUILD_LAYERS[key](D, GRID, C, C * J, tokens.shape[1])).to(dtype)
    filled(probe, file, GOLDEN_LAYERS[key], dtype)
    if probe.layers is None:
        tokens, cls = tokens[:, -1], cls[:, -1]
    logits, weight = probe(tokens, cls), weights[probe.frame_wise]
    loss = (weight * logits).sum()
    loss.backward()
    close(logits, file["out.logits"], dtype, "logits")
    close(loss, file["loss"], dtype, "loss", floor=(weight * logits).abs().sum().item())
    trained = dict(probe.named_parameters())
    for name, own in GOLDEN_LAYERS[key].items():
        close(trained[own].grad, file[f"grad.{name}"], dtype, f"gradient of {name}", floor=1.0)
    told = probe.explain(tokens, cls)
    close(told.logits, file["out.logits"], dtype, "logits")
    close(told.contributions.sum(-1) + told.bias, file["out.logits"], dtype, "contributions", floor=10.0)


def test_maps(case, dtype):
    file, probe, _, tensor = case
    if "running_mean" in file.files:
        # These logits were made with batch statistics: as running ones they have to give the same.
        probe.norm.running_mean = tensor("cls").mean(0)
        probe.norm.running_var = tensor("cls").var(0, unbiased=False)
    seen = probe.explain(tensor("tokens"), tensor("cls"))
    close(seen.logits, file["out.logits"], dtype, "logits")
    if "out.score_map" in file.files:
        close(seen.similarity.flatten(2), file["out.score_map"], dtype, "similarity")
        close(seen.scores, file["out.scores"], dtype, "scores")
    if "out.argmax" in file.files:
        assert np.array_equal(seen.locations, file["out.argmax"])
    if "out.attn" in file.files:
        expected = file["out.attn"].reshape(len(seen.logits), -1, GRID[0] * GRID[1])
        close(seen.attention.flatten(2), expected, dtype, "attention")


def test_running_statistics_follow_the_reference():
    file = np.load(PROBE_FILES / "linear_bn.npz")
    probe = build_probe(**BUILD["linear_bn"](D, GRID, C, J)).double()
    probe(torch.as_tensor(file["tokens"]), torch.as_tensor(file["cls"]))
    close(probe.norm.running_mean, file["running_mean"], torch.float64, "running mean")
    close(probe.norm.running_var, file["running_var"], torch.float64, "running variance")


def test_linear_without_cls_is_the_mean_token():
    file = np.load(PROBE_FILES / "mean.npz")
    probe = build_probe("linear", D, C, GRID).double()
    probe.load_state_dict(
        {key: torch.as_tensor(file[f"param.{name}"]) for name, key in GOLDEN["linear"].items()}
    )
    close(probe(torch.as_tensor(file["tokens"])), file["out.logits"], torch.float64, "logits")


def test_orthogonality():
    file = np.load(PROBE_FILES / "proto.npz")
    probe = build_probe(**BUILD["proto"](D, GRID, C, J)).double()
    with torch.no_grad():
        probe.vectors.copy_(torch.as_tensor(file["param.prototypes"]))
    close(probe.penalty(), file["out.orthogonality"], torch.float64, "orthogonality")


def test_ties_go_to_the_first_cell():
    file = np.load(PROBE_FILES / "ties.npz")
    probe = build_probe(**BUILD["protobin"](D, GRID, C, J)).double()
    state = {key: torch.as_tensor(file[f"param.{name}"]) for name, key in GOLDEN["protobin"].items()}
    probe.load_state_dict(state)
    tokens = torch.as_tensor(file["tokens"])
    (torch.as_tensor(file["G"]) * probe(tokens)).sum().backward()
    assert np.array_equal(probe.explain(tokens).locations, file["out.argmax_first"])
    close(probe.latent.grad, file["grad_first.latent"], torch.float64, "gradient of latent")
