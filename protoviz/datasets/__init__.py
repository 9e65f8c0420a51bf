"""Data sets: one table of clips, and a reader for each clip's sound.

clips = load_dataset("urban", "URBAN-SED_v2.0.0")   # the paper's data sets by name: DATASETS
clips.counts(), clips.skipped                       # what is there, and what is not
"""

from protoviz.datasets.at_hand import clips_of
from protoviz.datasets.catalogue import DATASETS, find_spec, load_dataset
from protoviz.datasets.clips import ClipSet, Reader
from protoviz.datasets.folder import folder_clips, folder_table
from protoviz.datasets.scenes import (
    nested_clips,
    recorded_scene_clips,
    scene_clips,
    scene_id,
    scene_of,
    scene_seeds,
)
from protoviz.datasets.spec import DatasetSpec, LayoutError

__all__ = [
    "DATASETS",
    "ClipSet",
    "DatasetSpec",
    "LayoutError",
    "Reader",
    "clips_of",
    "find_spec",
    "folder_clips",
    "folder_table",
    "load_dataset",
    "nested_clips",
    "recorded_scene_clips",
    "scene_clips",
    "scene_id",
    "scene_of",
    "scene_seeds",
]
