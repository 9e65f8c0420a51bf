"""Checks of what cells hold: which of them hold sound, and whether each hears its part of the clip."""

import math

import numpy as np
import torch

from protoviz.encoders.base import EncoderError, Encoding
from protoviz.encoders.check.subject import SAME, SHORT, Fault, NotTested, Subject, apart, moved

REACH = 0.03  # seconds that a frame may look past its row
HALF_FRAME = 0.0125  # seconds that a frame centred on the last sample reaches past the clip
LENGTHS = 50  # of clips whose masks are asked for
SUSPECTS = 4  # rows that two noises tell apart least, and that are then asked one by one
ENCODE_ALL = (
    "feed all of it: check how many frames are cut out, and the hop and the rest of windows; what is shorter "
    "than the input is padded behind, never before, and never cut"
)
# What a row changes with its own sound: of the most that any row does, and that, or else times the median.
FAINT, HEARD, ABOVE = 0.1, 0.5, 3.0


def mask(subject: Subject) -> str:
    """Check that a clip fills its first rows, as many as its length says; others are zero and empty."""
    encoder, made = subject.encoder, subject.together
    promised = encoder.mask([len(clip) for clip in subject.unequal])
    if promised.shape != made.mask.shape or not torch.equal(promised, made.mask):
        raise Fault("Encoding.mask is not what encoder.mask(samples) says; return the mask given to forward")
    _masks_by_length(subject)
    for clip, tokens, real in zip(subject.unequal, made.tokens, made.mask, strict=True):
        left = float(tokens[~real].abs().max()) if not real.all() else 0.0
        if left > 0:
            raise Fault(
                f"empty cells of a clip of {subject.seconds(clip)} hold values up to {left:.2g}; end with "
                "tokens.masked_fill(~mask[..., None], 0)"
            )
    return f"clips of {LENGTHS} lengths fill the first rows; other cells are zero and marked empty"


def _masks_by_length(subject: Subject) -> None:
    """Raise Fault unless the masks of clips of many lengths mark the rows that hold sound."""
    encoder, (times, freqs) = subject.encoder, subject.encoder.grid
    row = encoder.cell_grid().time_edges[1]
    for count in np.linspace(subject.lengths[-1], subject.samples, LENGTHS).astype(int).tolist():
        real, length = encoder.mask([count])[0], subject.seconds(count)
        held = int(real.sum())
        if not real[:held].all():
            raise Fault(f"a clip of {length} does not fill the first cells; sound comes first, n = t * F + f")
        wanted = count / encoder.sample_rate / row
        least = max(0, math.floor(wanted - REACH / row))
        most = min(times, math.ceil(wanted + HALF_FRAME / row))
        if held % freqs or not min(times, least) <= held // freqs <= most:
            raise Fault(
                f"a clip of {length} marks {held} cells as sound and would fill {wanted:.1f} rows of "
                f"{freqs}; mark the cells that hold a frame of the clip, and no others (see cell_grid)"
            )
    if held != times * freqs:
        raise Fault(
            f"a clip of {length}, which is `seconds`, marks {held} of {times} x {freqs} cells as sound; mark "
            "the last row too, or correct seconds and grid: one clip of `seconds` fills the grid"
        )


def heard(subject: Subject) -> str:
    """Check that each part of a clip moves the tokens of its own rows, also where it is short."""
    for clip in subject.unequal[:2]:
        if lost := unheard(subject, clip):
            raise Fault(f"{lost}; {ENCODE_ALL}")
    return "each row of cells follows its own part of the clip, the first and the last too"


def unheard(subject: Subject, clip: np.ndarray) -> str | None:
    """Return which part of a clip (s,) its own rows of cells do not follow, in
    words; None: they follow each.

    Asked one by one are the first row, the last, and those that another clip moves least.
    """
    encoder, other = subject.encoder, subject.noise(len(clip), 11)
    made = subject.encode([clip], f"{subject.seconds(clip)} of noise")
    changed = _by_row(made, subject.encode([other], "another noise"))
    edges = np.round(encoder.cell_grid(made.grid).time_edges * encoder.sample_rate).astype(int)
    sounding = int(np.sum(edges[:-1] + REACH * encoder.sample_rate <= len(clip)))
    rows = max(1, min(int(made.mask[0].sum()) // made.grid[1], sounding))
    suspects = np.argsort(changed[:rows])[:SUSPECTS].tolist()
    for row in sorted({0, rows - 1, *suspects}):
        begin, end = edges[row], min(edges[row + 1], len(clip))
        sound = clip.copy()
        sound[begin:end] = other[begin:end]
        moves = _by_row(made, subject.encode([sound], "noise that changes within one row"))
        least = max(FAINT * moves.max(), min(HEARD * moves.max(), ABOVE * np.median(moves)))
        if moves[row] < least or moves[row] <= SAME**2 * changed.mean():
            times = f"{begin / encoder.sample_rate:.2f} to {end / encoder.sample_rate:.2f} s"
            return f"what sounds from {times} of {subject.seconds(clip)} does not move its row of cells"
    return None


def _by_row(one: Encoding, other: Encoding) -> np.ndarray:
    """How much each row of cells differs between two encodings of one clip, (t,)."""
    return np.square(moved(one, other)).reshape(one.grid).sum(1)


def padding(subject: Subject) -> str:
    """Check that what stands in the features behind a clip does not reach its tokens when `mask` hides it."""
    encoder, count = subject.encoder, subject.samples
    half = max(1, encoder.grid[0] // 2)  # rows: also a short map then has empty ones
    while True:
        try:
            before, after = _with_other_padding(subject, [count, count * half // encoder.grid[0]])
            break
        except EncoderError:  # forward may take less at once than encode, which cuts
            if (count := count // 2) < SHORT * encoder.sample_rate:
                raise
    parts = {"tokens": [(before.tokens, after.tokens)], "cls": [(before.cls, after.cls)]}
    parts["attention"] = list(zip(before.attention or (), after.attention or (), strict=True))
    for part, pairs in parts.items():
        if (off := max((apart(*pair) for pair in pairs), default=0.0)) > SAME:
            raise Fault(
                f"noise in the padding moves {part} by {off:.2g} of their size although forward's mask hides "
                "it; give the mask to the attention (attn_mask=mask[:, None, None]), also where maps are "
                "computed beside it, and to every convolution and mean"
            )
    return "noise behind a clip does not reach tokens and attention when forward's mask hides it"


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
        return encoder(features, True, hidden), encoder(loud, True, hidden)
