"""Losses and metrics against reference vectors and against scikit-learn."""

import numpy as np
import pytest
import torch
from golden_names import PROBE_FILES
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, roc_auc_score

from protoviz.losses import LOSSES, asymmetric_loss, cross_entropy
from protoviz.metrics import accuracy, auroc, average_precision, mean_average_precision

SETTINGS = [(4, 1, 0.05), (4, 0, 0.05), (2, 1, 0.2), (0, 0, 0.0)]


@pytest.mark.parametrize("detach", [False, True], ids=["full", "detached"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize(("dtype", "relative"), [(torch.float64, 1e-10), (torch.float32, 1e-6)])
def test_asymmetric_loss_equals_the_reference(setting, detach, dtype, relative):
    file = np.load(PROBE_FILES / "asl.npz")
    gamma_neg, gamma_pos, margin = setting
    key = f"gn{gamma_neg}_gp{gamma_pos}_m{margin}_{'detached' if detach else 'full'}"
    logits = torch.tensor(file["logits"], dtype=dtype, requires_grad=True)
    targets = torch.tensor(file["targets"], dtype=dtype)
    options = {"gamma_neg": gamma_neg, "gamma_pos": gamma_pos, "margin": margin, "detach_weight": detach}
    for reduction, stored in {
        "none": "element",
        "mean": "mean",
        "batchmean": "batchmean",
        "sum": "sum",
    }.items():
        expected = file[f"{key}.{stored}"]
        got = asymmetric_loss(logits, targets, reduction=reduction, **options).detach().double().numpy()
        assert np.abs(got - expected).max() <= relative * np.abs(expected).max(), reduction
    asymmetric_loss(logits, targets, **options).backward()
    expected = file[f"{key}.grad_of_mean"]
    assert np.abs(logits.grad.double().numpy() - expected).max() <= relative * np.abs(expected).max()


def test_asymmetric_loss_without_focus_is_binary_cross_entropy():
    logits, targets = torch.randn(5, 4), torch.randint(2, (5, 4)).float()
    got = asymmetric_loss(logits, targets, gamma_neg=0, gamma_pos=0, margin=0)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(got, expected)


def test_half_precision_logits_are_widened():
    logits, targets = torch.randn(3, 4), torch.ones(3, 4)
    assert asymmetric_loss(logits.half(), targets).dtype == torch.float32


def test_unknown_reduction_names_the_known_ones():
    with pytest.raises(ValueError, match="batchmean"):
        asymmetric_loss(torch.zeros(1, 1), torch.zeros(1, 1), reduction="average")


def test_cross_entropy_takes_one_label_a_clip():
    logits = torch.randn(6, 5)
    labels = torch.tensor([0, 4, 2, 2, 1, 3])
    one_hot = torch.nn.functional.one_hot(labels, 5).float()
    expected = torch.nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(cross_entropy(logits, one_hot), expected)
    torch.testing.assert_close(cross_entropy(logits, one_hot, reduction="sum"), expected * 6)
    torch.testing.assert_close(cross_entropy(logits, one_hot, reduction="mean"), expected / 5)
    assert LOSSES["cross_entropy"] is cross_entropy
    with pytest.raises(ValueError, match="exactly one label"):
        cross_entropy(logits, torch.ones(6, 5))


def test_average_precision_equals_the_reference_file():
    file = np.load(PROBE_FILES / "map.npz")
    got = mean_average_precision(file["preds"], file["targets"])
    np.testing.assert_allclose(got.per_class, file["ap_own"], rtol=1e-12)
    present = ~np.isnan(file["ap_own"])
    np.testing.assert_allclose(got.per_class[present], file["ap_sklearn"][present], rtol=1e-12)
    np.testing.assert_allclose(got.value, file["map_present_classes"], rtol=1e-12)
    assert got.absent == (4,)


@st.composite
def ranked(draw):
    """Scores with many ties and targets, any mixture of present and absent classes."""
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 5)))
    levels = st.sampled_from([-3.0, -0.5, 0.0, 1e-8, 0.25, 30.0])
    scores = draw(hnp.arrays(np.float32, shape, elements=st.one_of(levels, st.floats(-40, 40, width=32))))
    return scores, draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))


@given(ranked())
@settings(max_examples=60)
def test_average_precision_equals_scikit_learn(data):
    scores, targets = data
    got = average_precision(scores, targets)
    for c in range(scores.shape[1]):
        if targets[:, c].any():
            assert got[c] == pytest.approx(average_precision_score(targets[:, c], scores[:, c]), abs=1e-12)
        else:
            assert np.isnan(got[c])


def test_absent_classes_are_left_out_and_named():
    scores = np.array([[1.0, 2.0], [0.0, 1.0]])
    got = mean_average_precision(scores, np.array([[1, 0], [0, 0]]))
    assert (got.value, got.absent) == (1.0, (1,))
    nothing = mean_average_precision(scores, np.zeros((2, 2)))
    assert np.isnan(nothing.value)
    assert nothing.absent == (0, 1)


def test_metrics_refuse_what_they_cannot_rank():
    with pytest.raises(ValueError, match="NaN"):
        average_precision(np.array([[np.nan]]), np.array([[1]]))
    with pytest.raises(ValueError, match="alike"):
        average_precision(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="0 or 1"):
        average_precision(np.zeros((1, 1)), np.full((1, 1), 0.5))


def test_accuracy():
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])
    assert accuracy(scores, np.array([[0, 1], [1, 0], [0, 1]])) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="exactly one label"):
        accuracy(scores, np.ones((3, 2)))


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_auroc_equals_scikit_learn_and_does_not_move_with_prevalence(seed, clips):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, (clips, 3)).astype(float)  # with ties
    targets = rng.integers(0, 2, (clips, 3))
    found = auroc(scores, targets)
    for c in range(3):
        if 0 < targets[:, c].sum() < clips:
            assert found[c] == pytest.approx(roc_auc_score(targets[:, c], scores[:, c]))
            copies = np.where(targets[:, c], 1, 5)
            rarer = (np.repeat(part[:, [c]], copies, axis=0) for part in (scores, targets))
            assert auroc(*rarer)[0] == pytest.approx(found[c])
        else:
            assert np.isnan(found[c])
