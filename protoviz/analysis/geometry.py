"""How prototypes lie to each other: cosines, what random corners would give, effective rank, orders.

Letters: j prototype, d width, c class. Cosines are computed a chunk of rows at a time, so that thousands of
prototypes need no (j j) array where only numbers about it are asked for.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import binom

CHUNK = 2**22  # cosines held at once: 32 MB
ORDERS = ("class", "cluster", "number")
MOST_CLUSTERED = 2000  # average linkage needs every distance; beyond this a projection orders instead


def unit(vectors) -> np.ndarray:
    """Return vectors (j d) at length 1, float64; a zero vector stays zero. Raise ValueError unless (j d)."""
    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"prototypes have to be (j d) with at least one row, not {vectors.shape}")
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def cosine_matrix(vectors) -> np.ndarray:
    """Return (j j) cosines of all pairs: exactly symmetric, exactly 1 on the diagonal."""
    rows = unit(vectors)
    cosines = np.clip(rows @ rows.T, -1, 1)
    cosines = (cosines + cosines.T) / 2
    np.fill_diagonal(cosines, 1)
    return cosines


def pair_chunks(vectors) -> Iterator[np.ndarray]:
    """Yield the cosines of all pairs i < k, each once, some rows at a time, as in `np.triu_indices`."""
    rows = unit(vectors)
    step = max(1, CHUNK // len(rows))
    for first in range(0, len(rows) - 1, step):
        block = np.clip(rows[first : first + step] @ rows[first:].T, -1, 1)
        yield block[np.triu(np.ones(block.shape, dtype=bool), 1)]


def pair_cosines(vectors) -> np.ndarray:
    """Return (j (j - 1) / 2,) cosines of all pairs, each once; empty for one vector."""
    return np.concatenate([np.empty(0), *pair_chunks(vectors)])


# -- the reference: random corners


def corner_sd(d: int) -> float:
    """Return standard deviation of the cosine of two random corners of {-1, +1}^d: 1 / sqrt(d), about a mean
    of 0.

    Two random directions on the sphere have the same mean and standard deviation.
    """
    return d**-0.5


def corner_cosines(d: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (values, probabilities), both (d + 1,): the exact law of the cosine of two random corners.

    Where k of d signs agree the cosine is (2 k - d) / d, and k is binomial with p = 1/2.
    """
    agree = np.arange(d + 1)
    return (2 * agree - d) / d, binom.pmf(agree, d, 0.5)


def lattice_edges(d: int, low: float, high: float, most: int = 80) -> np.ndarray:
    """Return at most about `most` bins that cover low..high, each with the same count of possible corner
    cosines.

    Cosines of corners are multiples of 2 / d; any other bins would hold now one of them, now two, and draw
    teeth that are not in the data. The bins lie evenly about 0, and no possible cosine lies on an edge.
    """
    width = max(1, int(np.ceil((high - low) * d / 2 / most)))
    width += 1 - width % 2  # odd, so that a bin can have 0 in its middle
    shift = width / 2 if d % 2 == 0 else 0.0  # an odd d has no cosine 0: there an edge lies on it
    first = np.floor((low * d / 2 - shift) / width)
    last = np.ceil((high * d / 2 - shift) / width)
    return (np.arange(first, last + 1) * width + shift) * 2 / d


def corner_shares(d: int, edges) -> np.ndarray:
    """Return the share of pairs of random corners that falls into each bin, exactly."""
    values, chances = corner_cosines(d)
    return np.histogram(values, bins=edges, weights=chances)[0]


def cosine_counts(vectors, edges) -> np.ndarray:
    """Return how many of all pairs have their cosine in each bin; all 0 for one vector."""
    counts = np.zeros(len(edges) - 1, int)
    for chunk in pair_chunks(vectors):
        counts += np.histogram(chunk, bins=edges)[0]
    return counts


def cosine_shares(vectors, edges) -> np.ndarray:
    """Return the share of all pairs whose cosine falls into each bin; all 0 for one vector."""
    return cosine_counts(vectors, edges) / max(len(vectors) * (len(vectors) - 1) / 2, 1)


def random_corners(count: int, d: int, seed: int = 0) -> np.ndarray:
    """Return (count d) corners of {-1, +1}^d, drawn evenly."""
    return np.random.default_rng(seed).integers(0, 2, (count, d)) * 2.0 - 1


def welch_bound(count: int, d: int) -> float:
    """Return the smallest root mean square cosine that `count` vectors in d dimensions can have (Welch,
    1974).

    0 for count <= d, where all can be orthogonal; sqrt((count - d) / (d (count - 1))) beyond.
    """
    return max(0.0, (count - d) / (d * (count - 1))) ** 0.5 if count > 1 else 0.0


# -- rank


def powers(vectors) -> np.ndarray:
    """Return squared singular values of the unit vectors (j d) as `squared_values`."""
    return squared_values(unit(vectors))


def squared_values(rows: np.ndarray) -> np.ndarray:
    """Return squared singular values of rows (n d) above rounding errors; a single 1 where all are 0.

    From the products along the shorter side: for thousands of rows many times as fast as an SVD.
    """
    gram = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    values = np.linalg.eigvalsh(gram)
    values = values[values > values[-1] * max(rows.shape) * np.finfo(float).eps]
    return values if len(values) else np.ones(1)


