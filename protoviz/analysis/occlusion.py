"""What changes when cells are left out: blocks of cells, and how two maps over them agree.

Letters: k block, n cell. Attention says where a head looks; leaving cells out says what a result rests on.
The encoder runs elsewhere: these functions name the cells and read the answers.
"""

import numpy as np
from scipy.stats import spearmanr


def blocks(grid, times: int = 4, freqs: int = 2) -> np.ndarray:
    """Return masks (k n) bool of the blocks of so many cells by so many rows that tile the grid, time-major.

    Blocks at the end are smaller where the grid does not divide. Every cell lies in exactly one block.
    """
    if min(times, freqs) < 1:
        raise ValueError(f"a block has at least one cell each way, not {times} x {freqs}")
    t, f = np.divmod(np.arange(grid.times * grid.freqs), grid.freqs)
    across = -(-grid.freqs // freqs)
    number = t // times * across + f // freqs
    return number == np.arange(number.max() + 1)[:, None]


def on_cells(values, masks) -> np.ndarray:
    """Return values (n) of the cells of values (k) of the blocks `masks` (k n): each cell has its block's."""
    return np.asarray(values, dtype=float) @ np.asarray(masks, dtype=float)


def agreement(first, second) -> float:
    """Return Spearman's rank correlation of two maps over the same blocks, -1 to 1."""
    return float(spearmanr(np.asarray(first, float).ravel(), np.asarray(second, float).ravel()).statistic)
