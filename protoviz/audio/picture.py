"""A log-mel spectrogram as a picture: decibels in a byte, mel rows in hertz."""

import numpy as np

SPANS_DB = (30.0, 80.0)  # less shows a background as loud as its events; more no ear picks out beside them
BACKGROUND = 0.3  # share of a clip's values that may fade into the paper
TICKS_HZ = (100, 200, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000)
DB_PER_LOG = 10 / np.log(10)  # log-mel is the natural logarithm of a power
QUIET = 1.4  # log-mel value of 400-sample frames: of 300 procedural scenes each is somewhere as loud
QUIET_FRAME = 400


def quiet_top(frame_samples: int) -> float:
    """Return the log-mel value at which the scale of a quiet clip ends, in a filter bank with such frames."""
    return QUIET + 2 * float(np.log(frame_samples / QUIET_FRAME))  # a tone's energy goes with the square


def mel_picture(log_mel, frames: int | None = None, top: float = QUIET) -> tuple[np.ndarray, float]:
    """Return uint8 (rows frames), row 0 lowest, and its span in dB: 255 is the loudest value, 0 lies span
    below it.

    log_mel (frames rows): natural logarithm of mel energies, as `protoviz.audio.log_mel` gives; padded with 0
    to `frames`, or cut. The span is whole tens of dB, 30 to 80. It is just wide enough that at most the
    quietest 30 % of the clip (its background) are as pale as the paper. A step of the byte is span / 255 dB.
    top: the scale never ends below this value, so that a quiet clip is pale (255 does not occur in it) and
    silence is paper.
    """
    log_mel = np.asarray(log_mel, dtype=np.float32)
    if log_mel.ndim != 2 or not log_mel.size:
        raise ValueError(f"a picture needs log-mel frames (frames rows), not an array {log_mel.shape}")
    frames = len(log_mel) if frames is None else frames
    loudest = float(log_mel.max())
    level = (log_mel - loudest) * DB_PER_LOG
    span = float(np.clip(np.ceil(-np.quantile(level, BACKGROUND) / 10) * 10, *SPANS_DB))
    level -= max(0.0, top - loudest) * DB_PER_LOG
    steps = np.clip(np.rint((level / span + 1) * 255), 0, 255).astype(np.uint8)
    picture = np.zeros((log_mel.shape[1], frames), dtype=np.uint8)
    picture[:, : len(steps)] = steps[:frames].T
    return picture, span


def cell_decibels(log_mel, times: int, freqs: int, frames: int | None = None) -> np.ndarray:
    """Return mean level (t f) of each cell in dB below the loudest cell, of log-mel frames (frames rows).

    frames: what the grid spans (1,024 of 10 ms for 10.24 s), None: what is given. Cells are means of decibels
    over the frames that are there; a cell without any is NaN. ValueError where cells would not be whole.
    """
    log_mel = np.asarray(log_mel, dtype=np.float64)
    frames = len(log_mel) if frames is None else frames
    if frames % times or log_mel.shape[1] % freqs or len(log_mel) > frames:
        raise ValueError(f"{log_mel.shape} frames and rows do not fill {times} x {freqs} cells of {frames}")
    whole = np.full((frames, log_mel.shape[1]), np.nan)
    whole[: len(log_mel)] = log_mel
    pieces = whole.reshape(times, frames // times, freqs, -1)
    known = ~np.isnan(pieces)
    count = known.sum((1, 3))
    total = np.where(known, pieces, 0.0).sum((1, 3))
    mean = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return (mean - np.nanmax(mean)) * DB_PER_LOG


def mel_row(hertz, rows: int, low_hz: float, high_hz: float):
    """Return where frequencies lie on an axis of mel rows between low_hz and high_hz: 0 to rows, clipped."""
    mel = np.log1p(np.asarray(hertz, dtype=float) / 700.0)  # 1127 ln(1 + f/700); the factor cancels
    low, high = np.log1p(low_hz / 700.0), np.log1p(high_hz / 700.0)
    return np.clip((mel - low) / (high - low), 0, 1) * rows


def hertz_ticks(rows: int, low_hz: float, high_hz: float) -> dict[float, str]:
    """Return a dict: mel row -> label for round frequencies in range: "100", "1k"."""
    shown = [hertz for hertz in TICKS_HZ if low_hz <= hertz <= high_hz]
    places = mel_row(shown, rows, low_hz, high_hz)
    labels = [f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in shown]
    return dict(zip(places.tolist(), labels, strict=True))
