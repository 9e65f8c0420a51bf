"""Data sets: one table of clips, and a reader for each clip's sound."""

from protoviz.datasets.clips import ClipSet, Reader
from protoviz.datasets.folders import folder_clips, folder_table
from protoviz.datasets.scenes import scene_clips, scene_seeds

__all__ = ["ClipSet", "Reader", "folder_clips", "folder_table", "scene_clips", "scene_seeds"]
