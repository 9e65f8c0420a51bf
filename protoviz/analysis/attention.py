"""How far attention spreads over the cells of a clip, and how much of it lies on true events.

Letters: l layer, h head, n cell (n = t * F + f), t, f. All arrays belong to one clip and one encoder.

The convention is that of gmum/beyond_cls: the column of [cls] is dropped, the row of [cls] is scaled to sum
to 1 over the real cells, and entropies are averaged over heads (there also over images, and with 1e-6 inside
the logarithm). The paper speaks of diffuse [cls] attention and shows it in maps (figure 1); it reports no
number for it, so every number here is ours.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from protoviz.audio.picture import mel_row

COLUMNS = (
    "layer",
    "head",
    "entropy",
    "effective",
    "uniform",
    "mass",
    "area",
    "concentration",
    "cls_to_cls",
)


def over_cells(rows, mask=None) -> np.ndarray:
    """Return rows (... n) float64 that sum to 1 over the real cells and are 0 elsewhere.

    rows (... n): softmax rows of [cls] without its own column, as `Encoding.attention` gives them.
    mask (n,) bool: the real cells; None: all. A row without any attention on real cells (all of it kept by
    [cls], or below what its precision holds) has no shares: it comes back as NaN. Raises ValueError for
    negative or missing attention, for a mask that does not fit, and where no cell is real.
    """
    rows = np.asarray(rows, dtype=np.float64)
    mask = _real(mask, rows.shape[-1])
    if not np.all(rows >= 0):  # NaN is not
        raise ValueError("attention has to be 0 or more: a row holds a negative number or NaN")
    rows = np.where(mask, rows, 0.0)
    total = rows.sum(-1, keepdims=True)
    return np.divide(rows, total, out=np.full_like(rows, np.nan), where=total > 0)


def coverage(grid, boxes: Iterable) -> np.ndarray:
    """Share (t f) of each cell's area that lies inside at least one of the boxes, 0 to 1; exact.

    grid: a `CellGrid`; boxes: anything with onset, offset, low_hz, high_hz. Area is counted where the cells
    are drawn: seconds by mel. Where boxes overlap, their common area counts once.
    """
    lows, highs = [], []
    for box in boxes:
        times = np.clip(np.array([box.onset, box.offset]) / grid.seconds, 0, 1) * grid.times
        bands = mel_row([box.low_hz, box.high_hz], grid.freqs, grid.low_hz, grid.high_hz)
        lows.append((times[0], bands[0]))
        highs.append((times[1], bands[1]))
    low, high = np.array(lows).reshape(-1, 2), np.array(highs).reshape(-1, 2)
    # In units of cells; every edge of a box cuts the cells, so that a piece lies in a box or does not.
    cuts = [
        np.unique(np.concatenate([np.arange(size + 1), low[:, axis], high[:, axis]]))
        for axis, size in enumerate((grid.times, grid.freqs))
    ]
    middle = [(cut[1:] + cut[:-1]) / 2 for cut in cuts]
    held = [
        (middle[axis] > low[:, axis, None]) & (middle[axis] < high[:, axis, None]) for axis in (0, 1)
    ]  # (box, piece)
    inside = (held[0][:, :, None] & held[1][:, None, :]).any(0)
    pieces = [
        (np.floor(middle[axis]) == np.arange(size)[:, None]) * np.diff(cuts[axis])
        for axis, size in enumerate((grid.times, grid.freqs))
    ]  # (cell, piece): length of the piece in its cell
    return np.clip(pieces[0] @ inside @ pieces[1].T, 0, 1)


def diffusion(rows, mask=None, inside=None, cls_to_cls=None) -> pd.DataFrame:
    """Return per layer and head, how far the attention spreads and how much of it lies on true events.

    rows        (l h n) or [l] of (h n): as for `over_cells`
    mask        (n,) bool: the real cells; None: all
    inside      (n,) share of each cell in true events, as `coverage` gives; None: they are not known
    cls_to_cls  (l h): the share of its row that [cls] keeps to itself; None: 0

    Columns, one row a layer and head, both counted from 1:
    entropy        H = -sum p ln p over the real cells, nats; a share of 0 adds 0
    effective      exp(H): so many cells with equal shares would be as spread; from 1 to `uniform`
    uniform        the number of real cells: what `effective` is where all get the same
    mass           sum p * inside: the share of the attention that lies on true events, 0 to 1
    area           the mean of inside over real cells: what mass is where all get the same
    concentration  mass / area: 1 where attention ignores the events; NaN where they have no area
    cls_to_cls     as given
    A head without attention on real cells has NaN for entropy, effective, mass and concentration; without
    `inside`, mass, area and concentration are NaN.
    """
    rows = np.asarray([np.asarray(layer, dtype=np.float64) for layer in rows])
    if rows.ndim != 3:
        raise ValueError(f"attention has the shape (layers heads cells), not {rows.shape}")
    shares = over_cells(rows, mask)
    layers, heads, cells = shares.shape
    real = _real(mask, cells)
    uniform = int(real.sum())
    entropy = np.minimum(entropy_of(shares), np.log(uniform)).ravel()  # rounding could pass the bound
    mass = np.full(layers * heads, np.nan)
    area = np.nan
    if inside is not None:
        inside = np.asarray(inside, dtype=np.float64)
        if inside.shape != (cells,):
            raise ValueError(f"{cells} cells need as many shares in events, not {inside.shape}")
        mass = np.clip(shares @ inside, 0, 1).ravel()
        area = float(inside[real].mean())
    kept = np.zeros(layers * heads) if cls_to_cls is None else np.asarray(cls_to_cls, float).ravel()
    columns = (
        np.repeat(np.arange(1, layers + 1), heads),
        np.tile(np.arange(1, heads + 1), layers),
        entropy,
        np.exp(entropy),
        uniform,
        mass,
        area,
        mass / area if area > 0 else np.nan,
        kept,
    )
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def by_layer(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each layer of a frame of `diffusion` (of one clip, or several one below the other).

    One row a layer; NaN is left out. effective is exp of the mean entropy (the geometric mean of the heads'),
    as gmum/beyond_cls averages entropies; concentration is mean mass / mean area; the other columns are plain
    means. It is not what the mean map of the heads (`mean_map`) has: heads that look at different places have
    a mean map more spread than each.
    """
    return _means(frame, ["layer"])


