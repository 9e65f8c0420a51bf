"""A log-mel spectrogram as a picture: decibels in a byte, mel rows in hertz."""

import numpy as np

SPAN_DB = 80.0  # between paper and ink; below it lies what no ear picks out beside the loudest sound
TICKS_HZ = (100, 200, 500, 1000, 2000, 4000, 8000)
DB_PER_LOG = 10 / np.log(10)  # log-mel is the natural logarithm of a power


def mel_picture(log_mel, rows: int = 128, frames: int = 1024, span: float = SPAN_DB) -> np.ndarray:
    """uint8 (rows frames), row 0 lowest: 255 is the clip's loudest value, 0 at least `span` dB less.

    log_mel (frames mels): natural logarithm of mel energies, as `protoviz.audio.log_mel` gives; a shorter
    one is padded with 0. Between the ends a step is span / 255 dB.
    """
    log_mel = np.asarray(log_mel, dtype=np.float32)
    if log_mel.ndim != 2 or log_mel.shape[1] != rows or not len(log_mel):
        raise ValueError(f"a picture needs log-mel frames (frames {rows}), not {log_mel.shape}")
    level = (log_mel - log_mel.max()) * DB_PER_LOG
    steps = np.clip(np.rint((level / span + 1) * 255), 0, 255).astype(np.uint8)
    picture = np.zeros((rows, frames), dtype=np.uint8)
    picture[:, : len(steps)] = steps[:frames].T
    return picture


def mel_row(hertz, rows: int, low_hz: float, high_hz: float):
    """Where frequencies lie on an axis of so many mel rows between low_hz and high_hz: 0 to rows, clipped."""
    mel = np.log1p(np.asarray(hertz, dtype=float) / 700.0)  # 1127 ln(1 + f/700); the factor cancels
    low, high = np.log1p(low_hz / 700.0), np.log1p(high_hz / 700.0)
    return np.clip((mel - low) / (high - low), 0, 1) * rows


def hertz_ticks(rows: int, low_hz: float, high_hz: float) -> dict[float, str]:
    """Mel row -> label for round frequencies in range: "100", "1k"."""
    shown = [hertz for hertz in TICKS_HZ if low_hz <= hertz <= high_hz]
    places = mel_row(shown, rows, low_hz, high_hz)
    labels = [f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in shown]
    return dict(zip(places.tolist(), labels, strict=True))
