"""s_j = max_n cos(p_j, z_n) against golden vectors, the plain formula, finite differences and itself."""

import importlib

import numpy as np
import pytest
import torch
from golden_names import PROBE_FILES
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from benchmarks.memory import peak_mb
from protoviz.probes.best_token import FINDERS, GIVE, Plain, choose, preferred
from protoviz.probes.cosine_max import SharedTokens, cosine_max, cosine_max_each, extremes

module = importlib.import_module("protoviz.probes.cosine_max")
best_token = importlib.import_module("protoviz.probes.best_token")
FLOAT32 = 2e-6  # rounding of a float32 score, as the docstring promises
WAYS = ("mm", "onednn", "screened")


def naive(tokens, prototypes, mask=None):
    """The formula as it stands, with every similarity in memory; a clip without tokens scores 0."""
    z, p = F.normalize(tokens, dim=-1), F.normalize(prototypes, dim=-1)
    similarity = torch.einsum("bnd,jd->bnj", z, p)
    if mask is not None:
        similarity = similarity.masked_fill(~mask[..., None], -torch.inf)
    scores, index = similarity.max(1)
    if mask is not None:
        some = mask.any(1, keepdim=True)
        scores, index = scores.where(some, torch.zeros_like(scores)), index * some
    return scores, index


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Every exact way in turn, whatever this machine would choose and however small the call."""
    force(monkeypatch, request.param)
    return request.param


def force(monkeypatch, way):
    if way != "mm" and not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(module, "choose", lambda *_: way)


def golden(path):
    with np.load(path) as file:
        return {key: torch.from_numpy(file[key]) for key in file}


@pytest.mark.parametrize(
    ("name", "index", "gradient"),
    [("protobin", "out.argmax", "grad.latent"), ("ties", "out.argmax_first", "grad_first.latent")],
)
def test_golden(name, index, gradient):
    file = golden(PROBE_FILES / f"{name}.npz")
    latent = file["param.latent"].requires_grad_()
    signs = torch.where(latent >= 0, 1.0, -1.0).double() + (latent - latent.detach())
    scores, where = cosine_max(file["tokens"], signs)
    (file["G"] * (scores @ file["param.W_c"].T + file["param.b_c"])).sum().backward()
    torch.testing.assert_close(scores, file["out.scores"], rtol=0, atol=1e-12)
    torch.testing.assert_close(latent.grad, file[gradient], rtol=0, atol=1e-12)
    assert torch.equal(where, file[index])


def test_gradients_are_exact_in_float64():
    tokens = draw(3, 5, 4, dtype=torch.float64).requires_grad_()
    prototypes = draw(6, 4, seed=1, dtype=torch.float64).requires_grad_()
    mask = torch.tensor([[True] * 5, [False] * 5, [True, False, True, False, False]])
    for chosen in (None, mask):
        for budget in (32, 1e-4):
            assert torch.autograd.gradcheck(
                lambda t, p, chosen=chosen, budget=budget: cosine_max(t, p, chosen, budget_mb=budget)[0],
                (tokens, prototypes),
            )


def test_only_the_gradients_that_are_asked_for():
    tokens, prototypes = draw(2, 4, 3).requires_grad_(), draw(5, 3, seed=1)
    scores, index = cosine_max(tokens, prototypes)
    scores.sum().backward()
    assert prototypes.grad is None
    assert tokens.grad.abs().sum() > 0
    assert not index.requires_grad


@st.composite
def calls(draw_):
    """Shapes from one of everything to several tiles, and a mask in which clips may be empty."""
    b, n, j, d = (draw_(st.integers(1, top)) for top in (5, 40, 70, 9))
    seed = draw_(st.integers(0, 10**6))
    make = torch.Generator().manual_seed(seed)
    tokens = torch.randn(b, n, d, generator=make, dtype=torch.float64)
    prototypes = torch.randn(j, d, generator=make, dtype=torch.float64)
    masked = draw_(st.sampled_from([None, 0.1, 0.5, 1.0]))
    mask = None if masked is None else torch.rand(b, n, generator=make) > masked
    return tokens, prototypes, mask, draw_(st.sampled_from([32, 0.05, 1e-5]))


@given(calls())
@settings(max_examples=60)
def test_equals_the_formula(call):
    tokens, prototypes, mask, budget = call
    weights = torch.randn(len(tokens), len(prototypes), dtype=torch.float64)
    expected, index = naive(tokens, plain := prototypes.clone().requires_grad_(), mask)
    scores, where = cosine_max(tokens, ours := prototypes.clone().requires_grad_(), mask, budget_mb=budget)
    (scores * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-9, atol=1e-12)
    assert torch.equal(where, index)


def naive_extremes(tokens, prototypes, mask=None):
    """Largest products with prototypes of norm 1 and lowest ones; tokens as they are."""
    similarity = torch.einsum("bnd,jd->bnj", tokens, F.normalize(prototypes, dim=-1))
    found = []
    for sign in (1, -1):
        values = sign * similarity
        if mask is not None:
            values = values.masked_fill(~mask[..., None], -torch.inf)
        best, index = values.max(1)
        some = torch.ones_like(best, dtype=torch.bool) if mask is None else mask.any(1, keepdim=True)
        found += [(sign * best).where(some, torch.zeros_like(best)), index * some]
    return found


@given(calls())
@settings(max_examples=60)
def test_extremes_equal_the_formula(call):
    tokens, prototypes, mask, budget = call
    tokens.requires_grad_()
    prototypes.requires_grad_()
    results = []
    for find in (naive_extremes, lambda *inputs: extremes(*inputs, budget_mb=budget)):
        tokens.grad = prototypes.grad = None
        high, top, low, bottom = find(tokens, prototypes, mask)
        (high.sin().sum() + (2 * low).cos().sum()).backward()
        results.append([high.detach(), top, low.detach(), bottom, tokens.grad, prototypes.grad])
    for plain, found in zip(*results, strict=True):
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-12)


def test_gradients_of_extremes_are_exact_in_float64():
    tokens = draw(2, 5, 4, dtype=torch.float64).requires_grad_()
    prototypes = draw(6, 4, seed=1, dtype=torch.float64).requires_grad_()
    mask = torch.tensor([[True] * 5, [True, False, True, False, False]])
    assert torch.autograd.gradcheck(lambda t, p: extremes(t, p, mask)[::2], (tokens, prototypes))


@pytest.mark.parametrize("way", ["mm", "onednn"])
def test_every_exact_way_finds_both_ends(way, monkeypatch):
    force(monkeypatch, way)
    tokens, prototypes, mask = draw(3, 50, 33), draw(70, 33, seed=1), draw(3, 50, seed=2) > 0
    tokens[0, 7] = tokens[0, 3]  # equal tokens: the first one counts
    found = extremes(tokens, prototypes, mask)
    exact = naive_extremes(tokens.double(), prototypes.double(), mask)
    for values, wanted in zip(found[::2], exact[::2], strict=True):
        torch.testing.assert_close(values.double(), wanted, rtol=0, atol=1e-5)
    for where, wanted in zip(found[1::2], exact[1::2], strict=True):
        assert torch.equal(where, wanted)


@pytest.mark.parametrize("masked", [None, 0.3, 0.98])
@pytest.mark.parametrize(("n", "d"), [(512, 64), (250, 33), (37, 8), (1, 5)])
def test_every_exact_way_finds_the_best_token(way, n, d, masked):
    tokens, prototypes = draw(3, n, d), draw(130, d, seed=1)
    mask = None if masked is None else torch.rand(3, n) > masked
    expected, _ = naive(tokens.double(), prototypes.double(), mask)
    scores, index = cosine_max(tokens, prototypes, mask)
    torch.testing.assert_close(scores.double(), expected, rtol=0, atol=FLOAT32)
    if mask is not None:
        assert mask.gather(1, index)[mask.any(1)].all()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("spread", [1e-1, 1e-2, 3e-3, 1e-3, 1e-4, 0.0])
def test_screening_loses_no_winner_among_nearly_equal_tokens(monkeypatch, spread, binary):
    """Tokens so alike that bfloat16 cannot tell them apart, at scores near 1 and near 0."""
    force(monkeypatch, "screened")
    tokens = draw(2, 1, 96) + spread * draw(2, 256, 96, seed=1)
    prototypes = torch.cat([tokens[0, :40] + 0.1 * draw(40, 96, seed=2), draw(40, 96, seed=3)])
    prototypes = prototypes.sign() if binary else prototypes
    expected, _ = naive(tokens.double(), prototypes.double())
    similarity = torch.einsum(
        "bnd,jd->bnj", F.normalize(tokens.double(), dim=-1), F.normalize(prototypes.double(), dim=-1)
    )
    scores, index = cosine_max(tokens, prototypes)
    chosen = similarity.gather(1, index[:, None]).squeeze(1)
    torch.testing.assert_close(chosen, expected, rtol=0, atol=5e-7)
    torch.testing.assert_close(scores.double(), expected, rtol=0, atol=FLOAT32)
    if spread == 1e-2:  # the same tokens do lead plain bfloat16 astray
        _, rounded = cosine_max(tokens, prototypes, precision="bfloat16")
        assert (similarity.gather(1, rounded[:, None]).squeeze(1) < expected - 1e-4).any()


def test_the_first_of_equal_tokens_wins(way):
    tokens = draw(2, 8, 16).repeat(1, 3, 1)
    _, index = cosine_max(tokens, draw(50, 16, seed=1))
    assert (index < 8).all()


def test_hidden_tokens_never_win_whatever_they_hold(way):
    tokens, prototypes, mask = draw(2, 32, 24), draw(9, 24, seed=1).requires_grad_(), torch.rand(2, 32) > 0.4
    expected = cosine_max(tokens, prototypes, mask)
    for filling in (1e4, torch.nan, torch.inf, 0.0):
        scores, index = cosine_max(tokens.masked_fill(~mask[..., None], filling), prototypes, mask)
        torch.testing.assert_close(scores, expected[0], rtol=0, atol=FLOAT32)
        assert torch.equal(index, expected[1])
        prototypes.grad = None
        scores.sum().backward()
        assert prototypes.grad.isfinite().all()


def test_a_clip_without_tokens_scores_zero_and_pulls_nothing(way):
    tokens = draw(2, 16, 8).requires_grad_()
    prototypes = draw(5, 8, seed=1).requires_grad_()
    mask = torch.tensor([[True] * 16, [False] * 16])
    scores, index = cosine_max(tokens.masked_fill(~mask[..., None], torch.nan), prototypes, mask)
    assert (scores[1] == 0).all()
    assert (index[1] == 0).all()
    scores[1].sum().backward()
    assert (prototypes.grad == 0).all()
    assert (tokens.grad == 0).all()


def test_vectors_without_length_have_cosine_zero(way):
    tokens, prototypes = draw(2, 16, 8), draw(5, 8, seed=1).requires_grad_()
    tokens[0] = 0
    prototypes.data[3] = 0
    scores, _ = cosine_max(tokens, prototypes)
    assert (scores[0] == 0).all()
    assert (scores[:, 3] == 0).all()
    torch.testing.assert_close(scores, naive(tokens, prototypes)[0], rtol=0, atol=FLOAT32)
    scores[1, :3].sum().backward()
    assert prototypes.grad.isfinite().all()


def test_nan_reaches_the_scores_of_its_clip_and_of_its_prototype_only(way):
    tokens, prototypes = draw(3, 32, 8), draw(6, 8, seed=1)
    tokens[1, 5, 2] = torch.nan
    scores, _ = cosine_max(tokens, prototypes)
    assert scores[1].isnan().all()
    assert scores[[0, 2]].isfinite().all()
    prototypes[4, 0] = torch.nan
    scores, _ = cosine_max(tokens[[0, 2]], prototypes)
    assert scores[:, 4].isnan().all()
    assert scores[:, :4].isfinite().all()


def test_any_layout_in_memory(way):
    tokens, prototypes, mask = draw(3, 40, 24), draw(9, 24, seed=1), torch.rand(3, 40) > 0.3
    expected = cosine_max(tokens, prototypes, mask)
    turned = (tokens.permute(2, 1, 0).contiguous().permute(2, 1, 0), prototypes.t().contiguous().t())
    scores, index = cosine_max(*turned, mask.t().contiguous().t())
    torch.testing.assert_close(scores, expected[0], rtol=0, atol=FLOAT32)
    assert torch.equal(index, expected[1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_floating_type_of_tokens(dtype):
    tokens, prototypes = draw(2, 64, 32).to(dtype), draw(7, 32, seed=1).requires_grad_()
    scores, index = cosine_max(tokens, prototypes)
    expected, where = naive(tokens.double(), prototypes.detach().double())
    assert scores.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(scores.detach().double(), expected, rtol=0, atol=FLOAT32)
    assert torch.equal(index, where)
    scores.sum().backward()
    assert prototypes.grad.dtype == torch.float32


@pytest.mark.parametrize(
    ("precision", "error"), [("float32", FLOAT32), ("float16", 2e-3), ("bfloat16", 2e-2)]
)
def test_products_of_a_named_type(precision, error):
    tokens, prototypes = draw(2, 128, 96), 1e6 * draw(20, 96, seed=1)  # too long for float16 as they stand
    scores, _ = cosine_max(tokens, prototypes, precision=precision)
    expected, _ = naive(tokens.double(), prototypes.double())
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.double(), expected, rtol=0, atol=error)


def test_the_same_call_gives_the_same_bits(way):
    def call():
        prototypes = draw(100, 48, seed=1).requires_grad_()
        scores, index = cosine_max(draw(5, 200, 48), prototypes)
        scores.square().sum().backward()
        return scores.detach(), index, prototypes.grad

    first, second = call(), call()
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def step(threads, budget, shape=(7, 200, 48, 300)):
    """Scores, tokens and gradient of one step (b n d j), made by that many threads."""
    b, n, d, j = shape
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        prototypes = draw(j, d, seed=1).requires_grad_()
        scores, index = cosine_max(draw(b, n, d), prototypes, budget_mb=budget)
        scores.square().sum().backward()
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    return scores.detach(), index, prototypes.grad


@pytest.mark.parametrize("budget", [16, 0.3])
def test_threads_change_no_bit(way, budget):
    one, three = step(1, budget), step(3, budget)
    assert all(torch.equal(a, b) for a, b in zip(one, three, strict=True))


@pytest.mark.parametrize("shape", [(2, 16, 768, 40), (4, 64, 192, 480)])
def test_threads_change_no_bit_of_a_small_call(shape):
    one, three = step(1, 16, shape), step(3, 16, shape)
    assert all(torch.equal(a, b) for a, b in zip(one, three, strict=True))


def test_tiles_change_scores_by_rounding_only(way):
    scores, index, gradient = step(1, 16)
    for budget in (0.3, 1e-6):
        other = step(1, budget)
        torch.testing.assert_close(other[0], scores, rtol=0, atol=FLOAT32)
        torch.testing.assert_close(other[2], gradient, rtol=0, atol=2e-5)
        assert torch.equal(other[1], index)


def test_threads_work_without_recording_and_under_inference_mode(way):
    tokens, prototypes = draw(5, 64, 32), draw(40, 32, seed=1)
    expected = cosine_max(tokens, prototypes)
    with torch.inference_mode():
        scores, index = cosine_max(tokens, prototypes)
        assert torch.equal(scores, expected[0])
        assert torch.equal(index, expected[1])
    with torch.no_grad():
        assert not cosine_max(tokens, prototypes.requires_grad_())[0].requires_grad


def test_several_probes_in_one_pass_are_each_as_alone(way):
    tokens, mask = draw(5, 64, 32), torch.rand(5, 64) > 0.3
    together = [draw(size, 32, seed=size).requires_grad_() for size in (3, 70, 1)]
    alone = [some.detach().clone().requires_grad_() for some in together]
    for (scores, index), own in zip(cosine_max_each(tokens, together, mask), alone, strict=True):
        expected, where = cosine_max(tokens, own, mask)
        torch.testing.assert_close(scores, expected, rtol=0, atol=FLOAT32)
        assert torch.equal(index, where)
        expected.square().sum().backward()
        scores.square().sum().backward(retain_graph=True)
    for some, own in zip(together, alone, strict=True):
        torch.testing.assert_close(some.grad, own.grad, rtol=0, atol=2e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_tokens_shared_by_several_calls_keep_every_bit(way, masked, dtype):
    tokens = draw(5, 64, 32).to(dtype)
    mask = torch.rand(5, 64) > 0.3 if masked else None
    shared = SharedTokens(tokens)
    for size in (3, 70, 1):
        own = draw(size, 32, seed=size).requires_grad_()
        together = own.detach().clone().requires_grad_()
        scores, index = cosine_max(tokens, own, mask)
        with shared:
            ours, where = cosine_max(tokens, together, mask)
        scores.square().sum().backward()
        ours.square().sum().backward()
        assert torch.equal(ours, scores)
        assert torch.equal(where, index)
        assert torch.equal(together.grad, own.grad)


def test_other_tokens_are_not_taken_for_the_shared_ones():
    tokens, other, prototypes = draw(2, 9, 8), draw(2, 9, 8, seed=1), draw(4, 8, seed=2)
    with SharedTokens(tokens) as shared:
        assert torch.equal(cosine_max(other, prototypes)[0], cosine_max(other.clone(), prototypes)[0])
        cosine_max(tokens, prototypes)
        with pytest.raises(ValueError, match="another mask"):
            cosine_max(tokens, prototypes, torch.ones(2, 9, dtype=torch.bool))
        leaf = tokens.clone().requires_grad_()
        shared.tokens = leaf
        cosine_max(leaf, prototypes)[0].sum().backward()
        assert leaf.grad.abs().sum() > 0


def test_autocast_does_not_touch_the_products():
    tokens, prototypes = draw(2, 64, 32), draw(7, 32, seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores, _ = cosine_max(tokens, prototypes)
    assert torch.equal(scores, cosine_max(tokens, prototypes)[0])


class Found:
    """A way like "mm", but for what `change` makes of its answer."""

    def __init__(self, change=lambda best, where: (best, where)):
        self.change = change

    def __call__(self, prototypes, norms):
        self.plain = Plain(prototypes, norms, torch.float32)
        return self

    def load(self, unit, hidden):
        tiles = self.plain.load(unit, hidden)
        self.best = lambda some: self.change(*tiles.best(some))
        return self


def fail(error):
    raise error


LIES = {
    "half a product": lambda best, where: (best * 0.5, where),
    "bfloat16 called float32": lambda best, where: (best.bfloat16().float(), where),
    "one score of 2048": lambda best, where: (best.index_fill(1, torch.tensor([700]), 0.9), where),
    "NaN": lambda best, where: (best * torch.nan, where),
    "infinity": lambda best, where: (best + torch.inf, where),
    "another token": lambda best, where: (best, where.roll(1, dims=1)),
    "a token beyond the last": lambda best, where: (best, where + 512),
    "a token as a float": lambda best, where: (best, where.float()),
    "one clip of two": lambda best, where: (best[:1], where[:1]),
    "nothing": lambda best, where: None,
    "an error": lambda best, where: fail(TypeError("another signature")),
}


@pytest.fixture
def order(monkeypatch):
    """Let a test say which ways are preferred; what is chosen then is forgotten."""
    choose.cache_clear()
    yield lambda *ways: monkeypatch.setattr(best_token, "preferred", lambda width: ways)
    choose.cache_clear()


@pytest.mark.parametrize("precision", GIVE)
@pytest.mark.parametrize("way", FINDERS)
def test_the_first_preferred_way_that_gives_the_precision_is_taken(monkeypatch, order, way, precision):
    for name in FINDERS:
        monkeypatch.setitem(FINDERS, name, Found())
    order(way, *FINDERS)
    assert choose(16, precision) == (way if way in GIVE[precision] else "mm")


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("way", [way for way in FINDERS if way != "mm"])
def test_a_way_that_lies_is_thrown_out(monkeypatch, order, way, lie):
    if way not in WAYS and lie == "bfloat16 called float32":
        return  # it is none of a half type
    monkeypatch.setitem(FINDERS, way, Found(LIES[lie]))
    order(way)
    assert {choose(16, precision) for precision in GIVE} == {"mm"}


def test_a_way_that_forgets_the_mask_is_thrown_out(monkeypatch, order):
    class Blind(Found):
        def load(self, unit, hidden):
            return super().load(unit, None)

    monkeypatch.setitem(FINDERS, "screened", Blind())
    order("screened")
    assert choose(16) == "mm"


def test_autocast_does_not_touch_the_trial(monkeypatch, order):
    monkeypatch.setitem(FINDERS, "onednn", Found())
    order("onednn")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert choose(16) == "onednn"


def test_a_processor_that_says_nothing_takes_the_plain_way(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr(best_token, "cpu_flag", lambda name: False)
    assert not any(preferred(width) for width in (16, 768))


def test_a_forced_way_needs_float32_on_a_cpu():
    for way in WAYS:
        with pytest.raises(ValueError, match="choose 'auto'"):
            cosine_max(draw(2, 3, 4, dtype=torch.float64), draw(5, 4), precision=way)


def test_peak_memory_stays_far_below_the_naive_form():
    """24 clips x 4000 prototypes: 188 MB of similarities, and as much again for autograd's copies."""

    def peak(form):
        def step(clips, count):
            tokens, prototypes = draw(clips, 512, 64).half(), draw(count, 64, seed=1).requires_grad_()
            return lambda: form(tokens.float(), prototypes)[0].sum().backward()

        def prepare():
            step(1, 8)()
            return step(24, 4000)

        return peak_mb(prepare)

    if (ours := peak(cosine_max)) is None:
        pytest.skip("no fork on this system")
    expected = peak(naive)
    assert expected > 188
    assert 0 < ours < expected / 3


@pytest.mark.parametrize(
    ("tokens", "prototypes", "mask", "precision", "message"),
    [
        (draw(2, 3, 4), draw(5, 6), None, "auto", "one width"),
        (draw(3, 4), draw(5, 4), None, "auto", "one width"),
        (draw(2, 0, 4), draw(5, 4), None, "auto", "at least one token"),
        (draw(2, 3, 4).long(), draw(5, 4), None, "auto", "floating"),
        (draw(2, 3, 4), draw(5, 4), torch.ones(2, 3), "auto", "has to be bool"),
        (draw(2, 3, 4), draw(5, 4), torch.ones(2, 2, dtype=torch.bool), "auto", "has to be bool"),
        (draw(2, 3, 4), draw(5, 4), None, "int8", "choose one of"),
    ],
)
def test_what_does_not_fit_is_named(tokens, prototypes, mask, precision, message):
    with pytest.raises(ValueError, match=message):
        cosine_max(tokens, prototypes, mask, precision=precision)
