"""Checks of where tokens and attention lie: which cell a short tone moves most."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from protoviz.audio import CellGrid
from protoviz.encoders.check.subject import Fault, NotTested, Subject
from protoviz.encoders.check.tones import Toned, drift, spread_places, toned

NEAR = 1  # rows and bands that a change may lie beside its sound
CLEAR = 3.0  # times the share that an even change has there: less is no place
EARLY, LATE = 0.2, 0.7  # of the clip; not mirror images, so that time run backwards shows
LOW, HIGH = 0.15, 0.7  # of the bands, likewise
WINDOW = 2  # rows and bands beside a tone where its change is looked for
BEYOND = 1.5  # times as much beside a tone's cell as in it is a shift; half a cell is none
THIRDS = ("begin", "middle", "end")
LOCAL = 1e-5  # of the logarithm: a first layer's attention does not depend on other cells, to rounding


@dataclass(frozen=True)
class _Order:
    """A way to number the cells of a grid of T x F."""

    rule: str
    number: Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]  # (t, f, T, F) -> n
    cure: str


_FLIP = "flip the map along {} before it is flattened"
ORDERS = (
    _Order("n = t * F + f", lambda t, f, T, F: t * F + f, ""),
    _Order(
        "n = f * T + t (frequency first)",
        lambda t, f, T, F: f * T + t,
        "flatten time first: rearrange(x, 'b d f t -> b (t f) d')",
    ),
    _Order(
        "n = t * F + f with high frequencies first",
        lambda t, f, T, F: t * F + F - 1 - f,
        _FLIP.format("frequency"),
    ),
    _Order("n = t * F + f with time backwards", lambda t, f, T, F: (T - 1 - t) * F + f, _FLIP.format("time")),
    _Order(
        "n = f * T + t with high frequencies first",
        lambda t, f, T, F: (F - 1 - f) * T + t,
        "flip frequency, then flatten time first: rearrange(x, 'b d f t -> b (t f) d')",
    ),
)


def order(subject: Subject) -> str:
    """Check that short tones move the cells at their own place most, read as n = t * F + f."""
    cells = subject.encoder.cell_grid()
    places = _places(cells)
    maps = [found.ravel() for found in toned(subject, places).by_tokens()]
    shares = {way: _share_at(maps, places, cells, way) for way in ORDERS}
    even = np.mean([_around(t, f, cells).sum() for t, f in places]) / (cells.times * cells.freqs)
    if not any(change.any() for change in maps) and len(maps[0]) > 2:
        raise Fault("tones in faint noise move no token at all; is the sound read, and nothing kept?")
    best, right = max(ORDERS, key=shares.get), ORDERS[0]
    found = _found(maps, places, cells)
    if best is right or shares[best] <= shares[right]:
        if shares[right] >= min(CLEAR * even, (1 + even) / 2):
            return f"{len(places)} short tones move the cells at their own place most: {found}"
    elif shares[best] >= CLEAR * even:
        raise Fault(f"tokens lie as {best.rule}, and n = t * F + f is wanted; {best.cure} ({found})")
    if _peaked(maps):
        raise Fault(
            f"a short tone moves most a cell that is not at its place ({found}); check the order of tokens "
            "(n = t * F + f), grid, seconds and the hertz in front_end()"
        )
    raise NotTested(f"a short tone moves all cells alike, so their order does not show ({found})")


def at_place(subject: Subject) -> str:
    """Check that a short tone moves most the very cell that it sounds in, anywhere in a clip."""
    found = _tones(subject)
    if shifted := _shift(found.cells, found.places, found.by_tokens()):
        raise Fault(
            f"tokens lie {shifted}; leave [cls] and other extra tokens out before tokens are counted, "
            "and check the padding before the first frame, the hop, seconds, and the hertz in front_end()"
        )
    if late := _after_silence(subject):
        raise Fault(late)
    return f"{len(found.places)} tones from begin to end and in all bands: none moves a neighbour's cell more"


def attention_at_place(subject: Subject) -> str:
    """Check that each layer's attention to a cell follows the sound in it, and that layers are in order."""
    found = _tones(subject)
    layers = len(found.quiet.attention or ())
    if not layers:
        raise NotTested("it gives no attention maps")
    if found.cells.times * found.cells.freqs > 1 and not any(
        float(drift(found.quiet, made, layer).abs().max()) > LOCAL
        for made in found.loud
        for layer in range(layers)
    ):
        raise Fault("attention is the same whatever sounds; give the rows of the softmax of this clip")
    for layer in range(layers):
        if shifted := _shift(found.cells, found.places, found.by_attention(layer)):
            raise Fault(
                f"attention of layer {layer} lies {shifted}; leave out the columns of [cls] and other extra "
                "tokens, and no others: row[:, :, extra:]"
            )
    spread = [float(drift(found.quiet, found.loud[0], layer).abs().median()) for layer in range(layers)]
    local = int(np.argmin(spread))
    if spread[local] < LOCAL < spread[0] / 100:
        raise Fault(
            f"attention[{local}] depends on each cell alone, as only a first layer's does, and attention[0] "
            "on all of them; list the layers from the first to the last"
        )
    return f"{layers} layers: attention moves most at the cell of a tone"


