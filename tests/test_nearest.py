"""k nearest neighbours: the floor that needs no training."""

import numpy as np
import pytest
import torch
from training_data import C, D, clips, of_frames

from protoviz.metrics import mean_average_precision
from protoviz.probes import ProbeError, build_probe
from protoviz.training import TokenData, nearest_scores


def test_scores_are_those_of_a_plain_loop():
    train, data = clips(30, 0), clips(7, 1)
    known, asked = (next(one.batches(100)) for one in (train, data))
    found = nearest_scores(build_probe("linear", D, C), train, data, k=4)
    for clip, row in zip(asked.cls, found, strict=True):
        cosines = np.array([float(torch.cosine_similarity(clip, one, dim=0)) for one in known.cls])
        near = np.argsort(-cosines)[:4]
        weights = np.exp(cosines[near] / 0.07)
        np.testing.assert_allclose(row, weights @ known.targets.numpy()[near] / weights.sum(), rtol=1e-4)
    assert nearest_scores(build_probe("linear", D, C), train, data, k=99).shape == (7, C)


def test_what_lies_apart_is_told_apart():
    rng = np.random.default_rng(0)
    centres, label = rng.normal(size=(C, D)), rng.integers(C, size=90)
    tokens = torch.tensor(centres[label][:, None] + 0.3 * rng.normal(size=(90, 4, D))).float()
    truth = np.eye(C)[label]
    parts = [TokenData(tokens[some], None, None, truth[some]) for some in (slice(60), slice(60, None))]
    for name in ("linear", "linearc", "head2toe"):
        scores = nearest_scores(build_probe(name, D, C), *parts)
        assert mean_average_precision(scores, parts[1].targets()).value == 1


def test_what_has_no_vector_of_its_own_is_refused():
    train = clips(8, 0)
    for name in ("protobin", "linear_frames"):
        with pytest.raises(ProbeError, match=f"{name} has no vector"):
            nearest_scores(build_probe(name, D, C, (5, 4)), of_frames(train), of_frames(train))
    with pytest.raises(ValueError, match="at least 1"):
        nearest_scores(build_probe("linear", D, C), train, train, k=0)
