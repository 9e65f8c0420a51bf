"""How the prototypes of a probe lie to each other, as a table: the cosines of all pairs, counted exactly.

A set of prototypes has a form (as compared, or as trained) and a stage (after training, or its start).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from protoviz.analysis.geometry import (
    Spread,
    cosine_counts,
    lattice_edges,
    random_corners,
    spread,
)
from protoviz.probes import untrained
from protoviz.probes.prototype import PrototypeProbe

BINARISED, REAL = FORMS = ("binarised", "real")
AFTER, BEFORE = STAGES = ("after", "before")
CORNERS, DRAWN = "corners", "drawn"  # form and stage of as many random corners, drawn once
SPREAD = list(Spread.__dataclass_fields__)
COSINES = ["form", "stage", *SPREAD, "edges", "counts"]


@dataclass(frozen=True, eq=False)
class Prototypes:
    """The prototypes of one probe at one stage, and the weights of its classifier."""

    vectors: Mapping[str, np.ndarray]  # form -> (j d); "binarised" where the probe compares signs
    weight: np.ndarray  # (c j), the classifier's, zero where the probe binds a prototype to another class

    @property
    def forms(self) -> tuple[str, ...]:
        """The forms that there are, the compared one first."""
        return tuple(self.vectors)


def prototypes_of(probe: PrototypeProbe, seed: int | None = None) -> Prototypes:
    """Return the prototypes of a probe; seed: as they were before training, drawn anew from it."""
    probe = probe if seed is None else untrained(probe, seed)
    (real,) = probe.prototype_parameters()
    compared, found = probe.prototypes(), {REAL: real.detach().cpu().numpy()}
    if compared is not real:
        found = {BINARISED: compared.detach().cpu().numpy(), **found}
    return Prototypes(found, probe.class_weights()[0].detach().cpu().numpy())


def cosine_table(probe: PrototypeProbe, seed: int | None = None) -> pd.DataFrame:
    """Return COSINES: a row a set of a probe's prototypes, and one of as many random corners.

    seed: of its first weights; None: not known, and there is no row "before". The numbers are those of
    `Spread`; counts (list) are the pairs in each bin, whose edges (list) are the same for all sets.
    """
    stages = {AFTER: None} if seed is None else {AFTER: None, BEFORE: seed}
    told = {stage: prototypes_of(probe, drawn) for stage, drawn in stages.items()}
    sets = {(form, stage): one.vectors[form] for form in told[AFTER].forms for stage, one in told.items()}
    numbers = {key: spread(vectors) for key, vectors in sets.items()}
    edges = bins_of(numbers.values())
    sets[CORNERS, DRAWN] = random_corners(*next(iter(sets.values())).shape)
    numbers[CORNERS, DRAWN] = spread(sets[CORNERS, DRAWN])
    rows = [
        {"form": form, "stage": stage, **numbers[form, stage].row()}
        | {"edges": edges.tolist(), "counts": cosine_counts(vectors, edges).tolist()}
        for (form, stage), vectors in sets.items()
    ]
    return pd.DataFrame(rows, columns=COSINES)


def bins_of(numbers) -> np.ndarray:
    """Return `lattice_edges` that hold all cosines of some sets (Spread), and what random corners give."""
    numbers = list(numbers)
    reach = 4 * numbers[0].reference
    low, high = min(-reach, *(one.low for one in numbers)), max(reach, *(one.high for one in numbers))
    return lattice_edges(numbers[0].width, max(low, -1.0), min(high, 1.0))
