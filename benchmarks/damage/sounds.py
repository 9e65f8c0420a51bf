"""Sound files of every format, made of one procedural scene."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from benchmarks.damage.kind import Kind, named
from protoviz.audio import audio_info, read_audio
from protoviz.scenes import make_scene

SECONDS, RATE = 6, 16000
FORMATS = {  # name -> (suffix, container, coding, hertz)
    "flac": ("flac", "FLAC", "PCM_16", 44100),
    "vorbis": ("ogg", "OGG", "VORBIS", 44100),
    "opus": ("opus", "OGG", "OPUS", 48000),
    "mp3": ("mp3", "MP3", "MPEG_LAYER_III", 44100),
    "wav": ("wav", "WAV", "PCM_16", 44100),
    "aiff": ("aiff", "AIFF", "PCM_16", 44100),
    "au": ("au", "AU", "PCM_16", 44100),
    "caf": ("caf", "CAF", "PCM_16", 44100),
    "w64": ("w64", "W64", "FLOAT", 44100),
    "rf64": ("rf64", "RF64", "PCM_24", 44100),
    "nist": ("nist", "NIST", "PCM_16", 16000),
    "voc": ("voc", "VOC", "PCM_16", 16000),
}
PLAIN = "no sum of samples or header"
BLIND = dict.fromkeys(("wav", "aiff", "au", "caf", "w64", "rf64", "nist", "voc"), PLAIN)
BLIND["mp3"] = "no sum of a frame, nor of the delay in its tag"
# Behind damage Opus and Vorbis begin anew, and come to the same numbers but for their rounding.
TOLERANCE = {"vorbis": 3e-3, "opus": 3e-3}


def write(folder: Path) -> None:
    """The scene in every format, in stereo."""
    scene = make_scene(1, 3).waveform[: SECONDS * RATE]
    both = np.stack([scene, scene[::-1]], axis=1)
    for name, (suffix, container, coding, rate) in FORMATS.items():
        sound = soxr.resample(both, RATE, rate)
        soundfile.write(folder / f"{name}.{suffix}", sound, rate, format=container, subtype=coding)


def _read(window: dict, pattern: str, folder: Path) -> np.ndarray:
    (path,) = folder.glob(pattern)
    return read_audio(path, RATE, **window)


def _info(pattern: str, folder: Path) -> None:
    """Nothing: of a sound that was cut off it says what is there."""
    (path,) = folder.glob(pattern)
    audio_info(path)


def _kind(name: str) -> Kind:
    pattern = f"{name}.*"
    windows = {"whole": {}, "begin": {"duration": 1.0}, "end": {"offset": SECONDS - 1.5, "duration": 1.0}}
    readers = [named(window, _read, given, pattern) for window, given in windows.items()]
    readers.append(named("info", _info, pattern))
    return Kind(
        name,
        write,
        (pattern,),
        tuple(readers),
        BLIND.get(name, ""),
        TOLERANCE.get(name, 0.0),
        quick=name in ("flac", "vorbis", "wav"),
    )


KINDS = [_kind(name) for name in FORMATS]
