"""Sound files in, waveforms, filter banks and cells out."""

from protoviz.audio.background import background_noise
from protoviz.audio.cells import Box, CellGrid
from protoviz.audio.crops import box_sound, box_span, part_sound, silence_box
from protoviz.audio.decibel_bank import MelConfig, decibel_frames, mel_decibels, mel_filters
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
from protoviz.audio.level import Level, decibels, gain, level_of
from protoviz.audio.reading import (
    MAX_SECONDS,
    AudioInfo,
    audio_info,
    fit_length,
    read_audio,
    read_channels,
    resampled,
    write_wav_bytes,
)
from protoviz.audio.sources import AudioError
from protoviz.audio.waveforms import check_values, mono, to_clips, to_samples, to_waveform

__all__ = [
    "MAX_SECONDS",
    "SOUND_SUFFIXES",
    "AudioError",
    "AudioInfo",
    "Box",
    "CellGrid",
    "FilterBank",
    "Level",
    "MelConfig",
    "audio_info",
    "background_noise",
    "band_edges",
    "box_sound",
    "box_span",
    "check_values",
    "decibel_frames",
    "decibels",
    "files_below",
    "fit_length",
    "gain",
    "hertz_to_mel",
    "is_foreign",
    "is_hidden",
    "is_sound",
    "level_of",
    "log_mel",
    "mel_decibels",
    "mel_edges_hz",
    "mel_filters",
    "mel_to_hertz",
    "mel_triangles",
    "mono",
    "nfc",
    "part_sound",
    "read_audio",
    "read_channels",
    "resampled",
    "silence_box",
    "sounds_below",
    "to_clips",
    "to_samples",
    "to_waveform",
    "window_samples",
    "write_wav_bytes",
]
