"""How prototype probes make logits of their scores, as arrays that every session shares."""

from dataclasses import dataclass

import numpy as np

from protoviz.explorer.reading import read_only
from protoviz.probes.prototype import PrototypeProbe


@dataclass(frozen=True, eq=False)
class Head:
    """How a prototype probe makes logits of its raw scores: W s + b. Read-only arrays, float64.

    `means` (j) are its mean scores over the training clips; None where the study does not know them.
    """

    weight: np.ndarray  # (c j), a normalisation of the scores folded in
    bias: np.ndarray  # (c)
    means: np.ndarray | None


def head_of(probe: PrototypeProbe) -> Head:
    """Return the `Head` of a probe."""
    weight, bias = (part.detach().cpu().double().numpy() for part in probe.folded_classifier())
    means = probe.metadata.get("mean_scores")
    return Head(
        read_only(weight), read_only(bias), None if means is None else read_only(np.array(means, float))
    )
