"""Sound files in, waveforms, filter banks and cells out."""

from protoviz.audio.background import background_noise
from protoviz.audio.cells import Box, CellGrid
from protoviz.audio.excerpts import box_sound, box_span, silence_box
from protoviz.audio.filterbank import (
    FilterBank,
    band_edges,
    hertz_to_mel,
    log_mel,
    mel_edges_hz,
    mel_to_hertz,
    mel_triangles,
    window_samples,
)
from protoviz.audio.formats import (
    SOUND_SUFFIXES,
    files_below,
    is_foreign,
    is_hidden,
    is_sound,
    nfc,
    sounds_below,
)
from protoviz.audio.reading import MAX_SECONDS, AudioInfo, audio_info, fit_length, read_audio, write_wav_bytes
from protoviz.audio.sources import AudioError

__all__ = [
    "MAX_SECONDS",
    "SOUND_SUFFIXES",
    "AudioError",
    "AudioInfo",
    "Box",
    "CellGrid",
    "FilterBank",
    "audio_info",
    "background_noise",
    "band_edges",
    "box_sound",
    "box_span",
    "files_below",
    "fit_length",
    "hertz_to_mel",
    "is_foreign",
    "is_hidden",
    "is_sound",
    "log_mel",
    "mel_edges_hz",
    "mel_to_hertz",
    "mel_triangles",
    "nfc",
    "read_audio",
    "silence_box",
    "sounds_below",
    "window_samples",
    "write_wav_bytes",
]