def _after_silence(subject: Subject) -> str | None:
    """What is wrong where a clip begins with silence, which must not be cut off; None: nothing."""
    cells = subject.encoder.cell_grid()
    silent, t = cells.times // 2, int(LATE * cells.times)
    if cells.times < 4:
        return None
    (found,) = toned(subject, [(t, cells.freqs // 2)], silent=silent).by_tokens()
    rows = np.pad(found.sum(1), NEAR)
    at, early = (rows[row : row + 2 * NEAR + 1].sum() for row in (t, t - silent))
    if early <= BEYOND * at:
        return None
    return (
        "a tone after silence lies in rows before it; cut no silence off, or shift cells by what was cut: a "
        "row of cells is a time of the clip"
    )


@lru_cache(maxsize=1)
def _tones(subject: Subject) -> Toned:
    return toned(subject, spread_places(subject.encoder.cell_grid()), attention=True)


def _shift(cells: CellGrid, places: list[tuple[int, int]], maps: list[np.ndarray]) -> str | None:
    """By how much, and where, changes lie beside the tones' cells, in words; None: they lie in them."""
    third = [3 * t // cells.times for t, _ in places]
    groups = {"": range(len(places))}
    groups |= {
        f" at the {THIRDS[k]} of a clip": [i for i, at in enumerate(third) if at == k] for k in range(3)
    }
    for where, chosen in groups.items():
        beside = np.zeros((2 * WINDOW + 1, 2 * WINDOW + 1))
        for i in chosen:
            t, f = places[i]
            beside += np.pad(maps[i], WINDOW)[t : t + 2 * WINDOW + 1, f : f + 2 * WINDOW + 1]
        rows, bands = (int(at) - WINDOW for at in np.unravel_index(beside.argmax(), beside.shape))
        even = 1 / (cells.times * cells.freqs)
        clear = beside.max() > len(chosen) * min(CLEAR * even, (1 + even) / 2)  # else all cells move alike
        if clear and beside.max() > BEYOND * beside[WINDOW, WINDOW]:
            parts = [(abs(rows), "row", "late" if rows > 0 else "early")]
            parts += [(abs(bands), "band", "high" if bands > 0 else "low")]
            told = [f"{n} {unit}{'s' * (n > 1)} too {way}" for n, unit, way in parts if n]
            return " and ".join(told) + where
    return None


def _places(cells: CellGrid) -> list[tuple[int, int]]:
    """Cells (t, f) in the corners of the map, of which none is another's mirror image."""
    times = sorted({int(share * cells.times) for share in (EARLY, LATE)})
    freqs = sorted({int(share * cells.freqs) for share in (LOW, HIGH)})
    return [(t, f) for t in times for f in freqs]


def _around(t: int, f: int, cells: CellGrid) -> np.ndarray:
    """(t f) bool: the cells that touch one."""
    rows, bands = np.arange(cells.times)[:, None], np.arange(cells.freqs)[None]
    return (np.abs(rows - t) <= NEAR) & (np.abs(bands - f) <= NEAR)


def _share_at(maps: list[np.ndarray], places: list, cells: CellGrid, way: _Order) -> float:
    """The share of the change that lies at the tones' places, were cells numbered that way."""
    shares = []
    for change, (t, f) in zip(maps, places, strict=True):
        rows, bands = np.nonzero(_around(t, f, cells))
        shares.append(change[way.number(rows, bands, cells.times, cells.freqs)].sum())
    return float(np.mean(shares))


def _found(maps: list[np.ndarray], places: list, cells: CellGrid) -> str:
    """Where the two tones were whose change lies farthest from them, and where it is centred, in words."""
    pairs = list(zip(places, (_centre(change, cells) for change in maps), strict=True))
    pairs.sort(key=lambda pair: -np.abs(np.subtract(*pair) / (cells.times, cells.freqs)).sum())
    return ", ".join(f"{_point(cells, *tone)} at {_point(cells, *centre)}" for tone, centre in pairs[:2])


def _centre(change: np.ndarray, cells: CellGrid) -> tuple[float, float]:
    """The row and band, perhaps between cells, around which the strongest change lies."""
    weight = np.square(change).reshape(cells.times, cells.freqs)
    total = max(weight.sum(), 1e-30)
    return (
        float((weight.sum(1) * np.arange(cells.times)).sum() / total),
        float((weight.sum(0) * np.arange(cells.freqs)).sum() / total),
    )


def _point(cells: CellGrid, t: float, f: float) -> str:
    """The middle of a cell, in seconds and, where there are bands, hertz; t and f may lie between cells."""
    seconds = (t + 0.5) * cells.seconds / cells.times
    if cells.freqs == 1:
        return f"{seconds:.2g} s"
    hertz = np.interp(f + 0.5, np.arange(cells.freqs + 1), cells.hertz_edges)
    return f"{seconds:.2g} s and {hertz:.0f} Hz"


def _peaked(maps: list[np.ndarray]) -> bool:
    """Whether some cells move much more than others."""
    return bool(np.mean([change.max() * len(change) for change in maps]) > 10 * CLEAR)
