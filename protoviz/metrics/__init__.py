"""Metrics on raw logits: average precision and accuracy of clips, and scores of detected events."""

from protoviz.metrics.events import (
    F1,
    Events,
    detected,
    event_counts,
    f1,
    intersection_counts,
    listed,
    psds,
    segment_counts,
)
from protoviz.metrics.precision import (
    MeanAP,
    accuracy,
    auroc,
    average_precision,
    calibrated_average_precision,
    mean_average_precision,
    precision_at_hits,
    random_average_precision,
)

__all__ = [
    "F1",
    "Events",
    "MeanAP",
    "accuracy",
    "auroc",
    "average_precision",
    "calibrated_average_precision",
    "detected",
    "event_counts",
    "f1",
    "intersection_counts",
    "listed",
    "mean_average_precision",
    "precision_at_hits",
    "psds",
    "random_average_precision",
    "segment_counts",
]
