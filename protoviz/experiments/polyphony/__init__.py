"""The polyphony dial: one experiment in which the number of events in a scene is all that changes.

build_dial(folder, work)                 -> dial.parquet, dial-*.parquet, localisation.parquet, dial.json
build_strong(folder, work, strong, birds) -> strong.parquet: the same question to recordings that people
                                            labelled
"""

from protoviz.experiments.polyphony.experiment import build_dial
from protoviz.experiments.polyphony.settings import DialConfig, StrongConfig, mini_encoders, predicted_minutes
from protoviz.experiments.polyphony.strong import build_strong, event_hits, strong_clips

__all__ = [
    "DialConfig",
    "StrongConfig",
    "build_dial",
    "build_strong",
    "event_hits",
    "mini_encoders",
    "predicted_minutes",
    "strong_clips",
]
