"""Checks of where tokens lie: which cells hold sound, and which cell a sound at a place moves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from protoviz.audio import CellGrid
from protoviz.encoders.base import EncoderError, Encoding
from protoviz.encoders.check.subject import LOUDNESS, PART, SAME, SHORT, Fault, NotTested, Subject, apart

REACH = 0.03  # seconds that a frame may look past its row
NEAR = 1  # rows and bands that a change may lie beside its sound
CLEAR = 3.0  # times the share that an even change has there: less is no place
BACKGROUND, TONE = (
    0.05,
    0.3,
)  # loudness of the noise and of the tone: much fainter, and the tone's skirts tell
EARLY, LATE = 0.2, 0.7  # of the clip; not mirror images, so that time run backwards shows
LOW, HIGH = 0.15, 0.7  # of the bands, likewise


def mask(subject: Subject) -> str:
    """A short clip fills the first rows, as many as its length says; others are zero and marked empty."""
    encoder, made = subject.encoder, subject.together
    freqs, row = made.grid[1], encoder.cell_grid(made.grid).time_edges[1]
    promised = encoder.mask([len(clip) for clip in subject.unequal])
    if promised.shape != made.mask.shape or not torch.equal(promised, made.mask):
        raise Fault(
            "Encoding.mask is not what encoder.mask(samples) says; return the mask that forward is given"
        )
    for i, clip in enumerate(subject.unequal):
        length, held = subject.seconds(clip), int(made.mask[i].sum())
        if not made.mask[i, :held].all():
            raise Fault(f"a clip of {length} does not fill the first cells; sound comes first, n = t * F + f")
        rows, wanted = held / freqs, len(clip) / encoder.sample_rate / row
        if held % freqs or abs(rows - wanted) > 1 + REACH / row:
            raise Fault(
                f"a clip of {length} marks {held} cells as sound and would fill {wanted:.1f} rows of "
                f"{freqs}; mark "
                "the cells that hold a frame of the clip, and no others"
            )
        if (
            left := float(
                made.tokens[i][~made.mask[i]].abs().max().item() if held < made.mask.shape[1] else 0
            )
        ) > 0:
            raise Fault(
                f"empty cells of a clip of {length} hold values up to {left:.2g}; end with "
                "tokens.masked_fill(~mask[..., None], 0)"
            )
    return (
        f"clips of {len(subject.unequal)} lengths fill the first rows; other cells are zero and marked empty"
    )


def padding(subject: Subject) -> str:
    """What stands in the features behind a clip does not reach its tokens when `mask` hides it."""
    count = subject.samples
    while True:
        try:
            before, after = _with_other_padding(subject, [count, round(PART * count)])
            break
        except EncoderError:  # forward may take less at once than encode, which cuts
            if (count := count // 2) < SHORT * subject.encoder.sample_rate:
                raise
    for part in ("tokens", "cls"):
        if (off := apart(getattr(before, part), getattr(after, part))) > SAME:
            raise Fault(
                f"noise in the padding moves {part} by {off:.2g} of their size although forward's mask hides "
                "it; give "
                "the mask to the attention (attn_mask=mask[:, None, None]) and to every convolution and mean"
            )
    return "noise behind a clip does not reach the tokens when forward's mask hides it"


def _with_other_padding(subject: Subject, lengths: list[int]) -> tuple[Encoding, Encoding]:
    """Encodings of noises of two lengths: as they are, and with loud features behind the shorter one."""
    encoder, clips = subject.encoder, [subject.noise(count, i) for i, count in enumerate(lengths)]
    hidden = encoder.mask(lengths)
    subject.last = "features of two noises, loud behind the shorter one"
    features = encoder.features(clips)
    rows = hidden.shape[1] // encoder.grid[1]
    frames = features.shape[1] // rows if features.ndim == 3 else 0
    first = int(hidden[1].sum()) // encoder.grid[1] + 1  # a patch may overlap the next row
    if frames == 0 or first >= rows:
        raise NotTested("its features have no frames (b frames mels) behind a clip that could be changed")
    loud = features.clone()
    loud[1, first * frames :] = 10 * float(features.abs().max()) + 1
    with torch.inference_mode():
        return encoder(features, mask=hidden), encoder(loud, mask=hidden)


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
    """Short tones move the cells at their own place most, when tokens are read as n = t * F + f."""
    encoder = subject.encoder
    cells = encoder.cell_grid()
    places = _places(cells)
    noise = subject.noise(subject.samples, 7) * np.float32(BACKGROUND / LOUDNESS)
    sounds = [noise + _tone(cells, t, f, len(noise)) for t, f in places]
    quiet = subject.encode([noise], "faint noise").on_grid(encoder.grid)
    maps = [_change(quiet, subject.encode([sound], "a tone in it").on_grid(encoder.grid)) for sound in sounds]
    shares = {way: _share_at(maps, places, cells, way) for way in ORDERS}
    even = np.mean([_around(t, f, cells).sum() for t, f in places]) / (cells.times * cells.freqs)
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


def _places(cells: CellGrid) -> list[tuple[int, int]]:
    """Cells (t, f) in the corners of the map, of which none is another's mirror image."""
    times = sorted({int(share * cells.times) for share in (EARLY, LATE)})
    freqs = sorted({int(share * cells.freqs) for share in (LOW, HIGH)})
    return [(t, f) for t in times for f in freqs]


def _tone(cells: CellGrid, t: int, f: int, samples: int) -> np.ndarray:
    """A tone (s,) float32 in the middle of one cell, with soft ends."""
    box = cells.box(t, f)
    when = np.arange(samples) / cells.sample_rate
    middle, width = (box.onset + box.offset) / 2, max(box.offset - box.onset, 0.04)
    envelope = np.where(np.abs(when - middle) < width / 2, np.cos(np.pi * (when - middle) / width) ** 2, 0)
    hertz = (max(box.low_hz, 40.0) + box.high_hz) / 2
    return (TONE * envelope * np.sin(2 * np.pi * hertz * when)).astype(np.float32)


def _change(quiet: Encoding, loud: Encoding) -> np.ndarray:
    """How much more than most cells each one moved, (n,), as shares of the whole; 0 where nothing moved."""
    moved = (loud.tokens - quiet.tokens)[0].double()
    moved = (moved - moved.median(dim=0).values).norm(dim=-1).cpu().numpy()  # less what all cells share
    above = np.clip(moved - np.median(moved), 0, None) ** 2
    return above / max(above.sum(), 1e-30)


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