def over_clips(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the mean of each layer and head over several clips whose frames of `diffusion` lie one below the
    other.

    Averaged as in `by_layer`. More columns: clips (how many were measured), entropy_sd and mass_sd over them
    (NaN for one clip).
    """
    means = _means(frame, ["layer", "head"])
    groups = frame.groupby(["layer", "head"])
    spread = groups[["entropy", "mass"]].std().reset_index(drop=True).add_suffix("_sd")
    return means.assign(clips=groups.entropy.count().to_numpy(), **spread)


def _means(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    measured = [name for name in COLUMNS if name not in ("layer", "head", "effective", "concentration")]
    means = frame.groupby(keys, as_index=False)[measured].mean()
    means["effective"] = np.exp(means.entropy)
    means["concentration"] = means.mass / means.area.where(means.area > 0)
    return means[[name for name in COLUMNS if name in means]]


def mean_map(shares) -> np.ndarray:
    """Return (l n) the mean over heads of shares (l h n) from `over_cells`; heads of NaN are left out."""
    shares = np.asarray(shares, dtype=np.float64)
    known = ~np.isnan(shares)
    count = known.sum(-2)
    total = np.where(known, shares, 0.0).sum(-2)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def entropy_of(shares) -> np.ndarray:
    """Return -sum p ln p, nats, over the last axis of shares that sum to 1; 0 adds 0, NaN stays NaN."""
    shares = np.asarray(shares, dtype=np.float64)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.maximum(-(shares * logs).sum(-1), 0.0)


def _real(mask, cells: int) -> np.ndarray:
    mask = np.ones(cells, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    if mask.shape != (cells,):
        raise ValueError(f"{cells} cells need a mask ({cells},), not {mask.shape}")
    if not mask.any():
        raise ValueError("the mask hides every cell: give one with a real cell")
    return mask