def effective_rank(vectors) -> float:
    """Return exp of the entropy of the singular values of the unit vectors (j d), normalised to sum 1.

    Between 1 (all on one line) and min(j, d) (all directions used alike). Source: Roy and Vetterli, 2007.
    """
    return _effective_rank(powers(vectors))


def _effective_rank(power: np.ndarray) -> float:
    return exp_entropy(np.sqrt(power))


def exp_entropy(weights: np.ndarray) -> float:
    """Return exp of the entropy of positive weights (n), brought to the sum 1: n where all are equal."""
    share = weights / weights.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _participation(power: np.ndarray) -> float:
    """(sum of s^2)^2 / sum of s^4, s the singular values of the unit vectors (j d): 1 to min(j, d).

    For j vectors none of which is zero that is j / (1 + (j - 1) r^2), r their root mean square cosine.
    """
    return float(power.sum() ** 2 / (power**2).sum())


# -- numbers of one set


@dataclass(frozen=True)
class Spread:
    """How far a set of j prototypes is from orthogonal. Cosines are those of all pairs, each once.

    reference: `corner_sd`; ratio: sd / reference; beyond: share of pairs with |cosine| above 3 references
    (random corners: about 0.3 %); rms: root mean square, which counts a mean off 0 as well as a spread.
    """

    count: int
    width: int
    mean: float
    sd: float
    rms: float
    low: float
    high: float
    reference: float
    ratio: float
    beyond: float
    effective_rank: float
    participation: float

    def row(self) -> dict:
        """Return the numbers by name, for a frame."""
        return asdict(self)


def spread(vectors) -> Spread:
    """Return the `Spread` of prototypes (j d); a single one has no pair, and all about pairs is 0."""
    vectors = np.asarray(vectors)
    count, width = vectors.shape
    reference, total, square, beyond, low, high = corner_sd(width), 0.0, 0.0, 0, 0.0, 0.0
    for first, chunk in enumerate(pair_chunks(vectors)):
        total, square = total + chunk.sum(), square + (chunk**2).sum()
        beyond += int((np.abs(chunk) > 3 * reference).sum())
        low = min(chunk.min(), low) if first else chunk.min()
        high = max(chunk.max(), high) if first else chunk.max()
    pairs = max(count * (count - 1) // 2, 1)
    mean, rms = total / pairs, (square / pairs) ** 0.5
    sd = max(square / pairs - mean**2, 0.0) ** 0.5
    power = powers(vectors)
    return Spread(
        count=count,
        width=width,
        mean=float(mean),
        sd=float(sd),
        rms=float(rms),
        low=float(low),
        high=float(high),
        reference=reference,
        ratio=float(sd / reference),
        beyond=beyond / pairs,
        effective_rank=_effective_rank(power),
        participation=_participation(power),
    )


def group_rms(vectors, groups) -> tuple[float, float]:
    """Return root mean square cosine of the pairs (within a group, between two groups); nan if there is none.

    vectors (j d), groups (j,): which prototypes belong together, as those that are bound to one class.
    """
    square, groups = cosine_matrix(vectors) ** 2, np.asarray(groups)
    same = groups[:, None] == groups[None]
    upper = np.triu(np.ones(square.shape, dtype=bool), 1)
    parts = (square[upper & same], square[upper & ~same])
    return tuple(float(part.mean() ** 0.5) if len(part) else float("nan") for part in parts)


# -- orders, and who is alike


def favourite_class(weight) -> np.ndarray:
    """Return (j,) the class for which a prototype argues most: argmax over c of weight (c j), the first."""
    return np.argmax(np.asarray(weight), axis=0)


def prototype_order(by: str, vectors, weight) -> np.ndarray:
    """Return (j,) prototype numbers in the order in which a picture shows them.

    by: "class" (favourite class, within it the largest weight first), "cluster" (neighbours are alike:
    leaves of average linkage on 1 - cosine; above 2,000 prototypes along their first principal direction,
    because linkage needs every distance) or "number".
    """
    if by not in ORDERS:
        raise ValueError(f"prototypes are ordered by {', '.join(ORDERS)}, not {by!r}")
    vectors, weight = np.asarray(vectors), np.asarray(weight)
    if by == "number" or len(vectors) < 3:
        return np.arange(len(vectors))
    if by == "class":
        return np.lexsort((-weight.max(axis=0), favourite_class(weight)))
    if len(vectors) > MOST_CLUSTERED:
        rows = unit(vectors)
        return np.argsort(rows @ np.linalg.eigh(rows.T @ rows)[1][:, -1], kind="stable")
    distance = np.clip(1 - cosine_matrix(vectors), 0, None)
    return leaves_list(linkage(squareform(distance, checks=False), "average"))


def neighbours(vectors, prototype: int) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return ((most alike, its cosine), (most opposed, its cosine)) among the other prototypes; -1: none."""
    vectors = np.asarray(vectors)
    if len(vectors) < 2:
        return (-1, 0.0), (-1, 0.0)
    length = np.sqrt(np.einsum("jd,jd->j", vectors, vectors))
    length[length == 0] = 1
    cosines = vectors @ vectors[prototype] / (length * length[prototype])
    found = []
    for aside, pick in ((-np.inf, np.argmax), (np.inf, np.argmin)):
        cosines[prototype], own = aside, cosines[prototype]
        best = int(pick(cosines))
        found.append((best, float(np.clip(cosines[best], -1, 1))))
        cosines[prototype] = own
    return tuple(found)
