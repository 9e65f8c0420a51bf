"""Sound files in, mono waveforms out; and a waveform as a WAV for the player."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import soundfile
import soxr

from protoviz.arguments import in_order
from protoviz.audio.parts import Survey, part_opened, survey
from protoviz.audio.sources import (
    DAMAGED,
    LOST_SECONDS,
    AudioError,
    Source,
    length_known,
    opened,
    source_name,
)
from protoviz.audio.waveforms import mono

MAX_SECONDS = 3600.0  # one hour, 230 MB at 16 kHz: more is a recording to be read in windows, not a clip
MIN_RATE, MAX_RATE = 4000, 192000  # hertz; outside, a header is more likely damaged than right
BLOCK_FRAMES = 16384  # frames decoded at once: more is not faster, and damage is placed to about a second
QUALITY = "VHQ"  # soxr's best; measured as fast as HQ here
MARGIN = 256  # samples of the slower rate that the resampler sees beside a window; its filter reaches 128
LEAD_SECONDS = 1.0  # decoded in front of a window in a lossy file: its decoder needs frames after a jump


@dataclass(frozen=True)
class AudioInfo:
    """What a file holds; `frames` and `seconds` are those that can be read of a sound without damage."""

    seconds: float
    sample_rate: int
    channels: int
    frames: int
    format: str


@dataclass(frozen=True)
class _Window:
    """What to decode of a file and what to keep of that."""

    first: int  # input frame where decoding starts: the window's start less a margin, in step with both rates
    needed: int  # input frame up to which the sound must reach
    last: int  # input frame at which decoding stops: the window's end plus a margin
    skipped: int  # output samples of the margin in front
    samples: int  # output samples of the window


def audio_info(path: Source) -> AudioInfo:
    """Return length, rate, channels and format of a sound: what `read_audio` returns of it, without decoding.

    From the header alone, but for Ogg, which is looked through page by page, and MP3, whose frames are
    counted; a path once, until it changes. Of a file that was cut off, what is there. Raises AudioError where
    there is no sound to read; damage further in shows only when it is read.
    """
    with opened(path) as file:
        if not length_known(file):
            raise _unknown_length(source_name(path))
        found = survey(path, file)
        if found.frames == 0:
            raise _damaged(source_name(path), file, found, file.samplerate, (0, math.inf))
        rate, frames = file.samplerate, found.frames
        return AudioInfo(frames / rate, rate, file.channels, frames, file.format)


@in_order
def read_audio(
    path: Source, sample_rate: int = 16000, *, offset: float = 0.0, duration: float | None = None
) -> np.ndarray:
    """Return the sound as float32 (s,) at `sample_rate`: mono by mean over channels, full scale = 1.

    WAV, FLAC, OGG, MP3, AIFF (whatever libsndfile decodes), integer or float, any rate from 4 to 192 kHz.
    `path` may be an open binary file that can seek; it is read from its beginning and left open.
    `offset` and `duration` (seconds) choose a window: only that is decoded and held, with a margin for the
    resampler and the decoder. It equals the same cut of the whole to 1e-6 of full scale (2e-5 where the two
    rates share no larger divisor, as 192000 and 191999; 2e-3 in Opus, whose decoder never forgets quite). A
    window is shorter where the sound ends within it.

    Defined: silence is returned as zeros; float files beyond full scale are not clipped; a sound longer than
    MAX_SECONDS is refused unless a duration is given. AudioError (a ValueError): no such file, a folder,
    empty, zero-length, no sound, truncated or damaged, NaN or infinite samples, rates outside 4..192 kHz, a
    window beyond the end.

    Damage: a window that does not touch it is read, at its right second; any other is refused with the place.
    Ogg (Vorbis, Opus) knows each lost or changed page by its checksum, number and time. FLAC knows a changed
    frame when that is decoded, lost ones by their numbers, and a changed head by what its frames say. MP3 has
    no checksum: its frames are counted, what follows a lost one is refused, and a changed bit within one
    sounds wrong for some milliseconds; the encoder's delay, in its first frame, has none either. WAV and AIFF
    know only that their end is missing. An MP3 without a count in its first frame (Xing, Info, VBRI) reads,
    where it was cut off, as if it ended there. Its start is that of the sound, where that frame tells the
    encoder's delay; else the decoder's 529 samples alone are left out.
    """
    return _read(path, sample_rate, offset, duration, _mean)


def read_channels(
    path: Source, sample_rate: int = 16000, *, offset: float = 0.0, duration: float | None = None
) -> np.ndarray:
    """Return the channels of the sound, each by itself, float32 (c s); rest as in `read_audio`."""
    samples = _read(path, sample_rate, offset, duration, lambda block: block)
    return np.ascontiguousarray(samples.T)


def _mean(block: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # answered where values are looked at
        return block.mean(axis=1)


def _read(path: Source, sample_rate: int, offset: float, duration: float | None, mix: Callable) -> np.ndarray:
    """The samples (s,) or (s c) of a window, as `mix` makes them of blocks (n c) of frames."""
    name = source_name(path)
    _check_request(name, sample_rate, offset, duration)
    with opened(path) as file:
        if not MIN_RATE <= file.samplerate <= MAX_RATE:
            raise AudioError(
                f"{name}: its sample rate of {file.samplerate} Hz lies outside {MIN_RATE} to {MAX_RATE} Hz; "
                "resample it first"
            )
        found, rate = survey(path, file), int(sample_rate)
        _check_length(name, file, found.frames, offset, duration)
        if duration is None and found.promised > found.frames:
            raise _damaged(name, file, found, rate, (0, math.inf))
        window = _window(name, file, rate, found.promised, (offset, duration))
        part = found.part(window.first, window.last)
        if window.needed > found.frames or (found.parts and part is None):
            raise _damaged(name, file, found, rate, (window.first, window.last))
        if part is None:
            return _resampled(_blocks(name, file, 0, window, mix), file.samplerate, rate, window)
        with part_opened(path, part) as (decoder, start):
            return _resampled(_blocks(name, decoder, start, window, mix), file.samplerate, rate, window)


def write_wav_bytes(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Return a 16-bit WAV file in memory, of a waveform (s,); exact for int16, and for samples on its grid
    k/32768.

    Samples beyond full scale are clipped. Raises ValueError for what is not mono (see `to_waveform`), and for
    NaN and infinity.
    """
    waveform = mono(waveform)
    if not np.isfinite(waveform).all():
        raise ValueError("the waveform holds NaN or infinite samples and cannot be written as WAV")
    # Not left to libsndfile: it scales by 32767, which moves every sample
    integers = np.clip(np.round(waveform.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    memory = io.BytesIO()
    soundfile.write(memory, integers, int(sample_rate), format="WAV", subtype="PCM_16")
    return memory.getvalue()


def fit_length(waveform: np.ndarray, samples: int) -> np.ndarray:
    """Return the waveform (samples,) float32: cut, or padded with zeros, at its end. Never the caller's own
    array.

    Raises ValueError for what is not mono (see `to_waveform`).
    """
    if samples < 0:
        raise ValueError(f"a waveform cannot have {samples} samples: give 0 or more")
    waveform = mono(waveform)[:samples]
    return np.pad(waveform, (0, samples - len(waveform)))


def resampled(waveform: np.ndarray, own: int, rate: int) -> np.ndarray:
    """Return a waveform (s,) of the sample rate `own` at another, float32, as `read_audio` does it."""
    waveform = mono(waveform)
    if own == rate:
        return waveform
    new = soxr.resample(waveform, own, rate, quality=QUALITY)
    return fit_length(new, max(1, round(len(waveform) * rate / own)))


def _check_request(name: str, sample_rate: int, offset: float, duration: float | None) -> None:
    if not MIN_RATE <= sample_rate <= MAX_RATE or sample_rate != int(sample_rate):
        raise AudioError(
            f"{name}: cannot be read at {sample_rate} Hz; ask for {MIN_RATE} to {MAX_RATE}, a whole number"
        )
    if not (math.isfinite(offset) and offset >= 0):
        raise AudioError(f"{name}: offset {offset} s; pass 0 or more seconds")
    if duration is not None and not (math.isfinite(duration) and duration > 0):
        raise AudioError(f"{name}: duration {duration} s; pass more than 0 s, or None for all")


def _check_length(
    name: str, file: soundfile.SoundFile, frames: int, offset: float, duration: float | None
) -> None:
    """Refuse what is too long to be held, or of unknown length and asked for as a whole."""
    if not length_known(file):
        if duration is None or duration > MAX_SECONDS:
            raise _unknown_length(name)
        return
    seconds = frames / file.samplerate - offset
    if duration is None and seconds > MAX_SECONDS:
        raise AudioError(
            f"{name}: {seconds / 3600:.1f} hours are too long to read at once (limit: {MAX_SECONDS:.0f} s); "
            "pass offset and duration to read a window"
        )


def _unknown_length(name: str) -> AudioError:
    return AudioError(
        f"{name}: its header does not say how long it is (written to a pipe); rewrite it "
        f"(for example: ffmpeg -i IN OUT.flac), or read a window by a duration of up to {MAX_SECONDS:.0f} s"
    )


def _truncated(name: str, file: soundfile.SoundFile, readable: int, promised: float) -> AudioError:
    whole = f" of {promised / file.samplerate:.2f} s" if promised < 2**53 else ""
    seconds = math.floor(100 * readable / file.samplerate) / 100  # never more than can be read
    return AudioError(
        f"{name}: truncated or damaged, decodes only up to {seconds:.2f} s{whole}; {DAMAGED}, "
        "or pass offset and duration of a window that ends before that"
    )


def _damaged(
    name: str, file: soundfile.SoundFile, found: Survey, rate: int, span: tuple[float, float]
) -> AudioError:
    """The refusal of frames span[0]..span[1], which touch damage or reach beyond the last that is there."""
    if not found.parts:
        return _truncated(name, file, found.frames, found.promised)
    own, (first, stop) = file.samplerate, found.damage(*span)
    first = max(0, first - _margin(own, rate))
    if stop == math.inf:
        return _truncated(name, file, first, found.promised)
    begins, ends = math.floor(100 * first / own) / 100, math.ceil(100 * stop / own + 100 * LEAD_SECONDS) / 100
    return AudioError(
        f"{name}: damaged, cannot be decoded from {begins:.2f} s to {ends:.2f} s; {DAMAGED}, or pass offset "
        "and duration of a window that does not touch that"
    )


def _margin(own: int, rate: int) -> int:
    """Input frames that the resampler sees on either side of a window."""
    return 0 if own == rate else math.ceil(MARGIN * max(1.0, own / rate))


def _window(
    name: str, file: soundfile.SoundFile, rate: int, frames: float, asked: tuple[float, float | None]
) -> _Window:
    """What to decode of a sound that should have so many frames, for an asked (offset, duration)."""
    own, (offset, duration) = file.samplerate, asked
    total = max(1, round(frames * rate / own)) if math.isfinite(frames) else math.inf
    start = round(offset * rate)
    if start >= total:
        raise AudioError(f"{name}: offset {offset} s lies beyond its end at {frames / own:.3f} s; pass less")
    end = total if duration is None else min(total, start + max(1, round(duration * rate)))
    needed = min(frames, math.ceil(end * own / rate))
    margin = _margin(own, rate)
    lead = round(LEAD_SECONDS * own) if file.format in ("MP3", "OGG") else 0
    common = math.gcd(own, rate)
    # Both rates have a sample at every step: from there the resampler keeps time with a reading of the whole
    step = max(0, start * own // rate - margin - lead) // (own // common)
    first, skipped = step * (own // common), start - step * (rate // common)
    return _Window(first, needed, min(frames, needed + margin), skipped, end - start)


def _blocks(
    name: str, file: soundfile.SoundFile, start: int, window: _Window, mix: Callable
) -> Iterator[np.ndarray]:
    """Blocks of frames as `mix` makes them of (n c), each valid until the next is asked for.

    `start` is the frame of the sound at which the file itself begins.
    """
    place = window.first
    buffer = np.empty((max(1, BLOCK_FRAMES // file.channels), file.channels), dtype=np.float32)
    try:
        if place:
            file.seek(place - start)
        while place < window.last:
            block = file.read(out=buffer[: window.last - place])
            if len(block) == 0:
                break
            mixed = mix(block)
            _check_finite(name, mixed, place, file.samplerate)
            place += len(block)
            yield mixed
    except soundfile.SoundFileError:
        pass  # what could not be decoded counts as missing: it may lie in the margin only
    if place == window.first:  # not one block: how much lies before it is not known
        raise AudioError(
            f"{name}: truncated or damaged, cannot be decoded at {place / file.samplerate:.2f} s; {DAMAGED}"
        )
    lost = 0 if file.format == "FLAC" else LOST_SECONDS * file.samplerate  # FLAC counts its samples exactly
    if window.needed - place > lost:
        raise _truncated(name, file, place, start + file.frames)


def _check_finite(name: str, block: np.ndarray, place: int, rate: int) -> None:
    finite = np.isfinite(block).reshape(len(block), -1).all(axis=1)
    if not finite.all():
        seconds = (place + int(np.argmin(finite))) / rate
        raise AudioError(f"{name}: holds NaN or infinite samples, first at {seconds:.3f} s; {DAMAGED} as PCM")


def _resampled(blocks: Iterator[np.ndarray], own: int, rate: int, window: _Window) -> np.ndarray:
    """The window's samples (s,) or (s c), of blocks that start `window.skipped` output samples before it."""
    first = next(blocks)  # there is one at least
    channels, shape = first.shape[1:], (window.samples, *first.shape[1:])
    width = channels[0] if channels else 1
    stream = None if own == rate else soxr.ResampleStream(own, rate, width, dtype="float32", quality=QUALITY)
    samples = np.zeros(shape, dtype=np.float32)
    place = -window.skipped

    def keep(piece: np.ndarray) -> None:
        nonlocal place
        wanted = piece[max(0, -place) : max(0, window.samples - place)]
        at = max(0, place)
        samples[at : at + len(wanted)] = wanted
        place += len(piece)

    for block in chain([first], blocks):
        keep(block if stream is None else stream.resample_chunk(block))
    if stream is not None:
        keep(stream.resample_chunk(np.empty((0, *channels), dtype=np.float32), last=True))
    # One sample at 192 kHz is less than one at 4 kHz: still a sound, of one sample
    return samples if place >= window.samples else samples[: max(1, place)].copy()
