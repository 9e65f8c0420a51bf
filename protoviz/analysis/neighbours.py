"""What each prototype is like across many clips: its nearest clips, what sounds there, and maps of the space.

Letters: b clip, j prototype, c class, t and f places in the token map, p points.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protoviz.analysis.geometry import favourite_class
from protoviz.audio import CellGrid
from protoviz.encoders.devices import torch_threads
from protoviz.named import install_hint

BACKGROUND = "background"  # a cell that no event touches
NEIGHBOURS = 15  # umap-learn's default: small enough to keep rare sounds apart
PARTS = ("top", "middle", "bottom")  # of all clips, ordered by their score of a prototype: a third each
SEED = 0  # of the clips that are drawn from the middle and the bottom
BINS = 32  # of a histogram of scores
HELD = 2**22  # scores that are ordered at once: 32 MB, and as much for their order


class MissingPackageError(RuntimeError):
    """A package that only an extra brings is absent; the message names the extra."""


def nearest_clips(scores, locations, k: int = 8, parts: Sequence[str] = PARTS[:1]) -> pd.DataFrame:
    """Return k clips of each part of each prototype's order of clips, best first: a row a prototype and clip.

    scores     (b j) largest similarity of each prototype in each clip
    locations  (b j) its cell n; -1 where a clip has no real cell: such a clip is nobody's neighbour
    parts      of PARTS, see `drawn_ranks`

    Columns: prototype, part, rank (1 = nearest of all clips), row (of the clip), score, cell. A clip has one
    score, so it comes at most once a prototype; equal scores are ranked by row. Arrays may lie in a file: a
    few prototypes are read at a time. Source: the prototypes' "top activations" of ProtoPNet (Chen et al.
    2019), here of clips that no probe was trained on.
    """
    names = ["prototype", "part", "rank", "row", "score", "cell"]
    frames = [_nearest(*block, k, parts, begin)[names] for begin, block in _blocks(scores, locations)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)


def drawn_ranks(clips: int, k: int, prototype: int, parts: Sequence[str] = PARTS) -> list[tuple[str, int]]:
    """Return (part, rank) of a prototype's clips, of so many, by rank; rank 1 has the highest score.

    The top are the k highest. The middle and the bottom are k each, drawn from the middle and the lowest
    third of all ranks with SEED and the prototype's number, so that nobody chose them: the top alone
    flatters. No clip is in two parts; where there are few clips, a part has as many as are left.
    """
    draw = np.random.default_rng([SEED, prototype])
    found = [("top", rank) for rank in range(1, min(k, clips) + 1)]
    for number, part in enumerate(PARTS[1:], 1):
        left = range(max(clips * number // 3, k), clips * (number + 1) // 3)
        ranks = draw.choice(len(left), min(k, len(left)), replace=False) if len(left) else ()
        found += [(part, left[rank] + 1) for rank in sorted(ranks)]
    return [(part, rank) for part, rank in found if part in parts]


def _blocks(scores, locations):
    step = max(1, HELD // max(1, len(scores)))
    for begin in range(0, scores.shape[1], step):
        part = (slice(None), slice(begin, begin + step))
        yield begin, (np.asarray(scores[part], float), np.asarray(locations[part]))


def _nearest(scores: np.ndarray, locations: np.ndarray, k: int, parts: Sequence[str], begin: int):
    order = np.argsort(-np.where(locations >= 0, scores, -np.inf), axis=0, kind="stable").T  # (j b)
    found = [
        (j, part, rank, order[j, rank - 1])
        for j, count in enumerate((locations >= 0).sum(axis=0).tolist())
        for part, rank in drawn_ranks(count, k, begin + j, parts)
    ]
    frame = pd.DataFrame(found, columns=["prototype", "part", "rank", "row"])
    at = frame.row.to_numpy(int), frame.prototype.to_numpy(int)
    return frame.assign(prototype=begin + frame.prototype, score=scores[at], cell=locations[at])


def score_histograms(scores, locations, bins: int = BINS) -> pd.DataFrame:
    """Return how each prototype's scores (b j) are spread over the clips that have a real cell: a row each.

    Columns: prototype, low, high (of its scores), counts (list of `bins` numbers of clips, in steps of the
    same width from low to high). nan and zeros where no clip has one. locations as in `nearest_clips`.
    """
    rows = []
    for begin, (block, cells) in _blocks(scores, locations):
        for j in range(block.shape[1]):
            heard = block[cells[:, j] >= 0, j]
            low, high = (heard.min(), heard.max()) if len(heard) else (float("nan"),) * 2
            counts = np.histogram(heard, bins)[0] if len(heard) else np.zeros(bins, int)
            rows.append((begin + j, low, high, counts.tolist()))
    return pd.DataFrame(rows, columns=["prototype", "low", "high", "counts"])


def score_bins(rows: pd.DataFrame) -> pd.DataFrame | None:
    """Return the histogram of one prototype as a table: from, to, clips; None where it was not counted.

    rows: of `score_histograms`, those of the prototype.
    """
    if rows.empty or not np.isfinite(rows[["low", "high"]].to_numpy()).all():
        return None
    row = next(rows.itertuples(index=False))
    edges = np.linspace(row.low, row.high, len(row.counts) + 1)
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "clips": np.asarray(row.counts)})


def cell_labels(grid: CellGrid, events: Sequence) -> np.ndarray | None:
    """Return what sounds in each cell (t f): the label of the event that covers most of it, or BACKGROUND.

    events: with label, onset, offset, low_hz, high_hz, all that the clip holds; none: nothing is known of the
    clip, and None comes back. The first of two events that cover as much wins. A cell that an event merely
    touches counts as on it, as everywhere (`protoviz.analysis.prototypes.touches`).
    """
    if not len(events):
        return None
    boxes = [(event.onset, event.offset, event.low_hz, event.high_hz) for event in events]
    shares = np.stack([grid.overlap(box) for box in boxes])
    names = np.array([event.label for event in events], dtype=object)
    return np.where(shares.max(0) > 0, names[shares.argmax(0)], BACKGROUND)


def purity(nearest: pd.DataFrame) -> pd.DataFrame:
    """Return how much of one kind the nearest cells of each prototype are: one row a probe and prototype.

    nearest: with probe (if of several), prototype, rank and label (of `cell_labels`; <NA> where nothing is
    known). Columns: probe if given, prototype, label (of most of the nearest cells that lie on an event; of
    equally many the one that comes first by rank; BACKGROUND where none does), purity (the share of the
    nearest cells on events of that label; 0 for BACKGROUND). Both <NA> where the truth of a cell is not
    known.
    """
    rows = []
    keys = [name for name in ("probe", "prototype") if name in nearest]
    for key, cells in nearest.sort_values("rank").groupby(keys, sort=True):
        labels = cells.label.tolist()
        row = {**dict(zip(keys, key, strict=True)), "label": pd.NA, "purity": pd.NA}
        if not cells.label.isna().any():
            heard = [label for label in labels if label != BACKGROUND]
            best = max(heard, key=heard.count, default=BACKGROUND)
            row |= {"label": best, "purity": heard.count(best) / len(labels)}
        rows.append(row)
    frame = pd.DataFrame(rows, columns=[*keys, "label", "purity"])
    return frame.astype({"label": "string", "purity": "Float64"})


def purity_by_chance(nearest: pd.DataFrame, seed: int = 0, rounds: int = 5) -> float:
    """Return the mean `purity` that is left when the labels of all nearest cells of one probe are dealt out
    anew.

    Mean over as many deals. nan where the truth of a cell is not known.
    """
    if nearest.label.isna().any():
        return float("nan")
    rng = np.random.default_rng(seed)
    dealt = (nearest.assign(label=rng.permutation(nearest.label.to_numpy())) for _ in range(rounds))
    return float(np.mean([purity(deal).purity.mean() for deal in dealt]))


def favourite_classes(weight, classes: Sequence[str]) -> pd.DataFrame:
    """Return the class for which each prototype argues most: its largest classifier weight in (c j).

    Columns: prototype, favourite, weight. The first of equal weights wins.
    """
    weight = np.asarray(weight, dtype=float)
    best = favourite_class(weight)
    return pd.DataFrame(
        {
            "prototype": np.arange(weight.shape[1]),
            "favourite": np.asarray(classes, dtype=object)[best],
            "weight": weight.max(0),
        }
    )


def responses(scores) -> np.ndarray:
    """Return what tells prototypes apart by what they answer to (j b): their scores (b j), each less its own
    mean.

    The cosine of two rows is the correlation of the two prototypes' scores over the clips.
    """
    scores = np.asarray(scores, dtype=np.float32)
    return (scores - scores.mean(0)).T


def plane(vectors, seed: int = 0, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Return a UMAP of vectors (p d): places (p 2) float32, close where the angle between vectors is small.

    Distances between far clusters mean nothing, and neither do the axes. One thread and a fixed seed: the
    same places in every run with the same versions. Up to 4,096 points are compared pairwise; above, the
    search for neighbours is approximate and compiles for half a minute first.
    Source: McInnes, Healy and Melville 2018; umap-learn. Raises MissingPackageError where that is absent.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    umap = need_umap()
    neighbours = min(neighbours, len(vectors) - 1)
    model = umap.UMAP(
        n_neighbors=neighbours, min_dist=0.1, metric="cosine", random_state=seed, n_jobs=1, init="pca"
    )
    with torch_threads():  # numba sets its own number
        return np.round(model.fit_transform(vectors), 2).astype(np.float32)


def nearest_point(x, y, place: tuple[float, float], pixels: tuple[float, float], reach: float) -> int | None:
    """Return the index of the point (x, y: (p,)) next to a place, or None if none is within `reach` pixels.

    pixels: how many of them a unit of x and of y takes on the screen. Of equally near points the first.
    """
    if not len(x):
        return None
    across = (np.asarray(x) - place[0]) * pixels[0]
    up = (np.asarray(y) - place[1]) * pixels[1]
    distance = np.hypot(across, up)
    best = int(distance.argmin())
    return best if distance[best] <= reach else None


def need_umap():
    """Return the module umap. Raise MissingPackageError, naming the extra, where it is not installed."""
    try:
        import umap
    except ImportError as error:
        raise MissingPackageError(
            f"a map of tokens needs the package umap-learn: {install_hint('notebooks')}"
        ) from error
    return umap
