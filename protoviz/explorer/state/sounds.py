"""The sound of a place in a clip, to be heard by itself."""

import numpy as np

from protoviz.audio import Box, box_sound, box_span


def heard_alone(waveform: np.ndarray, sample_rate: int, box: Box) -> tuple[np.ndarray, float]:
    """Return the sound (s,) float32 of a box of a clip (s,), and where its first sample lies in it, seconds.

    Every box is made equally loud (peak 0.5): as quiet as it is in the clip, no ear would find it.
    """
    first, _ = box_span(len(waveform), sample_rate, box)
    return box_sound(waveform, sample_rate, box, peak=0.5), first / sample_rate
