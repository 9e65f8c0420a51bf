"""The polyphony experiment: the number of events in a scene is all that changes.

build_polyphony(folder, work)             -> polyphony*.parquet, localisation.parquet, polyphony.json
build_strong(folder, work, strong, birds) -> strong.parquet: the same question to recordings that people
                                             labelled
"""

from protoviz.experiments.polyphony.experiment import build_polyphony
from protoviz.experiments.polyphony.settings import (
    PolyphonyConfig,
    StrongConfig,
    mini_encoders,
    predicted_minutes,
)
from protoviz.experiments.polyphony.strong import build_strong, event_hits, strong_clips

__all__ = [
    "PolyphonyConfig",
    "StrongConfig",
    "build_polyphony",
    "build_strong",
    "event_hits",
    "mini_encoders",
    "predicted_minutes",
    "strong_clips",
]
