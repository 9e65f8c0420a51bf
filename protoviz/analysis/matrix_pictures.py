"""Matrices about zero as pictures: of thousands of prototypes a pixel is the mean over a block of pairs."""

import numpy as np


def per_pixel(count: int, most: int = 1000) -> int:
    """Return how many prototypes share a pixel where a picture has at most `most`; 1 up to there."""
    return -(-count // most)


def cosine_image(
    vectors, most: int = 1000, rows: tuple[int, int] | None = None, columns: tuple[int, int] | None = None
) -> np.ndarray:
    """Return (r c) float32 cosines of vectors (j d) as a picture of at most `most` pixels a side.

    rows, columns: (first, behind the last) of the vectors that are compared; None: all. Where neither is
    more than `most`, a pixel is the cosine of one pair. Beyond, it is the mean over a block (`block_edges`)
    of pairs of two different vectors; 1 where a block has none.
    """
    rows, columns = rows or (0, len(vectors)), columns or (0, len(vectors))
    each = per_pixel(max(end - start for start, end in (rows, columns)), most)
    edges = [start + block_edges(end - start, each) for start, end in (rows, columns)]
    # The sum over a block of dot products is the dot product of the sums over its sides.
    parts = [_unit_sums(np.asarray(vectors[one[0] : one[-1]], np.float32), len(one) - 1) for one in edges]
    sizes = np.outer(*map(np.diff, edges))
    (top, left), (bottom, right) = np.ix_(*(one[:-1] for one in edges)), np.ix_(*(one[1:] for one in edges))
    own = np.clip(np.minimum(bottom, right) - np.maximum(top, left), 0, None)  # pairs of a vector with itself
    means = (parts[0] @ parts[1].T - own) / np.maximum(sizes - own, 1)
    return np.where(sizes > own, np.clip(means, -1, 1), 1).astype(np.float32)


def block_edges(count: int, each: int) -> np.ndarray:
    """Return where blocks of about `each` neighbours begin, and the end; sizes differ by one at most."""
    blocks = -(-count // each)
    size, larger = divmod(count, blocks)
    return np.concatenate([[0], np.cumsum(np.where(np.arange(blocks) < larger, size + 1, size))])


def _unit_sums(vectors: np.ndarray, blocks: int) -> np.ndarray:
    """Sums over blocks of float32 vectors (j d) at length 1, without a copy of them."""
    length, width = np.sqrt(np.einsum("jd,jd->j", vectors, vectors)), vectors.shape[1]
    scale, (size, larger) = 1 / np.where(length > 0, length, 1), divmod(len(vectors), blocks)
    sums, start = [], 0
    for count, each in ((larger, size + 1), (blocks - larger, size)):
        part = slice(start, start := start + count * each)
        sums.append(scale[part].reshape(count, 1, each) @ vectors[part].reshape(count, each, width))
    return np.concatenate(sums)[:, 0].astype(float)


def block_means(values, each: int, axis: int) -> np.ndarray:
    """Return means over the blocks of `block_edges` along an axis."""
    values = np.asarray(values, dtype=float)
    edges = block_edges(values.shape[axis], each)
    shape = [-1 if axis_ == axis else 1 for axis_ in range(values.ndim)]
    return np.add.reduceat(values, edges[:-1], axis=axis) / np.diff(edges).reshape(shape)


def signed_bytes(values, limit: float) -> np.ndarray:
    """Return uint8 0..254 of values -limit..limit, 127 for 0 exactly; what lies beyond is cut."""
    share = np.clip(np.asarray(values, dtype=float) / max(limit, 1e-12), -1, 1)
    return np.rint(share * 127 + 127).astype(np.uint8)


def signed_limit(values, step: float = 0.05) -> float:
    """Return a round limit for `signed_bytes`: the largest magnitude, up to the next `step`."""
    return float(max(np.ceil(np.abs(np.asarray(values)).max() / step - 1e-9), 1) * step)
