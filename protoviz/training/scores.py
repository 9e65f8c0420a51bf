"""What a prototype scores on average: what to put in the place of a score that is left out."""

from collections.abc import Sequence

import numpy as np
import torch

from protoviz.probes.base import evaluating
from protoviz.probes.prototype import PrototypeProbe
from protoviz.training.data import TokenSource, map_batches


def mean_scores(
    probes: Sequence[PrototypeProbe], data: TokenSource, batch_size: int = 128
) -> list[np.ndarray]:
    """Each probe's mean scores (j,) over all clips of `data`, float64, from one pass over them.

    They are the raw scores, before any normalisation; every clip counts once, whatever the batches.
    """
    sums = [np.zeros(probe.count) for probe in probes]
    with torch.no_grad():
        for batch in map_batches(data, list(probes), batch_size):
            for probe, total in zip(probes, sums, strict=True):
                with evaluating(probe):
                    total += batch.pooled(probe).double().sum(0).cpu().numpy()
            del batch  # before the next is read
    return [total / max(len(data), 1) for total in sums]
