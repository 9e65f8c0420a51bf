"""What one cell or box sounds like, band-passed and faded to be played; and a clip without it."""

import numpy as np
import scipy.fft

from protoviz.audio.cells import Box
from protoviz.audio.waveforms import mono

FADE_SECONDS = 0.03  # keeps what a shorter fade would smear beyond the lowest band below -40 dB
SHORTEST_SECONDS = 0.15  # below this an ear hears a tick rather than a pitch
CONTEXT_SECONDS = 0.5  # of the clip, filtered along on either side so that the filter has settled
SLOPE_SHARE = 0.1  # of the band: width of the raised-cosine slope at either end, inside the band
SLOPE_HZ = 60.0  # at least this wide, so that a low band neither rings nor leaks within a cell's time
CELL_PEAK = 0.5  # of full scale: every cell is equally loud
MOST_GAIN = 1000.0  # 60 dB: with `peak`, what is quieter stays quiet rather than becoming loud noise


def box_span(
    samples: int,
    sample_rate: int,
    box: Box,
    *,
    fade: float = FADE_SECONDS,
    shortest: float = SHORTEST_SECONDS,
) -> tuple[int, int]:
    """Return first and last sample (exclusive) that `box_sound` takes from a clip of so many samples.

    The box and a fade on either side; widened about its middle to `shortest` seconds; moved and cut to lie in
    the clip. Empty, first = last, where the box lies wholly outside the clip.
    """
    onset, offset = box[0] * sample_rate, box[1] * sample_rate
    if offset <= 0 or onset >= samples:
        place = 0 if offset <= 0 else samples
        return place, place
    widened = max(0.0, shortest * sample_rate - (offset - onset)) / 2
    beside = max(fade * sample_rate, widened)
    first, last = round(onset - beside), round(offset + beside)
    least = min(samples, round(shortest * sample_rate))
    first, last = max(0, first), min(samples, last)
    if first == 0:  # what an end of the clip cuts off is taken on the other side
        last = max(last, least)
    elif last == samples:
        first = min(first, samples - least)
    return first, last


def box_sound(
    waveform: np.ndarray,
    sample_rate: int,
    box: Box,
    *,
    fade: float = FADE_SECONDS,
    shortest: float = SHORTEST_SECONDS,
    peak: float | None = None,
) -> np.ndarray:
    """Return the sound of one box of a waveform (s,): float32, only the box's band, faded in and out, never
    empty.

    Time: the samples `box_span(...)`, under raised-cosine fades of `fade` seconds that lie outside the
    box wherever the clip goes on there.
    Frequency: outside low_hz..high_hz only what the fades smear (below -40 dB for a cell of 16 x 16). Inside
    it is flat, but for a slope at either end of a tenth of the band, 60 Hz at least (none at 0 Hz and at
    half the sample rate). The filter has no phase, so nothing moves in time. A band narrower than about
    4 / length hertz is blurred by its shortness.
    Level: as in the clip, so that boxes can be compared; turned down only where it would clip. `peak`
    (above 0, up to 1) sets the loudest sample instead, by at most 60 dB of gain. A silent box, or one
    wholly outside the clip, is silence of the box's length.
    Raises ValueError for a box without extent or a band above half the sample rate.
    """
    waveform = mono(waveform)
    _check(sample_rate, box, fade, peak)
    first, last = box_span(len(waveform), sample_rate, box, fade=fade, shortest=shortest)
    if first == last:
        return np.zeros(max(1, round(max(box[1] - box[0], shortest) * sample_rate)), dtype=np.float32)
    slope = _slope(box)
    return _levelled(_part(waveform, sample_rate, box, first, last, fade, slope), peak).astype(np.float32)


def part_sound(
    waveform: np.ndarray, sample_rate: int, box: Box, band: bool = True, peak: float | None = CELL_PEAK
) -> tuple[np.ndarray, float]:
    """Return the sound (s,) float32 of a box of a clip (s,), and where its first sample lies in it, seconds.

    band: `box_sound` of it, with this `peak`: as quiet as a cell is in its clip, no ear would find it. Else
    everything that sounds in its stretch of time, the samples as they are. Of an empty clip it is empty.
    """
    if not len(waveform):
        return np.zeros(0, np.float32), box.onset
    if band:
        first, _ = box_span(len(waveform), sample_rate, box)
        return box_sound(waveform, sample_rate, box, peak=peak), first / sample_rate
    first, last = box_span(len(waveform), sample_rate, box, fade=0.0, shortest=0.0)
    return waveform[first:last], first / sample_rate


