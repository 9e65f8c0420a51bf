"""Scenes: procedural or recorded events over a background, every place known, the same from the seed."""

from protoviz.scenes.backgrounds import sound_files
from protoviz.scenes.exact import Draw
from protoviz.scenes.joined import JoinedSources
from protoviz.scenes.measure import cell_energies, loudness
from protoviz.scenes.mixer import (
    Event,
    Part,
    Parts,
    Scene,
    SceneConfig,
    Sources,
    make_scene,
    scene_labels,
    scene_parts,
)
from protoviz.scenes.recordings import RecordedSources, active_regions, file_sources, recorded_sources
from protoviz.scenes.synth import RECIPE_VERSION, SCENE_CLASSES, SOUND_CLASSES, ProceduralSources
from protoviz.scenes.unnamed import UnnamedSources

__all__ = [
    "RECIPE_VERSION",
    "SCENE_CLASSES",
    "SOUND_CLASSES",
    "Draw",
    "Event",
    "JoinedSources",
    "Part",
    "Parts",
    "ProceduralSources",
    "RecordedSources",
    "Scene",
    "SceneConfig",
    "Sources",
    "UnnamedSources",
    "active_regions",
    "cell_energies",
    "file_sources",
    "loudness",
    "make_scene",
    "recorded_sources",
    "scene_labels",
    "scene_parts",
    "sound_files",
]
