"""What every probe promises at its interface: shapes, masks, odd inputs, explanations, files."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_probes import PLAIN
from safetensors import safe_open

from protoviz.paths import DATA
from protoviz.probes import (
    ALIASES,
    PROBES,
    ProbeError,
    build_probe,
    load_probe,
    pack,
    save_probe,
    titles,
    unpack,
    untrained,
)

FEW = {"prototypes_per_class": 3}
BY_CLIP = {name: probe for name, probe in PROBES.items() if not probe.frame_wise}
VARIANTS = {
    name: (name, FEW if FEW.keys() <= probe.options().keys() else {}) for name, probe in BY_CLIP.items()
} | {
    "mhca with bias": ("mhca", {"heads": 2, "bias": True}),
    "abmilp depth 2": ("abmilp", {"depth": 2}),
    "simpool bare": ("simpool", {"projections": False}),
    "ep reduced": ("ep", {"queries": 2, "reduction": 3}),
    "proto focal": ("proto", {**FEW, "focal": True}),
    "proto upsampled": ("proto", {**FEW, "upsample": True}),
    "proto published": ("proto", {**FEW, "cosine": "published", "focal": True, "upsample": True}),
}
PAPER = [
    "linear",
    "mlp",
    "linearc",
    "conv",
    "linpre",
    "mhca",
    "ep",
    "simpool",
    "abmilp",
    "proto",
    "protobin",
    "protofloat",
]
NEIGHBOURS = {"conv", "proto upsampled", "proto published"}  # a cell's neighbours matter, so holes do
D, C = 96, 4  # a width that the usual numbers of heads and queries divide


def variant(which, grid=(5, 3), dim=D, classes=C, seed=0, **more):
    torch.manual_seed(seed)
    name, hyper = VARIANTS[which]
    probe = build_probe(name, dim, classes, grid, **hyper, **more)
    with torch.no_grad():  # away from the start, where many things are equal or zero
        for weights in probe.parameters():
            weights.add_(torch.randn_like(weights) * 0.3)
    return probe


def clips(count, grid=(5, 3), dim=D, seed=1, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(count, grid[0] * grid[1], dim, generator=generator, dtype=dtype)
    return tokens, torch.randn(count, dim, generator=generator, dtype=dtype)


def same(got, expected, tolerance=1e-6):
    got, expected = got.detach(), expected.detach()
    scale = max(1.0, float(expected.abs().max()))
    assert float((got - expected).abs().max()) <= tolerance * scale


every = pytest.mark.parametrize("which", VARIANTS)


# -- names and sizes


def test_the_papers_methods_in_its_order():
    assert [title for title in titles() if title in PAPER] == PAPER
    assert titles("linear + BatchNorm")[:2] == ("linear", "linear + BatchNorm")
    assert all(PROBES[name].name == name for name in PROBES)
    for alias, name in ALIASES.items():
        assert type(build_probe(alias, D, C, (5, 3))) is PROBES[name]


def test_unknown_names_and_options_say_what_there_is():
    with pytest.raises(ProbeError, match=r"'protobim'.*protobin"):
        build_probe("protobim", D, C)
    with pytest.raises(ProbeError, match="heads"):
        build_probe("linear", D, C, heads=3)
    with pytest.raises(ProbeError, match="divide"):
        build_probe("mhca", 32, C)
    with pytest.raises(ProbeError, match="divide"):
        build_probe("ep", 24, C)
    with pytest.raises(ProbeError, match="grid"):
        build_probe("conv", D, C)
    with pytest.raises(ProbeError, match="through_norm"):
        build_probe("protobin", D, C, gradient="none")
    with pytest.raises(ProbeError, match="positive"):
        build_probe("linear", 0, C)


def test_parameter_counts_are_the_formulas():
    d, c, j, f = 24, 7, 5, 3
    formulas = {
        "linear": c * d + c,
        "mlp": d * d + d + c * d + c,
        "linearc": 2 * c * d + c,
        "conv": 9 * d**2 + d + c * d + c,
        "linpre": c * d + c,
        "token_gelu_mean": d**2 + d + c * d + c,
        "freq_concat": f * c * d + c,
        "mhca": 2 * d**2 + d + c * d,
        "ep": 8 * d + d**2 + c * d + c,
        "simpool": 2 * d**2 + 2 * d + c * d + c,
        "abmilp": d + 1 + c * d + c,
        "multimax": 64 * d + 64 + 4 * 64 * c + c,
        "linear_cgp": c * d + c,
        "head2toe": c * d + c,
        "cgp": c * j * d + 3 * c**2 * j + c,
        "proto": c * j * d + c * j + c,
        "protobin": c * j * d + c**2 * j + c,
        "protofloat": c * j * d + c**2 * j + c,
    }
    formulas |= {f"{name}_frames": formulas[name] for name in ("linear", "head2toe", "protobin", "cgp")}
    for name, count in formulas.items():
        hyper = {"prototypes_per_class": j} if name.startswith(("proto", "cgp")) else {}
        hyper |= {"queries": 8} if name == "ep" else {}
        probe = build_probe(name, d, c, (4, f), **hyper)
        assert sum(p.numel() for p in probe.parameters()) == count, name


def test_the_two_published_counts():
    """Urban with EAT: D = 768, 10 classes; the paper says about 155 thousand and 1.2 million."""
    count = {name: build_probe(name, 768, 10, (64, 8)) for name in ("protobin", "mhca")}
    assert sum(p.numel() for p in count["protobin"].parameters()) == 155_610
    assert sum(p.numel() for p in count["mhca"].parameters()) == 1_188_096


def test_prototypes_start_as_published():
    torch.manual_seed(3)
    protobin = build_probe("protobin", 64, 30)
    assert protobin.latent.std().item() == pytest.approx(0.02, rel=0.05)
    proto = build_probe("proto", 64, 30)
    assert proto.vectors.min() >= 0
    assert proto.vectors.max() <= 1
    assert set(proto.weight.flatten().tolist()) == {1.0}
    assert set(proto.bias.tolist()) == {-2.0}


# -- the numbers


@pytest.mark.parametrize("grid", [(64, 8), (62, 8), (250, 1), (37, 8), (1, 1)], ids=str)
@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_second_implementation_agrees(name, grid):
    """Logits and parameter gradients at shapes without golden files, in float64."""
    probe = variant(name, grid, classes=5).double().eval()
    (tokens, cls), weight = clips(2, grid, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    logits = probe(tokens, cls)
    (logits * weight).sum().backward()
    state = {key: value.detach().clone().requires_grad_() for key, value in probe.named_parameters()}
    plain = PLAIN[name](state, tokens, cls, grid[1])
    (plain * weight).sum().backward()
    same(logits, plain, 1e-12)
    for key, value in probe.named_parameters():
        same(value.grad, state[key].grad, 1e-11)


def test_orthogonality_is_zero_for_orthogonal_prototypes_and_counts_the_rest():
    probe = build_probe("proto", 6, 2, prototypes_per_class=3)
    with torch.no_grad():
        probe.vectors.copy_(torch.eye(6) * 5)
    assert probe.penalty().item() == pytest.approx(0, abs=1e-7)
    with torch.no_grad():
        probe.vectors[1] = probe.vectors[0]  # one equal pair: two entries of 1 in 18
    assert probe.penalty().item() == pytest.approx(2**0.5 / 18)
    assert build_probe("proto", 6, 2, orthogonality=0.0).penalty() == 0
    assert build_probe("protobin", 6, 2).penalty() == 0


def test_negative_class_weights_of_proto_do_not_count():
    probe = variant("proto")
    with torch.no_grad():
        probe.weight.fill_(-1)
    tokens, cls = clips(2)
    same(probe(tokens, cls), probe.bias.expand(2, -1))


def test_focal_similarity_is_what_differs_from_cls():
    tokens, cls = clips(2)
    same(variant("proto focal")(tokens, cls), variant("proto")(tokens - cls[:, None], cls))


def test_binary_prototypes_are_plus_one_at_zero():
    probe = build_probe("protobin", 3, 1, prototypes_per_class=1)
    with torch.no_grad():
        probe.latent.copy_(torch.tensor([[0.0, -0.0, -1e-30]]))
    assert probe.prototypes().tolist() == [[1.0, 1.0, -1.0]]


# -- masks and odd inputs


@given(
    which=st.sampled_from(sorted(VARIANTS)),
    height=st.integers(1, 4),
    frames=st.integers(1, 6),
    padding=st.integers(0, 4),
    batch_norm=st.booleans(),
    junk=st.sampled_from([0.0, 1e4, float("nan"), float("inf")]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=150)
def test_padding_changes_no_logit(which, height, frames, padding, batch_norm, junk, seed):
    probe = variant(which, (frames + padding, height), seed=seed, batch_norm=batch_norm)
    grid = (frames, height)
    probe.train()(
        *clips(5, (frames + padding, height), seed=seed + 1)
    )  # running statistics that do something
    probe.eval()
    tokens, cls = clips(2, grid, seed=seed)
    real = frames * height
    mask = torch.arange(real + padding * height).expand(2, -1) < real
    padded = torch.cat([tokens, torch.full((2, padding * height, D), junk)], 1)
    for own_cls in (cls, None):
        same(probe(padded, own_cls, mask), probe(tokens, own_cls))
        seen = probe.explain(padded, own_cls, mask)
        same(seen.contributions.sum(-1) + seen.bias, seen.logits, 1e-5)


@given(
    which=st.sampled_from(sorted(set(VARIANTS) - NEIGHBOURS - {"freq_concat"})),
    holes=st.lists(st.integers(0, 14), min_size=1, max_size=14, unique=True),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=60)
def test_masked_cells_anywhere_count_as_absent(which, holes, seed):
    probe = variant(which, seed=seed).eval()
    tokens, cls = clips(1, seed=seed)
    mask = torch.ones(1, 15, dtype=torch.bool)
    mask[:, holes] = False
    probe.grid = (5, 1)  # the shortened row has no height; these poolings do not look at places
    same(probe(tokens, cls, mask), probe(tokens[:, mask[0]], cls))


@pytest.mark.parametrize("which", sorted(NEIGHBOURS | {"freq_concat"}))
def test_what_masked_cells_hold_never_matters(which):
    probe = variant(which).eval()
    tokens, cls = clips(3)
    mask = torch.rand(3, 15) < 0.6
    other = torch.where(mask[..., None], tokens, torch.randn_like(tokens) * 100)
    same(probe(tokens, cls, mask), probe(other, cls, mask))
    assert not torch.allclose(probe(tokens, cls, mask), probe(tokens, cls))


def test_statistics_of_tokens_leave_padding_out():
    tokens, cls = clips(4, (3, 3))
    padded = torch.cat([tokens, torch.full((4, 6, D), 50.0)], 1)
    mask = torch.arange(15).expand(4, -1) < 9
    probes = [variant("linpre", batch_norm=True).train() for _ in range(2)]
    same(probes[0](padded, cls, mask), probes[1](tokens, cls))
    same(probes[0].norm.running_mean, probes[1].norm.running_mean)


@every
def test_a_clip_of_padding_only_is_defined_and_disturbs_no_other(which):
    probe = variant(which).eval()
    tokens, cls = clips(3)
    mask = torch.ones(3, 15, dtype=torch.bool)
    mask[1] = False
    logits = probe(tokens, cls, mask)
    assert torch.isfinite(logits).all()
    same(logits[[0, 2]], probe(tokens[[0, 2]], cls[[0, 2]]))
    other = probe(torch.randn_like(tokens), cls, mask)
    same(other[1], logits[1])
    logits.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in probe.parameters() if p.grad is not None)
    seen = probe.explain(tokens, cls, mask)
    same(seen.contributions.sum(-1) + seen.bias, logits.detach(), 1e-5)
    if seen.locations is not None:
        assert (seen.locations[1] == -1).all()
        assert (seen.locations[0] >= 0).all()


@every
def test_nan_is_refused_by_the_clip_it_is_in(which):
    probe = variant(which)
    tokens, cls = clips(3)
    broken = tokens.clone()
    broken[2, 7, 3] = torch.nan
    if "tokens" in probe.reads:
        with pytest.raises(ProbeError, match=r"tokens of clip\(s\) \[2\]"):
            probe(broken, cls)
    else:
        same(probe(broken, cls), probe(tokens, cls))  # looks at [cls] alone
    if "cls" in probe.reads:
        broken = cls.clone()
        broken[0, 0] = torch.inf
        with pytest.raises(ProbeError, match=r"\[cls\] of clip\(s\) \[0\]"):
            probe(tokens, broken)


@every
@pytest.mark.parametrize("batch_norm", [False, True])
def test_one_clip_trains_and_scores(which, batch_norm):
    probe = variant(which, batch_norm=batch_norm).train()
    logits = probe(*clips(1))
    logits.sum().backward()
    assert logits.shape == (1, C)
    assert torch.isfinite(logits).all()
    assert probe.eval()(*clips(1)).shape == (1, C)


@every
def test_half_precision_tokens_give_what_their_values_give(which):
    probe = variant(which).eval()
    tokens, cls = clips(2)
    logits = probe(tokens.half(), cls.half())
    assert logits.dtype == torch.float32
    same(logits, probe(tokens.half().float(), cls.half().float()))


@every
def test_tokens_of_zero_norm_are_defined(which):
    probe = variant(which)
    logits = probe(torch.zeros(2, 15, D), torch.zeros(2, D))
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert all(torch.isfinite(p.grad).all() for p in probe.parameters() if p.grad is not None)


def test_wrong_shapes_are_named():
    probe = variant("protobin")
    tokens, cls = clips(2)
    with pytest.raises(ProbeError, match=rf"\(clips, tokens, {D}\)"):
        probe(tokens[..., :5])
    with pytest.raises(ProbeError, match="cls"):
        probe(tokens, cls[:1])
    with pytest.raises(ProbeError, match="bool"):
        probe(tokens, cls, torch.ones(2, 15))
    with pytest.raises(ProbeError, match="3 cells high"):
        variant("conv")(tokens[:, :14], cls)


# -- explanations


@every
@pytest.mark.parametrize("batch_norm", [False, True])
def test_contributions_sum_to_the_logit(which, batch_norm):
    probe = variant(which, batch_norm=batch_norm)
    probe.train()(*clips(16, seed=5))
    tokens, cls = clips(3)
    seen = probe.explain(tokens, cls)
    assert probe.training, "explaining leaves the mode as it was"
    same(seen.logits, probe.eval()(tokens, cls))
    same(seen.contributions.sum(-1) + seen.bias, seen.logits, 1e-5)
    assert not seen.logits.requires_grad
    assert isinstance(seen.numpy().contributions, np.ndarray)
    np.testing.assert_array_equal(seen.numpy().contributions, seen.contributions)


@every
def test_explanations_are_on_the_grid(which):
    probe = variant(which)
    seen = probe.explain(*clips(2))
    fine = which in ("proto upsampled", "proto published")
    assert seen.grid == ((10, 6) if fine else (5, 3))
    for maps in (seen.similarity, seen.attention):
        assert maps is None or (len(maps), *maps.shape[2:]) == (2, *seen.grid)
    if seen.attention is not None:
        same(seen.attention.sum((2, 3)), torch.ones(seen.attention.shape[:2]))
    if seen.similarity is not None:
        flat = seen.similarity.flatten(2)
        same(flat.amax(2), seen.scores)
        same(flat.gather(2, seen.locations[..., None])[..., 0], seen.scores)
    if seen.cells is not None:
        assert seen.cells.shape == (2, C, 15)
    assert seen.spatial == (seen.kind in ("cells", "prototypes"))
    assert seen.spatial or VARIANTS[which][0] not in set(PAPER) - {"linear", "mlp"}
    bare = probe.explain(*clips(2), maps=False)
    assert bare.similarity is None
    assert bare.attention is None
    same(bare.contributions, seen.contributions)


def test_maps_show_padding():
    tokens, cls = clips(2)
    mask = torch.arange(15).expand(2, -1) < 9
    similarity = variant("protobin").explain(tokens, cls, mask).similarity
    assert torch.isnan(similarity[:, :, 3:]).all()
    assert not torch.isnan(similarity[:, :, :3]).any()
    attention = variant("mhca").explain(tokens, cls, mask).attention
    assert (attention[:, :, 3:] == 0).all()


# -- files


@every
def test_a_saved_probe_comes_back(which, tmp_path):
    probe = variant(which, batch_norm=True)
    probe.train()(*clips(16, seed=5))
    path = save_probe(probe, tmp_path / "deep" / "probe.safetensors", classes=["a", "b", "c", "d"], seed=3)
    back = load_probe(path)
    assert torch.equal(back(*clips(3)), probe.eval()(*clips(3)))
    assert back.settings == probe.settings
    assert not back.training
    assert back.metadata == {"classes": ["a", "b", "c", "d"], "seed": 3}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_untrained_probe_computes_as_the_probe_does():
    probe = variant("protobin").double()
    probe.precision = "float32"
    fresh = untrained(probe, 3)
    assert (fresh.dtype, fresh.precision) == (torch.float64, "float32")
    assert torch.equal(fresh.latent, untrained(variant("protobin"), 3).latent.double())
    assert untrained(variant("linear"), 3).dtype == torch.float32


def test_settings_are_enough_to_build_the_same_kind():
    probe = build_probe("protobin", D, C, (5, 3), prototypes_per_class=2, gradient="clipped", batch_norm=True)
    again = build_probe(**probe.settings)
    assert again.settings == probe.settings
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in probe.state_dict().items()
    }


@given(rows=st.integers(1, 9), dim=st.integers(1, 40), seed=st.integers(0, 2**16))
@settings(max_examples=30)
def test_packing_keeps_every_sign(rows, dim, seed):
    values = torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
    values[torch.rand(rows, dim) < 0.1] = 0.0
    bits = pack(values)
    assert bits.shape == (rows, -(-dim // 8))
    assert torch.equal(unpack(bits, dim), torch.where(values >= 0, 1.0, -1.0))


def test_a_packed_probe_scores_identically_and_needs_a_thirtysecond(tmp_path):
    probe = build_probe("protobin", 768, 5, (3, 3)).eval()
    path = save_probe(probe, tmp_path / "packed.safetensors", packed=True)
    tokens, cls = clips(2, (3, 3), 768)
    assert torch.equal(load_probe(path)(tokens, cls), probe(tokens, cls))
    with safe_open(path, framework="np") as file:
        assert file.get_tensor("latent.bits").nbytes * 32 == probe.latent.numel() * 4
        assert "latent" not in file.keys()  # noqa: SIM118 - not a dict
    with pytest.raises(ProbeError, match="no binary prototypes"):
        save_probe(build_probe("linear", 8, 2), tmp_path / "linear.safetensors", packed=True)


def test_files_that_hold_no_probe_are_refused_with_the_reason(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    path = save_probe(variant("linear"), tmp_path / "probe.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProbeError, match=r"probe\.safetensors is damaged"):
        load_probe(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ProbeError, match="no probe"):
        load_probe(path)
    header = {"settings": variant("mlp").settings, "metadata": {}}
    save_file(variant("linear").state_dict(), path, metadata={"protoviz.probe": json.dumps(header)})
    with pytest.raises(ProbeError, match="do not belong together"):
        load_probe(path)
    with pytest.raises(FileNotFoundError):
        load_probe(tmp_path / "absent.safetensors")
    monkeypatch.chdir(tmp_path)
    for path in ("absent.safetensors", "", "."):  # as README's lines from another folder
        with pytest.raises(FileNotFoundError) as said:
            load_probe(path)
        assert str(tmp_path / path) in str(said.value)
        assert str(DATA / "demo") in str(said.value)


# -- training groups


def test_prototypes_have_their_own_rate_and_no_decay():
    probe = variant("protobin")
    own, rest = sorted(probe.parameter_groups(1e-3, 0.04, 1e-4), key=lambda g: -g["lr"])
    assert (own["lr"], own["weight_decay"], own["params"]) == (0.04, 0.0, [probe.latent])
    assert (rest["lr"], rest["weight_decay"]) == (1e-3, 1e-4)
    same_rate = probe.parameter_groups(1e-3, None, 1e-4, decay_prototypes=True)
    assert {(g["lr"], g["weight_decay"]) for g in same_rate} == {(1e-3, 1e-4)}
    for which in VARIANTS:
        groups = variant(which).parameter_groups(1e-3)
        grouped = [id(p) for group in groups for p in group["params"]]
        assert len(grouped) == len(set(grouped)) == len(list(variant(which).parameters()))