def silence_box(
    waveform: np.ndarray, sample_rate: int, box: Box, *, fade: float = FADE_SECONDS
) -> np.ndarray:
    """Return the waveform (s,) float32 with the sound of one box taken out: what is left of the clip.

    The counterpart of `box_sound`, but here the box itself is empty: fades and slopes (a tenth of the band,
    60 Hz at least) lie outside it, so that far beside it the clip is quieter too; elsewhere it stays.
    A box that starts below 60 Hz or ends near half the sample rate is emptied to the very end.
    Nothing moves in time. What was taken out and what is left add up to the clip.
    Raises ValueError for a box without extent or a band above half the sample rate.
    """
    waveform = mono(waveform)
    _check(sample_rate, box, fade, None)
    if box[1] <= 0 or box[0] * sample_rate >= len(waveform):
        return waveform.copy()
    beside = round((CONTEXT_SECONDS + fade) * sample_rate)
    padded = np.pad(waveform, beside)  # so that no fade falls into a box at an end of the clip
    slope, moved = _slope(box), beside / sample_rate
    onset, offset = (min(max(edge, 0.0), len(waveform) / sample_rate) + moved for edge in box[:2])
    wider = Box(onset, offset, max(0.0, box[2] - slope), min(sample_rate / 2, box[3] + slope))
    first, last = box_span(len(padded), sample_rate, wider, fade=fade, shortest=0.0)
    padded[first:last] -= _part(padded, sample_rate, wider, first, last, fade, slope).astype(np.float32)
    return padded[beside : beside + len(waveform)].copy()


def _slope(box: Box) -> float:
    return max(SLOPE_SHARE * (box[3] - box[2]), SLOPE_HZ)


def _part(
    waveform: np.ndarray, sample_rate: int, box: Box, first: int, last: int, fade: float, slope: float
) -> np.ndarray:
    """Samples first..last of the box's band under fades, at the clip's own level, float64."""
    context = round(CONTEXT_SECONDS * sample_rate)
    around = _with_context(waveform, first - context, last + context, round(fade * sample_rate))
    sound = _band_passed(around, sample_rate, box[2], box[3], slope)[context : context + last - first]
    return sound * _fades(len(sound), round(fade * sample_rate))


def _check(sample_rate: int, box: Box, fade: float, peak: float | None) -> None:
    onset, offset, low_hz, high_hz = box
    if not (np.isfinite([onset, offset, low_hz, high_hz]).all() and onset < offset and low_hz < high_hz):
        raise ValueError(
            f"a box needs onset < offset and low_hz < high_hz, not {onset}..{offset} s, "
            f"{low_hz}..{high_hz} Hz"
        )
    if high_hz <= 0 or low_hz >= sample_rate / 2:
        raise ValueError(
            f"the band {low_hz}..{high_hz} Hz lies outside 0..{sample_rate / 2} Hz, all that a sound of "
            f"{sample_rate} samples a second holds"
        )
    if fade < 0 or (peak is not None and not 0 < peak <= 1):
        raise ValueError(f"fade has to be 0 s or more and peak within 0..1, not {fade} s and {peak}")


def _with_context(waveform: np.ndarray, first: int, last: int, fade: int) -> np.ndarray:
    """Samples first..last in float64, faded at both ends; zeros beyond the clip.

    A clip's own ends get the short fade that the sound gets there anyway: cut off hard, a tone outside the
    band would ring in it.
    """
    inside = waveform[max(0, first) : min(len(waveform), last)].astype(np.float64)
    before, after = max(0, -first), max(0, last - len(waveform))
    inside *= _fades(len(inside), fade)
    return np.pad(inside, (before, after))


def _rise(x: np.ndarray) -> np.ndarray:
    """Raised cosine from 0 (x <= 0) to 1 (x >= 1)."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0))


def _fades(samples: int, fade: int) -> np.ndarray:
    """Weights (samples,): 1 but for raised cosines from and to 0 over `fade` samples (half at most)."""
    fade = min(fade, samples // 2)
    if fade == 0:
        return np.ones(samples)
    from_end = np.minimum(np.arange(samples), np.arange(samples)[::-1])
    return _rise(from_end / fade)


def _band_passed(
    waveform: np.ndarray, sample_rate: int, low_hz: float, high_hz: float, slope: float
) -> np.ndarray:
    size = scipy.fft.next_fast_len(len(waveform), real=True)
    hertz = scipy.fft.rfftfreq(size, 1 / sample_rate)
    slope = min(slope, (high_hz - low_hz) / 2)
    gain = np.ones(len(hertz))
    if low_hz > 0:
        gain *= _rise((hertz - low_hz) / slope)
    if high_hz < sample_rate / 2:
        gain *= _rise((high_hz - hertz) / slope)
    return scipy.fft.irfft(scipy.fft.rfft(waveform, size) * gain, size)[: len(waveform)]


def _levelled(sound: np.ndarray, peak: float | None) -> np.ndarray:
    loudest = float(np.abs(sound).max())
    if peak is not None and loudest > 0:
        return sound * min(peak / loudest, MOST_GAIN)
    return sound / loudest if loudest > 1 else sound
