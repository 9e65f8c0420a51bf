"""Which cells are seen and which are hidden: random choices from a NumPy generator, the same everywhere.

Cells are numbered time-major in a window of (T, F) cells. Most masks are an order (b n) of all its cells, of
which the first k are seen.
"""

import numpy as np


def shuffled(rng: np.random.Generator, clips: int, cells: int) -> np.ndarray:
    """Return an order (b n) of the cells, uniform (MAE)."""
    return rng.random((clips, cells)).argsort(axis=1)


def blocks_first(
    rng: np.random.Generator, clips: int, grid: tuple[int, int], block: int, draws: int
) -> np.ndarray:
    """Return an order (b n) of the cells with those of random block x block squares first (inverse block
    masking).

    The cells of the first square come first, then those that the second adds, and so on for `draws` squares;
    within a square the order is random, and what no square covers follows in random order. The first k are
    therefore a few whole blocks and a part of one: data2vec 2.0 and EAT keep such blocks and hide the rest,
    and trim all clips to one count. Squares are cut at the edges.
    """
    times, freqs = grid
    t, f = np.divmod(np.arange(times * freqs), freqs)
    middle_t = rng.integers(times, size=(clips, draws, 1))
    middle_f = rng.integers(freqs, size=(clips, draws, 1))
    half = block // 2
    inside = _within(t - middle_t + half, block) & _within(f - middle_f + half, block)
    first = np.where(inside.any(axis=1), inside.argmax(axis=1), draws)
    return (first + rng.random((clips, times * freqs))).argsort(axis=1)


def groups_hidden(
    rng: np.random.Generator, clips: int, grid: tuple[int, int], least: float, most: float, largest: float
) -> np.ndarray:
    """Return (b n) bool, True for hidden cells: random rectangles until a share between least and most is
    hidden.

    Group masking of ASiT: sides up to `largest` of the grid's (at least one cell), cut at the edges. Every
    clip has its own share; the last rectangle may exceed it.
    """
    times, freqs = grid
    sides = max(1, round(times * largest)), max(1, round(freqs * largest))
    hidden = np.zeros((clips, times, freqs), dtype=bool)
    for clip in hidden:
        wanted = rng.uniform(least, most) * clip.size
        while clip.sum() < wanted:
            t, f = rng.integers(times), rng.integers(freqs)
            high, wide = (int(rng.integers(1, side + 1)) for side in sides)
            clip[t : t + high, f : f + wide] = True
    return hidden.reshape(clips, -1)


def stretches(rng: np.random.Generator, columns: int, count: int, length: int) -> np.ndarray:
    """Return (T) bool: True in `count` runs of `length` columns that do not touch one another's inside.

    Uniform over all ways to place them.
    """
    free = columns - count * length
    starts = np.sort(rng.integers(free + 1, size=count)) + length * np.arange(count)
    chosen = np.zeros(columns, dtype=bool)
    for start in starts:
        chosen[start : start + length] = True
    return chosen


def _within(places: np.ndarray, length: int) -> np.ndarray:
    return (places >= 0) & (places < length)
