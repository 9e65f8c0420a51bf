"""The floor without training: k nearest neighbours among the training clips.

It is no `Probe`: it has no weights, and what it knows is the training clips themselves.
"""

import numpy as np
import torch
from torch.nn import functional as F

from protoviz.arguments import in_order
from protoviz.probes.base import Probe, ProbeError
from protoviz.probes.origin import refuse_other
from protoviz.training.data import FixedVectors, TokenSource


@in_order
def nearest_scores(
    probe: Probe,
    train: TokenSource,
    data: TokenSource,
    k: int = 10,
    *,
    temperature: float = 0.07,  # of the weights, as in DINO's evaluation (Caron et al. 2021)
    batch_size: int = 128,
) -> np.ndarray:
    """Return scores (n c) of all clips in order: the share of each class among the k nearest training clips.

    Near is the cosine of the descriptors of `probe`, whose pooling has no weights (`Probe.fixed`): [cls] of
    `linear`, the mean token beside it of `linearc`, all layers of `head2toe`. A neighbour counts
    exp(cosine / temperature). The probe need not be trained; memory is that of `FixedVectors`. Raises
    ProbeError for another pooling, or tokens of another encoder than the probe was trained on.
    """
    if not probe.fixed or probe.frame_wise:
        raise ProbeError(f"{probe.name} has no vectors before training: give linear, linearc or head2toe")
    if k < 1:
        raise ValueError(f"{k} neighbours: give at least 1")
    for source in (train, data):
        refuse_other(probe, source)
    (known,) = FixedVectors(train, [probe], batch_size).batches(len(train))
    keys, found = F.normalize(known.pooled(probe)), []
    for batch in FixedVectors(data, [probe], batch_size).batches(batch_size):
        near = (F.normalize(batch.pooled(probe)) @ keys.T).topk(min(k, len(keys)))
        weights = (near.values / temperature).softmax(1)
        truth = known.targets.to(keys)[near.indices]
        found.append(torch.einsum("bk,bkc->bc", weights, truth).float().cpu())
    return torch.cat(found).numpy()
